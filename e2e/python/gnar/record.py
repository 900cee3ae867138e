"""Sends what requests.json lists to a server, in order, and prints the answers: record.py PORT DATABASE_URL.

The database is the server's, and its table of users is empty at the start. What differs from run to run is
taken out of the answers: tokens (their claims stand beside the body), and all of a traceback but its first
line (the exception stands beside the body).
"""
import json
import re
import sys
from base64 import urlsafe_b64decode
from http.client import HTTPConnection
from pathlib import Path

import psycopg2

import tokens

HERE = Path(__file__).parent
KEPT = ('content-type', 'allow', 'location', 'access-control-allow-origin', 'access-control-allow-methods',
        'access-control-allow-headers', 'access-control-expose-headers')
A_TOKEN = re.compile(r'[\w-]+\.[\w-]+\.[\w-]{43}')
AN_EXCEPTION = re.compile(r'[\w.]*[a-z]: ')
TIMES = ('exp', 'iat', 'nbf')


def main(port, database):
    listed = json.loads(HERE.joinpath('requests.json').read_text())
    answers = [record(request, listed['tokens'], port, database) for request in listed['requests']]
    print('[\n' + ',\n'.join(json.dumps(answer, ensure_ascii=False) for answer in answers) + '\n]')


def record(request, recipes, port, database):
    def fill(text):
        text = re.sub(r'{token:(\w+)}', lambda found: tokens.make(recipes[found[1]]), text)
        return re.sub(r'{activation_token:(.+?)}', lambda found: activation_token(database, found[1]), text)

    connection = HTTPConnection('127.0.0.1', port, timeout=20)
    connection.putrequest(request['method'], fill(request['path']), skip_accept_encoding=True)
    for name, value in request['headers']:
        connection.putheader(name, fill(value).encode())
    body = None if request['body'] is None else request['body'].encode()
    if body is not None:
        connection.putheader('Content-Length', len(body))
    connection.endheaders(body)
    response = connection.getresponse()
    body = response.read().decode().replace(':{}/'.format(port), ':<port>/')
    return answer(request['name'], response, body)


def activation_token(database, email):
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT activation_token FROM users WHERE email = %s', (email,))
        return cursor.fetchone()[0]


def answer(name, response, body):
    headers = {key: response.headers[key] for key in KEPT if key in response.headers}
    if 'location' in headers:
        headers['location'] = re.sub(r':\d+/', ':<port>/', headers['location'])
    if 'allow' in headers:
        headers['allow'] = ', '.join(sorted(headers['allow'].split(', ')))
    out = {'name': name, 'status': response.status, 'headers': headers}
    renewed = response.headers['authorization']
    if renewed:
        headers['authorization'] = A_TOKEN.sub('<token>', renewed)
        out['authorization_claims'] = claims(A_TOKEN.search(renewed)[0])
    found = A_TOKEN.search(body)
    if found:
        out['body_claims'] = claims(found[0])
    if '"traceback"' in body:
        traceback = json.loads(body)['traceback']
        body = body.replace(json.dumps(traceback), json.dumps(traceback.split('\n')[0]))
        out['exception'] = [line for line in traceback.split('\n') if AN_EXCEPTION.match(line)][-1]
    return {**out, 'body': A_TOKEN.sub('<token>', body)}


def claims(token):
    """The claims, in their order; times as seconds after `iat`, an identifier only by its length."""
    payload = token.split('.')[1]
    found = json.loads(urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))
    shown = {key: value - found['iat'] if key in TIMES else value for key, value in found.items()}
    return {**shown, 'jti': len(found['jti'])}


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2])
