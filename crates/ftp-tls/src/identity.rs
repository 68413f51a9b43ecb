//! `Identity`: a certificate chain with its key, read from PEM files or made at a first start.
//!
//! A key is never printed and never written but with mode 0600.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Error, Fingerprint};

/// The file that a first start makes in the state folder: key and certificate, so that they cannot come apart.
const SELF_SIGNED: &str = "tls-self-signed.pem";
/// Most bytes of a PEM file.
const PEM_MAX: u64 = 1024 * 1024;

/// Who one end says it is, and the key that proves it.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads a chain (leaf first) and its key from PEM files, which may be the same file.
    ///
    /// # Errors
    /// Names the file that cannot be read or holds no certificate or key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let chain = certificates(certificate)?;
        let pem = read(key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|error| Error::file(key, format!("no private key in PEM form: {error}")))?;
        Ok(Self { chain, key })
    }

    /// The self-signed certificate of a state folder; a first call makes it. Says whether it did.
    ///
    /// # Errors
    /// If the folder or the file cannot be made or read.
    pub fn kept_in(folder: &Path, names: &[String]) -> Result<(Self, bool), Error> {
        let file = folder.join(SELF_SIGNED);
        match fs::symlink_metadata(&file) {
            Ok(_) => return Self::load(&file, &file).map(|identity| (identity, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(file, error)),
        }
        let (made, pem) = make(names)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| Error::file(folder, error))?;
        let written = write_new(folder, &file, pem.as_bytes());
        match written {
            Ok(()) => Ok((made, true)),
            // Another start was faster: its certificate is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(&file, &file).map(|identity| (identity, false))
            }
            Err(error) => Err(Error::file(file, error)),
        }
    }

    /// A fresh key with a certificate that it signed itself, for these host names and addresses.
    ///
    /// # Errors
    /// If a name cannot stand in a certificate.
    pub fn self_signed(names: &[String]) -> Result<Self, Error> {
        make(names).map(|(identity, _)| identity)
    }

    /// The chain, leaf first, and the key.
    #[must_use]
    pub fn into_parts(self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain, self.key)
    }

    /// The certificate itself.
    #[must_use]
    pub fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.chain.first()
    }

    /// What people compare.
    ///
    /// # Errors
    /// If the certificate cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint, Error> {
        let leaf = self.leaf().ok_or_else(|| Error::new("no certificate"))?;
        Fingerprint::of(leaf)
    }
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// Names the file that cannot be read or holds none.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| Error::file(file, format!("not in PEM form: {error}")))?;
    if chain.is_empty() {
        return Err(Error::file(file, "no certificate in PEM form"));
    }
    Ok(chain)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let size = fs::metadata(file).map_err(|error| Error::file(file, error))?;
    if size.len() > PEM_MAX {
        return Err(Error::file(file, "too large for a PEM file"));
    }
    fs::read(file).map_err(|error| Error::file(file, error))
}

fn make(names: &[String]) -> Result<(Identity, String), Error> {
    let key = KeyPair::generate().map_err(Error::new)?;
    let mut params = CertificateParams::new(names).map_err(Error::new)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "muxftp server");
    // Trusted by its key alone, so dates would only bring an outage nobody expects.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2120, 1, 1);
    let certificate = params.self_signed(&key).map_err(Error::new)?;
    let pem = format!("{}{}", key.serialize_pem(), certificate.pem());
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(Error::new)?;
    let identity = Identity {
        chain: vec![certificate.into()],
        key: der,
    };
    Ok((identity, pem))
}

/// Writes a file that only its owner may read, whole or not at all, and never over another.
fn write_new(folder: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = folder.join(format!("{SELF_SIGNED}.{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temp);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temp)
        .and_then(|mut out| out.write_all(bytes).and_then(|()| out.sync_all()))
        .and_then(|()| fs::hard_link(&temp, file));
    let _ = fs::remove_file(&temp);
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_first_start_makes_a_certificate_and_the_next_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        let names = ["localhost".to_owned(), "::1".to_owned()];
        let (first, made) = Identity::kept_in(&state, &names).unwrap();
        assert!(made);
        let file = state.join(SELF_SIGNED);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (second, made) = Identity::kept_in(&state, &names).unwrap();
        assert!(!made);
        assert_eq!(first.fingerprint().unwrap(), second.fingerprint().unwrap());
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
        fs::write(&file, "nonsense").unwrap();
        let error = Identity::kept_in(&state, &names).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(SELF_SIGNED), "{error}");
    }

    #[test]
    fn files_that_are_missing_or_wrong_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let none = dir.path().join("none.pem");
        let error = certificates(&none).unwrap_err().to_string();
        assert!(
            error.contains("none.pem") && error.contains("No such file"),
            "{error}"
        );
        let empty = dir.path().join("empty.pem");
        fs::write(&empty, "").unwrap();
        assert!(certificates(&empty).is_err());
        assert!(Identity::load(&empty, &empty).is_err());
    }
}
