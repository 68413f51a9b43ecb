//! `Acceptor`: what a server shows in a handshake, behind the one point where it can be swapped.
//!
//! A swap reaches the next handshake; connections that are up go on with what they began with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use crate::identity::{Identity, certificates};
use crate::{Error, Fingerprint};

/// Sessions of TLS 1.2 that a configuration of its own remembers by number.
const OWN_SESSIONS: usize = 4;

/// The user for whom a client's certificate stands. It was verified before it is asked about.
pub type UserOf = dyn Fn(&CertificateDer<'_>) -> Option<String> + Send + Sync;

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oldest {
    /// TLS 1.2 (RFC 5246) and 1.3.
    Tls12,
    /// TLS 1.3 (RFC 8446) alone.
    #[default]
    Tls13,
}

/// From what an [`Acceptor`] is made.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Certificate chain and key, as PEM files; absent: one that signed itself, kept in `state`.
    pub files: Option<(PathBuf, PathBuf)>,
    /// The folder for a certificate that signed itself.
    pub state: PathBuf,
    /// Names that such a certificate is made for.
    pub names: Vec<String>,
    /// The authorities whose client certificates are believed; absent: none is asked for.
    pub client_ca: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub oldest: Oldest,
    /// The protocols behind the port (ALPN). A client that names others is refused, one that names none is not.
    pub alpn: Vec<Vec<u8>>,
}

/// What a server shows, and how a client's certificate becomes a user.
pub struct Acceptor {
    config: RwLock<Arc<ServerConfig>>,
    user_of: Box<UserOf>,
    fingerprint: RwLock<Fingerprint>,
    made: bool,
}

impl Acceptor {
    /// Reads the files, or makes what a first start lacks.
    ///
    /// # Errors
    /// Says which file cannot be used, and why.
    pub fn new(options: &ServerOptions, user_of: Box<UserOf>) -> Result<Self, Error> {
        let (identity, made) = identity(options)?;
        let (config, fingerprint) = build(identity, options)?;
        Ok(Self {
            config: RwLock::new(config),
            user_of,
            fingerprint: RwLock::new(fingerprint),
            made,
        })
    }

    /// Reads everything again. New handshakes see it; if anything is wrong, nothing changes.
    ///
    /// # Errors
    /// As [`Acceptor::new`].
    pub fn reload(&self, options: &ServerOptions) -> Result<Fingerprint, Error> {
        let (config, fingerprint) = build(identity(options)?.0, options)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        *self
            .fingerprint
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fingerprint;
        Ok(fingerprint)
    }

    /// What the next handshake uses.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// The same for other protocols than the listener's own: its connections are told by `alpn`. With `own_tickets` no
    /// session resumes by them that was begun under another configuration, nor the other way round.
    ///
    /// # Errors
    /// If there is no randomness for the keys of tickets.
    pub fn derived(&self, alpn: &[&[u8]], own_tickets: bool) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::clone(&self.current());
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        if own_tickets {
            config.ticketer = ring::Ticketer::new().map_err(Error::new)?;
            // For clients that take no tickets under TLS 1.2 (curl is one).
            config.session_storage = ServerSessionMemoryCache::new(OWN_SESSIONS);
        }
        Ok(Arc::new(config))
    }

    /// Of the key that new handshakes show.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        *self
            .fingerprint
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this start made the certificate.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.made
    }

    /// The user for whom a verified certificate stands.
    #[must_use]
    pub fn user_of(&self, certificate: &CertificateDer<'_>) -> Option<String> {
        (self.user_of)(certificate)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.fingerprint())
    }
}

/// Whether the files that are named can be used. Makes none, and reads none that is not named.
///
/// # Errors
/// As [`Acceptor::new`].
pub fn check(options: &ServerOptions) -> Result<(), Error> {
    if let Some(file) = &options.client_ca {
        verifier(file, Arc::new(ring::default_provider()))?;
    }
    match &options.files {
        Some(_) => build(identity(options)?.0, options).map(|_| ()),
        None => Ok(()),
    }
}

fn identity(options: &ServerOptions) -> Result<(Identity, bool), Error> {
    match &options.files {
        Some((certificate, key)) => Ok((Identity::load(certificate, key)?, false)),
        None => Identity::kept_in(&options.state, &options.names),
    }
}

fn build(
    identity: Identity,
    options: &ServerOptions,
) -> Result<(Arc<ServerConfig>, Fingerprint), Error> {
    let fingerprint = identity.fingerprint()?;
    let versions: &[&SupportedProtocolVersion] = match options.oldest {
        Oldest::Tls12 => &[&version::TLS13, &version::TLS12],
        Oldest::Tls13 => &[&version::TLS13],
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(Error::new)?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => builder.with_client_cert_verifier(verifier(file, provider)?),
    };
    let mut config = builder
        .with_single_cert(identity.chain, identity.key)
        .map_err(|error| match &options.files {
            Some((certificate, _)) => Error::file(certificate, error),
            None => Error::new(error),
        })?;
    config.alpn_protocols.clone_from(&options.alpn);
    // Tickets hold the state, so sessions that are gone cost nothing. A new configuration takes new keys:
    // whoever was let in under the old one proves itself again.
    config.ticketer = ring::Ticketer::new().map_err(Error::new)?;
    Ok((Arc::new(config), fingerprint))
}

/// Believes whom the authorities in `file` vouch for.
fn verifier(
    file: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let roots = Arc::new(roots(file)?);
    WebPkiClientVerifier::builder_with_provider(roots, provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| Error::file(file, error))
}

fn roots(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| Error::file(file, error))?;
    }
    Ok(roots)
}
