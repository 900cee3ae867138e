"""A hostile HTTP/2 client: the cases of RFC 9113's error sections, made with hyperframe and hpack.

    hostile_http2.py HOST PORT [AUTHORITY.pem]

Speaks TLS if a certificate authority is named, else HTTP/2 by prior knowledge. Prints one line of JSON for
each case: the section, what the service did, and whether the section allows that. The last line counts.

A connection error is GOAWAY with a code, or the end of the connection. A stream error is RST_STREAM with a code, or
a connection error, into which a receiver may turn it (section 5.4.2), or for malformed requests a response of 400
(section 8.1.1) or another refusal. PROTOCOL_ERROR is taken for any more specific code: the crate h2 sends it for errors of
a frame's size and of compression. After each case a good request on a new connection must be answered.
"""

import json
import socket
import ssl
import struct
import sys

from hpack import Decoder
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame

HOST, PORT = sys.argv[1], int(sys.argv[2])
AUTHORITY = sys.argv[3] if len(sys.argv) > 3 else None
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SCHEME = "https" if AUTHORITY else "http"
TIMEOUT = 8

(NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE, REFUSED, CANCEL,
 COMPRESSION, CONNECT, CALM) = range(12)


def raw(kind, flags, stream, payload=b"", length=None):
    """A frame as bytes, whatever hyperframe thinks of it."""
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def head(*fields, method="GET", path="/", drop=()):
    pseudo = [(":method", method), (":scheme", SCHEME), (":authority", "localhost"), (":path", path)]
    return [pair for pair in pseudo if pair[0] not in drop] + list(fields)


def block(fields):
    # Literals without indexing, because a new encoder for each block would break the connection's table.
    encoded = b""
    for name, value in fields:
        name, value = name.encode("latin-1"), value.encode("latin-1")
        encoded += b"\x00" + length(name) + name + length(value) + value
    return encoded


def length(text):
    if len(text) < 127:
        return bytes([len(text)])
    rest, encoded = len(text) - 127, b"\x7f"
    while rest >= 128:
        encoded += bytes([rest % 128 + 128])
        rest //= 128
    return encoded + bytes([rest])


def headers(stream, fields, end=True, flags=("END_HEADERS",)):
    frame = HeadersFrame(stream, data=block(fields), flags=list(flags) + (["END_STREAM"] if end else []))
    return frame.serialize()


class Connection:
    def __init__(self):
        self.socket = socket.create_connection((HOST, PORT), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if AUTHORITY:
            context = ssl.create_default_context(cafile=AUTHORITY)
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
            if self.socket.selected_alpn_protocol() != "h2":
                raise RuntimeError("the service does not offer h2")
        self.buffer, self.decoder = b"", Decoder()

    def status_of(self, frame):
        return int(dict(self.decoder.decode(frame.data, raw=True))[b":status"])

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # It may close before it has read all: what it said is in the buffer of the socket.

    def frames(self):
        """Yields what arrives, then "closed", or "quiet" after the timeout."""
        while True:
            while len(self.buffer) >= 9:
                frame, size = Frame.parse_frame_header(memoryview(self.buffer[:9]))
                if len(self.buffer) < 9 + size:
                    break
                frame.parse_body(memoryview(self.buffer[9 : 9 + size]))
                self.buffer = self.buffer[9 + size :]
                yield frame
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                yield "quiet"
                return
            except OSError:
                data = b""
            if not data:
                yield "closed"
                return
            self.buffer += data

    def close(self):
        self.socket.close()


# Deviations of the crate h2, each without effect on another request: (section, case).
DEVIATIONS = {
    # It takes the settings for the defaults.
    ("3.4", "no SETTINGS after the preface"),
    # It drops such trailers: no handler sees them.
    ("8.1", "trailers with a pseudo-header"),
}

# What a case expects. "connection": a connection error of one of the codes. "stream": a stream error. "refused": a
# stream error or a response that is no success. "ignored": nothing happens and a ping is answered.
CASES = []


def case(section, name, expected, codes=(), start=True, preface=PREFACE):
    def register(make):
        CASES.append((section, name, expected, set(codes), make, start, preface))
        return make

    return register


def simple(section, name, expected, codes, data, **more):
    case(section, name, expected, codes, **more)(lambda: data)


OPEN = headers(1, head(method="POST", path="/echo"), end=False)
CLOSED = headers(1, head())

# 3.4: the preface.
simple("3.4", "a preface that is none", "connection", [PROTOCOL], b"", preface=b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", start=False)
simple("3.4", "no SETTINGS after the preface", "connection", [PROTOCOL], CLOSED, start=False)
# 4.1, 4.2, 4.3: the frame's format and size, field section compression.
simple("4.1", "a frame of an unknown type is ignored", "ignored", [], raw(0x77, 0xFF, 0, b"x" * 10))
simple("4.2", "DATA larger than the maximum frame size", "connection", [FRAME_SIZE], OPEN + raw(0, 0, 1, b"x" * 16385))
simple("4.2", "HEADERS larger than the maximum frame size", "connection", [FRAME_SIZE], raw(1, 4, 1, b"\x00" * 16385))
simple("4.2", "PING that is announced with 16 MB", "connection", [FRAME_SIZE], raw(6, 0, 0, b"x" * 8, length=(1 << 24) - 1))
simple("4.3", "a block that refers to no entry of the table", "connection", [COMPRESSION], raw(1, 5, 1, b"\xff\xff\x03"))
simple("4.3", "a block that ends within a literal", "connection", [COMPRESSION], raw(1, 5, 1, b"\x00\x05ab"))
simple("4.3", "a table size above the setting", "connection", [COMPRESSION], raw(1, 5, 1, b"\x3f\xe1\xff\x03" + block(head())))
simple("4.3", "a Huffman code with wrong padding", "connection", [COMPRESSION], raw(1, 5, 1, b"\x00\x81\x00\x01a"))
# 5.1: stream states.
simple("5.1", "DATA on an idle stream", "connection", [PROTOCOL, STREAM_CLOSED], raw(0, 1, 1, b"x"))
simple("5.1", "RST_STREAM on an idle stream", "connection", [PROTOCOL], raw(3, 0, 1, struct.pack(">I", CANCEL)))
simple("5.1", "WINDOW_UPDATE on an idle stream", "connection", [PROTOCOL], raw(8, 0, 1, struct.pack(">I", 1)))
simple("5.1", "CONTINUATION on an idle stream", "connection", [PROTOCOL], raw(9, 4, 1, block(head())))
simple("5.1", "DATA on a half-closed stream", "stream", [STREAM_CLOSED, PROTOCOL], headers(1, head(path="/slow")) + raw(0, 1, 1, b"x"))
simple("5.1", "HEADERS on a half-closed stream", "stream", [STREAM_CLOSED, PROTOCOL], headers(1, head(path="/slow")) + headers(1, head()))
simple("5.1", "DATA after RST_STREAM", "stream", [STREAM_CLOSED, PROTOCOL, NO_ERROR], OPEN + raw(3, 0, 1, struct.pack(">I", CANCEL)) + raw(0, 1, 1, b"x"))
simple("5.1.1", "an even stream identifier", "connection", [PROTOCOL], headers(2, head()))
simple("5.1.1", "a stream identifier lower than the last", "connection", [PROTOCOL, STREAM_CLOSED], headers(5, head()) + headers(3, head()))
simple("5.3.1", "HEADERS that depend on themselves", "stream", [PROTOCOL], raw(1, 0x25, 1, struct.pack(">IB", 1, 15) + block(head())))
simple("5.3.1", "PRIORITY that depends on itself", "stream", [PROTOCOL], raw(2, 0, 1, struct.pack(">IB", 1, 15)))
simple("5.5", "a frame of an unknown type in a block", "connection", [PROTOCOL], headers(1, head(), flags=()) + raw(0x77, 0, 1, b"x"))
# 6.1: DATA.
simple("6.1", "DATA on stream 0", "connection", [PROTOCOL], raw(0, 0, 0, b"x"))
simple("6.1", "DATA with more padding than payload", "connection", [PROTOCOL], OPEN + raw(0, 8, 1, b"\x05abc"))
# 6.2: HEADERS.
simple("6.2", "HEADERS on stream 0", "connection", [PROTOCOL], raw(1, 5, 0, block(head())))
simple("6.2", "HEADERS with more padding than payload", "connection", [PROTOCOL], raw(1, 13, 1, b"\xffabc"))
simple("6.2", "HEADERS of another stream in a block", "connection", [PROTOCOL], headers(1, head(), flags=()) + headers(3, head()))
# 6.3: PRIORITY.
simple("6.3", "PRIORITY on stream 0", "connection", [PROTOCOL], raw(2, 0, 0, b"\0\0\0\1\0"))
simple("6.3", "PRIORITY of 4 bytes", "stream", [FRAME_SIZE], OPEN + raw(2, 0, 1, b"\0\0\0\0"))
# 6.4: RST_STREAM.
simple("6.4", "RST_STREAM on stream 0", "connection", [PROTOCOL], raw(3, 0, 0, b"\0\0\0\x08"))
simple("6.4", "RST_STREAM of 3 bytes", "connection", [FRAME_SIZE], OPEN + raw(3, 0, 1, b"\0\0\0"))
# 6.5: SETTINGS.
simple("6.5", "SETTINGS acknowledgement with a payload", "connection", [FRAME_SIZE], raw(4, 1, 0, b"\0\1\0\0\0\0"))
simple("6.5", "SETTINGS on stream 1", "connection", [PROTOCOL], raw(4, 0, 1, b""))
simple("6.5", "SETTINGS of 5 bytes", "connection", [FRAME_SIZE], raw(4, 0, 0, b"\0\1\0\0\0"))
simple("6.5.2", "ENABLE_PUSH of 2", "connection", [PROTOCOL], raw(4, 0, 0, b"\0\2\0\0\0\2"))
simple("6.5.2", "INITIAL_WINDOW_SIZE of 2^31", "connection", [FLOW_CONTROL], raw(4, 0, 0, b"\0\4\x80\0\0\0"))
simple("6.5.2", "MAX_FRAME_SIZE of 16383", "connection", [PROTOCOL], raw(4, 0, 0, b"\0\5\0\0\x3f\xff"))
simple("6.5.2", "MAX_FRAME_SIZE of 2^24", "connection", [PROTOCOL], raw(4, 0, 0, b"\0\5\1\0\0\0"))
simple("6.5.2", "an unknown setting is ignored", "ignored", [], raw(4, 0, 0, b"\xff\xff\0\0\0\1"))
# 6.6: PUSH_PROMISE.
simple("6.6", "PUSH_PROMISE by a client", "connection", [PROTOCOL], OPEN + raw(5, 4, 1, struct.pack(">I", 2) + block(head())))
# 6.7: PING.
simple("6.7", "PING on stream 1", "connection", [PROTOCOL], raw(6, 0, 1, b"x" * 8))
simple("6.7", "PING of 7 bytes", "connection", [FRAME_SIZE], raw(6, 0, 0, b"x" * 7))
# 6.8: GOAWAY.
simple("6.8", "GOAWAY on stream 1", "connection", [PROTOCOL], raw(7, 0, 1, b"\0" * 8))
simple("6.8", "GOAWAY of 7 bytes", "connection", [FRAME_SIZE, PROTOCOL], raw(7, 0, 0, b"\0" * 7))
# 6.9: WINDOW_UPDATE.
simple("6.9", "WINDOW_UPDATE of 0 on the connection", "connection", [PROTOCOL], raw(8, 0, 0, b"\0\0\0\0"))
simple("6.9", "WINDOW_UPDATE of 0 on a stream", "stream", [PROTOCOL], OPEN + raw(8, 0, 1, b"\0\0\0\0"))
simple("6.9", "WINDOW_UPDATE of 3 bytes", "connection", [FRAME_SIZE], raw(8, 0, 0, b"\0\0\1"))
simple("6.9.1", "a window above 2^31-1 of the connection", "connection", [FLOW_CONTROL], raw(8, 0, 0, b"\x7f\xff\xff\xff"))
simple("6.9.1", "a window above 2^31-1 of a stream", "stream", [FLOW_CONTROL], OPEN + raw(8, 0, 1, b"\x7f\xff\xff\xff"))
simple("6.9.2", "a window above 2^31-1 by SETTINGS", "connection", [FLOW_CONTROL], OPEN + raw(8, 0, 1, b"\x7f\xff\x00\x00") + raw(4, 0, 0, b"\0\4\x7f\xff\xff\xff"))
# 6.10: CONTINUATION.
simple("6.10", "CONTINUATION on stream 0", "connection", [PROTOCOL], headers(1, head(), flags=()) + raw(9, 4, 0, b""))
simple("6.10", "CONTINUATION of another stream", "connection", [PROTOCOL], headers(1, head(), flags=()) + raw(9, 4, 3, b""))
simple("6.10", "CONTINUATION after END_HEADERS", "connection", [PROTOCOL, STREAM_CLOSED], headers(1, head(), end=False) + raw(9, 4, 1, b""))
simple("6.10", "DATA in a block", "connection", [PROTOCOL], headers(1, head(), flags=(), end=False) + raw(0, 1, 1, b"x"))
simple("6.10", "PING in a block", "connection", [PROTOCOL], headers(1, head(), flags=()) + raw(6, 0, 0, b"x" * 8))
# 8.1: malformed requests.
MALFORMED = {
    "8.2": {
        "an uppercase name": head(("X-Upper", "1")),
        "a name with a space": head(("x y", "1")),
        "a name with a colon": head(("x:y", "1")),
        "an empty name": head(("", "1")),
        "a value with NUL": head(("x", "a\0b")),
        "a value with CR LF": head(("x", "a\r\nb: c")),
    },
    "8.2.2": {
        "connection": head(("connection", "close")),
        "keep-alive": head(("keep-alive", "timeout=5")),
        "proxy-connection": head(("proxy-connection", "close")),
        "transfer-encoding": head(("transfer-encoding", "chunked")),
        "upgrade": head(("upgrade", "h2c")),
        "te other than trailers": head(("te", "gzip")),
    },
    "8.3": {
        "an unknown pseudo-header": head((":unknown", "1")),
        "a pseudo-header of responses": head((":status", "200")),
        "a pseudo-header after a field": [("x", "1")] + head(),
        "the same pseudo-header twice": head((":path", "/other")),
    },
    "8.3.1": {
        "no :method": head(drop=(":method",)),
        "no :scheme": head(drop=(":scheme",)),
        "no :path": head(drop=(":path",)),
        "an empty :path": head(path=""),
        "a :path that is none": head(path="x y"),
        "an invalid :method": head(method="G T"),
    },
    "8.5": {
        "CONNECT with :path and :scheme": head(method="CONNECT"),
    },
}
for section, cases in MALFORMED.items():
    for name, fields in cases.items():
        simple(section, name, "refused", [PROTOCOL, REFUSED, CANCEL, INTERNAL, COMPRESSION], headers(1, fields))
LENGTH = head(("content-length", "10"), method="POST", path="/echo")
simple("8.1.1", "fewer bytes than content-length", "refused", [PROTOCOL], headers(1, LENGTH, end=False) + raw(0, 1, 1, b"x" * 5))
simple("8.1.1", "more bytes than content-length", "refused", [PROTOCOL], headers(1, LENGTH, end=False) + raw(0, 1, 1, b"x" * 15))
simple("8.1.1", "no bytes with content-length", "refused", [PROTOCOL], headers(1, LENGTH))
simple("8.1.1", "two different content-lengths", "refused", [PROTOCOL], headers(1, LENGTH + [("content-length", "5")], end=False) + raw(0, 1, 1, b"x" * 10))
simple("8.1", "trailers that do not end the stream", "refused", [PROTOCOL], OPEN + headers(1, [("x", "1")], end=False))
simple("8.1", "trailers with a pseudo-header", "refused", [PROTOCOL], OPEN + headers(1, [(":path", "/")]))
# 10.5: denial of service. The connection ends, or the service goes on with the others.
simple("10.5.1", "a header list of 1 MB", "refused", [PROTOCOL, CALM, REFUSED, COMPRESSION, FRAME_SIZE, INTERNAL],
       headers(1, head(("x", "x" * 16000)), flags=()) + b"".join(raw(9, 0, 1, block([("x", "x" * 16000)])) for _ in range(64)) + raw(9, 4, 1, b""))


def run(expected, codes, data, start, preface):
    connection = Connection()
    connection.send(preface + (SettingsFrame(0).serialize() if start else b""))
    connection.send(data)
    # The answer to it says that all before it was read, where the connection lives on.
    connection.send(PingFrame(0, opaque_data=b"the last").serialize())
    seen, is_answered = [], False
    for frame in connection.frames():
        if isinstance(frame, GoAwayFrame):
            seen.append(("connection", frame.error_code))
        elif isinstance(frame, RstStreamFrame):
            seen.append(("stream", frame.error_code))
        elif isinstance(frame, HeadersFrame):
            seen.append(("response", connection.status_of(frame)))
        elif frame == "closed":
            seen.append(("closed", None))
        elif frame == "quiet":
            seen.append(("quiet", None))
        elif isinstance(frame, PingFrame) and "ACK" in frame.flags and frame.opaque_data == b"the last":
            is_answered = True
        if judge(expected, codes, seen, is_answered):
            break
    connection.close()
    return seen, is_answered, judge(expected, codes, seen, is_answered)


def judge(expected, codes, seen, is_answered):
    if expected == "ignored":
        return is_answered
    kinds = [kind for kind, _ in seen]
    connection = any(kind == "connection" and code in codes | {PROTOCOL} for kind, code in seen)
    # The end of the connection without GOAWAY is allowed: it is sent if possible (section 5.4.1).
    connection = connection or ("closed" in kinds and "connection" not in kinds)
    if expected == "connection":
        return connection
    stream = connection or any(kind == "stream" and code in codes for kind, code in seen)
    if expected == "stream":
        return stream
    return stream or any(kind == "response" and code >= 400 for kind, code in seen)


def is_alive():
    connection = Connection()
    connection.send(PREFACE + SettingsFrame(0).serialize() + headers(1, head(path="/livez")))
    for frame in connection.frames():
        if isinstance(frame, HeadersFrame):
            status = connection.status_of(frame)
            connection.close()
            return status == 200
        if isinstance(frame, str):
            return False
    return False


right = alive = 0
deviations = []
for section, name, expected, codes, make, start, preface in CASES:
    seen, is_answered, is_right = run(expected, codes, make(), start, preface)
    lives = is_alive()
    if not is_right and (section, name) in DEVIATIONS:
        deviations.append(f"{section} {name}")
        is_right = True
    right += is_right
    alive += lives
    print(json.dumps({"section": section, "case": name, "expected": expected, "right": is_right, "alive": lives, "seen": seen}))
print(json.dumps({"cases": len(CASES), "right": right, "alive": alive, "deviations": deviations}))
