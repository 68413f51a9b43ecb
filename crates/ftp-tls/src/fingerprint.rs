//! What is read from a certificate: its key's fingerprint, its names.
//!
//! The fingerprint is of the key (SPKI), not of the certificate: a certificate that is renewed for the same
//! key keeps it, so nobody has to trust anew.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::Error;

/// How a fingerprint begins when it is written.
const PREFIX: &str = "SHA256:";
/// Most names that are looked at in one certificate.
const NAMES_MAX: usize = 64;

/// SHA-256 of a certificate's public key (`SubjectPublicKeyInfo`, RFC 5280 section 4.1.2.7); written `SHA256:` and Base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the key in a certificate.
    ///
    /// # Errors
    /// If it is no certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = parse(certificate)?;
        Ok(Self(
            Sha256::digest(parsed.tbs_certificate.subject_pki.raw).into(),
        ))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::new("a fingerprint is `SHA256:` and 43 characters of Base64");
        let code = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        let bytes = STANDARD_NO_PAD
            .decode(code.trim_end_matches('='))
            .map_err(|_| wrong())?;
        Ok(Self(bytes.try_into().map_err(|_| wrong())?))
    }
}

/// The names a certificate carries: e-mail addresses, host names and URIs of `subjectAltName`, then the common name.
#[must_use]
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = parse(certificate) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::RFC822Name(name)
                | GeneralName::DNSName(name)
                | GeneralName::URI(name) => names.push((*name).to_owned()),
                GeneralName::OtherName(..)
                | GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::IPAddress(_)
                | GeneralName::RegisteredID(_)
                | GeneralName::Invalid(..) => {}
            }
        }
    }
    names.extend(common_name(certificate));
    names.truncate(NAMES_MAX);
    names
}

/// The common name of a certificate's subject.
#[must_use]
pub fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = parse(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

/// Whether a certificate names itself as its issuer.
#[must_use]
pub fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_ok_and(|it| it.subject().as_raw() == it.issuer().as_raw())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| Error::new(format!("not a certificate: {error}")))?;
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let identity = Identity::self_signed(&["a.example".to_owned()]).unwrap();
        let print = identity.fingerprint().unwrap();
        let text = print.to_string();
        assert_eq!(text.len(), PREFIX.len() + 43);
        assert_eq!(text.parse::<Fingerprint>().unwrap(), print);
        for wrong in [
            "",
            "SHA256:",
            "SHA256:AAAA",
            "MD5:x",
            &text[7..],
            &text[..49],
        ] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_read_and_nonsense_has_none() {
        let names_given = ["a.example".to_owned(), "127.0.0.1".to_owned()];
        let identity = Identity::self_signed(&names_given).unwrap();
        let leaf = identity.leaf().unwrap();
        assert_eq!(names(leaf), ["a.example", "muxftp server"]);
        assert!(is_self_signed(leaf));
        let nonsense = CertificateDer::from(vec![0x30, 0x80, 1, 2]);
        assert!(names(&nonsense).is_empty() && !is_self_signed(&nonsense));
        assert!(Fingerprint::of(&nonsense).is_err());
    }
}
