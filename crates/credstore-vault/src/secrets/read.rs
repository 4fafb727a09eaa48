//! Get.

use credstore_protocol::{Secret, SecretName, SecretVersion, Timestamp};
use zeroize::Zeroizing;

use super::{OpenSecret, Secrets};
use crate::access::{Caller, ObjectKind, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::objects::{Opened, Slot};
use crate::vaults::Vault;

impl Vault {
    /// A secret with its value: the current version, or exactly `version`. Permission: `secrets get`.
    ///
    /// `nbf` and `exp` do not hinder it, `enabled` does. The moment is noted as the last read.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], for a deleted secret too; [`VaultError::SecretDisabled`]; [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Get Secret"; contract section 6.
    pub fn secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        version: Option<&SecretVersion>,
        now: Timestamp,
    ) -> Result<OpenSecret, VaultError> {
        let slot = Slot::of(&self.inner, name);
        let secret = self.read(caller, &slot, name, version)?;
        self.inner.usage.note(&slot.tag, now);
        Ok(secret)
    }

    /// As [`Self::secret`], and the moment is not noted: administration is no use of a value.
    ///
    /// # Errors
    /// Those of [`Self::secret`].
    pub fn secret_unnoted(
        &self,
        caller: &Caller,
        name: &SecretName,
        version: Option<&SecretVersion>,
    ) -> Result<OpenSecret, VaultError> {
        self.read(caller, &Slot::of(&self.inner, name), name, version)
    }

    fn read(
        &self,
        caller: &Caller,
        slot: &Slot<'_, Secrets>,
        name: &SecretName,
        version: Option<&SecretVersion>,
    ) -> Result<OpenSecret, VaultError> {
        let operation = Operation::Object(ObjectKind::Secrets, ObjectOperation::Get);
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let Opened { head, properties, material: mut value } = slot.version(
            name,
            version,
            || slot.kept(),
            |properties| if properties.enabled { Ok(()) } else { Err(VaultError::SecretDisabled(name.clone())) },
        )?;
        let text = String::from_utf8(std::mem::take(&mut *value)).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            slot.damaged_material(&properties.version)
        })?;
        let record = slot.record(&head, properties, state.retention)?;
        Ok(OpenSecret { record, value: Secret::from(text) })
    }
}
