//! Deleted objects: get, list, recover, purge, and the end of retention.
//!
//! When the scheduled date has passed the object is gone for every reader at once; its rows go when somebody
//! comes to it or with [`Vaults::purge_expired`](crate::vaults::Vaults::purge_expired). Purge protection
//! forbids to purge earlier, and does not keep an object longer.

use credstore_protocol::{ObjectName, Timestamp};

use super::{ATTEMPTS, DeletedRecord, Head, ObjectRecord, ObjectType, Page, PageToken, Retention, Slot, Whole};
use crate::access::{Caller, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::storage::{Batch, Expected, Revision, rows_in_steps};
use crate::vaults::{Deletion, Vault, prefixed};

impl Vault {
    /// A deleted object. Permission: `get` of the kind.
    ///
    /// # Errors
    /// [`VaultError::DeletedObjectNotFound`], [`VaultError::Denied`].
    pub fn deleted<K: ObjectType>(
        &self,
        caller: &Caller,
        name: &ObjectName,
        now: Timestamp,
    ) -> Result<DeletedRecord<K>, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::GetDeleted);
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<K>::of(&self.inner, name);
        let (head, _) = self.waiting(&slot, name, now)?;
        deleted_record(&slot, head, state.retention)
    }

    /// A page of deleted objects. It may be shorter than `limit` and not the last. Permission: `list` of the kind.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn list_deleted<K: ObjectType>(
        &self,
        caller: &Caller,
        after: Option<&PageToken>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<DeletedRecord<K>>, VaultError> {
        let state = self.allow(caller, Operation::Object(K::KIND, ObjectOperation::ListDeleted))?;
        let (rows, next) = self.page(prefixed(K::ROWS.deleted, self.inner.key.owner()), after, limit)?;
        let mut deleted = Vec::with_capacity(rows.len());
        for (key, row) in &rows {
            let slot = Slot::<K>::of_row(&self.inner, key)?;
            let head = slot.open_head(K::ROWS.deleted, row)?;
            if head.deletion.is_some_and(|deletion| !deletion.is_over(now)) {
                deleted.push(deleted_record(&slot, head, state.retention)?);
            }
        }
        Ok((deleted, next))
    }

    /// Brings a deleted object back with all versions. Permission: `recover` of the kind.
    ///
    /// # Errors
    /// [`VaultError::DeletedObjectNotFound`], [`VaultError::Denied`].
    pub fn recover<K: ObjectType>(
        &self,
        caller: &Caller,
        name: &ObjectName,
        now: Timestamp,
    ) -> Result<ObjectRecord<K>, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::Recover);
        let slot = Slot::<K>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let state = self.allow_on(caller, operation, Some(name.as_str()))?;
            let (head, revision) = self.waiting(&slot, name, now)?;
            head.require_own(operation)?;
            let mut batch = slot.batch();
            let head = slot.to_live(&mut batch, (head, revision))?;
            if slot.commit(batch)? {
                return slot.current_record(head, state.retention);
            }
        }
        Err(VaultError::Busy)
    }

    /// Destroys a deleted object with all versions. Permission: `purge` of the kind.
    ///
    /// # Errors
    /// [`VaultError::DeletedObjectNotFound`], [`VaultError::PurgeProtected`], [`VaultError::Denied`].
    pub fn purge<K: ObjectType>(&self, caller: &Caller, name: &ObjectName, now: Timestamp) -> Result<(), VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::Purge);
        let slot = Slot::<K>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let state = self.allow_on(caller, operation, Some(name.as_str()))?;
            let (head, revision) = self.waiting(&slot, name, now)?;
            head.require_own(operation)?;
            if state.record.purge_protection {
                return Err(VaultError::PurgeProtected);
            }
            if destroy(&slot, revision)? {
                return Ok(());
            }
        }
        Err(VaultError::Busy)
    }

    /// Purges the deleted objects of this kind whose date has passed.
    pub(crate) fn purge_expired<K: ObjectType>(&self, now: Timestamp) -> Result<usize, VaultError> {
        let prefix = prefixed(K::ROWS.deleted, self.inner.key.owner());
        let mut purged = 0;
        for found in rows_in_steps(self.inner.key.storage(), prefix) {
            let (key, row) = found?;
            let slot = Slot::<K>::of_row(&self.inner, &key)?;
            let head = slot.open_head(K::ROWS.deleted, &row)?;
            let over = head.deletion.is_some_and(|deletion| deletion.is_over(now)) && !head.current.managed;
            // When somebody recovers it at this moment, it stays.
            if over && destroy(&slot, row.revision)? {
                purged += 1;
            }
        }
        Ok(purged)
    }

    /// A name that a deleted object holds cannot be used; one whose date has passed gives it up.
    pub(crate) fn require_no_deleted<K: ObjectType>(
        &self,
        slot: &Slot<'_, K>,
        name: &ObjectName,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let Some((head, revision)) = slot.deleted()? else { return Ok(()) };
        // What goes with a certificate is destroyed with it.
        if head.current.managed || !head.deletion.is_some_and(|deletion| deletion.is_over(now)) {
            return Err(VaultError::DeletedButRecoverable { kind: K::KIND, name: name.clone() });
        }
        // When another caller destroys it first, the batch that follows finds out.
        destroy(slot, revision).map(|_| ())
    }

    fn waiting<K: ObjectType>(
        &self,
        slot: &Slot<'_, K>,
        name: &ObjectName,
        now: Timestamp,
    ) -> Result<Whole<K>, VaultError> {
        let found = slot.deleted()?;
        let waiting = found.filter(|(head, _)| head.deletion.is_some_and(|deletion| !deletion.is_over(now)));
        waiting.ok_or_else(|| VaultError::DeletedObjectNotFound { kind: K::KIND, name: name.clone() })
    }
}

fn deleted_record<K: ObjectType>(
    slot: &Slot<'_, K>,
    head: Head<K>,
    retention: Retention,
) -> Result<DeletedRecord<K>, VaultError> {
    let deletion = head.deletion.ok_or_else(|| slot.damaged("the time of deletion"))?;
    let object = slot.current_record(head, retention)?;
    Ok(DeletedRecord { object, deleted: deletion.at, scheduled_purge: deletion.purge })
}

/// Removes every row of a deleted object in one step. `Ok(false)`: it changed meanwhile.
fn destroy<K: ObjectType>(slot: &Slot<'_, K>, revision: Revision) -> Result<bool, VaultError> {
    let mut batch = Batch::default();
    slot.remove(&mut batch, revision)?;
    if let Some((key, secret)) = slot.companions() {
        key.remove_deleted(&mut batch)?;
        secret.remove_deleted(&mut batch)?;
    }
    slot.commit(batch)
}

impl<K: ObjectType> Slot<'_, K> {
    fn remove(&self, batch: &mut Batch, revision: Revision) -> Result<(), VaultError> {
        batch.expect(self.deleted_key(), Expected::Revision(revision));
        batch.delete(self.deleted_key());
        for kind in [K::ROWS.version, K::ROWS.material] {
            for found in rows_in_steps(self.vault.key.storage(), self.versions_prefix(kind)) {
                batch.delete(found?.0);
            }
        }
        Ok(())
    }

    fn remove_deleted(&self, batch: &mut Batch) -> Result<(), VaultError> {
        match self.deleted()? {
            Some((_, revision)) => self.remove(batch, revision),
            None => Ok(()),
        }
    }

    /// The writes that delete a live object, and its first row as it will be.
    pub(super) fn to_deleted(
        &self,
        batch: &mut Batch,
        (mut head, revision): Whole<K>,
        deletion: Deletion,
    ) -> Result<Head<K>, VaultError> {
        head.deletion = Some(deletion);
        batch.expect(self.live_key(), Expected::Revision(revision));
        batch.delete(self.live_key());
        self.put_deleted(batch, &head)?;
        if let Some((key, secret)) = self.companions() {
            key.with_live(batch, |batch, whole| key.to_deleted(batch, whole, deletion))?;
            secret.with_live(batch, |batch, whole| secret.to_deleted(batch, whole, deletion))?;
        }
        Ok(head)
    }

    /// The writes that bring a deleted object back, and its first row as it will be.
    fn to_live(&self, batch: &mut Batch, (mut head, revision): Whole<K>) -> Result<Head<K>, VaultError> {
        head.deletion = None;
        batch.expect(self.deleted_key(), Expected::Revision(revision));
        batch.expect(self.live_key(), Expected::Absent);
        batch.delete(self.deleted_key());
        self.put_live(batch, &head)?;
        if let Some((key, secret)) = self.companions() {
            key.with_deleted(batch, |batch, whole| key.to_live(batch, whole))?;
            secret.with_deleted(batch, |batch, whole| secret.to_live(batch, whole))?;
        }
        Ok(head)
    }
}
