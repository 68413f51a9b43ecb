//! Standard FTP: where it is listened for, how its sessions come to data connections, and what its machines begin with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::rfc959::{self, Rfc959};
use ftp_proto::session::Dialect;
pub use ftp_proto::session::Digesting;
use ftp_tls::ALPN_FTP;
use ipnet::IpNet;

use super::live::Live;
use super::{Certificate, is_loopback};
pub use crate::conn::Resume;
use crate::conn::{Ephemeral, Ports, Security};
use crate::reactor::{Cover, Front};
use crate::session::SecondRules;

/// What a connection over the caps is told (RFC 959, section 4.2.2).
const REFUSAL: &[u8] = b"421 Too many connections; close some or try again later\r\n";
/// What a connection from a banned address is told.
const BANNED: &[u8] = b"421 Too many log-ins from your address have failed; try again later\r\n";
/// What is told on the port where TLS comes first to a client that begins without.
const TO_PLAIN: &[u8] = b"421 This port speaks TLS from the first byte (FTPS)\r\n";

/// Standard FTP, as it is to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FtpConfig {
    /// Where to listen; TLS begins when the client asks for it.
    pub listen: Vec<SocketAddr>,
    /// Where to listen with TLS from the first byte.
    pub implicit: Vec<SocketAddr>,
    /// Ports for data connections; absent: any that is free.
    pub passive_ports: Option<RangeInclusive<u16>>,
    /// Which address clients are told that ask for a port (227).
    pub masquerade: Vec<Masquerade>,
    /// Whether the server connects to clients that ask for it.
    pub active: bool,
    /// Whether a data connection has to resume the TLS session of its control connection.
    pub resume: Resume,
    /// When the SHA-256 of an upload is taken.
    pub digesting: Digesting,
    /// Beyond loopback, too, clients may go without TLS.
    pub plaintext: bool,
}

impl Default for FtpConfig {
    /// None.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            implicit: Vec::new(),
            passive_ports: None,
            masquerade: Vec::new(),
            active: true,
            resume: Resume::Require,
            digesting: Digesting::Unhurried,
            plaintext: false,
        }
    }
}

/// Which address a client is told as the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masquerade {
    /// To clients of this network; absent: to all for whom no network says otherwise.
    pub network: Option<IpNet>,
    /// The address.
    pub told: Told,
}

/// An address, or how to come by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The one at which the client reached us.
    Auto,
    /// This one.
    Address(Ipv4Addr),
    /// What this name stands for when the server starts.
    Name(String),
}

impl Told {
    /// The address itself; `None` is our own. Blocks for a name.
    fn resolve(&self) -> Result<Option<IpAddr>, String> {
        match self {
            Self::Auto => Ok(None),
            Self::Address(ip) => Ok(Some(IpAddr::V4(*ip))),
            Self::Name(name) => {
                let found = (name.as_str(), 0).to_socket_addrs();
                let found = found.map_err(|error| format!("{name}: {error}"))?;
                // It is told by PASV, which knows IPv4 alone.
                let found = found.map(|address| address.ip()).find(IpAddr::is_ipv4);
                found
                    .map(Some)
                    .ok_or_else(|| format!("{name} has no IPv4 address"))
            }
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Address(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FtpConfig {
    /// All addresses, those with TLS from the first byte last.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        let implicit = self.implicit.iter().map(|address| (*address, true));
        self.listen
            .iter()
            .map(|address| (*address, false))
            .chain(implicit)
    }

    /// How its sessions come to data connections. Blocks for names and for the disk.
    pub(super) fn rules(&self) -> Result<SecondRules, String> {
        let mut rules = SecondRules {
            ports: match &self.passive_ports {
                Some(ports) => Ports::Range {
                    low: *ports.start(),
                    high: *ports.end(),
                },
                None => Ports::Any(Ephemeral::of_system().unwrap_or_default()),
            },
            told_to: Vec::new(),
            told: None,
        };
        for masquerade in &self.masquerade {
            let told = masquerade.told.resolve()?;
            match masquerade.network {
                Some(network) => rules.told_to.push((network, told)),
                None => rules.told = told,
            }
        }
        Ok(rules)
    }
}

/// Standard FTP on one address.
pub(super) struct FtpFront {
    live: Arc<Live>,
    implicit: bool,
    /// Nobody logs in, and no data goes, without TLS.
    demands: bool,
    /// What TLS shows; absent: there is none.
    certificate: Option<Certificate>,
    resume: Resume,
    rules: Arc<SecondRules>,
}

impl FtpFront {
    pub(super) fn new(
        live: Arc<Live>,
        (address, implicit): (SocketAddr, bool),
        certificate: Option<Certificate>,
        config: &FtpConfig,
        rules: Arc<SecondRules>,
    ) -> Self {
        Self {
            live,
            implicit,
            demands: !config.plaintext && !is_loopback(&address),
            certificate,
            resume: config.resume,
            rules,
        }
    }
}

impl Front for FtpFront {
    fn dialect(&self, now: Instant) -> Box<dyn Dialect> {
        let security = match &self.certificate {
            None => rfc959::Security::Off,
            Some(_) if self.demands => rfc959::Security::Required,
            Some(_) => rfc959::Security::Offered,
        };
        let config = rfc959::Config {
            tls: security,
            implicit_tls: self.implicit,
            data_tls: security,
            ..self.live.ftp()
        };
        Box::new(Rfc959::new(Arc::new(config), now))
    }

    fn refusal(&self) -> &[u8] {
        REFUSAL
    }

    fn banned(&self) -> &[u8] {
        BANNED
    }

    fn cover(&self) -> Cover {
        let Some(certificate) = &self.certificate else {
            return Cover::Plain;
        };
        // Of each session its own: what its data connections resume.
        let security = certificate.of_session(TO_PLAIN.to_vec(), ALPN_FTP, self.resume);
        let security: Arc<Security> = Arc::new(security);
        if self.implicit {
            Cover::First(security)
        } else {
            Cover::Asked(security)
        }
    }

    fn second(&self) -> Option<Arc<SecondRules>> {
        Some(self.rules.clone())
    }
}
