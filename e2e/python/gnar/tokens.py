"""Makes the tokens of requests.json from their recipes.

A recipe is {"text": ..}, the token itself, or

- "header" and "claims": an object (made into compact JSON, keys in their order), or a text taken as it
  is. A value {"now": N} stands for the present time in whole seconds plus N.
- "algorithm" and "key": how it is signed, whatever the header says: HS256, HS384, HS512, or none, whose
  signature is empty. The key is the text's bytes.
- "segments", by default ["$header", "$claims", "$signature"]: the parts between the dots. In each,
  `$header`, `$claims` and `$signature` stand for the base64url without padding of the thing; the rest
  is taken as it is. The signature is of the first two segments as they stand.
"""
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode


def make(recipe):
    if 'text' in recipe:
        return recipe['text']
    first, second, *rest = recipe.get('segments', ['$header', '$claims', '$signature'])
    first = first.replace('$header', encode(as_text(recipe['header'])))
    second = second.replace('$claims', encode(as_text(recipe['claims'])))
    signature = sign(recipe, '{}.{}'.format(first, second).encode())
    rest = [segment.replace('$signature', signature) for segment in rest]
    return '.'.join([first, second, *rest])


def sign(recipe, signed):
    if recipe['algorithm'] == 'none':
        return ''
    digest = getattr(hashlib, recipe['algorithm'].lower().replace('hs', 'sha'))
    return encode(hmac.new(recipe['key'].encode(), signed, digest).digest())


def as_text(part):
    if isinstance(part, str):
        return part.encode()
    return json.dumps({key: at(value) for key, value in part.items()}, separators=(',', ':')).encode()


def at(value):
    return int(time.time()) + value['now'] if isinstance(value, dict) and 'now' in value else value


def encode(data):
    return urlsafe_b64encode(data).rstrip(b'=').decode()
