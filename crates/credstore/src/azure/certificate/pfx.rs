//! PFX (PKCS#12, RFC 7292), read by `p12-keystore`, here and nowhere else; its own buffers are not wiped.
//!
//! That crate brings as many packages as all the rest of the library, so it stands behind the feature `pfx`.
//! The binary has the feature; without it a PFX is recognised and refused by name.

use credstore_protocol::Secret;
#[cfg(feature = "pfx")]
use zeroize::Zeroizing;

use super::CertificateError;
use super::read::Content;

/// Keys and certificates of a PFX, opened with the empty password that Key Vault gives it, else with `password`.
#[cfg(feature = "pfx")]
pub(super) fn read(bytes: &[u8], password: Option<&Secret>) -> Result<Content, CertificateError> {
    use p12_keystore::Pkcs12Archive;
    let archive = match Pkcs12Archive::from_pkcs12(bytes, "") {
        Ok(archive) => Ok(archive),
        Err(error) => match password {
            Some(password) => Pkcs12Archive::from_pkcs12(bytes, password.expose_secret()),
            None => Err(error),
        },
    };
    let archive = archive.map_err(|error| refusal(&error, password.is_some()))?;
    Ok(Content {
        keys: archive.keys.iter().map(|bag| Zeroizing::new(bag.key.as_der().to_vec())).collect(),
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}

#[cfg(feature = "pfx")]
fn refusal(error: &p12_keystore::error::Error, password_given: bool) -> CertificateError {
    use p12_keystore::error::Error;
    match error {
        // A file without MAC shows a wrong password only when its content does not decrypt.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => {
            CertificateError::PfxPassword { password_given }
        }
        Error::UnsupportedContentType
        | Error::UnsupportedCertificateType
        | Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::InvalidVersion => CertificateError::PfxUnsupported,
        Error::IoError(_)
        | Error::DerError(_)
        | Error::X509Error(_)
        | Error::InvalidLength
        | Error::InvalidParameters
        | Error::InvalidData
        | Error::InvalidPrivateKey => CertificateError::NotACertificate,
    }
}

/// Says whether the bytes are a PFX, which this build does not read.
#[cfg(not(feature = "pfx"))]
pub(super) fn read(bytes: &[u8], _password: Option<&Secret>) -> Result<Content, CertificateError> {
    // PFX ::= SEQUENCE { version INTEGER (3), … }; the SEQUENCE's length has one to five bytes.
    let version = [0x02, 0x01, 0x03];
    let is_pfx = bytes.iter().take(16).collect::<Vec<_>>().windows(3).take(6).any(|at| at == version.each_ref());
    Err(if is_pfx { CertificateError::PfxNotBuiltIn } else { CertificateError::NotACertificate })
}
