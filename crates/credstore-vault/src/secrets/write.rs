//! Set.

use credstore_protocol::key_vault::SetSecret;
use credstore_protocol::{SecretName, Timestamp};

use super::{OpenSecret, SecretContent, Secrets, limits};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::objects::{Change, Head, NewVersion, Properties, Slot};
use crate::random;
use crate::vaults::Vault;

impl Vault {
    /// [`set_secret_async`](Self::set_secret_async) for a caller that waits.
    ///
    /// # Errors
    /// As there.
    pub fn set_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        set: SetSecret,
        now: Timestamp,
    ) -> Result<OpenSecret, VaultError> {
        pollster::block_on(self.set_secret_async(caller, name, set, now))
    }

    /// Makes a new version, which becomes the current one even when it is disabled. Permission: `secrets set`.
    ///
    /// Ready when it is durable. Nothing of an earlier version is carried over. Given up in between, the version may
    /// be made or not.
    ///
    /// # Errors
    /// [`VaultError::DeletedButRecoverable`], [`VaultError::BadParameter`], [`VaultError::Denied`],
    /// [`VaultError::Store`].
    ///
    /// Source: Key Vault data plane, "Set Secret"; contract section 6.
    pub async fn set_secret_async(
        &self,
        caller: &Caller,
        name: &SecretName,
        set: SetSecret,
        now: Timestamp,
    ) -> Result<OpenSecret, VaultError> {
        let operation = Operation::SetSecret;
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let value = set.value;
        limits::check_value(value.expose_secret())?;
        let version = random::bytes();
        let mut properties = Properties::new(version, SecretContent { content_type: None }, now);
        properties.change(None, Change::of(set.content_type, set.tags, set.attributes), now)?;
        let sealed =
            Slot::<Secrets>::of(&self.inner, name).sealed_material(&version, value.expose_secret().as_bytes())?;
        let properties = &|_: Option<&Head<Secrets>>| Ok(properties.clone());
        let new = NewVersion { operation, name, sealed, name_may_be_free: true, properties };
        let record = self.add_version(caller, state, new, now).await?;
        Ok(OpenSecret { record, value })
    }
}
