//! What applications do with the keys of a vault: encrypt, decrypt, wrap, unwrap, sign, verify.
//!
//! A version has to be enabled and `key_ops` has to have the operation. The dates bind what makes something new; decrypt,
//! unwrap and verify go on, so that nobody is locked out of what was made before (Key Vault, "About keys", `exp`).

use credstore_protocol::key_vault::keys::{EncryptionAlgorithm, KeyOperation, SignatureAlgorithm};
use credstore_protocol::{ObjectName, ObjectVersion, Timestamp};
use zeroize::Zeroizing;

use super::{KeyContent, KeyError, KeyMaterial, Keys};
use crate::access::{Caller, Operation};
use crate::error::{KeyRefusal, VaultError};
use crate::objects::{Properties, Slot};
use crate::vaults::Vault;

/// What came out, and which version did it.
#[derive(Debug)]
pub struct KeyUse<T> {
    /// Name as it was created.
    pub name: ObjectName,
    /// The version that was used, also when none was asked for.
    pub version: ObjectVersion,
    /// What came out.
    pub result: T,
}

/// Whether a version may be used for `operation` now.
fn refusal(properties: &Properties<Keys>, operation: KeyOperation, now: Timestamp) -> Option<KeyRefusal> {
    let KeyContent { key_ops, .. } = &properties.content;
    let bound = match operation {
        KeyOperation::Encrypt | KeyOperation::WrapKey | KeyOperation::Sign => true,
        KeyOperation::Decrypt | KeyOperation::UnwrapKey | KeyOperation::Verify => false,
        KeyOperation::Import | KeyOperation::Export => true,
    };
    if !properties.enabled {
        Some(KeyRefusal::Disabled)
    } else if bound && properties.nbf.is_some_and(|nbf| now < nbf) {
        Some(KeyRefusal::NotYetValid)
    } else if bound && properties.exp.is_some_and(|exp| now >= exp) {
        Some(KeyRefusal::Expired)
    } else if !key_ops.contains(&operation) {
        Some(KeyRefusal::Operation)
    } else {
        None
    }
}

/// Which key a request names: the current version, or exactly one.
#[derive(Clone, Copy, Debug)]
pub struct KeyAt<'a> {
    /// Name of the key.
    pub name: &'a ObjectName,
    /// The version; none for the current one.
    pub version: Option<&'a ObjectVersion>,
}

impl Vault {
    fn with_key<T>(
        &self,
        caller: &Caller,
        (operation, key_operation): (Operation, KeyOperation),
        KeyAt { name, version }: KeyAt<'_>,
        now: Timestamp,
        work: impl FnOnce(&KeyMaterial) -> Result<T, KeyError>,
    ) -> Result<KeyUse<T>, VaultError> {
        self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<Keys>::of(&self.inner, name);
        let current = || Ok(slot.live()?.map(|(head, revision)| (Box::new(head), revision)));
        let opened =
            slot.version(name, version, current, |properties| match refusal(properties, key_operation, now) {
                Some(refusal) => Err(VaultError::KeyRefused { operation: key_operation, refusal }),
                None => Ok(()),
            })?;
        let version = opened.properties.version();
        let name: ObjectName = opened.head.name.parse().map_err(|_| slot.damaged("the name"))?;
        match work(&slot.key(&opened)?) {
            Ok(result) => Ok(KeyUse { name, version, result }),
            Err(error) => Err(VaultError::Key { name, version: Some(version), error }),
        }
    }

    /// Encrypts a text with the public half. Permission: `keys encrypt`.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::KeyRefused`], [`VaultError::Key`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Encrypt"; contract section 9.
    pub fn encrypt(
        &self,
        caller: &Caller,
        at: KeyAt<'_>,
        algorithm: EncryptionAlgorithm,
        text: &[u8],
        now: Timestamp,
    ) -> Result<KeyUse<Vec<u8>>, VaultError> {
        let operation = (Operation::Encrypt, KeyOperation::Encrypt);
        self.with_key(caller, operation, at, now, |key| key.encrypt(algorithm, text))
    }

    /// Decrypts what [`encrypt`](Self::encrypt) made. Permission: `keys decrypt`.
    ///
    /// # Errors
    /// Those of `encrypt`.
    ///
    /// Source: Key Vault data plane, "Decrypt"; contract section 9.
    pub fn decrypt(
        &self,
        caller: &Caller,
        at: KeyAt<'_>,
        algorithm: EncryptionAlgorithm,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<KeyUse<Zeroizing<Vec<u8>>>, VaultError> {
        let operation = (Operation::Decrypt, KeyOperation::Decrypt);
        self.with_key(caller, operation, at, now, |key| key.decrypt(algorithm, sealed))
    }

    /// Encrypts another key. Permission: `keys wrapKey`.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    ///
    /// Source: Key Vault data plane, "Wrap Key"; contract section 9.
    pub fn wrap_key(
        &self,
        caller: &Caller,
        at: KeyAt<'_>,
        algorithm: EncryptionAlgorithm,
        key: &[u8],
        now: Timestamp,
    ) -> Result<KeyUse<Vec<u8>>, VaultError> {
        let operation = (Operation::WrapKey, KeyOperation::WrapKey);
        self.with_key(caller, operation, at, now, |wrapping| wrapping.encrypt(algorithm, key))
    }

    /// Decrypts what [`wrap_key`](Self::wrap_key) made. Permission: `keys unwrapKey`.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    ///
    /// Source: Key Vault data plane, "Unwrap Key"; contract section 9.
    pub fn unwrap_key(
        &self,
        caller: &Caller,
        at: KeyAt<'_>,
        algorithm: EncryptionAlgorithm,
        wrapped: &[u8],
        now: Timestamp,
    ) -> Result<KeyUse<Zeroizing<Vec<u8>>>, VaultError> {
        let operation = (Operation::UnwrapKey, KeyOperation::UnwrapKey);
        self.with_key(caller, operation, at, now, |key| key.decrypt(algorithm, wrapped))
    }

    /// Signs a digest. Permission: `keys sign`.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    ///
    /// Source: Key Vault data plane, "Sign"; contract section 9.
    pub fn sign(
        &self,
        caller: &Caller,
        at: KeyAt<'_>,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        now: Timestamp,
    ) -> Result<KeyUse<Vec<u8>>, VaultError> {
        let operation = (Operation::Sign, KeyOperation::Sign);
        self.with_key(caller, operation, at, now, |key| key.sign(algorithm, digest))
    }

    /// Whether `signature` is the key's signature of the digest. Permission: `keys verify`.
    ///
    /// # Errors
    /// Those of [`encrypt`](Self::encrypt).
    ///
    /// Source: Key Vault data plane, "Verify"; contract section 9.
    pub fn verify(
        &self,
        caller: &Caller,
        at: KeyAt<'_>,
        algorithm: SignatureAlgorithm,
        (digest, signature): (&[u8], &[u8]),
        now: Timestamp,
    ) -> Result<KeyUse<bool>, VaultError> {
        let operation = (Operation::Verify, KeyOperation::Verify);
        self.with_key(caller, operation, at, now, |key| key.verify(algorithm, digest, signature))
    }
}

#[cfg(test)]
mod tests {
    use credstore_protocol::key_vault::keys::{Curve, JsonWebKey, KeyType};

    use super::*;

    fn version() -> Properties<Keys> {
        let key = JsonWebKey {
            kid: None,
            kty: KeyType::Ec,
            key_ops: None,
            n: None,
            e: None,
            crv: Some(Curve::P256),
            x: None,
            y: None,
        };
        let key_ops = KeyOperation::ALL.to_vec();
        Properties::new([0; 16], KeyContent { key, key_ops }, Timestamp(0))
    }

    #[test]
    fn dates_bind_what_makes_something_new_and_nobody_is_locked_out() {
        let mut dated = version();
        (dated.nbf, dated.exp) = (Some(Timestamp(10)), Some(Timestamp(20)));
        for (now, new) in [(9, Some(KeyRefusal::NotYetValid)), (10, None), (19, None), (20, Some(KeyRefusal::Expired))]
        {
            for operation in [KeyOperation::Encrypt, KeyOperation::WrapKey, KeyOperation::Sign] {
                assert_eq!(refusal(&dated, operation, Timestamp(now)), new, "{operation} at {now}");
            }
            for operation in [KeyOperation::Decrypt, KeyOperation::UnwrapKey, KeyOperation::Verify] {
                assert_eq!(refusal(&dated, operation, Timestamp(now)), None, "{operation} at {now}");
            }
        }
    }

    #[test]
    fn a_disabled_version_does_nothing_and_any_other_what_its_key_ops_say() {
        let disabled = Properties { enabled: false, ..version() };
        for &operation in KeyOperation::ALL {
            assert_eq!(refusal(&disabled, operation, Timestamp(0)), Some(KeyRefusal::Disabled), "{operation}");
            let mut one = version();
            one.content.key_ops = vec![operation];
            for &other in KeyOperation::ALL {
                let expected = (operation != other).then_some(KeyRefusal::Operation);
                assert_eq!(refusal(&one, other, Timestamp(0)), expected, "{other} with {operation}");
            }
        }
    }
}
