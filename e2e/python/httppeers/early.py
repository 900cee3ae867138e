"""POSTs of 100 kB that a service answers before it has read them, by four clients.

    early.py URL COUNT

For each client and each kind of answer prints one line of JSON: how many of COUNT requests were answered as
expected on a connection that is kept, and what the others met. The last line is the sum.
"""

import asyncio
import collections
import http.client
import json
import sys
import urllib.parse

import aiohttp
import httpx
import requests

URL, COUNT = sys.argv[1], int(sys.argv[2])
SMALL, LARGE = b"x" * 100_000, b"x" * 3_000_000

# Path, body, expected status. A good request follows each, on the same connection where the client keeps it.
KINDS = {
    "refused": ("/closed", SMALL, 401),
    "succeeded": ("/opened", SMALL, 201),
    "missing": ("/nowhere", SMALL, 404),
    "too large": ("/echo", LARGE, 413),
}


def by_http_client():
    address = urllib.parse.urlsplit(URL)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)

    def send(method, path, body=None):
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    return send


def sync_client(name):
    if name == "http.client":
        return by_http_client()
    if name == "requests":
        session = requests.Session()

        def send(method, path, body=None):
            answer = session.request(method, URL + path, data=body, timeout=20)
            return answer.status_code, answer.content

        return send
    client = httpx.Client(timeout=20)

    def send(method, path, body=None):
        answer = client.request(method, URL + path, content=body)
        return answer.status_code, answer.content

    return send


def judge(seen, what, expected, outcome):
    if outcome == expected:
        seen["right"] += 1
    else:
        seen[f"{what}: {outcome}"] += 1


def attempt(send, *request):
    try:
        status, body = send(*request)
        return (status, body) if status == 200 else status
    except Exception as error:  # Whatever a client raises is what its user would see.
        return f"{type(error).__name__}: {error}"[:120]


def run_sync(name, path, body, expected):
    seen, send = collections.Counter(), sync_client(name)
    for number in range(COUNT):
        outcome = attempt(send, "POST", path, body)
        judge(seen, "early", expected, outcome)
        if isinstance(outcome, str):
            send = sync_client(name)
        outcome = attempt(send, "GET", f"/number/{number}")
        judge(seen, "next", (200, str(number).encode()), outcome)
        if isinstance(outcome, str):
            send = sync_client(name)
    return seen


async def run_aiohttp(path, body, expected):
    seen = collections.Counter()

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:

        async def attempt(method, path, body=None):
            try:
                async with session.request(method, URL + path, data=body) as answer:
                    content = await answer.read()
                    return (answer.status, content) if answer.status == 200 else answer.status
            except Exception as error:
                return f"{type(error).__name__}: {error}"[:120]

        for number in range(COUNT):
            judge(seen, "early", expected, await attempt("POST", path, body))
            outcome = await attempt("GET", f"/number/{number}")
            judge(seen, "next", (200, str(number).encode()), outcome)
    return seen


total = collections.Counter()
for name in ["http.client", "requests", "httpx", "aiohttp"]:
    for kind, (path, body, expected) in KINDS.items():
        if name == "aiohttp":
            seen = asyncio.run(run_aiohttp(path, body, expected))
        else:
            seen = run_sync(name, path, body, expected)
        print(json.dumps({"client": name, "kind": kind, "of": 2 * COUNT, **seen}))
        total["right"] += seen["right"]
        total["requests"] += 2 * COUNT
print(json.dumps(total))
