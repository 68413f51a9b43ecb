//! Kinds of values that only standard FTP has. Pure.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use super::kind::{Addresses, Form, Kind, Shape, quoted};
use crate::server::{Masquerade, Told};

/// Addresses to listen on, with commas between them, or `none`.
pub(super) struct MaybeAddresses;
/// Ports from one to another, or `any`.
pub(super) struct PortRange;
/// Addresses to be told, with commas between them.
pub(super) struct Masquerades;

impl Form for MaybeAddresses {
    fn metavar(&self) -> &'static str {
        Addresses.metavar()
    }
    fn allowed(&self) -> String {
        "none, or an IP address and a port, such as 127.0.0.1:2120 or [::1]:2120,".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::List
    }
}

impl Kind for MaybeAddresses {
    type Value = Vec<SocketAddr>;

    fn read(&self, text: &OsStr) -> Option<Vec<SocketAddr>> {
        if text == "none" || text.is_empty() {
            return Some(Vec::new());
        }
        Addresses.read(text)
    }

    fn show(&self, value: &Vec<SocketAddr>) -> String {
        Addresses.show(value)
    }
}

impl Form for PortRange {
    fn metavar(&self) -> &'static str {
        "LOW-HIGH"
    }
    fn allowed(&self) -> String {
        "any, or two ports from 1024 to 65535, such as 50000-50999,".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::Word
    }
}

impl Kind for PortRange {
    type Value = Option<RangeInclusive<u16>>;

    fn read(&self, text: &OsStr) -> Option<Self::Value> {
        if text == "any" {
            return Some(None);
        }
        let (low, high) = text.to_str()?.split_once('-')?;
        let port = |text: &str| -> Option<u16> {
            let port = text.trim().parse().ok()?;
            (port >= 1024).then_some(port)
        };
        let (low, high) = (port(low)?, port(high)?);
        (low <= high).then_some(Some(low..=high))
    }

    fn show(&self, value: &Self::Value) -> String {
        quoted(&match value {
            None => "any".to_owned(),
            Some(ports) => format!("{}-{}", ports.start(), ports.end()),
        })
    }
}

impl Form for Masquerades {
    fn metavar(&self) -> &'static str {
        "ADDRESS"
    }
    fn allowed(&self) -> String {
        "auto, an IPv4 address (PASV, which tells it, knows no other) or a name, or one of them for a network, such as \
         10.0.0.0/8=auto,"
            .to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::List
    }
}

impl Kind for Masquerades {
    type Value = Vec<Masquerade>;

    fn read(&self, text: &OsStr) -> Option<Vec<Masquerade>> {
        let parts = text.to_str()?.split(',');
        parts.map(|part| masquerade(part.trim())).collect()
    }

    fn show(&self, value: &Vec<Masquerade>) -> String {
        let show = |masquerade: &Masquerade| match masquerade.network {
            Some(network) => quoted(&format!("{network}={}", masquerade.told)),
            None => quoted(&masquerade.told.to_string()),
        };
        let all: Vec<_> = value.iter().map(show).collect();
        format!("[{}]", all.join(", "))
    }
}

fn masquerade(text: &str) -> Option<Masquerade> {
    let (network, told) = match text.split_once('=') {
        Some((network, told)) => (Some(network.trim().parse().ok()?), told.trim()),
        None => (None, text),
    };
    Some(Masquerade {
        network,
        told: told_as(told)?,
    })
}

fn told_as(text: &str) -> Option<Told> {
    if text == "auto" {
        return Some(Told::Auto);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return match ip.to_canonical() {
            IpAddr::V4(ip) => Some(Told::Address(ip)),
            // PASV cannot tell it, and whom EPSV tells a port knows the address.
            IpAddr::V6(_) => None,
        };
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    // Four numbers with dots would be a mistyped address.
    let is_name = text.chars().any(|c| c.is_ascii_alphabetic()) && text.chars().all(fits);
    is_name.then(|| Told::Name(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_and_shown() {
        let read = |text: &str| PortRange.read(OsStr::new(text));
        assert_eq!(read("any"), Some(None));
        assert_eq!(read("50000-50009"), Some(Some(50000..=50009)));
        assert_eq!(PortRange.show(&Some(50000..=50009)), "\"50000-50009\"");
        for wrong in [
            "",
            "50000",
            "50009-50000",
            "1023-2000",
            "50000-65536",
            "a-b",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn addresses_to_be_told_are_read_and_shown() {
        let text = "ftp.example.org,10.0.0.0/8=auto,192.168.0.0/16=192.168.0.7";
        let read = Masquerades.read(OsStr::new(text)).unwrap();
        assert_eq!(
            Masquerades.show(&read),
            r#"["ftp.example.org", "10.0.0.0/8=auto", "192.168.0.0/16=192.168.0.7"]"#
        );
        for wrong in ["", "203.0.113.300", "10.0.0.0/40=auto", "x=auto", "a b"] {
            assert_eq!(Masquerades.read(OsStr::new(wrong)), None, "{wrong:?}");
        }
        for six in ["::1", "2001:db8::/32=2001:db8::1", "192.0.2.1,::1"] {
            assert_eq!(Masquerades.read(OsStr::new(six)), None, "{six:?}");
        }
        assert!(Masquerades.allowed().contains("an IPv4 address (PASV"));
        let mapped = Masquerades.read(OsStr::new("::ffff:192.0.2.1")).unwrap();
        assert_eq!(Masquerades.show(&mapped), r#"["192.0.2.1"]"#);
    }

    #[test]
    fn nowhere_is_a_place_to_listen_too() {
        let read = |text: &str| MaybeAddresses.read(OsStr::new(text));
        assert_eq!(read("none"), Some(Vec::new()));
        assert_eq!(read("127.0.0.1:2120").unwrap().len(), 1);
        assert_eq!(read("2120"), None);
    }
}
