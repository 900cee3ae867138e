"""What the `tokens.py` of both Flask-JWT-Extended versions share: questions as lines of JSON on stdin, an
answer to each as a line on stdout. Each question gets a Flask app of its own, with its configuration.

Said of every question: "secret", or "private_key" and "public_key" (PEM); "algorithm" (HS256); "config", more of
Flask's configuration, such as {"JWT_ENCODE_ISSUER": "me"}.

- {"op": "create", "identity": .., "type": "access" | "refresh", "fresh": bool | seconds, "expires": seconds | false,
  "claims": {..}, "headers": {..}, "csrf": bool} -> {"token": .., "header": .., "claims": ..}
- {"op": "cookies", "token": .., "type": ..} -> {"set_cookie": [..]}
- {"op": "unset_cookies"} -> {"set_cookie": [..]}
- {"op": "verify", "token": .., "type": .., "location": "headers" | "cookies", "fresh": bool, "optional": bool,
  "csrf": the value of X-CSRF-TOKEN, "method": "GET"} -> {"ok": true, "identity": .., "claims": ..} or
  {"ok": false, "status": .., "error": ..}. Instead of "token", "authorization" is a whole header.
- {"op": "make", "recipe": {..}} -> {"token": ..}, by a recipe as in gnar/requests.json

What raises is answered by {"exception": ..}.
"""
import json
import sys
from base64 import urlsafe_b64decode
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from flask import Flask, Response, jsonify

# By its path, since `tokens` is the name of the script that imports this.
RECIPES = spec_from_file_location('recipes', Path(__file__).parent / 'gnar' / 'tokens.py')
recipes = module_from_spec(RECIPES)
RECIPES.loader.exec_module(recipes)


def serve(extension):
    for line in sys.stdin:
        try:
            answer = answer_to(extension, json.loads(line))
        except Exception as error:
            answer = {'exception': '{}: {}'.format(type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


def answer_to(extension, asked):
    if asked['op'] == 'make':
        return {'token': recipes.make(asked['recipe'])}
    app = app_for(extension, asked)
    if asked['op'] == 'verify':
        return verify(extension, app, asked)
    with app.test_request_context():
        if asked['op'] == 'create':
            token = extension.create(asked)
            header, claims, _ = token.split('.')
            return {'token': token, 'header': decoded(header), 'claims': decoded(claims)}
        response = Response()
        if asked['op'] == 'cookies':
            extension.set_cookies(response, asked['token'], asked.get('type', 'access'))
        elif asked['op'] == 'unset_cookies':
            extension.unset_jwt_cookies(response)
        else:
            raise ValueError('no such op')
        return {'set_cookie': response.headers.getlist('Set-Cookie')}


def app_for(extension, asked):
    app = Flask('tokens')
    in_cookies = asked['op'].endswith('cookies') or asked.get('location') == 'cookies' or asked.get('csrf')
    app.config.update({
        'JWT_SECRET_KEY': asked.get('secret'),
        'JWT_PRIVATE_KEY': asked.get('private_key'),
        'JWT_PUBLIC_KEY': asked.get('public_key'),
        'JWT_ALGORITHM': asked.get('algorithm', 'HS256'),
        'JWT_TOKEN_LOCATION': ['cookies' if in_cookies else 'headers'],
        **asked.get('config', {}),
    })
    if asked['op'] == 'create' and 'csrf' in asked:
        app.config['JWT_COOKIE_CSRF_PROTECT'] = asked['csrf']
    extension.JWTManager(app)
    return app


def verify(extension, app, asked):
    @app.route('/', methods=['GET', 'POST'])
    @extension.protect(asked)
    def protected():
        return jsonify({'identity': extension.get_jwt_identity(), 'claims': extension.claims()})

    client, headers = app.test_client(use_cookies=False), {}
    if asked.get('location') == 'cookies':
        headers['Cookie'] = '{}_token_cookie={}'.format(asked.get('type', 'access'), asked['token'])
        if asked.get('csrf'):
            headers['X-CSRF-TOKEN'] = asked['csrf']
    elif 'authorization' in asked:
        headers['Authorization'] = asked['authorization']
    elif asked.get('token') is not None:
        value = '{} {}'.format(app.config['JWT_HEADER_TYPE'], asked['token'])
        headers[app.config['JWT_HEADER_NAME']] = value.strip()
    response = client.open('/', method=asked.get('method', 'GET'), headers=headers)
    body = response.get_json(silent=True) or {}
    if response.status_code == 200:
        return {'ok': True, **body}
    return {'ok': False, 'status': response.status_code, 'error': body.get('msg')}


def seconds(value):
    """A number as a time; true, false and nothing as they are."""
    return value if value is None or isinstance(value, bool) else timedelta(seconds=value)


def decoded(segment):
    return json.loads(urlsafe_b64decode(segment + '=' * (-len(segment) % 4)))
