"""Hashes and checks passwords by argon2-cffi, one question a line.

{"hash": .., "password": ..}     answers whether the password is that of the hash
{"profile": .., "password": ..}  answers a new hash
"""

import json
import sys

from argon2 import Parameters, PasswordHasher, Type, exceptions, profiles

PROFILES = {
    "rfc9106-low-memory": profiles.RFC_9106_LOW_MEMORY,
    "rfc9106-high-memory": profiles.RFC_9106_HIGH_MEMORY,
    "pre-21.2": profiles.PRE_21_2,
    "cheapest": profiles.CHEAPEST,
    # What Gnar Gear documents.
    "gnar": Parameters(
        type=Type.I, version=19, salt_len=16, hash_len=16, time_cost=2, memory_cost=512, parallelism=2
    ),
}


def answer(question):
    password = question["password"]
    if "profile" in question:
        return PasswordHasher.from_parameters(PROFILES[question["profile"]]).hash(password)
    try:
        return PasswordHasher().verify(question["hash"], password)
    except exceptions.VerifyMismatchError:
        return False


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
