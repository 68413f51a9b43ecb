//! The addresses of data connections, as commands and replies write them: PASV and PORT (RFC 959), EPSV and
//! EPRT (RFC 2428), and who may be named in them (RFC 2577).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::reply::Reply;

/// The lowest port that a peer may name: those below are other services' (RFC 2577, section 3).
const LOWEST_PORT: u16 = 1024;

/// By which command a port was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passive {
    /// `PASV`.
    Pasv,
    /// `EPSV`.
    Epsv,
}

/// Address families by the numbers of RFC 2428.
const IPV4: &str = "1";
const IPV6: &str = "2";

/// What the client is told of an open port.
pub(super) fn listening(how: Passive, address: SocketAddr) -> Option<Reply> {
    let port = address.port();
    match (how, address.ip().to_canonical()) {
        (Passive::Epsv, _) => Some(Reply::exact(
            229,
            format!("Entering Extended Passive Mode (|||{port}|)"),
        )),
        (Passive::Pasv, IpAddr::V4(ip)) => {
            let [a, b, c, d] = ip.octets();
            let [high, low] = port.to_be_bytes();
            Some(Reply::exact(
                227,
                format!("Entering Passive Mode ({a},{b},{c},{d},{high},{low})."),
            ))
        }
        (Passive::Pasv, IpAddr::V6(_)) => None,
    }
}

/// Whether `EPSV` with this argument can be served on the control connection's family.
///
/// # Errors
/// The reply that says which can.
pub(super) fn check_epsv(argument: &str, peer: Option<SocketAddr>) -> Result<(), Reply> {
    let ours = family(peer);
    match argument {
        "" => Ok(()),
        IPV4 | IPV6 if argument == ours => Ok(()),
        IPV4 | IPV6 => Err(Reply::exact(
            522,
            format!("Network protocol not supported, use ({ours})"),
        )),
        _ => Err(Reply::new(
            501,
            "EPSV takes nothing, 1 (IPv4), 2 (IPv6) or ALL",
        )),
    }
}

fn family(peer: Option<SocketAddr>) -> &'static str {
    match peer.map(|peer| peer.ip().to_canonical()) {
        Some(IpAddr::V6(_)) => IPV6,
        Some(IpAddr::V4(_)) | None => IPV4,
    }
}

/// Reads `PORT h1,h2,h3,h4,p1,p2`.
pub(super) fn parse_port(argument: &str) -> Option<SocketAddr> {
    let mut numbers = [0u8; 6];
    let mut parts = argument.split(',');
    for number in &mut numbers {
        *number = digits(parts.next()?)?.parse().ok()?;
    }
    if parts.next().is_some() {
        return None;
    }
    let [a, b, c, d, high, low] = numbers;
    let ip = Ipv4Addr::new(a, b, c, d);
    Some(SocketAddr::from((ip, u16::from_be_bytes([high, low]))))
}

/// Reads `EPRT |1|address|port|`, whatever stands for `|`.
///
/// # Errors
/// 501 for what is no such thing, 522 for a family there is none of.
pub(super) fn parse_eprt(argument: &str) -> Result<SocketAddr, Reply> {
    let malformed = || Reply::new(501, "EPRT wants |1|address|port| or |2|address|port|");
    let mark = argument.chars().next().ok_or_else(malformed)?;
    let mut parts = argument.split(mark).skip(1);
    let mut part = || parts.next().ok_or_else(malformed);
    let (kind, address, port) = (part()?, part()?, part()?);
    if !part()?.is_empty() || parts.next().is_some() {
        return Err(malformed());
    }
    let port = digits(port).and_then(|port| port.parse().ok());
    let ip = match kind {
        IPV4 => address.parse().map(IpAddr::V4).ok(),
        IPV6 => address.parse().map(IpAddr::V6).ok(),
        _ => {
            return Err(Reply::exact(
                522,
                "Network protocol not supported, use (1,2)".to_owned(),
            ));
        }
    };
    match (ip, port) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err(malformed()),
    }
}

fn digits(text: &str) -> Option<&str> {
    let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    fine.then_some(text)
}

/// Whether the server may connect there: to the control peer alone, and to no port of a service
/// (RFC 2577, section 3; CVE-1999-0017).
///
/// # Errors
/// The refusal.
pub(super) fn check_target(target: SocketAddr, peer: Option<SocketAddr>) -> Result<(), Reply> {
    let same = |peer: SocketAddr| peer.ip().to_canonical() == target.ip().to_canonical();
    if !peer.is_some_and(same) {
        return Err(Reply::new(
            500,
            "The server connects only to the address the control connection comes from",
        ));
    }
    if target.port() < LOWEST_PORT {
        return Err(Reply::new(
            504,
            format!("The server connects to no port below {LOWEST_PORT}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Option<SocketAddr> {
        "192.0.2.7:40000".parse().ok()
    }

    #[test]
    fn ports_are_told_as_they_are_written() {
        let v4 = "192.0.2.1:258".parse().unwrap();
        let v6 = "[2001:db8::1]:50000".parse().unwrap();
        let mapped = "[::ffff:192.0.2.1]:258".parse().unwrap();
        let pasv = Reply::exact(227, "Entering Passive Mode (192,0,2,1,1,2).".into());
        assert_eq!(listening(Passive::Pasv, v4), Some(pasv.clone()));
        assert_eq!(listening(Passive::Pasv, mapped), Some(pasv));
        assert_eq!(listening(Passive::Pasv, v6), None);
        let epsv = Reply::exact(229, "Entering Extended Passive Mode (|||50000|)".into());
        assert_eq!(listening(Passive::Epsv, v6), Some(epsv));
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(
            parse_port("192,0,2,7,200,1"),
            "192.0.2.7:51201".parse().ok()
        );
        for text in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "1,2,3,256,5,6",
            "1,2,3,4,5,-6",
            "1,2,3,4,5,+6",
            "1, 2,3,4,5,6",
        ] {
            assert_eq!(parse_port(text), None, "{text:?}");
        }
        let read = |text| parse_eprt(text).map_err(|reply| reply.code);
        assert_eq!(
            read("|1|192.0.2.7|6275|"),
            Ok("192.0.2.7:6275".parse().unwrap())
        );
        assert_eq!(read("!2!::1!6275!"), Ok("[::1]:6275".parse().unwrap()));
        assert_eq!(read("|3|x|1|"), Err(522));
        for text in [
            "",
            "|",
            "|1|::1|5|",
            "|2|192.0.2.7|5|",
            "|1|192.0.2.7|65536|",
            "|1|192.0.2.7|5",
            "|1|192.0.2.7|5||",
            "|1|192.0.2.7|5|x",
            "|1|ftp.example|5|",
        ] {
            assert_eq!(read(text), Err(501), "{text:?}");
        }
    }

    #[test]
    fn only_the_peer_itself_is_connected_to() {
        let check =
            |text: &str| check_target(text.parse().unwrap(), peer()).map_err(|reply| reply.code);
        assert_eq!(check("192.0.2.7:1024"), Ok(()));
        assert_eq!(check("[::ffff:192.0.2.7]:1024"), Ok(()));
        assert_eq!(check("192.0.2.8:1024"), Err(500));
        assert_eq!(check("127.0.0.1:5000"), Err(500));
        assert_eq!(check("192.0.2.7:1023"), Err(504));
        let nobody = check_target("192.0.2.7:5000".parse().unwrap(), None);
        assert_eq!(nobody.map_err(|reply| reply.code), Err(500));
    }

    #[test]
    fn epsv_stays_in_the_family() {
        let check = |text| check_epsv(text, peer()).map_err(|reply| reply.code);
        assert_eq!(check(""), Ok(()));
        assert_eq!(check("1"), Ok(()));
        assert_eq!(check("2"), Err(522));
        assert_eq!(check("3"), Err(501));
    }
}
