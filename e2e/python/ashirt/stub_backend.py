#!/usr/bin/env python3
"""Small stub of the ASHIRT backend's /api routes, for testing enhancement workers.

* Listens on 127.0.0.1 only.  Verifies Date + HMAC the way ashirt-server (HEAD 7f0b7726) does.
* Records every request it receives, one JSON object a line, in --record FILE.
* Answers like HEAD's router: status codes, JSON error bodies, 405 for GET evidence/{uuid}
  (use --legacy-get-evidence for servers older than 2023-07-28), 200 `null` for PUT, 201 for POST.

Usage: stub_backend.py 3900 --record wire.jsonl [--legacy-get-evidence]
Written from facts about the protocol; it is no copy of the Go code.
"""
import argparse, base64, binascii, datetime, email.parser, email.policy, hashlib, hmac, json, re, struct, sys, threading, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, unquote, parse_qs

# Public development seed credentials (they are printed in ASHIRT's own docker-compose.yml)
KEYS = {
    "gR6nVtaQmp2SvzIqLUWdedDk": base64.b64decode("WvtvxFaJS0mPs82nCzqamI+bOGXpq7EIQhg4UD8nxS5448XG9N0gNAceJGBLPdCA3kAzC4MdUSHnKCJ/lZD++A=="),
}
MAX_SKEW = 3600.0
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
CONTENT = {  # evidence uuid -> (contentType, media, preview)
    "ev-image": ("image", PNG, PNG),
    "ev-codeblock": ("codeblock", b'{"content":"print(1)\n","contentSubtype":"python","metadata":{"source":"a.py"}}', None),
    "ev-terminal": ("terminal-recording", b'{"version": 2, "width": 80, "height": 24}\n[0.1, "o", "$ ls\\r\\n"]\n', None),
    "ev-har": ("http-request-cycle", b'{"log":{"version":"1.2","entries":[]}}', None),
    "ev-event": ("event", None, None),  # no file: an S3/GCS store fails to read key "" -> 500
    "ev-none": ("none", None, None),
}


def large(size):
    """Evidence of each type with a file of `size` bytes or a little more."""
    entry = json.dumps({"startedDateTime": "2024-02-16T17:50:05.123Z", "time": 12.5,
                        "request": {"method": "GET", "url": "https://example.com/some/path?of=a&request=1", "headers": [], "headersSize": 120, "bodySize": 0},
                        "response": {"status": 200, "headers": [], "content": {"size": 1000, "mimeType": "text/html", "text": "x" * 1000}, "headersSize": 90, "bodySize": 1000}})
    har = '{"log":{"version":"1.2","entries":[' + ",".join([entry] * (size // len(entry) + 1)) + "]}}"
    event = '[0.25, "o", "\\u001b[32muser@host\\u001b[0m:~$ ls -l /some/folder \\u4e16\\u754c\\r\\n"]\n'
    cast = '{"version": 2, "width": 120, "height": 40}\n' + event * (size // len(event) + 1)
    code = json.dumps({"contentSubtype": "python", "content": "def f(x):\n    return x + 1  # one more\n\n" * (size // 45 + 1), "metadata": {"source": "a.py"}})
    chunk = b"\0" * size
    data = struct.pack(">I", size) + b"IDAT" + chunk + struct.pack(">I", binascii.crc32(b"IDAT" + chunk))
    png = PNG[:33] + data + PNG[-12:]
    return {"ev-large-har": ("http-request-cycle", har.encode(), None), "ev-large-terminal": ("terminal-recording", cast.encode(), None),
            "ev-large-codeblock": ("codeblock", code.encode(), None), "ev-large-image": ("image", png, png)}


DATE_RE = re.compile(r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) (\d\d):(\d\d):(\d\d) (\S+)$")
MON = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
lock = threading.Lock()
OPTS = None


def check_date(value):
    if not value:
        return "Missing required Date header"
    m = DATE_RE.match(value)
    if not m:
        return "unparsable Date header: %r" % value
    if m.group(8) != "GMT":
        return "Date header must be in GMT (got %s)" % value
    try:
        t = datetime.datetime(int(m.group(4)), MON.index(m.group(3)) + 1, int(m.group(2)), int(m.group(5)), int(m.group(6)), int(m.group(7)), tzinfo=datetime.timezone.utc).timestamp()
    except ValueError as e:
        return "unparsable Date header: %s" % e
    return None if abs(time.time() - t) < MAX_SKEW else "Date is not within max delta (1h)"


def check_auth(method, request_uri, headers, body):
    """None when the request is authentic, else the (logged, never sent) reason."""
    err = check_date(headers.get("Date", ""))
    if err:
        return err
    a = headers.get("Authorization", "")
    if not a:
        return "Missing required Authorization header"
    access, sep, sig = a.partition(":")
    if not sep:
        return "Missing required HMAC signature in Authorization header"
    try:
        given = base64.b64decode(sig, validate=True)
    except (binascii.Error, ValueError) as e:
        return "Unable to decode base64 HMAC: %s" % e
    # GET bodies are never part of the signature
    digest = hashlib.sha256(b"" if method == "GET" else body).digest()
    msg = ("%s\n%s\n%s\n" % (method, request_uri, headers.get("Date"))).encode("latin1") + digest
    want = hmac.new(KEYS.get(access, b""), msg, hashlib.sha256).digest()
    if not hmac.compare_digest(given, want):
        return "Bad HMAC"
    if access not in KEYS:
        return "unknown access key"
    return None


def parse_multipart(ctype, body):
    m = re.search(r'boundary="?([^";]+)', ctype)
    if m and body.strip() == b"--" + m.group(1).encode("latin1") + b"--":
        return {}, {}  # a form without parts is valid to Go's ParseMultipartForm
    msg = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(b"Content-Type: " + ctype.encode("latin1") + b"\r\n\r\n" + body)
    if not msg.is_multipart():
        return None, None
    fields, files = {}, {}
    for p in msg.iter_parts():
        name = p.get_param("name", header="content-disposition")
        data = p.get_payload(decode=True)
        if p.get_filename() is not None:
            files[name] = {"filename": p.get_filename(), "contentType": p.get_content_type(), "size": len(data or b""), "sha256": hashlib.sha256(data or b"").hexdigest()}
        else:
            fields[name] = (data or b"").decode("utf-8", "replace")
    return fields, files


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # the Python worker resets connections whose bodies it never reads; that is no error here
        if not isinstance(sys.exc_info()[1], (ConnectionResetError, BrokenPipeError)):
            super().handle_error(request, client_address)


class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stub"
    wbufsize = -1  # an answer leaves when its request has been written down

    def log_message(self, *a):
        pass

    def send(self, status, obj=None, raw=None, ctype="application/json", extra=()):
        data = raw if raw is not None else json.dumps(obj, separators=(",", ":")).encode()
        self.send_response(status)
        if ctype:
            self.send_header("Content-Type", ctype)
        for k, v in extra:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return status, data

    def handle_any(self):
        n = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(n) if n else b""
        uri = self.requestline.split(" ")[1]  # as on the wire: http.server would collapse a leading '//' in self.path
        auth_err = check_auth(self.command, uri, self.headers, body)
        rec = {"method": self.command, "path": uri, "headers": [[k, v] for k, v in self.headers.items()],
               "body_b64": base64.b64encode(body).decode(), "auth": "ok" if auth_err is None else auth_err}
        try:
            rec["body_text"] = body.decode()
        except UnicodeDecodeError:
            pass
        ct = self.headers.get("Content-Type", "")
        if ct.startswith("multipart/form-data"):
            rec["form"], rec["files"] = parse_multipart(ct, body)
        status, data = self.route(uri, body, auth_err, rec)
        rec["response"] = {"status": status, "body": data.decode("latin1")[:400]}
        with lock:
            with open(OPTS.record, "a") as f:
                f.write(json.dumps(rec) + "\n")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_any

    def route(self, uri, body, auth_err, rec):
        u = urlsplit(uri)
        p, q, m = u.path, parse_qs(u.query), self.command
        table = [
            (r"^/api/metrics$", {"GET": self.metrics}),
            (r"^/api/checkconnection$", {"GET": self.checkconnection}),
            (r"^/api/operations$", {"GET": self.ops, "POST": self.mkop}),
            (r"^/api/operations/([^/]+)/tags$", {"GET": self.tags, "POST": self.mktag}),
            (r"^/api/operations/([^/]+)/evidence$", {"GET": self.evlist, "POST": self.mkev}),
            (r"^/api/operations/([^/]+)/evidence/([^/]+)$", {"PUT": self.putev, **({"GET": self.getev} if OPTS.legacy_get_evidence else {})}),
            (r"^/api/operations/([^/]+)/evidence/([^/]+)/(media|preview)$", {"GET": self.media}),
            (r"^/api/operations/([^/]+)/evidence/([^/]+)/metadata$", {"PUT": self.putmeta}),
        ]
        for rx, methods in table:
            g = re.match(rx, p)
            if not g:
                continue
            if m not in methods:  # the router answers before authentication
                return self.send(405, raw=b"", ctype=None, extra=[("Allow", ", ".join(methods))])
            if auth_err and p != "/api/metrics":
                return self.send(401, {"error": "Unauthorized"})
            return methods[m]([unquote(x) for x in g.groups()], body, rec)
        return self.send(404, raw=b"404 page not found\n", ctype="text/plain; charset=utf-8")

    def j(self, body):
        try:
            v = json.loads(body)
            return v if isinstance(v, dict) else None
        except ValueError:
            return None

    def metrics(self, g, b, r): return self.send(200, raw=b"# HELP stub\n", ctype="text/plain; version=0.0.4")
    def checkconnection(self, g, b, r): return self.send(200, {"ok": True})
    def op(self, slug): return {"slug": slug, "name": slug.title(), "numUsers": 1, "numEvidence": 6, "numTags": 1, "favorite": False, "topContribs": [], "evidenceCount": {"imageCount": 1, "codeblockCount": 1, "recordingCount": 1, "eventCount": 1, "harCount": 1}}
    def ops(self, g, b, r): return self.send(200, [self.op("op")])
    def mkop(self, g, b, r):
        v = self.j(b)
        if v is None: return self.send(400, {"error": "Invalid JSON body"})
        for k in ("slug", "name"):
            if k not in v: return self.send(400, {"error": "Missing required field: " + k})
            if not isinstance(v[k], str): return self.send(400, {"error": k + " must be a string"})
        if v["slug"] == "op": return self.send(400, {"error": "An operation with this slug already exists"})
        o = self.op(v["slug"]); o.update(name=v["name"], numEvidence=0, numTags=0, topContribs=None)
        return self.send(201, o)
    def known(self, slug): return slug == "op"
    def tags(self, g, b, r):
        if not self.known(g[0]): return self.send(404, {"error": "Not Found"})
        return self.send(200, [{"id": 1, "colorName": "red", "name": "T", "description": None, "evidenceCount": 2}])
    def mktag(self, g, b, r):
        v = self.j(b)
        if v is None: return self.send(400, {"error": "Invalid JSON body"})
        if "name" not in v: return self.send(400, {"error": "Missing required field: name"})
        if not self.known(g[0]): return self.send(404, {"error": "Not Found"})
        return self.send(201, {"id": 2, "colorName": v.get("colorName") or "", "name": v["name"], "description": v.get("description")})
    def evd(self, u): return {"uuid": u, "description": "d", "occurredAt": "2024-02-16T00:00:00Z", "adjustedAt": None, "operator": {"firstName": "", "lastName": "", "slug": ""}, "tags": None, "contentType": "", "sendUrl": False, "thumbImageKey": "", "fullImageKey": ""}
    def evlist(self, g, b, r):
        if not self.known(g[0]): return self.send(404, {"error": "Not Found"})
        m = re.fullmatch("uuid:(.+)", (parse_qs(urlsplit(r["path"]).query).get("query") or [""])[0])
        found = [m.group(1)] if m else list(CONTENT)
        return self.send(200, [dict(self.evd(u), contentType=CONTENT[u][0]) for u in found if u in CONTENT])
    def mkev(self, g, b, r):
        if r.get("form") is None: return self.send(400, {"error": "Unable to parse Form body"})
        if "notes" not in r["form"]: return self.send(400, {"error": "Missing required field: notes"})
        try: assert all(isinstance(x, int) for x in json.loads(r["form"].get("tagIds", "[]")))
        except Exception: return self.send(400, {"error": "tagIds must be a json array of ints"})
        if not self.known(g[0]): return self.send(401, {"error": "Unauthorized"})
        e = self.evd(str(uuid.uuid4())); e["description"] = r["form"]["notes"]
        return self.send(201, e)
    def putev(self, g, b, r):
        if r.get("form") is None: return self.send(400, {"error": "Unable to parse Form body"})
        for k in ("tagsToAdd", "tagsToRemove"):
            try: json.loads(r["form"].get(k, "[]"))
            except ValueError: return self.send(400, {"error": k + " must be a json array of ints"})
        if not self.known(g[0]) or g[1] not in CONTENT: return self.send(401, {"error": "Unauthorized"})
        if "file" in (r.get("files") or {}) and CONTENT[g[1]][0] not in ("http-request-cycle", "codeblock", "terminal-recording"):
            return self.send(400, {"error": "Content cannot be updated"})
        return self.send(200, None)
    def putmeta(self, g, b, r):
        if self.j(b) is None or not self.known(g[0]) or g[1] not in CONTENT: return self.send(401, {"error": "Unauthorized"})
        return self.send(200, None)
    def getev(self, g, b, r):
        if not self.known(g[0]) or g[1] not in CONTENT: return self.send(404, {"error": "Not Found"})
        return self.send(200, {"uuid": g[1], "description": "d", "contentType": CONTENT[g[1]][0], "occurredAt": "2024-02-16T00:00:00Z", "adjustedAt": None})
    def media(self, g, b, r):
        if not self.known(g[0]) or g[1] not in CONTENT: return self.send(404, {"error": "Not Found"})
        kind, full, thumb = CONTENT[g[1]]
        data = full if g[2] == "media" else (thumb if thumb is not None else full)  # blobs: preview is the media itself
        if data is None: return self.send(500, {"error": "An unknown error occurred"})
        ct = "image/png" if data.startswith(b"\x89PNG") else "text/plain; charset=utf-8"  # the real server lets net/http sniff
        return self.send(200, raw=data, ctype=ct if data else None)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("port", type=int)
    ap.add_argument("--record", default="wire.jsonl")
    ap.add_argument("--legacy-get-evidence", action="store_true")
    ap.add_argument("--large", type=int, metavar="BYTES", help="offer ev-large-har, -terminal, -codeblock and -image, of so many bytes")
    OPTS = ap.parse_args()
    if OPTS.large:
        CONTENT.update(large(OPTS.large))
    srv = Server(("127.0.0.1", OPTS.port), H)
    print("stub backend on 127.0.0.1:%d" % srv.server_address[1], flush=True)
    srv.serve_forever()
