//! What can be wrong with a certificate file, and how to mend each.

use std::path::Path;

use crate::codes::{Code, settings as codes};
use crate::diagnosis::{Diagnosis, Place};

/// What is wrong with a certificate file. Nothing of its content is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// There is no file.
    #[error("the certificate file does not exist")]
    NotFound,
    /// The system does not let us read it.
    #[error("the certificate file cannot be read: {0}")]
    NotReadable(String),
    /// Larger than any honest one.
    #[error("the certificate file is too large")]
    TooLarge,
    /// Nothing in it.
    #[error("the certificate file is empty")]
    Empty,
    /// Text in UTF-16.
    #[error("the certificate file is saved as UTF-16")]
    Utf16,
    /// Neither PEM nor PFX.
    #[error("the certificate file holds neither a certificate nor a key")]
    NotACertificate,
    /// A PEM block begins and does not end; its label.
    #[error("the block {0} has no end")]
    BlockNotClosed(String),
    /// A PEM block is not base64; its label.
    #[error("the block {0} is damaged")]
    BlockDamaged(String),
    /// A private key without certificate.
    #[error("the certificate file holds only the private key")]
    OnlyKey,
    /// A certificate without private key.
    #[error("the certificate file holds no private key")]
    OnlyCertificate,
    /// No certificate belongs to the key.
    #[error("the private key and the certificate do not belong together")]
    KeyMismatch {
        /// How many certificates were looked at.
        certificates: usize,
    },
    /// The private key needs a passphrase.
    #[error("the private key is encrypted")]
    KeyEncrypted,
    /// Another kind of key; which.
    #[error("the private key is {0} key, not RSA")]
    KeyNotRsa(&'static str),
    /// RSA with fewer than 2,048 bits.
    #[error("the private key is shorter than 2048 bits")]
    KeyTooSmall,
    /// The key is not readable, or its numbers do not fit together.
    #[error("the private key is damaged")]
    KeyDamaged,
    /// The certificate is not readable.
    #[error("the certificate is damaged")]
    CertificateDamaged,
    /// A certificate in binary form, without key.
    #[error("the certificate file is the public certificate, binary")]
    DerCertificate,
    /// A private key in binary form, without certificate.
    #[error("the certificate file is the private key alone, binary")]
    DerKey,
    /// The PFX does not open.
    #[error("the PFX file does not open")]
    PfxPassword {
        /// Whether a password was tried besides the empty one.
        password_given: bool,
    },
    /// The PFX uses something that we do not read.
    #[error("the PFX file is of a kind that is not supported")]
    PfxUnsupported,
    /// The file is a PFX, and the library was built without the feature `pfx`.
    #[error("the file is a PFX, which this build does not read")]
    PfxNotBuiltIn,
    /// A private key where only a public certificate may be.
    #[error("the file holds a private key")]
    HoldsPrivateKey,
}

impl CertificateError {
    /// Whether the file is there and ours to read, and what is in it is wrong. It may be about to be written.
    pub fn is_of_content(&self) -> bool {
        match self {
            Self::NotFound | Self::NotReadable(_) => false,
            Self::TooLarge
            | Self::Empty
            | Self::Utf16
            | Self::NotACertificate
            | Self::BlockNotClosed(_)
            | Self::BlockDamaged(_)
            | Self::OnlyKey
            | Self::OnlyCertificate
            | Self::KeyMismatch { .. }
            | Self::KeyEncrypted
            | Self::KeyNotRsa(_)
            | Self::KeyTooSmall
            | Self::KeyDamaged
            | Self::CertificateDamaged
            | Self::DerCertificate
            | Self::DerKey
            | Self::PfxPassword { .. }
            | Self::PfxUnsupported
            | Self::PfxNotBuiltIn
            | Self::HoldsPrivateKey => true,
        }
    }

    /// The code of the mistake.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::NotFound => &codes::CERTIFICATE_MISSING,
            Self::NotReadable(_) | Self::TooLarge => &codes::CERTIFICATE_UNREADABLE,
            Self::Empty
            | Self::Utf16
            | Self::NotACertificate
            | Self::BlockNotClosed(_)
            | Self::BlockDamaged(_)
            | Self::KeyDamaged
            | Self::CertificateDamaged
            | Self::DerCertificate
            | Self::DerKey => &codes::CERTIFICATE_FORMAT,
            Self::OnlyKey => &codes::CERTIFICATE_WITHOUT_CERTIFICATE,
            Self::OnlyCertificate => &codes::CERTIFICATE_WITHOUT_KEY,
            Self::KeyMismatch { .. } => &codes::CERTIFICATE_KEY_MISMATCH,
            Self::KeyEncrypted => &codes::CERTIFICATE_KEY_ENCRYPTED,
            Self::KeyNotRsa(_) | Self::KeyTooSmall => &codes::CERTIFICATE_KEY_NOT_RSA,
            Self::PfxPassword { .. } | Self::PfxUnsupported | Self::PfxNotBuiltIn => &codes::CERTIFICATE_PFX,
            Self::HoldsPrivateKey => &codes::PRIVATE_KEY_EXPOSED,
        }
    }

    fn cause(&self) -> Option<String> {
        let cause = match self {
            Self::NotFound | Self::NotReadable(_) | Self::Empty => return None,
            Self::TooLarge => format!("a key with its certificates has at most {} KB", super::read::FILE_MAX / 1024),
            Self::Utf16 => "an editor changed the encoding; PEM is ASCII".to_owned(),
            Self::NotACertificate => "it is neither PEM (text with BEGIN lines) nor PFX".to_owned(),
            Self::BlockNotClosed(_) | Self::BlockDamaged(_) => "the file was cut off or edited".to_owned(),
            Self::OnlyKey => "the certificate is needed too: its thumbprint names the key to the directory. \
                              openssl leaves such a file when every field was answered with a dot"
                .to_owned(),
            Self::OnlyCertificate => {
                "the private key is needed to sign in; this looks like the file for upload".to_owned()
            }
            Self::KeyMismatch { certificates: 1 } => "the certificate is of another key".to_owned(),
            Self::KeyMismatch { certificates } => format!("none of the {certificates} certificates is of this key"),
            Self::KeyEncrypted => "a server has nobody to type the passphrase".to_owned(),
            Self::KeyNotRsa(_) => "the directory takes RSA signatures only (PS256, RS256)".to_owned(),
            Self::KeyTooSmall => "the directory takes no key below 2048 bits".to_owned(),
            Self::KeyDamaged | Self::CertificateDamaged => "its numbers do not fit together or are cut off".to_owned(),
            Self::DerCertificate => "it has no private key, which is needed to sign in".to_owned(),
            Self::DerKey => "it has no certificate, and is not in PEM".to_owned(),
            Self::PfxPassword { password_given: false } => "it has a password".to_owned(),
            Self::PfxPassword { password_given: true } => "the password is wrong, or the file is damaged".to_owned(),
            Self::PfxUnsupported => "its encryption or content is unusual".to_owned(),
            Self::PfxNotBuiltIn => "the feature `pfx` of the library is off".to_owned(),
            Self::HoldsPrivateKey => "only the public certificate may leave this machine".to_owned(),
        };
        Some(cause)
    }

    fn fix(&self, file: &str) -> String {
        const NEW: &str = "credstore cert new --out my-certificate.pem, then upload the new public certificate";
        match self {
            Self::NotFound => {
                "check CertificateFile; it is looked for beside the settings file, or make one: credstore cert new"
                    .to_owned()
            }
            Self::NotReadable(_) => format!("let the service account read {file}"),
            Self::TooLarge | Self::Empty | Self::NotACertificate => {
                "name the PEM or PFX file with private key and certificate".to_owned()
            }
            Self::Utf16 => format!("iconv -f UTF-16 -t ASCII {file} > my-certificate.pem"),
            Self::BlockNotClosed(_) | Self::BlockDamaged(_) | Self::KeyDamaged | Self::CertificateDamaged => {
                format!("copy {file} again from where it was made, or {NEW}")
            }
            Self::OnlyKey => format!("append the certificate: cat certificate.pem >> {file}"),
            Self::OnlyCertificate => format!("append the private key: cat private-key.pem >> {file}"),
            Self::KeyMismatch { .. } => {
                "put the certificate of this key into the file: credstore cert verify".to_owned()
            }
            Self::KeyEncrypted => format!("openssl pkey -in {file} -out key.pem, then append the certificate"),
            Self::KeyNotRsa(_) | Self::KeyTooSmall => NEW.to_owned(),
            Self::DerCertificate => {
                "name the file with the private key; this one is for upload to the app registration".to_owned()
            }
            Self::DerKey => {
                format!("openssl pkey -inform der -in {file} -out my-certificate.pem, then append the certificate")
            }
            Self::PfxPassword { .. } | Self::PfxUnsupported | Self::PfxNotBuiltIn => {
                format!("openssl pkcs12 -in {file} -nodes -out my-certificate.pem, and name that file")
            }
            Self::HoldsPrivateKey => {
                format!("credstore cert export-public {file} --out azure-cert.cer, and use that file")
            }
        }
    }

    /// The mistake with cause, place and fix. `file` is the file as the user named it.
    pub fn diagnosis(&self, file: Option<&Path>, place: Option<Place>) -> Diagnosis {
        let name = file.map_or_else(|| "FILE".to_owned(), |file| file.display().to_string());
        let mut diagnosis = Diagnosis::error(self.code(), self.to_string()).fix(self.fix(&name));
        diagnosis.cause = self.cause();
        match (place, file) {
            (Some(place), _) => diagnosis.at(place),
            (None, Some(file)) => diagnosis.at(Place { file: Some(file.to_owned()), ..Place::default() }),
            (None, None) => diagnosis,
        }
    }
}
