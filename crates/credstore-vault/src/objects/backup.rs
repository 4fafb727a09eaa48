//! Backup and restore of one object with all versions.
//!
//! A backup is sealed with a key of its own and bound to the installation and tenant, not to the vault: it can
//! be restored into another vault of the same installation. What is inside: a list of versions in the order
//! they were made, each with its properties and its sealed part.

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::{BACKUP_TEXT_MAX, BACKUP_VERSIONS_MAX};
use credstore_protocol::{ObjectName, Timestamp};
use zeroize::Zeroizing;

use super::{ATTEMPTS, Head, ObjectRecord, ObjectType, Properties, Slot, not_found};
use crate::access::{Caller, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::storage::{Expected, Revision, rows_in_steps};
use crate::vaults::{Vault, VaultState};

impl Vault {
    /// A backup of all versions as base64url text, for [`restore`](Self::restore). Permission: `backup` of the kind.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::BadParameter`] for more than [`BACKUP_VERSIONS_MAX`] versions,
    /// [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Backup Secret", "Backup Key"; contract section 6.
    pub fn backup<K: ObjectType>(&self, caller: &Caller, name: &ObjectName) -> Result<String, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::Backup);
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<K>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (head, revision) = slot.live()?.ok_or_else(|| not_found::<K>(name, None))?;
            if let Some(content) = moment(&slot, head, revision)? {
                let sealed = self.inner.key.keyring().seal_backup(&scope::<K>(&state), &content);
                return Ok(base64url(&sealed));
            }
        }
        Err(VaultError::Busy)
    }

    /// Restores a backup of this installation under the name it was made of. Permission: `restore` of the kind.
    ///
    /// # Errors
    /// [`VaultError::MalformedBackup`], [`VaultError::RestoreConflict`] when the name is live,
    /// [`VaultError::DeletedButRecoverable`] when it is deleted, [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Restore Secret", "Restore Key"; contract section 6.
    pub fn restore<K: ObjectType>(
        &self,
        caller: &Caller,
        backup: &str,
        now: Timestamp,
    ) -> Result<ObjectRecord<K>, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::Restore);
        let state = self.allow(caller, operation)?;
        let malformed = || VaultError::MalformedBackup;
        let sealed = if backup.len() <= BACKUP_TEXT_MAX { base64_any(backup) } else { None };
        let sealed = sealed.ok_or_else(malformed)?;
        let content = self.inner.key.keyring().open_backup(&scope::<K>(&state), &sealed).map_err(|_| malformed())?;
        let (name, versions) = read_content::<K>(&content).ok_or_else(malformed)?;
        let name: ObjectName = name.parse().map_err(|_| malformed())?;
        let current = versions.last().map(|(properties, _)| properties.clone()).ok_or_else(malformed)?;
        let slot = Slot::<K>::of(&self.inner, &name);
        for _ in 0..ATTEMPTS {
            self.allow(caller, operation)?;
            if slot.live()?.is_some() {
                return Err(VaultError::RestoreConflict { kind: K::KIND, name, version: current.version() });
            }
            self.require_no_deleted(&slot, &name, now)?;
            let mut batch = slot.batch();
            batch.expect(slot.live_key(), Expected::Absent);
            batch.expect(slot.deleted_key(), Expected::Absent);
            for (properties, material) in &versions {
                let sealed = slot.sealed_material(&properties.version, material)?;
                slot.put_material(&mut batch, &properties.version, sealed);
                if properties.version != current.version {
                    slot.put_older(&mut batch, properties)?;
                }
            }
            let head = Head::new(&name, current.clone());
            slot.put_live(&mut batch, &head)?;
            if slot.commit(batch)? {
                return slot.current_record(head, state.retention);
            }
        }
        Err(VaultError::Busy)
    }
}

/// What a backup is bound to besides the installation: the subscription, which is the tenant here.
fn scope<K: ObjectType>(state: &VaultState) -> Vec<u8> {
    [K::BACKUP_SCOPE, b" ", state.record.tenant.as_str().as_bytes()].concat()
}

/// Every version as of one moment. `Ok(None)`: a write came in between.
fn moment<K: ObjectType>(
    slot: &Slot<'_, K>,
    head: Head<K>,
    revision: Revision,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let mut versions = vec![head.current];
    for found in rows_in_steps(slot.vault.key.storage(), slot.versions_prefix(K::ROWS.version)) {
        let (key, row) = found?;
        versions.push(slot.open_older(&slot.version_of_row(&key)?, &row)?);
        if versions.len() > BACKUP_VERSIONS_MAX {
            let message = format!("A {} with more than {BACKUP_VERSIONS_MAX} versions cannot be backed up.", K::NOUN);
            return Err(VaultError::BadParameter { message });
        }
    }
    versions.sort_by_key(|properties| properties.number);
    let mut parts = vec![Zeroizing::new(K::BACKUP.to_vec()), Zeroizing::new(head.name.into_bytes())];
    for properties in versions {
        let written = serde_json::to_vec(&properties).map_err(|_| slot.damaged("a version"))?;
        parts.push(Zeroizing::new(written));
        match slot.material(&properties.version)? {
            Some(material) => parts.push(material),
            // A purge removes all rows in one step, so the check below tells which it was.
            None => break,
        }
    }
    let unchanged = slot.live()?.is_some_and(|(_, again)| again == revision);
    let complete = parts.len().is_multiple_of(2);
    match (unchanged, complete) {
        (true, true) => Ok(Some(written_parts(&parts))),
        (true, false) => Err(slot.damaged(&format!("the {} of a version", K::MATERIAL))),
        (false, _) => Ok(None),
    }
}

/// The parts one after the other, each after its length. Made in one allocation of the right size, so that no
/// copy of what was sealed is left behind by growing.
fn written_parts(parts: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    let size = parts.iter().map(|part| part.len() + 4).sum();
    let mut content = Zeroizing::new(Vec::with_capacity(size));
    for part in parts {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        content.extend_from_slice(&length.to_be_bytes());
        content.extend_from_slice(part);
    }
    content
}

/// A name, and each version with its sealed part.
type Content<'a, K> = (&'a str, Vec<(Properties<K>, &'a [u8])>);

/// Name and versions of a content. The seal has vouched for it; the limits are checked all the same.
fn read_content<K: ObjectType>(content: &[u8]) -> Option<Content<'_, K>> {
    let mut rest = content;
    let mut part = || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (part, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        rest = after;
        Some(part)
    };
    if part()? != K::BACKUP {
        return None;
    }
    let name = std::str::from_utf8(part()?).ok()?;
    let mut versions = Vec::new();
    while let Some(written) = part() {
        let properties: Properties<K> = serde_json::from_slice(written).ok()?;
        let material = part()?;
        if !K::fits(&properties.content, material) {
            return None;
        }
        versions.push((properties, material));
    }
    let whole = rest.is_empty() && versions.len() <= BACKUP_VERSIONS_MAX;
    let ordered = versions.is_sorted_by_key(|(properties, _)| properties.number);
    (whole && ordered).then_some((name, versions))
}
