//! Requests that violate RFC 9110 or RFC 9112, each of which must be refused, and its connection closed.

/// A request that must be refused.
pub struct MalformedRequest {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Set if the client closes its sending side after it: the fault is that something is missing.
    pub is_cut: bool,
}

/// Lines of a request that are no request line, as they are sent before CRLF.
const REQUEST_LINES: [&str; 22] = [
    "GET",
    "GET /",
    "GET  / HTTP/1.1",
    "GET /  HTTP/1.1",
    " GET / HTTP/1.1",
    "GET\t/\tHTTP/1.1",
    "GET / / HTTP/1.1",
    "GET / HTTP/1.1 x",
    "GET / HTTP/1",
    "GET / HTTP/1.",
    "GET / HTTP/11",
    "GET / HTTP/2.0",
    "GET / HTTP/9.9",
    "GET / http/1.1",
    "GET / HTTPS/1.1",
    "GET / HTTP 1.1",
    "GET / HTTP/1.1\0",
    "GET /\0 HTTP/1.1",
    "GET /\u{1} HTTP/1.1",
    "G@T / HTTP/1.1",
    "GET(x) / HTTP/1.1",
    ": / HTTP/1.1",
];

/// Fields that are no field, or make the message ambiguous, after a valid request line and `Host`.
const FIELDS: [&str; 20] = [
    "x-y : 1",
    "x-y\t: 1",
    "no colon",
    ": no name",
    "x y: 1",
    "x(y): 1",
    "x\0y: 1",
    "x-y: a\0b",
    "x-y: a\u{1}b",
    "x-y: a\u{7f}b",
    "x-y: a\rb",
    "x-é: 1",
    "\"x\": 1",
    "x/y: 1",
    "x-y: 1\r\n continued",
    "x-y: 1\r\n\tcontinued",
    "host: other",
    "host: localhost",
    "[x]: 1",
    "{x}: 1",
];

/// Values of `Host`, or its absence, that HTTP/1.1 refuses.
const HOSTS: [&str; 6] =
    ["", "host: a b\r\n", "host: a/b\r\n", "host: a@b\r\n", "host: a\\b\r\n", "host: <a>\r\n"];

/// Values of `Content-Length`.
const LENGTHS: [&str; 16] = [
    "-1",
    "+5",
    "0x5",
    "1e3",
    "5.0",
    "five",
    "5 5",
    "5, 6",
    "5;",
    "\"5\"",
    "5\u{b}",
    "٥",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999",
    "100000000000000000000000000000000000000000",
];

/// Values of `Transfer-Encoding` in which chunked is not the last coding, or none at all.
const CODINGS: [&str; 9] = [
    "identity",
    "gzip",
    "chunked, gzip",
    "xchunked",
    "chunked;q=1",
    "chunked x",
    "\"chunked\"",
    "chunk",
    "chunked\u{b}",
];

/// Bodies that are not chunked as RFC 9112, section 7.1 has it.
const CHUNKS: [&str; 20] = [
    "G\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    ";x\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello!!\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
    "5,5\r\nhello\r\n0\r\n\r\n",
    "5\0\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "00000000000000000000000000000000000000005x\r\nhello\r\n0\r\n\r\n",
    "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "5.0\r\nhello\r\n0\r\n\r\n",
    "five\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
];

/// Bytes of other protocols.
const OTHER_PROTOCOLS: [&[u8]; 8] = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"EHLO example.com\r\n\r\n",
    b"*1\r\n$4\r\nPING\r\n\r\n",
    b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\r\n\r\n",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
    b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\r\n\r\n",
    b"<?xml version=\"1.0\"?>\r\n\r\n",
];

/// Returns all requests: at least 110.
pub fn requests() -> Vec<MalformedRequest> {
    let mut all = Vec::new();
    let mut add = |group: &str, name: &str, bytes: Vec<u8>, is_cut: bool| {
        let name = format!("{group} {}", name.escape_debug());
        all.push(MalformedRequest { name, bytes, is_cut });
    };
    for line in REQUEST_LINES {
        add("line", line, format!("{line}\r\nhost: localhost\r\n\r\n").into(), false);
    }
    for field in FIELDS {
        add("field", field, get(&format!("host: localhost\r\n{field}\r\n")), false);
    }
    for host in HOSTS {
        add("host", host, get(host), false);
    }
    for length in LENGTHS {
        add("length", length, post(&format!("content-length: {length}\r\n"), "hello"), false);
    }
    for coding in CODINGS {
        let fields = format!("transfer-encoding: {coding}\r\n");
        add("coding", coding, post(&fields, "5\r\nhello\r\n0\r\n\r\n"), false);
    }
    for chunks in CHUNKS {
        add("chunks", chunks, post("transfer-encoding: chunked\r\n", chunks), false);
    }
    for bytes in OTHER_PROTOCOLS {
        add("protocol", &String::from_utf8_lossy(bytes), bytes.to_vec(), false);
    }
    for (name, bytes) in too_large() {
        add("too large", name, bytes, false);
    }
    for (name, bytes) in cut() {
        add("cut", name, bytes, true);
    }
    for (name, bytes) in second() {
        add("second", name, bytes, false);
    }
    all
}

fn get(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\n{fields}\r\n").into()
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /echo HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n{body}").into()
}

fn too_large() -> [(&'static str, Vec<u8>); 5] {
    let fields: String = (0..1000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(100_000));
    [
        (
            "target",
            format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(200_000)).into(),
        ),
        ("field", get(&format!("host: localhost\r\nx: {}\r\n", "x".repeat(200_000)))),
        ("number of fields", get(&format!("host: localhost\r\n{fields}"))),
        ("chunk extension", post("transfer-encoding: chunked\r\n", &extension)),
        ("announced body", post("content-length: 1000000000\r\n", "hello")),
    ]
}

fn cut() -> [(&'static str, Vec<u8>); 6] {
    [
        ("request line", b"GET / HT".to_vec()),
        ("head", b"GET / HTTP/1.1\r\nhost: local".to_vec()),
        ("body", post("content-length: 10\r\n", "hello")),
        ("chunk's size", post("transfer-encoding: chunked\r\n", "5")),
        ("chunk", post("transfer-encoding: chunked\r\n", "5\r\nhel")),
        ("last chunk", post("transfer-encoding: chunked\r\n", "5\r\nhello\r\n")),
    ]
}

/// Faults in a later request of a connection, whose first is answered.
fn second() -> [(&'static str, Vec<u8>); 4] {
    let after = |bytes: Vec<u8>| [get("host: localhost\r\n"), bytes].concat();
    [
        ("line", after(b"GET / / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec())),
        ("field", after(get("host: localhost\r\nno colon\r\n"))),
        ("length", after(post("content-length: -1\r\n", "hello"))),
        ("too large", after(get(&format!("host: localhost\r\nx: {}\r\n", "x".repeat(200_000))))),
    ]
}
