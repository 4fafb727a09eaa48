//! New versions, update and delete.

use std::sync::Arc;
use std::time::Duration;

use credstore_protocol::{ObjectName, ObjectVersion, Timestamp};

use super::{ATTEMPTS, Change, DeletedRecord, Head, ObjectRecord, ObjectType, Properties, Slot, Whole, not_found};
use crate::access::{Caller, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::storage::{Batch, Expected};
use crate::vaults::{Deletion, Vault, VaultState};

/// The time of a change to something last changed at `before`. Clients compare whole seconds, so it moves by at
/// least one even when two changes fall into the same second or the clock was set back (contract section 19, 9).
pub(crate) fn moved(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before + Duration::from_secs(1))
}

/// Makes the properties of a version, given what is live under its name.
pub(crate) type MakeProperties<'a, K> =
    &'a (dyn Fn(Option<&Head<K>>) -> Result<Properties<K>, VaultError> + Send + Sync);

/// What becomes of the version that was current when another one is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Former {
    /// It stays, behind the new one.
    Kept,
    /// It goes, because it never was complete.
    Replaced,
}

/// A version that is about to be made.
pub(crate) struct NewVersion<'a, K: ObjectType> {
    /// What the caller asked for.
    pub(crate) operation: Operation,
    pub(crate) name: &'a ObjectName,
    /// What the version seals, as [`Slot::sealed_material`] made it.
    pub(crate) sealed: Vec<u8>,
    /// Whether the name is taken for free at first, unless its row is at hand: the batch finds out, and a create need not
    /// look for rows that are not there. `properties` must not refuse a free name then.
    pub(crate) name_may_be_free: bool,
    pub(crate) properties: MakeProperties<'a, K>,
}

impl<K: ObjectType> Slot<'_, K> {
    /// The writes that make a new version of what is live, and the first row as it will be.
    pub(crate) fn with_version(
        &self,
        new: &NewVersion<'_, K>,
        live: Option<Whole<K>>,
    ) -> Result<(Batch, Head<K>), VaultError> {
        let mut batch = self.batch();
        if let Some((head, _)) = &live {
            head.require_own(new.operation)?;
        }
        let properties = (new.properties)(live.as_ref().map(|(head, _)| head))?;
        let mut head = self.put_version(&mut batch, new.name, (live, Former::Kept), properties)?;
        self.put_current_material(&mut batch, &mut head, new.sealed.clone());
        self.put_live(&mut batch, &head)?;
        Ok((batch, head))
    }

    /// Makes room for a version, given what [`Vault::live_or_free`] found. The caller puts the first row that this
    /// answers, and the sealed part.
    pub(crate) fn put_version(
        &self,
        batch: &mut Batch,
        name: &ObjectName,
        (live, former): (Option<Whole<K>>, Former),
        mut properties: Properties<K>,
    ) -> Result<Head<K>, VaultError> {
        let Some((mut head, revision)) = live else {
            batch.expect(self.live_key(), Expected::Absent);
            batch.expect(self.deleted_key(), Expected::Absent);
            return Ok(Head::new(name, properties));
        };
        batch.expect(self.live_key(), Expected::Revision(revision));
        match former {
            Former::Kept => {
                self.put_older(batch, &head.current)?;
                self.move_material_out(batch, &mut head);
                properties.number = head.current.number.saturating_add(1);
            }
            Former::Replaced => {
                self.delete_material(batch, &head.current.version);
                head.inline = None;
                properties.number = head.current.number;
            }
        }
        head.current = properties;
        Ok(head)
    }
}

impl Vault {
    /// Makes a new version, which becomes the current one even when it is disabled. Ready when it is durable; given up
    /// in between, the version may be made or not. `state` is from the check of the permission.
    pub(crate) async fn add_version<K: ObjectType>(
        &self,
        caller: &Caller,
        state: Arc<VaultState>,
        new: NewVersion<'_, K>,
        now: Timestamp,
    ) -> Result<ObjectRecord<K>, VaultError> {
        let slot = Slot::<K>::of(&self.inner, new.name);
        for attempt in 0..ATTEMPTS {
            let assumed_free = attempt == 0 && new.name_may_be_free;
            let live = if assumed_free { slot.live_at_hand()? } else { self.live_or_free(&slot, new.name, now)? };
            let (batch, head) = slot.with_version(&new, live)?;
            if slot.committed(batch).await? {
                return slot.current_record(head, state.retention);
            }
            self.allow_on(caller, new.operation, Some(new.name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// What is live under a name, which no deleted object may hold.
    pub(crate) fn live_or_free<K: ObjectType>(
        &self,
        slot: &Slot<'_, K>,
        name: &ObjectName,
        now: Timestamp,
    ) -> Result<Option<Whole<K>>, VaultError> {
        let live = slot.live()?;
        if live.is_none() {
            self.require_no_deleted(slot, name, now)?;
        }
        Ok(live)
    }

    /// Changes properties of the current version, or of exactly `version`. What `change` does not name stays; its tags
    /// replace all. Permission: that of [`ObjectOperation::Update`] for the kind.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::BadParameter`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Update Secret", "Update Key"; contract section 6.
    pub fn update<K: ObjectType>(
        &self,
        caller: &Caller,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        change: impl Into<Change<K>>,
        now: Timestamp,
    ) -> Result<ObjectRecord<K>, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::Update);
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let change = change.into();
        let slot = Slot::<K>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (mut head, revision) = slot.live()?.ok_or_else(|| not_found::<K>(name, version))?;
            head.require_own(operation)?;
            let mut batch = slot.batch();
            let apply = |properties: &mut Properties<K>, standing: Option<&mut K::Standing>| {
                properties.updated = moved(properties.updated, now);
                properties.change(standing, change.clone(), now)
            };
            let properties = match version.filter(|version| **version != head.current.version()) {
                Some(version) => {
                    let found = slot.older(version.as_bytes())?;
                    let (mut properties, older) = found.ok_or_else(|| not_found::<K>(name, Some(version)))?;
                    apply(&mut properties, None)?;
                    batch.expect(slot.live_key(), Expected::Present);
                    batch.expect(slot.version_key(version.as_bytes()), Expected::Revision(older));
                    slot.put_older(&mut batch, &properties)?;
                    properties
                }
                None => {
                    apply(&mut head.current, Some(&mut head.standing).filter(|_| version.is_none()))?;
                    batch.expect(slot.live_key(), Expected::Revision(revision));
                    slot.put_live(&mut batch, &head)?;
                    head.current.clone()
                }
            };
            if let Some((key, secret)) = slot.companions() {
                key.follow(&mut batch, &properties)?;
                secret.follow(&mut batch, &properties)?;
            }
            if slot.commit(batch)? {
                return slot.record(&head, properties, state.retention);
            }
            self.allow_on(caller, operation, Some(name.as_str()))?;
        }
        Err(VaultError::Busy)
    }

    /// Deletes an object with all versions; it can be recovered until the vault's retention has passed. Permission:
    /// `delete` of the kind.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Delete Secret", "Delete Key"; contract section 7.
    pub fn delete<K: ObjectType>(
        &self,
        caller: &Caller,
        name: &ObjectName,
        now: Timestamp,
    ) -> Result<DeletedRecord<K>, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::Delete);
        let slot = Slot::<K>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let state = self.allow_on(caller, operation, Some(name.as_str()))?;
            let (head, revision) = slot.live()?.ok_or_else(|| not_found::<K>(name, None))?;
            head.require_own(operation)?;
            // A clock that was set back must not date the deletion before the version: the retention would end early.
            let deletion = Deletion::new(now.max(head.current.created), state.retention.days);
            let mut batch = slot.batch();
            let head = slot.to_deleted(&mut batch, (head, revision), deletion)?;
            if slot.commit(batch)? {
                let object = slot.current_record(head, state.retention)?;
                return Ok(DeletedRecord { object, deleted: deletion.at, scheduled_purge: deletion.purge });
            }
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
