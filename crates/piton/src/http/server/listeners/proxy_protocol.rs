//! The PROXY protocol, versions 1 and 2: the address of the client as a proxy in front announces it
//! (<https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>).
//!
//! By hand, because it is one header of a fixed form, of which only the client's address is read: the
//! crates for it parse a buffer, and the reading is what needs the care.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The first bytes of version 2.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of the head of version 2: signature, version and command, family, length.
const V2_HEAD: usize = 16;

/// Maximum length of version 1, with its line end.
const MAX_V1: usize = 107;

/// Reads the header of a connection. Returns the client's address, or `None` if the proxy speaks for
/// itself, as in health checks. Reads no byte that comes after. Not cancel safe.
///
/// # Errors
/// The connection does not begin with a header of either version, or ends before.
pub(super) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<SocketAddr>> {
    // No header of version 1 is shorter than `PROXY UNKNOWN` with its line end, so nothing after it is
    // read yet.
    let mut start = [0; 15];
    stream.read_exact(&mut start).await?;
    if start.starts_with(&SIGNATURE) {
        return read_v2(stream, &start).await;
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == MAX_V1 {
            return Err(invalid("the first line is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    parse_v1(&line).ok_or_else(|| invalid("the first line is not `PROXY ..`"))
}

/// Parses `PROXY TCP4 192.0.2.7 192.0.2.1 56324 443`, without its line end.
fn parse_v1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let fields: Vec<&str> = line.strip_prefix("PROXY ")?.split(' ').collect();
    let (family, source, port) = match fields[..] {
        // Whatever follows is to be ignored.
        ["UNKNOWN", ..] => return Some(None),
        [family, source, destination, port, destination_port] => {
            let _: IpAddr = destination.parse().ok()?;
            let _: u16 = destination_port.parse().ok()?;
            (family, source, port.parse().ok()?)
        }
        _ => return None,
    };
    let address: IpAddr = match family {
        "TCP4" => source.parse::<Ipv4Addr>().ok()?.into(),
        "TCP6" => source.parse::<Ipv6Addr>().ok()?.into(),
        _ => return None,
    };
    Some(Some(SocketAddr::new(address, port)))
}

async fn read_v2(
    stream: &mut (impl AsyncRead + Unpin),
    start: &[u8],
) -> io::Result<Option<SocketAddr>> {
    let (version_and_command, family) = (start[12], start[13]);
    let low = stream.read_u8().await?;
    let length = usize::from(u16::from_be_bytes([start[V2_HEAD - 2], low]));
    let (address, extra) = match (version_and_command, family) {
        // `LOCAL`: "the receiver must accept this connection as valid, and discard the protocol block, including the
        // family" (section 2.2).
        (0x20, _) => (None, Some(length)),
        (0x21, 0x11) => (read_address::<4>(stream, length).await?, length.checked_sub(12)),
        (0x21, 0x21) => (read_address::<16>(stream, length).await?, length.checked_sub(36)),
        // Datagrams, Unix sockets and unknown families say nothing of a client over TCP.
        (0x21, _) => (None, Some(length)),
        _ => return Err(invalid("neither version 1 nor version 2")),
    };
    let extra = extra.ok_or_else(|| invalid("the addresses are cut off"))?;
    // Further fields, such as the proxy's own TLS.
    let skipped = tokio::io::copy(&mut stream.take(extra as u64), &mut tokio::io::sink()).await?;
    if skipped < extra as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(address)
}

/// Reads the source's address and port, and skips the destination's. `None` without reading if `length`
/// is too short for them.
async fn read_address<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> io::Result<Option<SocketAddr>>
where
    IpAddr: From<[u8; N]>,
{
    if length < 2 * N + 4 {
        return Ok(None);
    }
    let (mut source, mut destination) = ([0; N], [0; N]);
    stream.read_exact(&mut source).await?;
    stream.read_exact(&mut destination).await?;
    let port = stream.read_u16().await?;
    let _destination_port = stream.read_u16().await?;
    Ok(Some(SocketAddr::new(source.into(), port)))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("PROXY protocol: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the address as text, and the bytes after the header.
    async fn read(sent: &[u8]) -> Result<(Option<String>, Vec<u8>), io::ErrorKind> {
        let mut stream = sent;
        let address = read_header(&mut stream).await.map_err(|error| error.kind())?;
        Ok((address.map(|address| address.to_string()), stream.to_vec()))
    }

    /// Returns a header of version 2 with these bytes after its length.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest, b"GET"].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 192, 0, 2, 1, 0xdc, 0x04, 1, 0xbb];

    #[tokio::test]
    async fn version_1_names_the_client_and_takes_nothing_more() {
        let of = |line: &str| format!("{line}\r\nGET").into_bytes();
        for (line, client) in [
            ("PROXY TCP4 192.0.2.7 192.0.2.1 56324 443", Some("192.0.2.7:56324")),
            (
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535",
                Some("255.255.255.255:65535"),
            ),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443", Some("[2001:db8::7]:56324")),
            ("PROXY UNKNOWN", None),
            ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535", None),
        ] {
            let expected = Ok((client.map(str::to_owned), b"GET".to_vec()));
            assert_eq!(read(&of(line)).await, expected, "{line}");
        }
    }

    #[tokio::test]
    async fn version_2_names_the_client_and_takes_nothing_more() {
        let ipv6: Vec<u8> = [
            &Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets()[..],
            &[0; 16],
            &[0xdc, 0x04, 1, 0xbb],
        ]
        .concat();
        let with_fields = [&IPV4[..], &[4; 300]].concat();
        for (header, client) in [
            (v2(0x21, 0x11, &IPV4), Some("192.0.2.7:56324")),
            (v2(0x21, 0x11, &with_fields), Some("192.0.2.7:56324")),
            (v2(0x21, 0x21, &ipv6), Some("[2001:db8::7]:56324")),
            (v2(0x20, 0x11, &IPV4), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &[]), None),
            (v2(0x20, 0x11, &IPV4[..8]), None),
            (v2(0x20, 0x21, &IPV4), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ] {
            let expected = Ok((client.map(str::to_owned), b"GET".to_vec()));
            assert_eq!(read(&header).await, expected, "{header:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for (sent, kind) in [
            (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), io::ErrorKind::InvalidData),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(), io::ErrorKind::InvalidData),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n".to_vec(), io::ErrorKind::InvalidData),
            (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(), io::ErrorKind::InvalidData),
            (long, io::ErrorKind::InvalidData),
            (v2(0x31, 0x11, &IPV4), io::ErrorKind::InvalidData),
            (v2(0x22, 0x11, &IPV4), io::ErrorKind::InvalidData),
            (v2(0x21, 0x11, &IPV4[..8]), io::ErrorKind::InvalidData),
            (v2(0x21, 0x11, &IPV4)[..20].to_vec(), io::ErrorKind::UnexpectedEof),
            (b"PROXY".to_vec(), io::ErrorKind::UnexpectedEof),
            (Vec::new(), io::ErrorKind::UnexpectedEof),
        ] {
            assert_eq!(read(&sent).await, Err(kind), "{sent:?}");
        }
    }
}
