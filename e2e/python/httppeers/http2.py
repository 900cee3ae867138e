"""httpx over HTTP/2: `http2.py URL AUTHORITY.pem`. Prints what went wrong, then the sum as JSON."""

import asyncio
import collections
import json
import ssl
import sys

import httpx

URL, AUTHORITY = sys.argv[1:]
LARGE = b"x" * 100_000
EARLY = {"/closed": 401, "/opened": 201, "/nowhere": 404}


async def main():
    total = collections.Counter()

    async def check(client, number, method, path, expected, content=None, text=None):
        total["requests"] += 1
        try:
            answer = await client.request(method, URL + path, content=content)
            is_right = answer.http_version == "HTTP/2" and answer.status_code == expected
            is_right = is_right and (text is None or answer.text == text)
            total["right"] += is_right
            if not is_right:
                print(number, path, answer.http_version, answer.status_code, answer.text[:80])
        except Exception as error:  # Whatever a client raises is what its user would see.
            print(number, path, repr(error))

    context = ssl.create_default_context(cafile=AUTHORITY)
    async with httpx.AsyncClient(http2=True, verify=context, timeout=30) as client:
        for number in range(20):
            for path, expected in EARLY.items():
                await check(client, number, "POST", path, expected, LARGE)
                await check(client, number, "GET", f"/number/{number}", 200, text=str(number))
        # 200 streams at once on one connection, the early ones among the others.
        numbers = [check(client, n, "GET", f"/number/{n}", 200, text=str(n)) for n in range(100)]
        bodies = [check(client, n, "POST", "/echo", 200, LARGE, LARGE.decode()) for n in range(50)]
        early = [check(client, n, "POST", "/closed", 401, LARGE) for n in range(50)]
        await asyncio.gather(*numbers, *bodies, *early)
    print(json.dumps(total))


asyncio.run(main())
