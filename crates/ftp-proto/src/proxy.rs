//! The PROXY protocol: the header by which a proxy tells for whom it connects. Pure; knows nothing of what follows it.
//!
//! Version 1 is a line of text, version 2 is binary; both as HAProxy's "The PROXY protocol, versions 1 & 2" has them
//! (sections 2.1 and 2.2). Who may be believed is the caller's business: from anybody else these bytes are no header.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

/// Longest header of version 1, with its CR LF (section 2.1).
pub const TEXT_MAX: usize = 107;
/// Longest header of version 2 that is read: the specification's 64 KiB are not needed for any address, and a proxy that
/// adds so much beside it is not one for us.
pub const HEADER_MAX: usize = 4096;

const TEXT: &[u8] = b"PROXY ";
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A header's beginning: ask again with more bytes, the same ones in front.
    More,
    /// A whole header.
    Header(Header),
    /// No header, and nothing that may become one.
    Wrong(Wrong),
}

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes it has, at most [`HEADER_MAX`]; what follows is not the proxy's.
    pub len: usize,
    /// For whom the proxy connects; `None` if it does for itself, or does not know: then the connection's own address
    /// counts. IPv4 within IPv6 is told as IPv4.
    pub source: Option<SocketAddr>,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// They begin with neither signature.
    Signature,
    /// Version 1: no line of the form `PROXY TCP4 source destination port port`.
    Line,
    /// Version 2: another version, or neither LOCAL nor PROXY.
    Command,
    /// Version 2: not a stream of IPv4, IPv6 or a local socket, or too short for its addresses.
    Address,
    /// It is longer than [`TEXT_MAX`] or [`HEADER_MAX`].
    Long,
}

impl Wrong {
    /// For people.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Signature => "it does not begin with a PROXY header",
            Self::Line => "the line of its PROXY header is malformed",
            Self::Command => "its PROXY header has an unknown version or command",
            Self::Address => "its PROXY header tells no address of a stream",
            Self::Long => "its PROXY header is too long",
        }
    }
}

/// Reads the first bytes of a connection. The same bytes with more behind them never give another header or fault.
#[must_use]
pub fn read(bytes: &[u8]) -> Reading {
    if let Some(rest) = bytes.strip_prefix(TEXT) {
        text(rest)
    } else if bytes.starts_with(BINARY) {
        binary(bytes)
    } else if TEXT.starts_with(bytes) || BINARY.starts_with(bytes) {
        Reading::More
    } else {
        Reading::Wrong(Wrong::Signature)
    }
}

/// Version 1, behind its first word.
fn text(rest: &[u8]) -> Reading {
    let most = TEXT_MAX - TEXT.len();
    let Some(end) = rest.iter().take(most).position(|byte| *byte == b'\n') else {
        return if rest.len() < most {
            Reading::More
        } else {
            Reading::Wrong(Wrong::Long)
        };
    };
    let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    match line.and_then(source_of_line) {
        Some(source) => Reading::Header(Header {
            len: TEXT.len() + end + 1,
            source,
        }),
        None => Reading::Wrong(Wrong::Line),
    }
}

/// The source that a line tells; `None` if it is malformed. What follows `UNKNOWN` is not looked at.
fn source_of_line(line: &[u8]) -> Option<Option<SocketAddr>> {
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Some(None);
    }
    let mut words = str::from_utf8(line).ok()?.split(' ');
    let read: fn(&str) -> Option<IpAddr> = match words.next()? {
        "TCP4" => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let (source, _destination) = (read(words.next()?)?, read(words.next()?)?);
    let (port, _destination) = (port(words.next()?)?, port(words.next()?)?);
    words.next().is_none().then(|| Some(told(source, port)))
}

/// A port in decimal, without a sign or a zero in front.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let padded = word.len() > 1 && word.starts_with('0');
    word.parse().ok().filter(|_| plain && !padded)
}

/// Version 2, from its signature on.
fn binary(bytes: &[u8]) -> Reading {
    // Each byte is judged as soon as it is there.
    let at = |place: usize| bytes.get(place).copied();
    let local = match at(12) {
        None => return Reading::More,
        Some(0x20) => true,
        Some(0x21) => false,
        Some(_) => return Reading::Wrong(Wrong::Command),
    };
    // Family and transport: of the addresses so many bytes have to be there.
    let needed = match at(13) {
        None => return Reading::More,
        // What comes with LOCAL is not looked at (section 2.2); UNSPEC has nothing to look at.
        Some(_) if local => 0,
        Some(0x00) => 0,
        Some(0x11) => 12,
        Some(0x21) => 36,
        Some(0x31) => 216,
        Some(_) => return Reading::Wrong(Wrong::Address),
    };
    let (Some(high), Some(low)) = (at(14), at(15)) else {
        return Reading::More;
    };
    let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if len > HEADER_MAX {
        return Reading::Wrong(Wrong::Long);
    }
    if len < FIXED + needed {
        return Reading::Wrong(Wrong::Address);
    }
    let Some(body) = bytes.get(FIXED..len) else {
        return Reading::More;
    };
    let source = match needed {
        12 => source_v4(body),
        36 => source_v6(body),
        _ => None,
    };
    Reading::Header(Header { len, source })
}

/// Source, destination, source port, destination port.
fn source_v4(body: &[u8]) -> Option<SocketAddr> {
    let (address, rest) = body.split_first_chunk::<4>()?;
    let (_destination, rest) = rest.split_first_chunk::<4>()?;
    Some(told(
        (*address).into(),
        u16::from_be_bytes(*rest.first_chunk()?),
    ))
}

/// Source, destination, source port, destination port.
fn source_v6(body: &[u8]) -> Option<SocketAddr> {
    let (address, rest) = body.split_first_chunk::<16>()?;
    let (_destination, rest) = rest.split_first_chunk::<16>()?;
    Some(told(
        (*address).into(),
        u16::from_be_bytes(*rest.first_chunk()?),
    ))
}

/// One peer has one address, however it is told.
fn told(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

#[cfg(test)]
mod tests;
