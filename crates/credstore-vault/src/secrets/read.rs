//! Get and the lists of live secrets.

use credstore_protocol::{SecretName, SecretVersion, Timestamp};

use super::limits::LIST_MAX;
use super::stored::Slot;
use super::{PageToken, SecretPage, SecretRecord, not_found};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::seal::kind;
use crate::storage::Rows;
use crate::vaults::{Vault, prefixed};

impl Vault {
    /// A secret with its value: the current version, or exactly `version`. Permission: `secrets get`.
    ///
    /// `nbf` and `exp` do not hinder it, `enabled` does. The moment is noted as the last read.
    ///
    /// # Errors
    /// [`VaultError::SecretNotFound`], for a deleted secret too; [`VaultError::SecretDisabled`]; [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Get Secret"; contract section 6.
    pub fn secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        version: Option<&SecretVersion>,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        let slot = Slot::of(&self.inner, name);
        let record = self.read(caller, &slot, name, version)?;
        self.inner.usage.note(&slot.tag, now);
        Ok(record)
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
    ) -> Result<SecretRecord, VaultError> {
        self.read(caller, &Slot::of(&self.inner, name), name, version)
    }

    fn read(
        &self,
        caller: &Caller,
        slot: &Slot<'_>,
        name: &SecretName,
        version: Option<&SecretVersion>,
    ) -> Result<SecretRecord, VaultError> {
        let state = self.allow_on(caller, Operation::GetSecret, Some(name.as_str()))?;
        let mut head = slot.current()?;
        loop {
            let Some((found, revision)) = head else { return Err(not_found(name, version)) };
            let properties = match version {
                Some(version) if *version != found.current.version() => slot.older(version.as_bytes())?.map(|it| it.0),
                Some(_) | None => Some(found.current.clone()),
            };
            let value = match &properties {
                Some(properties) if !properties.enabled => return Err(VaultError::SecretDisabled(name.clone())),
                Some(properties) => slot.value(&properties.version)?,
                None => None,
            };
            if let (Some(properties), Some(value)) = (properties, value) {
                return slot.record(&found.name, properties, Some(value), state.retention, found.last_read);
            }
            // The version is unknown, or a write came between the reads; if nothing moved, it is the former.
            head = slot.current()?;
            if let Some((unmoved, _)) = head.as_ref().filter(|(_, again)| *again == revision) {
                let current = unmoved.current.version();
                let wanted = version.copied().unwrap_or(current);
                if wanted != current && slot.older(wanted.as_bytes())?.is_none() {
                    return Err(not_found(name, version));
                }
                return Err(slot.damaged_value(wanted.as_bytes()));
            }
        }
    }

    /// A page of live secrets without values, each with its current version. Permission: `secrets list`.
    ///
    /// At most `limit` items, from 1 to [`LIST_MAX`], in an order of no meaning.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn secrets(&self, caller: &Caller, after: Option<&PageToken>, limit: usize) -> Result<SecretPage, VaultError> {
        let state = self.allow(caller, Operation::ListSecrets)?;
        let (rows, next) = self.page(prefixed(kind::SECRET, self.inner.key.owner()), after, limit)?;
        let mut secrets = Vec::with_capacity(rows.len());
        for (key, row) in &rows {
            let slot = Slot::of_row(&self.inner, key)?;
            let head = slot.open_head(kind::SECRET, row)?;
            secrets.push(slot.record(&head.name, head.current, None, state.retention, head.last_read)?);
        }
        Ok((secrets, next))
    }

    /// A page of the versions of a live secret without values. An unknown name has none. Permission: `secrets list`.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn secret_versions(
        &self,
        caller: &Caller,
        name: &SecretName,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<SecretPage, VaultError> {
        let state = self.allow_on(caller, Operation::ListSecretVersions, Some(name.as_str()))?;
        let slot = Slot::of(&self.inner, name);
        let Some((head, _)) = slot.head(kind::SECRET)? else { return Ok((Vec::new(), None)) };
        let limit = limit.clamp(1, LIST_MAX);
        let (rows, next_row) = self.page(slot.key(kind::VERSION), after, limit)?;
        let mut versions = Vec::with_capacity(rows.len() + 1);
        for (key, row) in &rows {
            versions.push(slot.open_older(&slot.version_of_row(key)?, row)?);
        }
        let seen = |version: &[u8; 16]| after.is_some_and(|after| *version <= after.0);
        // A set that came after the first row was read has moved the current version among the others.
        versions.retain(|older| older.version != head.current.version);
        if !seen(&head.current.version) {
            versions.push(head.current);
            versions.sort_by_key(|properties| properties.version);
        }
        let more = versions.len() > limit || next_row.is_some();
        versions.truncate(limit);
        let next = versions.last().filter(|_| more).map(|last| PageToken(last.version));
        let records = versions
            .into_iter()
            .map(|properties| slot.record(&head.name, properties, None, state.retention, head.last_read))
            .collect::<Result<_, _>>()?;
        Ok((records, next))
    }

    /// Rows under `prefix` after the token, and the token of the next page when there is one.
    pub(super) fn page(
        &self,
        prefix: Vec<u8>,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<(Rows, Option<PageToken>), VaultError> {
        let limit = limit.clamp(1, LIST_MAX);
        let after = after.map(|token| [prefix.as_slice(), &token.0].concat());
        let mut rows = self.inner.key.storage().scan(&prefix, after.as_deref(), limit + 1)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).and_then(|(key, _)| key[prefix.len()..].try_into().ok());
        Ok((rows, last.map(PageToken)))
    }
}
