//! TLS at the client: what is asked of a server's certificate, one configuration for all connections, the handshake.
//!
//! A server that is not trusted hears not one byte of a request.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ftp_tls::rustls::client::WebPkiServerVerifier;
use ftp_tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use ftp_tls::rustls::crypto::{CryptoProvider, ring};
use ftp_tls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ftp_tls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    version,
};
use ftp_tls::{ALPN_NATIVE, Engine, Fingerprint, Identity, Oldest, Socket};
use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags};

use super::trust::KnownHosts;
use crate::error::{Error, Result};

/// Asked about a server that nobody vouches for: its `HOST:PORT` and its key. `true` is to trust it from now on.
pub type Ask = Arc<dyn Fn(&str, Fingerprint) -> bool + Send + Sync>;

/// Whom to trust, and how to show who we are.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// Certificate authorities in a PEM file, instead of the system's.
    pub ca: Option<PathBuf>,
    /// The server's key, instead of everything else.
    pub pin: Option<Fingerprint>,
    /// Keys that were believed before.
    pub known_hosts: Option<KnownHosts>,
    /// Who decides at first sight; absent: such a server is refused.
    pub ask: Option<Ask>,
    /// A certificate chain and its key, in PEM files, for servers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The oldest version to speak.
    pub oldest: Oldest,
}

/// TLS for all connections of a client; clones share what was verified and the tickets of sessions.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    options: TlsOptions,
    provider: Arc<CryptoProvider>,
    /// Made for the server that was last connected to.
    made: Mutex<Option<Made>>,
    /// One question at a time.
    asking: Mutex<()>,
}

#[derive(Clone)]
struct Made {
    host: String,
    config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

/// Why a server is not trusted.
#[derive(Clone, Debug)]
enum Distrust {
    /// Nobody vouches for the key.
    Unknown {
        found: Fingerprint,
        alone: bool,
    },
    /// It is not the key that is expected, by `--pin` or by the file.
    Changed {
        expected: Fingerprint,
        found: Fingerprint,
        remembered: Option<Remembered>,
    },
    Expired,
    NotYet,
    WrongName,
    Other(String),
}

/// Where the other key stands.
#[derive(Clone, Debug)]
struct Remembered {
    host: String,
    file: PathBuf,
}

impl Tls {
    /// Reads the files that `options` names.
    ///
    /// # Errors
    /// [`Error::Usage`] names the one that cannot be used.
    pub fn new(options: TlsOptions) -> Result<Self> {
        let tls = Self(Arc::new(Shared {
            options,
            provider: Arc::new(ring::default_provider()),
            made: Mutex::new(None),
            asking: Mutex::new(()),
        }));
        // Whatever is wrong with the files is said before anybody is connected to.
        if let Some(ca) = &tls.0.options.ca {
            roots(ca)?;
        }
        tls.make("localhost:1")?;
        Ok(tls)
    }

    /// What to shake hands with `host` (`HOST:PORT`) by.
    fn made(&self, host: &str) -> Result<Made> {
        let mut made = lock(&self.0.made);
        if let Some(made) = made.as_ref().filter(|made| made.host == host) {
            return Ok(made.clone());
        }
        Ok(made.insert(self.make(host)?).clone())
    }

    fn make(&self, host: &str) -> Result<Made> {
        let Shared {
            options, provider, ..
        } = &*self.0;
        let versions: &[_] = match options.oldest {
            Oldest::Tls12 => &[&version::TLS13, &version::TLS12],
            Oldest::Tls13 => &[&version::TLS13],
        };
        let verifier = Arc::new(Verifier {
            host: host.to_owned(),
            shared: Arc::downgrade(&self.0),
            provider: Arc::clone(provider),
            authorities: OnceLock::new(),
            distrust: Mutex::new(None),
        });
        let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
        let mut config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, key) = Identity::load(certificate, key)
                    .map_err(unusable)?
                    .into_parts();
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| unusable(format!("{}: {error}", certificate.display())))?
            }
        };
        config.alpn_protocols = vec![ALPN_NATIVE.to_vec()];
        Ok(Made {
            host: host.to_owned(),
            config: Arc::new(config),
            verifier,
        })
    }

    /// A handshake with `host` at `port` that has not begun.
    pub(super) fn begin(&self, host: &str, port: u16) -> Result<Pending> {
        let made = self.made(&label(host, port))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Usage(format!("{host:?} cannot stand in a certificate")))?;
        let engine = Engine::client(Arc::clone(&made.config), name).map_err(unusable)?;
        Ok(Pending {
            engine: Box::new(engine),
            made,
        })
    }

    /// What became of a handshake that failed: an error, or `true` if a person decided to trust.
    pub(super) fn judge(&self, pending: &Pending, error: &io::Error) -> Result<bool> {
        let server = pending.made.host.clone();
        let Some(distrust) = lock(&pending.made.verifier.distrust).take() else {
            return Err(failed(&server, error));
        };
        if let Distrust::Unknown { found, .. } = distrust
            && let (Some(ask), Some(known)) = (&self.0.options.ask, &self.0.options.known_hosts)
        {
            let _one = lock(&self.0.asking);
            // Another connection may have asked meanwhile.
            if known.find(&server)? == Some(found) {
                return Ok(true);
            }
            if ask(&server, found) {
                known.add(&server, found)?;
                return Ok(true);
            }
        }
        Err(Error::Untrusted {
            server,
            why: distrust.to_string(),
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Two are the same if they share what was verified.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

/// A handshake under way.
pub(super) struct Pending {
    pub(super) engine: Box<Engine>,
    made: Made,
}

/// The socket beneath.
pub(super) struct Raw<'a>(pub(super) &'a TcpStream);

impl Socket for Raw<'_> {
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let (_, len) = rustix::io::retry_on_intr(|| {
            rustix::net::recv(self.0, spare_capacity(into), RecvFlags::empty())
        })?;
        Ok(len)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL)
        })?)
    }
}

/// Decides about certificates.
struct Verifier {
    host: String,
    shared: std::sync::Weak<Shared>,
    provider: Arc<CryptoProvider>,
    /// Loaded when they are first needed: reading the system's takes a while.
    authorities: OnceLock<std::result::Result<Arc<WebPkiServerVerifier>, String>>,
    /// What was wrong with the last certificate, in more words than TLS has.
    distrust: Mutex<Option<Distrust>>,
}

impl Verifier {
    fn decide(
        &self,
        leaf: &CertificateDer<'_>,
        by_authority: impl FnOnce(&WebPkiServerVerifier) -> std::result::Result<(), rustls::Error>,
    ) -> std::result::Result<(), Distrust> {
        let other = |why: &dyn fmt::Display| Distrust::Other(why.to_string());
        let shared = self
            .shared
            .upgrade()
            .ok_or_else(|| other(&"it is too late"))?;
        let options = &shared.options;
        let found = Fingerprint::of(leaf).map_err(|error| other(&error))?;
        let (expected, remembered) = match (options.pin, &options.known_hosts) {
            (Some(pin), _) => (Some(pin), None),
            // A named authority is meant to decide alone.
            (None, Some(known)) if options.ca.is_none() => (
                known.find(&self.host).map_err(|error| other(&error))?,
                Some(Remembered {
                    host: self.host.clone(),
                    file: known.path().to_owned(),
                }),
            ),
            (None, _) => (None, None),
        };
        match expected {
            Some(expected) if expected == found => return Ok(()),
            Some(expected) => {
                return Err(Distrust::Changed {
                    expected,
                    found,
                    remembered,
                });
            }
            None => {}
        }
        let authorities = self
            .authorities
            .get_or_init(|| authorities(options, &self.provider));
        let unknown = Distrust::Unknown {
            found,
            alone: ftp_tls::is_self_signed(leaf),
        };
        match authorities {
            // Without a single authority nobody can vouch for anybody.
            Err(_) if options.ca.is_none() => Err(unknown),
            Err(why) => Err(other(why)),
            Ok(verifier) => by_authority(verifier).map_err(|error| classify(error, unknown)),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let decided = self.decide(leaf, |verifier| {
            verifier
                .verify_server_cert(leaf, between, name, ocsp, now)
                .map(drop)
        });
        match decided {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(distrust) => {
                *lock(&self.distrust) = Some(distrust);
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({})", self.host)
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { found, alone } => {
                let what = if *alone {
                    "signed itself"
                } else {
                    "comes from an authority that is not trusted here"
                };
                write!(
                    f,
                    "its certificate {what}; its key is {found}. Compare that with what the server printed when it first \
                     started; if it is the same, --pin {found} trusts it, and `ftp-client trust add` for good"
                )
            }
            Self::Changed {
                expected,
                found,
                remembered,
            } => {
                write!(
                    f,
                    "its key has changed: expected {expected}, found {found}. Somebody may stand in between"
                )?;
                if let Some(Remembered { host, file }) = remembered {
                    write!(
                        f,
                        "; if the server really has a new key, `ftp-client trust rm {host}` forgets the old one in {}",
                        file.display()
                    )?;
                }
                Ok(())
            }
            Self::Expired => f.write_str("its certificate has expired"),
            Self::NotYet => {
                f.write_str("its certificate is not valid yet; is the clock here right?")
            }
            Self::WrongName => f.write_str("its certificate is for another name"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// `HOST:PORT`, as the file of known hosts has it.
pub(crate) fn label(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{}:{port}", host.to_ascii_lowercase())
    }
}

fn authorities(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> std::result::Result<Arc<WebPkiServerVerifier>, String> {
    let roots = match &options.ca {
        Some(file) => roots(file).map_err(|error| error.to_string())?,
        None => {
            let mut roots = RootCertStore::empty();
            // Single ones that cannot be read cost their own sites only.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| error.to_string())
}

fn roots(file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in ftp_tls::certificates(file).map_err(unusable)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(format!("{}: {error}", file.display())))?;
    }
    Ok(roots)
}

fn classify(error: rustls::Error, unknown: Distrust) -> Distrust {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Distrust::Other(error.to_string());
    };
    if let CertificateError::Expired | CertificateError::ExpiredContext { .. } = error {
        Distrust::Expired
    } else if let CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } =
        error
    {
        Distrust::NotYet
    } else if let CertificateError::NotValidForName
    | CertificateError::NotValidForNameContext { .. } = error
    {
        Distrust::WrongName
    } else if let CertificateError::UnknownIssuer | CertificateError::BadSignature = error {
        // The second is an authority that only has the name of one that is trusted.
        unknown
    } else if is_authority(&error) {
        unknown
    } else {
        Distrust::Other(format!("its certificate cannot be used: {error}"))
    }
}

/// Whether the certificate is an authority's own that was shown as a server's: many that sign themselves are.
fn is_authority(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity"))
}

/// A handshake that failed for other reasons than trust.
fn failed(server: &str, error: &io::Error) -> Error {
    use rustls::AlertDescription as Alert;
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let untrusted = |why: &str| Error::Untrusted {
        server: server.to_owned(),
        why: why.to_owned(),
    };
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => Error::Protocol(format!(
            "{server} does not speak TLS on this port; leave out --tls if plain text will do"
        )),
        Some(rustls::Error::AlertReceived(Alert::NoApplicationProtocol)) => {
            Error::Protocol(format!("{server} speaks TLS, but not for muxftp"))
        }
        Some(
            rustls::Error::AlertReceived(Alert::ProtocolVersion)
            | rustls::Error::PeerIncompatible(_),
        ) => Error::Protocol(format!(
            "{server} and we have no version of TLS in common; --tls-min 1.2 allows an older one"
        )),
        Some(_) if is_refusal(error) => untrusted("it did not accept our certificate"),
        Some(other) => Error::Protocol(format!("TLS with {server}: {other}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Error::Lost(format!(
            "{server} closed the connection during the TLS handshake"
        )),
        None => Error::Lost(format!(
            "the TLS handshake with {server} broke: {}",
            crate::error::plain(error)
        )),
    }
}

/// Whether the server broke off because it does not accept our certificate: within TLS 1.3 that comes after the handshake.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(rustls::Error::AlertReceived(
            Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::DecryptError
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
        ))
    )
}

fn unusable(why: impl fmt::Display) -> Error {
    Error::Usage(format!("TLS: {why}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
