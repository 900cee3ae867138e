"""Records what argon2-cffi makes of passwords and thinks of hashes, for the tests of this room.

Run `python3 record.py > recorded.json` in this folder, with argon2-cffi 25.1.0 installed.
"""

import json

from argon2 import Parameters, PasswordHasher, Type, profiles
from argon2.low_level import hash_secret

PROFILES = {
    "rfc9106-low-memory": profiles.RFC_9106_LOW_MEMORY,
    "pre-21.2": profiles.PRE_21_2,
    "cheapest": profiles.CHEAPEST,
    "gnar": Parameters(
        type=Type.I, version=19, salt_len=16, hash_len=16, time_cost=2, memory_cost=512, parallelism=2
    ),
}
PASSWORDS = ["correct horse battery staple", "pässwörd ☃ 🔑", "\0x", " ", "a" * 300]
# time, memory, lanes, length of the hash, length of the salt
COSTS = [(1, 8, 1, 4, 8), (2, 64, 2, 16, 16), (3, 100, 3, 32, 16), (4, 67, 1, 64, 40), (1, 33, 4, 128, 100)]

hashes = []
for name, profile in PROFILES.items():
    passwords = PASSWORDS if profile.memory_cost < 1000 else PASSWORDS[:2]
    hasher = PasswordHasher.from_parameters(profile)
    hashes += [{"profile": name, "password": it, "hash": hasher.hash(it)} for it in passwords]
for kind in Type.I, Type.D, Type.ID:
    for version in 16, 19:
        for time, memory, lanes, length, salt in COSTS:
            hashed = hash_secret(b"swordfish", bytes(range(salt)), time, memory, lanes, length, kind, version)
            hashes.append({"profile": None, "password": "swordfish", "hash": hashed.decode()})

# By profile: for which of the hashes argon2-cffi would hash anew.
rehash = {
    name: [PasswordHasher.from_parameters(profile).check_needs_rehash(it["hash"]) for it in hashes]
    for name, profile in PROFILES.items()
}
latin = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, encoding="latin-1")
latin1 = {"password": "pässwörd", "hash": latin.hash("pässwörd")}
print(json.dumps({"hashes": hashes, "needs_rehash": rehash, "latin1": latin1}, indent=1))
