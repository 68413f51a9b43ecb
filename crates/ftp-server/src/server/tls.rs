//! Where the server speaks TLS, and with which certificate; the one that is shown can be read anew.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use ftp_tls::Oldest;
use ftp_tls::rustls::pki_types::CertificateDer;
use ftp_tls::{ALPN_NATIVE, Acceptor, Error, Fingerprint, ServerOptions};

use super::ServerConfig;
use crate::conn::{Resume, Security};

/// Where TLS is spoken, and what is shown there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// On which addresses.
    pub on: TlsOn,
    /// Certificate chain and key in PEM files; absent: one that signed itself, made at a first start.
    pub files: Option<(PathBuf, PathBuf)>,
    /// The folder for such a certificate.
    pub state: PathBuf,
    /// Authorities whose client certificates are believed, in a PEM file.
    pub client_ca: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub oldest: Oldest,
}

/// On which addresses TLS is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsOn {
    /// Those beyond loopback.
    #[default]
    BeyondLoopback,
    /// All.
    Everywhere,
    /// None.
    Nowhere,
}

impl TlsConfig {
    /// Whether a connection to `address` is wrapped.
    #[must_use]
    pub fn covers(&self, address: &SocketAddr) -> bool {
        match self.on {
            TlsOn::BeyondLoopback => !is_loopback(address),
            TlsOn::Everywhere => true,
            TlsOn::Nowhere => false,
        }
    }

    /// Whether the files that are named can be used, be anything in need of them or not. Blocks for them.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn check(&self) -> Result<(), Error> {
        ftp_tls::check(&self.options(&[], &[ALPN_NATIVE]))
    }

    /// Whether any file is named.
    #[must_use]
    pub fn names_files(&self) -> bool {
        self.files.is_some() || self.client_ca.is_some()
    }

    /// From what an [`Acceptor`] of these protocols is made.
    fn options(&self, listen: &[SocketAddr], alpn: &[&[u8]]) -> ServerOptions {
        let mut names = vec!["localhost".to_owned()];
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        if !host.is_empty() && host.is_ascii() {
            names.push(host);
        }
        let addresses = listen.iter().map(|address| address.ip().to_canonical());
        names.extend(
            addresses
                .filter(|ip| !ip.is_unspecified())
                .map(|ip| ip.to_string()),
        );
        ServerOptions {
            files: self.files.clone(),
            state: self.state.clone(),
            names,
            client_ca: self.client_ca.clone(),
            oldest: self.oldest,
            alpn: alpn.iter().map(|name| name.to_vec()).collect(),
        }
    }
}

/// Whether only this machine can reach the address.
#[must_use]
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// What a server shows in a TLS handshake; can be read anew while it runs.
#[derive(Clone, Debug)]
pub struct Certificate {
    acceptor: Arc<Acceptor>,
    listen: Vec<SocketAddr>,
}

impl Certificate {
    /// What `config` says, if it says TLS anywhere; a first start makes a certificate where none is named.
    pub(super) fn new(config: &ServerConfig) -> Result<Option<Self>, Error> {
        let ftp = config.ftp.addresses();
        let mut listen = config.listen.clone();
        listen.extend(ftp.map(|(address, _)| address));
        // Where FTP's clients can ask for TLS, they get it as soon as there is anything to show.
        let asked = config.tls.files.is_some() && !config.ftp.listen.is_empty();
        let needed = !config.ftp.implicit.is_empty()
            || listen.iter().any(|it| config.tls.covers(it))
            || asked && config.tls.on != TlsOn::Nowhere;
        if !needed {
            return Ok(None);
        }
        let options = config.tls.options(&listen, &[ALPN_NATIVE]);
        // A verified certificate stands for the first name it carries.
        let user_of =
            |certificate: &CertificateDer<'_>| ftp_tls::names(certificate).into_iter().next();
        let acceptor = Acceptor::new(&options, Box::new(user_of))?;
        Ok(Some(Self {
            acceptor: Arc::new(acceptor),
            listen,
        }))
    }

    /// What connections are wrapped in; `to_plain` is told to those who speak no TLS.
    pub(super) fn security(&self, to_plain: Vec<u8>) -> Security {
        Security::new(self.acceptor.clone(), to_plain)
    }

    /// The same for one session alone, whose further connections are held to `resume`.
    pub(super) fn of_session(
        &self,
        to_plain: Vec<u8>,
        alpn: &'static [&'static [u8]],
        resume: Resume,
    ) -> Security {
        Security::of_session(self.acceptor.clone(), to_plain, alpn, resume)
    }

    /// Reads the files again. New handshakes see what they hold; if anything is wrong with them, nothing changes.
    /// Connections that are up go on as they are.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn reload(&self, tls: &TlsConfig) -> Result<Fingerprint, Error> {
        self.acceptor
            .reload(&tls.options(&self.listen, &[ALPN_NATIVE]))
    }

    /// Of the key, as a client's `--pin` takes it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.acceptor.fingerprint()
    }

    /// Whether this start made it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.acceptor.is_new()
    }
}
