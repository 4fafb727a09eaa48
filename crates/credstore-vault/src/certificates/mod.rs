//! Certificates: what a policy may ask for, and the certificates, requests and files that come of it.
//!
//! A [`Policy`] is checked once and then complete. With a [`KeyMaterial`](crate::keys::KeyMaterial) it makes a certificate
//! that signs itself, or a request that somebody else signs; [`Chain::merge`] takes what came back. [`import()`] reads PFX and
//! PEM, [`secret_value`] writes them. An [`IssuingAuthority`] signs what a vault issues itself. Around these, which store
//! nothing: `stored` says what a certificate of a vault is, `versions` writes it with its key and secret, `create` makes,
//! imports and merges, `issuers` keeps issuers and contacts, `renewal` acts when a policy says so. Versions, lists, soft
//! delete and backups are those of every object: [`objects`](crate::objects).
//!
//! Source: contract section 8; RFC 5280 and RFC 2986 for certificates and requests; RFC 7292 for PFX.

mod authority;
mod chain;
mod create;
mod import;
mod issue;
mod issuers;
mod name;
mod output;
mod pfx;
mod policy;
mod renewal;
mod stored;
mod versions;

pub use authority::IssuingAuthority;
pub use chain::Chain;
pub use create::CertificateCreation;
pub use import::{Imported, converted, import};
pub use issue::{request_of, self_signed};
pub use issuers::{ADMINISTRATORS_MAX, CONTACTS_MAX, ISSUER_TEXT_MAX, ISSUERS_MAX, Issuer, IssuerWrite};
pub use output::secret_value;
pub use policy::{Policy, ValueRefusal};
pub use stored::{CertificateContent, CertificateRecord, CertificateStanding, Certificates, Pending};

/// Most certificates of one chain. Ours: public chains have three or four.
pub const CHAIN_MAX: usize = 10;
/// Most bytes of the certificates of one chain together, in DER. Ours: with the largest key and names of usual
/// length, as PFX or PEM, they stay below the largest value of a secret, which carries them out.
pub const CHAIN_BYTES_MAX: usize = 12 * 1024;
/// Longest text of an import in bytes. Ours: twice what a chain of [`CHAIN_BYTES_MAX`] with its key needs.
pub const IMPORT_MAX: usize = 48 * 1024;

/// Why there is no certificate. The texts are those that Azure answers where a source has them; no variant holds anything
/// of a key, a password or a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A policy asks for what a vault does not make.
    ///
    /// Source: the form and the text about names, contract section 5; the lines after it are ours but for that.
    #[error("Property policy.{property} has invalid value. {refusal}\r\n")]
    Value {
        /// Where in the policy.
        property: &'static str,
        /// What about it.
        refusal: ValueRefusal,
    },
    /// A policy has several lifetime actions. Source: azure-sdk-for-net issue 15633.
    #[error("At most one action is allowed")]
    Actions,
    /// What was imported is no PFX, or its password is another. Azure tells no difference.
    ///
    /// Source: AspNetCoreCertificates issue 38.
    #[error(
        "The specified PKCS#12 X.509 certificate content can not be read. Please check if certificate is in valid PKCS#12 format."
    )]
    Pfx,
    /// What was imported is no PEM. Source: ms-identity-python-daemon issue 21.
    #[error(
        "The specified PEM X.509 certificate content can not be read. Please check if certificate is in valid PEM format. Accepted formats: PEM content or Base64 encoded PEM content."
    )]
    Pem,
    /// The key in a PEM is not PKCS#8, or not exactly one. Source: azure-cli issue 19017.
    #[error(
        "The specified PEM X.509 certificate content is in an unexpected format. Please check if certificate is in valid PEM format."
    )]
    PemForm,
    /// Larger than a vault keeps.
    #[error("The certificate content is larger than {most} bytes.")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// No certificate, or more than a chain has.
    #[error("A certificate has from 1 to {CHAIN_MAX} X.509 certificates and not {0}.")]
    Count(usize),
    /// One of the certificates is none.
    #[error("One of the X.509 certificates can not be read.")]
    Unreadable,
    /// The key is of a kind or size that a vault has not.
    #[error("The key of the certificate is not RSA with 2048, 3072 or 4096 bits or EC with a supported curve.")]
    KeyKind,
    /// The key belongs to none of the certificates, or, in a merge, not to the first.
    #[error("The public key of the X.509 certificate does not match the key.")]
    OtherKey,
    /// The certificate would end after the year 9999, or `now` is no date.
    #[error("The validity of the certificate is not a date.")]
    Date,
    /// The library did not do its part.
    #[error("the cryptographic library gave no answer")]
    Library,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_about_a_wrong_name_is_azures() {
        // Contract section 5: the text ends with CR LF.
        let error = CertificateError::Value { property: "x509_props", refusal: ValueRefusal::Name };
        assert_eq!(
            error.to_string(),
            "Property policy.x509_props has invalid value. Invalid X.500 distinguished name\r\n"
        );
    }
}
