//! Backup and restore of one object with all versions.
//!
//! A backup is sealed with a key of its own and bound to the installation and tenant, not to the vault: it can
//! be restored into another vault of the same installation. What is inside: a list of versions in the order
//! they were made, each with its properties and its sealed part.

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::{BACKUP_TEXT_MAX, BACKUP_VERSIONS_MAX};
use credstore_protocol::{ObjectName, Timestamp};
use zeroize::Zeroizing;

use super::limits::bad;
use super::{ATTEMPTS, Head, ObjectRecord, ObjectType, Properties, Slot, not_found};
use crate::access::{Caller, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::keys::Keys;
use crate::secrets::Secrets;
use crate::storage::{Batch, Expected, Revision, rows_in_steps};
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
            head.require_own(operation)?;
            if !K::is_complete(&head.current.content) {
                return Err(bad(format!("A {} that is still pending cannot be backed up.", K::NOUN)));
            }
            if let Some(content) = whole(&slot, head, revision)? {
                let text = base64url(&self.inner.key.keyring().seal_backup(&scope::<K>(&state), &content));
                if text.len() > BACKUP_TEXT_MAX {
                    return Err(bad(format!("The backup would be larger than {BACKUP_TEXT_MAX} bytes.")));
                }
                return Ok(text);
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
        let restored = Restored::<K>::read(&content).ok_or_else(malformed)?;
        let name: ObjectName = restored.name.parse().map_err(|_| malformed())?;
        let slot = Slot::<K>::of(&self.inner, &name);
        for _ in 0..ATTEMPTS {
            self.allow(caller, operation)?;
            let mut batch = slot.batch();
            let head = self.put_restored(&mut batch, (&slot, &name), &restored, now)?;
            if let (Some((key, secret)), Some((of_key, of_secret))) = (slot.companions(), restored.with.as_deref()) {
                self.put_restored(&mut batch, (&key, &name), of_key, now)?;
                self.put_restored(&mut batch, (&secret, &name), of_secret, now)?;
            }
            if slot.commit(batch)? {
                return slot.current_record(head, state.retention);
            }
        }
        Err(VaultError::Busy)
    }

    /// The writes that restore one object, and its first row as it will be.
    fn put_restored<K: ObjectType>(
        &self,
        batch: &mut Batch,
        (slot, name): (&Slot<'_, K>, &ObjectName),
        restored: &Restored<'_, K>,
        now: Timestamp,
    ) -> Result<Head<K>, VaultError> {
        let Some((current, _)) = restored.versions.last() else { return Err(VaultError::MalformedBackup) };
        if slot.live()?.is_some() {
            return Err(VaultError::RestoreConflict { kind: K::KIND, name: name.clone(), version: current.version() });
        }
        self.require_no_deleted(slot, name, now)?;
        batch.expect(slot.live_key(), Expected::Absent);
        batch.expect(slot.deleted_key(), Expected::Absent);
        let mut head = Head { standing: restored.standing.clone(), ..Head::new(name, current.clone()) };
        for (properties, material) in &restored.versions {
            let sealed = slot.sealed_material(&properties.version, material)?;
            if properties.version == current.version {
                slot.put_current_material(batch, &mut head, sealed);
            } else {
                slot.put_material(batch, &properties.version, sealed);
                slot.put_older(batch, properties)?;
            }
        }
        slot.put_live(batch, &head)?;
        Ok(head)
    }
}

/// What a backup is bound to besides the installation: the subscription, which is the tenant here.
fn scope<K: ObjectType>(state: &VaultState) -> Vec<u8> {
    [K::BACKUP_SCOPE, b" ", state.record.tenant.as_str().as_bytes()].concat()
}

/// What a backup holds: the versions; of an object that leads, what lasts of its standing and what goes with it too.
/// `Ok(None)`: a write came in between.
fn whole<K: ObjectType>(
    slot: &Slot<'_, K>,
    head: Head<K>,
    revision: Revision,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let Some((key, secret)) = slot.companions() else { return moment(slot, head, revision) };
    let standing = serde_json::to_vec(&K::lasting(&head.standing)).map_err(|_| slot.damaged("the first record"))?;
    let (Some(of_key), Some(of_secret)) = (key.live()?, secret.live()?) else { return Ok(None) };
    let of_key = moment(&key, of_key.0, of_key.1)?;
    let of_secret = moment(&secret, of_secret.0, of_secret.1)?;
    // Last: every write to the others is one to this object too.
    let own = moment(slot, head, revision)?;
    let (Some(own), Some(of_key), Some(of_secret)) = (own, of_key, of_secret) else { return Ok(None) };
    Ok(Some(written_parts(&[Zeroizing::new(K::BACKUP.to_vec()), Zeroizing::new(standing), own, of_key, of_secret])))
}

/// Every version as of one moment. `Ok(None)`: a write came in between.
fn moment<K: ObjectType>(
    slot: &Slot<'_, K>,
    head: Head<K>,
    revision: Revision,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let mut versions = vec![head.current.clone()];
    for found in rows_in_steps(slot.vault.key.storage(), slot.versions_prefix(K::ROWS.version)) {
        let (key, row) = found?;
        versions.push(slot.open_older(&slot.version_of_row(&key)?, &row)?);
        if versions.len() > BACKUP_VERSIONS_MAX {
            return Err(bad(format!(
                "A {} with more than {BACKUP_VERSIONS_MAX} versions cannot be backed up.",
                K::NOUN
            )));
        }
    }
    versions.sort_by_key(|properties| properties.number);
    let mut parts = vec![Zeroizing::new(K::BACKUP.to_vec()), Zeroizing::new(head.name.clone().into_bytes())];
    for properties in versions {
        let written = serde_json::to_vec(&properties).map_err(|_| slot.damaged("a version"))?;
        parts.push(Zeroizing::new(written));
        match slot.material(&head, &properties.version)? {
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

/// What a backup holds, as it was read.
struct Restored<'a, K: ObjectType> {
    name: &'a str,
    /// Each version with its sealed part, in the order they were made.
    versions: Vec<(Properties<K>, &'a [u8])>,
    standing: K::Standing,
    /// What goes with it.
    with: Option<Box<(Restored<'a, Keys>, Restored<'a, Secrets>)>>,
}

/// The next part, and what comes after it.
fn part(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

impl<'a, K: ObjectType> Restored<'a, K> {
    /// The seal has vouched for the content; the limits are checked all the same.
    fn read(content: &'a [u8]) -> Option<Self> {
        if !K::LEADS {
            return Self::read_versions(content);
        }
        let (marker, rest) = part(content)?;
        let (standing, rest) = part(rest)?;
        let (own, rest) = part(rest)?;
        let (of_key, rest) = part(rest)?;
        let (of_secret, rest) = part(rest)?;
        let mut restored = Self::read_versions(own)?;
        restored.standing = serde_json::from_slice(standing).ok()?;
        restored.with = Some(Box::new((Restored::read_versions(of_key)?, Restored::read_versions(of_secret)?)));
        (marker == K::BACKUP && rest.is_empty()).then_some(restored)
    }

    fn read_versions(content: &'a [u8]) -> Option<Self> {
        let (marker, rest) = part(content)?;
        let (name, mut rest) = part(rest)?;
        let mut versions = Vec::new();
        while !rest.is_empty() {
            let (written, after) = part(rest)?;
            let (material, after) = part(after)?;
            let properties: Properties<K> = serde_json::from_slice(written).ok()?;
            if versions.len() == BACKUP_VERSIONS_MAX || !K::fits(&properties.content, material) {
                return None;
            }
            versions.push((properties, material));
            rest = after;
        }
        let ordered = versions.is_sorted_by_key(|(properties, _)| properties.number);
        let restored =
            Self { name: std::str::from_utf8(name).ok()?, versions, standing: K::Standing::default(), with: None };
        (marker == K::BACKUP && ordered).then_some(restored)
    }
}
