//! Which authorities may vouch for a server, and the TLS settings made of that.
//!
//! TLS 1.2 and newer with AEAD suites only, as rustls offers them. The verifier is rustls' own; ours wraps it
//! only to remember the issuer that was seen, so that the message can name a proxy that inspects TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::codes;
use crate::diagnosis::{Diagnosis, Place};

/// The certificate of an authority, DER.
pub type Authority = CertificateDer<'static>;

/// Largest file of authorities in bytes. The Mozilla list has 220 KB.
pub const CA_FILE_MAX: u64 = 2 * 1024 * 1024;

/// Which authorities may vouch for a server.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those of the system, and perhaps one file more.
    System {
        /// The value of `SSL_CERT_FILE`: this file in place of the system's list, as OpenSSL reads it.
        instead: Option<PathBuf>,
        /// A file of authorities that are trusted besides.
        also: Option<PathBuf>,
    },
    /// Those in this file and no others: for a cloud of our own.
    Only(PathBuf),
}

impl Default for Trust {
    fn default() -> Self {
        Self::System { instead: None, also: None }
    }
}

impl Trust {
    pub(super) fn read_own(&self) -> Result<Vec<Authority>, CaFileError> {
        let files: Vec<&Path> = match self {
            Self::System { instead, also } => instead.iter().chain(also).map(PathBuf::as_path).collect(),
            Self::Only(file) => vec![file],
        };
        let mut authorities = Vec::new();
        for file in files {
            authorities.extend(read(file)?);
        }
        Ok(authorities)
    }

    fn wants_the_systems(&self) -> bool {
        match self {
            Self::System { instead, .. } => instead.is_none(),
            Self::Only(_) => false,
        }
    }
}

/// Why a file of authorities is not usable.
#[derive(Debug, thiserror::Error)]
#[error("{} {what}", path.display())]
pub struct CaFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: &'static str,
}

impl From<CaFileError> for Diagnosis {
    fn from(error: CaFileError) -> Self {
        Diagnosis::error(&codes::vault::CA_FILE, error.to_string())
            .at(Place { file: Some(error.path), ..Place::default() })
            .fix("name a PEM file with the certificate of the authority; the embedded vault's is ca.pem in its data folder")
    }
}

fn read(path: &Path) -> Result<Vec<Authority>, CaFileError> {
    let wrong = |what| CaFileError { path: path.to_owned(), what };
    let size = std::fs::metadata(path).map_err(|_| wrong("does not exist or cannot be read"))?.len();
    if size > CA_FILE_MAX {
        return Err(wrong("is too large for a file of authorities"));
    }
    let bytes = std::fs::read(path).map_err(|_| wrong("cannot be read"))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(wrong("holds no certificate in PEM")),
        Err(_) => Err(wrong("is not readable as PEM")),
    }
}

/// The TLS settings, or in words why there are none.
pub(super) fn client_config(trust: &Trust, own: &[Authority]) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(own.iter().cloned());
    if trust.wants_the_systems() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|_| "no authority is trusted on this machine".to_owned())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(IssuerNaming(verifier)))
        .with_no_client_auth();
    Ok(config)
}

/// A refusal of rustls' verifier, with the issuer that was seen.
#[derive(Debug)]
pub(super) struct Untrusted {
    reason: CertificateError,
    issuer: Option<String>,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => f.write_str("it has expired")?,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                f.write_str("it is not valid yet")?;
            }
            CertificateError::UnknownIssuer => f.write_str("its issuer is not trusted here")?,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                f.write_str("it is for another name")?;
            }
            CertificateError::Revoked => f.write_str("it is revoked")?,
            // The enum of the library may grow; its own words are good enough for rare cases.
            other => write!(f, "{other}")?,
        }
        match &self.issuer {
            Some(issuer) => write!(f, "; issuer seen: {issuer}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Untrusted {}

#[derive(Debug)]
struct IssuerNaming(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for IssuerNaming {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| match error {
            rustls::Error::InvalidCertificate(reason) => {
                let issuer = issuer_of(end_entity);
                let untrusted = OtherError(Arc::new(Untrusted { reason, issuer }));
                rustls::Error::InvalidCertificate(CertificateError::Other(untrusted))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Longest issuer in a message, in characters. Whoever answers chooses the text. Ours.
const ISSUER_SHOWN: usize = 120;

fn issuer_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let printable = parsed.issuer().to_string().chars().filter(|c| !c.is_control()).take(ISSUER_SHOWN).collect();
    Some(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_that_cannot_be_used_is_told_apart() {
        let folder = std::env::temp_dir().join(format!("credstore-ca-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("ca.pem");
        let what = |trust: &Trust| trust.read_own().unwrap_err().what;
        let trust = Trust::Only(file.clone());
        assert_eq!(what(&trust), "does not exist or cannot be read");
        std::fs::write(&file, "no certificate").unwrap();
        assert_eq!(what(&trust), "holds no certificate in PEM");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
        assert_eq!(what(&trust), "is not readable as PEM");
        std::fs::write(&file, vec![b'\n'; CA_FILE_MAX as usize + 1]).unwrap();
        assert_eq!(what(&trust), "is too large for a file of authorities");
        std::fs::write(&file, vec![b'\n'; CA_FILE_MAX as usize]).unwrap();
        assert_eq!(what(&trust), "holds no certificate in PEM");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn without_any_authority_there_is_no_client() {
        let reason = client_config(&Trust::Only(PathBuf::new()), &[]).unwrap_err();
        assert_eq!(reason, "no authority is trusted on this machine");
    }
}
