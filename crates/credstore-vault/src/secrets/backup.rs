//! Backup and restore of one secret with all versions.
//!
//! A backup is sealed with a key of its own and bound to the installation and tenant, not to the vault: it can
//! be restored into another vault of the same installation. What is inside: a list of versions in the order
//! they were made, each with its properties and value.

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::{BACKUP_TEXT_MAX, BACKUP_VERSIONS_MAX};
use credstore_protocol::{SecretName, Timestamp};
use zeroize::Zeroizing;

use super::limits;
use super::stored::{Head, Properties, Slot};
use super::{ATTEMPTS, SecretRecord, not_found};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::seal::kind;
use crate::storage::{Expected, Revision};
use crate::vaults::{STEP, Vault, VaultState};

/// First bytes of what is inside: the kind of object and the version of the form.
const CONTENT: &[u8; 16] = b"secret backup 1\0";

impl Vault {
    /// A backup of all versions as base64url text, for [`restore_secret`](Self::restore_secret). Permission:
    /// `secrets backup`.
    ///
    /// # Errors
    /// [`VaultError::SecretNotFound`], [`VaultError::BadParameter`] for more than [`BACKUP_VERSIONS_MAX`] versions,
    /// [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Backup Secret"; contract section 6.
    pub fn backup_secret(&self, caller: &Caller, name: &SecretName, _now: Timestamp) -> Result<String, VaultError> {
        let state = self.allow_on(caller, Operation::BackupSecret, Some(name.as_str()))?;
        let slot = Slot::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let (head, revision) = slot.head(kind::SECRET)?.ok_or_else(|| not_found(name, None))?;
            if let Some(content) = moment(&slot, head, revision)? {
                let sealed = self.inner.key.keyring().seal_backup(&scope(&state), &content);
                return Ok(base64url(&sealed));
            }
        }
        Err(VaultError::Busy)
    }

    /// Restores a backup of this installation under the name it was made of. Permission: `secrets restore`.
    ///
    /// # Errors
    /// [`VaultError::MalformedBackup`], [`VaultError::RestoreConflict`] when the name is live,
    /// [`VaultError::DeletedButRecoverable`] when it is deleted, [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Restore Secret"; contract section 6.
    pub fn restore_secret(&self, caller: &Caller, backup: &str, now: Timestamp) -> Result<SecretRecord, VaultError> {
        let state = self.allow(caller, Operation::RestoreSecret)?;
        let malformed = || VaultError::MalformedBackup;
        let sealed = if backup.len() <= BACKUP_TEXT_MAX { base64_any(backup) } else { None };
        let sealed = sealed.ok_or_else(malformed)?;
        let content = self.inner.key.keyring().open_backup(&scope(&state), &sealed).map_err(|_| malformed())?;
        let (name, versions) = read_content(&content).ok_or_else(malformed)?;
        let name: SecretName = name.parse().map_err(|_| malformed())?;
        let current = versions.last().map(|(properties, _)| properties.clone()).ok_or_else(malformed)?;
        let slot = Slot::of(&self.inner, &name);
        for _ in 0..ATTEMPTS {
            if slot.head(kind::SECRET)?.is_some() {
                return Err(VaultError::RestoreConflict { name: name.clone(), version: current.version() });
            }
            self.require_no_deleted(&slot, &name, now)?;
            let mut batch = slot.batch();
            batch.expect(slot.key(kind::SECRET), Expected::Absent);
            batch.expect(slot.key(kind::DELETED_SECRET), Expected::Absent);
            for (properties, value) in &versions {
                let sealed = slot.sealed_value(&properties.version, value)?;
                batch.put(slot.version_key(kind::VALUE, &properties.version), sealed);
                if properties.version != current.version {
                    let key = slot.version_key(kind::VERSION, &properties.version);
                    batch.put(key, slot.sealed_older(properties)?);
                }
            }
            let name = name.as_str().to_owned();
            let head = Head { name, current: current.clone(), last_read: None, deletion: None };
            batch.put(slot.key(kind::SECRET), slot.sealed_head(kind::SECRET, &head)?);
            if slot.commit(batch)? {
                return slot.record(&head.name, current, None, state.retention, None);
            }
            self.allow(caller, Operation::RestoreSecret)?;
        }
        Err(VaultError::Busy)
    }
}

/// What a backup is bound to besides the installation: the subscription, which is the tenant here.
fn scope(state: &VaultState) -> Vec<u8> {
    [b"secret ", state.record.tenant.as_str().as_bytes()].concat()
}

/// Every version as of one moment. `Ok(None)`: a write came in between.
fn moment(slot: &Slot<'_>, head: Head, revision: Revision) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let storage = slot.vault.key.storage();
    let prefix = slot.key(kind::VERSION);
    let mut versions = vec![head.current];
    let mut after = None::<Vec<u8>>;
    loop {
        let rows = storage.scan(&prefix, after.as_deref(), STEP)?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(last.clone());
        for (key, row) in &rows {
            versions.push(slot.open_older(&slot.version_of_row(key)?, row)?);
        }
        if versions.len() > BACKUP_VERSIONS_MAX {
            let message = format!("A secret with more than {BACKUP_VERSIONS_MAX} versions cannot be backed up.");
            return Err(VaultError::BadParameter { message });
        }
    }
    versions.sort_by_key(|properties| properties.number);
    let mut parts = vec![Zeroizing::new(CONTENT.to_vec()), Zeroizing::new(head.name.into_bytes())];
    for properties in versions {
        let written = serde_json::to_vec(&properties).map_err(|_| slot.damaged("a version"))?;
        parts.push(Zeroizing::new(written));
        let value = slot.value(&properties.version)?;
        match value {
            Some(value) => parts.push(Zeroizing::new(value.expose_secret().as_bytes().to_vec())),
            // A purge removes values and the first row in one step, so the check below tells which it was.
            None => break,
        }
    }
    let unchanged = slot.head(kind::SECRET)?.is_some_and(|(_, again)| again == revision);
    let complete = parts.len().is_multiple_of(2);
    match (unchanged, complete) {
        (true, true) => Ok(Some(written_parts(&parts))),
        (true, false) => Err(slot.damaged("the value of a version")),
        (false, _) => Ok(None),
    }
}

/// The parts one after the other, each after its length. Made in one allocation of the right size, so that no
/// copy of a value is left behind by growing.
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

/// Name and versions of a content. The seal has vouched for it; the limits are checked all the same.
fn read_content(content: &[u8]) -> Option<(&str, Vec<(Properties, &str)>)> {
    let mut rest = content;
    let mut part = || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (part, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        rest = after;
        Some(part)
    };
    if part()? != CONTENT {
        return None;
    }
    let name = std::str::from_utf8(part()?).ok()?;
    let mut versions = Vec::new();
    while let Some(written) = part() {
        let properties: Properties = serde_json::from_slice(written).ok()?;
        let value = std::str::from_utf8(part()?).ok()?;
        limits::check_value(value).ok()?;
        versions.push((properties, value));
    }
    let whole = rest.is_empty() && versions.len() <= BACKUP_VERSIONS_MAX;
    let ordered = versions.is_sorted_by_key(|(properties, _)| properties.number);
    (whole && ordered).then_some((name, versions))
}
