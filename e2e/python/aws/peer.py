"""boto3 as the other side of a queue: `peer.py PORT` speaks to the moto on that port.

Questions are lines of JSON on stdin, an answer to each a line on stdout; what raises is answered by
{"exception": ..}.

- {"op": "create", "queue": .., "attributes": {..}}
- {"op": "send", "queue": .., "bodies": [..], "group": .., "attributes": {..}} sends in order, ten at a time
- {"op": "receive", "queue": .., "delete": bool} -> {"messages": [..]}, at most ten
- {"op": "count", "queue": ..} -> {"visible": .., "hidden": ..}
- {"op": "verify", "address": ..} lets SES send from it
- {"op": "mails"} -> {"mails": [{"source", "destinations", "from", "subject", "parts": [..]}]}
"""
import email
import email.policy
import json
import sys
import urllib.request
import uuid

import boto3
from botocore.config import Config

URL = 'http://127.0.0.1:{}'.format(sys.argv[1])
ACCESS = {'endpoint_url': URL, 'region_name': 'us-east-1', 'aws_access_key_id': 'id',
          'aws_secret_access_key': 'secret', 'config': Config(retries={'max_attempts': 2})}
sqs = boto3.client('sqs', **ACCESS)
ses = boto3.client('sesv2', **ACCESS)


def url(asked):
    return sqs.get_queue_url(QueueName=asked['queue'])['QueueUrl']


def create(asked):
    sqs.create_queue(QueueName=asked['queue'], Attributes=asked.get('attributes', {}))


def send(asked):
    target, bodies = url(asked), asked['bodies']
    for begin in range(0, len(bodies), 10):
        entries = []
        for number, body in enumerate(bodies[begin:begin + 10]):
            entry = {'Id': str(number), 'MessageBody': body, 'MessageAttributes': asked.get('attributes', {})}
            if 'group' in asked:
                entry.update(MessageGroupId=asked['group'], MessageDeduplicationId=str(uuid.uuid4()))
            entries.append(entry)
        sent = sqs.send_message_batch(QueueUrl=target, Entries=entries)
        assert not sent.get('Failed'), sent


def receive(asked):
    target = url(asked)
    received = sqs.receive_message(QueueUrl=target, MaxNumberOfMessages=10, AttributeNames=['All'],
                                   MessageAttributeNames=['All']).get('Messages', [])
    for message in received:
        handle = message.pop('ReceiptHandle')
        for attribute in message.get('MessageAttributes', {}).values():
            if 'BinaryValue' in attribute:
                attribute['BinaryValue'] = list(attribute['BinaryValue'])
        if asked.get('delete'):
            sqs.delete_message(QueueUrl=target, ReceiptHandle=handle)
    return {'messages': received}


def count(asked):
    names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible']
    said = sqs.get_queue_attributes(QueueUrl=url(asked), AttributeNames=names)['Attributes']
    return {'visible': int(said[names[0]]), 'hidden': int(said[names[1]])}


def verify(asked):
    ses.create_email_identity(EmailIdentity=asked['address'])


def mails(_):
    with urllib.request.urlopen(URL + '/moto-api/data.json') as answer:
        sent = json.load(answer)['ses']['RawMessage']
    return {'mails': [described(mail) for mail in sent]}


def described(mail):
    message = email.message_from_string(mail['raw_data'], policy=email.policy.default)
    parts = [{'type': part.get_content_type(), 'name': part.get_filename(), 'content': content(part)}
             for part in message.walk() if not part.is_multipart()]
    return {'source': mail['source'], 'destinations': mail['destinations'], 'from': str(message['from']),
            'to': str(message['to']), 'bcc': message['bcc'], 'subject': message['subject'],
            'type': message.get_content_type(), 'parts': parts}


def content(part):
    content = part.get_content()
    return list(content) if isinstance(content, bytes) else content


OPS = {op.__name__: op for op in (create, send, receive, count, verify, mails)}

for line in sys.stdin:
    try:
        asked = json.loads(line)
        answer = OPS[asked['op']](asked) or {}
    except Exception as error:
        answer = {'exception': '{}: {}'.format(type(error).__name__, error)}
    print(json.dumps(answer, default=str), flush=True)
