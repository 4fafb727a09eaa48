//! Set, update and delete.

use std::time::Duration;

use credstore_protocol::key_vault::{SecretProperties, SetSecret};
use credstore_protocol::{SecretName, SecretVersion, Timestamp};

use super::stored::{Head, Properties, Slot};
use super::{ATTEMPTS, DeletedRecord, SecretRecord, limits, not_found};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::random;
use crate::seal::kind;
use crate::storage::Expected;
use crate::vaults::{Deletion, Vault};

/// The time of a change to something last changed at `before`. Clients compare whole seconds, so it moves by at
/// least one even when two changes fall into the same second or the clock was set back (contract section 19, 9).
fn moved(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before + Duration::from_secs(1))
}

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
    ) -> Result<SecretRecord, VaultError> {
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
    ) -> Result<SecretRecord, VaultError> {
        let state = self.allow_on(caller, Operation::SetSecret, Some(name.as_str()))?;
        limits::check_value(set.value.expose_secret())?;
        limits::check_properties(set.content_type.as_deref(), set.tags.as_ref(), set.attributes.as_ref())?;
        let slot = Slot::of(&self.inner, name);
        let version = random::bytes();
        let sealed_value = slot.sealed_value(&version, set.value.expose_secret())?;
        let mut properties = Properties {
            version,
            number: 1,
            content_type: None,
            tags: None,
            enabled: true,
            nbf: None,
            exp: None,
            created: now,
            updated: now,
        };
        properties.change(set.content_type, set.tags, set.attributes.as_ref());
        for _ in 0..ATTEMPTS {
            let mut batch = slot.batch();
            let mut head = match slot.head(kind::SECRET)? {
                Some((head, revision)) => {
                    batch.expect(slot.key(kind::SECRET), Expected::Revision(revision));
                    let older = slot.version_key(kind::VERSION, &head.current.version);
                    batch.put(older, slot.sealed_older(&head.current)?);
                    head
                }
                None => {
                    self.require_no_deleted(&slot, name, now)?;
                    batch.expect(slot.key(kind::SECRET), Expected::Absent);
                    batch.expect(slot.key(kind::DELETED_SECRET), Expected::Absent);
                    let current = Properties { number: 0, ..properties.clone() };
                    Head { name: name.as_str().to_owned(), current, last_read: None, deletion: None }
                }
            };
            properties.number = head.current.number.saturating_add(1);
            head.current = properties.clone();
            batch.put(slot.version_key(kind::VALUE, &version), sealed_value.clone());
            batch.put(slot.key(kind::SECRET), slot.sealed_head(kind::SECRET, &head)?);
            if slot.committed(batch).await? {
                return slot.record(&head.name, properties, Some(set.value), state.retention, head.last_read);
            }
            self.allow_on(caller, Operation::SetSecret, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// Changes content type, attributes and tags of the current version, or of exactly `version`. What `update`
    /// does not name stays; its tags replace all. The answer has no value. Permission: `secrets set`.
    ///
    /// # Errors
    /// [`VaultError::SecretNotFound`], [`VaultError::BadParameter`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Update Secret"; contract section 6.
    pub fn update_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        version: Option<&SecretVersion>,
        update: SecretProperties,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        let state = self.allow_on(caller, Operation::UpdateSecret, Some(name.as_str()))?;
        limits::check_properties(update.content_type.as_deref(), update.tags.as_ref(), update.attributes.as_ref())?;
        let slot = Slot::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (mut head, revision) = slot.head(kind::SECRET)?.ok_or_else(|| not_found(name, version))?;
            let mut batch = slot.batch();
            let older = version.filter(|version| **version != head.current.version());
            let change = |properties: &mut Properties| {
                let update = update.clone();
                properties.change(update.content_type, update.tags, update.attributes.as_ref());
                properties.updated = moved(properties.updated, now);
            };
            let properties = if let Some(version) = older {
                let found = slot.older(version.as_bytes())?;
                let (mut properties, revision) = found.ok_or_else(|| not_found(name, Some(version)))?;
                change(&mut properties);
                batch.expect(slot.key(kind::SECRET), Expected::Present);
                let key = slot.version_key(kind::VERSION, version.as_bytes());
                batch.expect(key.clone(), Expected::Revision(revision));
                batch.put(key, slot.sealed_older(&properties)?);
                properties
            } else {
                change(&mut head.current);
                batch.expect(slot.key(kind::SECRET), Expected::Revision(revision));
                batch.put(slot.key(kind::SECRET), slot.sealed_head(kind::SECRET, &head)?);
                head.current
            };
            if slot.commit(batch)? {
                return slot.record(&head.name, properties, None, state.retention, head.last_read);
            }
            self.allow_on(caller, Operation::UpdateSecret, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// Deletes a secret with all versions; it can be recovered until the vault's retention has passed.
    /// Permission: `secrets delete`.
    ///
    /// # Errors
    /// [`VaultError::SecretNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Delete Secret"; contract section 7.
    pub fn delete_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<DeletedRecord, VaultError> {
        let state = self.allow_on(caller, Operation::DeleteSecret, Some(name.as_str()))?;
        let slot = Slot::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (mut head, revision) = slot.head(kind::SECRET)?.ok_or_else(|| not_found(name, None))?;
            // A clock that was set back must not date the deletion before the version: the retention would end early.
            let deletion = Deletion::new(now.max(head.current.created), state.retention.days);
            head.deletion = Some(deletion);
            let mut batch = slot.batch();
            batch.expect(slot.key(kind::SECRET), Expected::Revision(revision));
            batch.delete(slot.key(kind::SECRET));
            batch.put(slot.key(kind::DELETED_SECRET), slot.sealed_head(kind::DELETED_SECRET, &head)?);
            if slot.commit(batch)? {
                let secret = slot.record(&head.name, head.current, None, state.retention, head.last_read)?;
                return Ok(DeletedRecord { secret, deleted: deletion.at, scheduled_purge: deletion.purge });
            }
            self.allow_on(caller, Operation::DeleteSecret, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_change_always_moves() {
        assert_eq!(moved(Timestamp(10), Timestamp(50)), Timestamp(50));
        assert_eq!(moved(Timestamp(10), Timestamp(10)), Timestamp(11));
        assert_eq!(moved(Timestamp(10), Timestamp(3)), Timestamp(11), "a clock that was set back");
    }
}
