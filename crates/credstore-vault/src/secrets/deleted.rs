//! Deleted secrets: get, list, recover, purge, and the end of retention.
//!
//! When the scheduled date has passed the secret is gone for every reader at once; its rows go when somebody
//! comes to it or with [`Vaults::purge_expired`](crate::vaults::Vaults::purge_expired). Purge protection
//! forbids to purge earlier, and does not keep a secret longer.

use credstore_protocol::{SecretName, Timestamp};

use super::stored::{Head, Slot};
use super::{ATTEMPTS, DeletedPage, DeletedRecord, PageToken, Retention, SecretRecord};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::seal::kind;
use crate::storage::{Batch, Expected, Revision};
use crate::vaults::{STEP, Vault, prefixed};

impl Vault {
    /// A deleted secret, without its value. Permission: `secrets get`.
    ///
    /// # Errors
    /// [`VaultError::DeletedSecretNotFound`], [`VaultError::Denied`].
    pub fn deleted_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<DeletedRecord, VaultError> {
        let state = self.allow_on(caller, Operation::GetDeletedSecret, Some(name.as_str()))?;
        let slot = Slot::of(&self.inner, name);
        let (head, _) = self.waiting(&slot, name, now)?;
        deleted_record(&slot, head, state.retention)
    }

    /// A page of deleted secrets. It may be shorter than `limit` and not the last. Permission: `secrets list`.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn deleted_secrets(
        &self,
        caller: &Caller,
        after: Option<&PageToken>,
        limit: usize,
        now: Timestamp,
    ) -> Result<DeletedPage, VaultError> {
        let state = self.allow(caller, Operation::ListDeletedSecrets)?;
        let (rows, next) = self.page(prefixed(kind::DELETED_SECRET, self.inner.key.owner()), after, limit)?;
        let mut deleted = Vec::with_capacity(rows.len());
        for (key, row) in &rows {
            let slot = Slot::of_row(&self.inner, key)?;
            let head = slot.open_head(kind::DELETED_SECRET, row)?;
            if head.deletion.is_some_and(|deletion| !deletion.is_over(now)) {
                deleted.push(deleted_record(&slot, head, state.retention)?);
            }
        }
        Ok((deleted, next))
    }

    /// Brings a deleted secret back with all versions. Permission: `secrets recover`.
    ///
    /// # Errors
    /// [`VaultError::DeletedSecretNotFound`], [`VaultError::Denied`].
    pub fn recover_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        let state = self.allow_on(caller, Operation::RecoverSecret, Some(name.as_str()))?;
        let slot = Slot::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (mut head, revision) = self.waiting(&slot, name, now)?;
            head.deletion = None;
            let mut batch = slot.batch();
            batch.expect(slot.key(kind::DELETED_SECRET), Expected::Revision(revision));
            batch.expect(slot.key(kind::SECRET), Expected::Absent);
            batch.delete(slot.key(kind::DELETED_SECRET));
            batch.put(slot.key(kind::SECRET), slot.sealed_head(kind::SECRET, &head)?);
            if slot.commit(batch)? {
                return slot.record(&head.name, head.current, None, state.retention, head.last_read);
            }
            self.allow_on(caller, Operation::RecoverSecret, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// Destroys a deleted secret with all versions. Permission: `secrets purge`.
    ///
    /// # Errors
    /// [`VaultError::DeletedSecretNotFound`], [`VaultError::PurgeProtected`], [`VaultError::Denied`].
    pub fn purge_secret(&self, caller: &Caller, name: &SecretName, now: Timestamp) -> Result<(), VaultError> {
        let state = self.allow_on(caller, Operation::PurgeSecret, Some(name.as_str()))?;
        let slot = Slot::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (_, revision) = self.waiting(&slot, name, now)?;
            if state.record.purge_protection {
                return Err(VaultError::PurgeProtected);
            }
            if destroy(&slot, revision)? {
                return Ok(());
            }
            self.allow_on(caller, Operation::PurgeSecret, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// Purges the deleted secrets of this vault whose date has passed.
    pub(crate) fn purge_expired_secrets(&self, now: Timestamp) -> Result<usize, VaultError> {
        let prefix = prefixed(kind::DELETED_SECRET, self.inner.key.owner());
        let (mut purged, mut after) = (0, None::<Vec<u8>>);
        loop {
            let rows = self.inner.key.storage().scan(&prefix, after.as_deref(), STEP)?;
            for (key, row) in &rows {
                let slot = Slot::of_row(&self.inner, key)?;
                let head = slot.open_head(kind::DELETED_SECRET, row)?;
                let over = head.deletion.is_some_and(|deletion| deletion.is_over(now));
                // When somebody recovers it at this moment, it stays.
                if over && destroy(&slot, row.revision)? {
                    purged += 1;
                }
            }
            match rows.into_iter().last() {
                Some((key, _)) => after = Some(key),
                None => return Ok(purged),
            }
        }
    }

    /// A name that a deleted secret holds cannot be used; one whose date has passed gives it up.
    pub(super) fn require_no_deleted(
        &self,
        slot: &Slot<'_>,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let Some((head, revision)) = slot.head(kind::DELETED_SECRET)? else { return Ok(()) };
        if !head.deletion.is_some_and(|deletion| deletion.is_over(now)) {
            return Err(VaultError::DeletedButRecoverable(name.clone()));
        }
        // When another caller destroys it first, the batch that follows finds out.
        destroy(slot, revision).map(|_| ())
    }

    fn waiting(&self, slot: &Slot<'_>, name: &SecretName, now: Timestamp) -> Result<(Head, Revision), VaultError> {
        let found = slot.head(kind::DELETED_SECRET)?;
        let waiting = found.filter(|(head, _)| head.deletion.is_some_and(|deletion| !deletion.is_over(now)));
        waiting.ok_or_else(|| VaultError::DeletedSecretNotFound(name.clone()))
    }
}

fn deleted_record(slot: &Slot<'_>, head: Head, retention: Retention) -> Result<DeletedRecord, VaultError> {
    let deletion = head.deletion.ok_or_else(|| slot.damaged("the time of deletion"))?;
    let secret = slot.record(&head.name, head.current, None, retention, head.last_read)?;
    Ok(DeletedRecord { secret, deleted: deletion.at, scheduled_purge: deletion.purge })
}

/// Removes every row of a deleted secret in one step. `Ok(false)`: it changed meanwhile.
fn destroy(slot: &Slot<'_>, revision: Revision) -> Result<bool, VaultError> {
    let mut batch = Batch::default();
    batch.expect(slot.key(kind::DELETED_SECRET), Expected::Revision(revision));
    batch.delete(slot.key(kind::DELETED_SECRET));
    for kind in [kind::VERSION, kind::VALUE] {
        let prefix = slot.key(kind);
        let mut after = None::<Vec<u8>>;
        loop {
            let rows = slot.vault.key.storage().scan(&prefix, after.as_deref(), STEP)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.clone());
            batch.deletes.extend(rows.into_iter().map(|(key, _)| key));
        }
    }
    slot.commit(batch)
}
