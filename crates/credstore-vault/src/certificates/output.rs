//! The secret behind a certificate: certificate and private key in the form of the policy.

use credstore_protocol::Secret;
use credstore_protocol::encoding::base64_standard;
use credstore_protocol::key_vault::SECRET_VALUE_MAX;
use credstore_protocol::key_vault::certificates::CertificateForm;
use credstore_protocol::pem::push_block;
use zeroize::Zeroizing;

use super::{CertificateError, Chain, pfx};
use crate::keys::KeyMaterial;

/// Value of the secret of the certificate's name and version. Without a key, for one that is not exportable, it has the
/// certificates only.
///
/// A PFX has the empty password and stands in standard base64; a PEM has the key first, PKCS#8, then the certificates, with
/// lines ended by LF.
///
/// # Errors
/// [`CertificateError::TooLarge`] when it is larger than a secret may be, [`CertificateError::Library`].
///
/// Source: contract section 8, "The private key comes from the secret".
pub fn secret_value(
    form: CertificateForm,
    key: Option<&KeyMaterial>,
    chain: &Chain,
) -> Result<Secret, CertificateError> {
    let pkcs8 = key.map(KeyMaterial::pkcs8).transpose().map_err(|_| CertificateError::Library)?;
    let pkcs8 = pkcs8.as_deref().map(Vec::as_slice);
    let value = match form {
        CertificateForm::Pkcs12 => Secret::from(base64_standard(&pfx::write(pkcs8, chain)?)),
        CertificateForm::Pem => {
            let bytes = pkcs8.map_or(0, <[u8]>::len) + chain.certificates().iter().map(Vec::len).sum::<usize>();
            let blocks = 1 + chain.certificates().len();
            let mut pem = Zeroizing::new(String::with_capacity(2 * bytes + 64 * blocks));
            if let Some(pkcs8) = pkcs8 {
                push_block(&mut pem, "PRIVATE KEY", pkcs8);
            }
            for certificate in chain.certificates() {
                push_block(&mut pem, "CERTIFICATE", certificate);
            }
            Secret::from(pem)
        }
    };
    if value.expose_secret().len() > SECRET_VALUE_MAX {
        return Err(CertificateError::TooLarge { most: SECRET_VALUE_MAX });
    }
    Ok(value)
}
