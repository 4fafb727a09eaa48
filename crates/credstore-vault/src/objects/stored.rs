//! Where the rows of an object lie, and how they are sealed and opened.
//!
//! A live object is one row with its name and current version, one row for the sealed part of each version, and one
//! row for the properties of each older version; so a list opens one record an item and no sealed part. The sealed part
//! of the current version lies in the first row when it is short ([`row`](super::row)). A deleted object has its first
//! row under another kind. All rows of a name carry the name's tag, a keyed hash, in their key and in what they are bound
//! to; the name itself is inside the seal.

use std::marker::PhantomData;

use credstore_protocol::encoding::hex_lower;
use credstore_protocol::key_vault::Tags;
use credstore_protocol::{ObjectName, ObjectVersion, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::row::{self, Inline};
use super::{Change, ObjectRecord, ObjectType, Retention, limits};
use crate::access::Operation;
use crate::error::{CommitError, StoreFailure, VaultError};
use crate::keys::Keys;
use crate::seal::{Place, hex16};
use crate::secrets::Secrets;
use crate::storage::{Batch, Expected, Revision, Row};
use crate::vaults::{Deletion, VaultInner, prefixed};

/// Everything about a version but its sealed part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Properties<K: ObjectType> {
    #[serde(with = "hex16")]
    pub(crate) version: [u8; 16],
    /// Counts the versions of the name from 1 in the order they were made.
    pub(crate) number: u32,
    #[serde(flatten)]
    pub(crate) content: K::Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<Tags>,
    pub(crate) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<Timestamp>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Whether it goes with a certificate.
    #[serde(default, skip_serializing_if = "is_not")]
    pub(crate) managed: bool,
}

const fn is_not(flag: &bool) -> bool {
    !*flag
}

impl<K: ObjectType> Properties<K> {
    /// A version that nothing is said about: enabled, without tags and times.
    pub(crate) fn new(version: [u8; 16], content: K::Content, now: Timestamp) -> Self {
        Self {
            version,
            number: 1,
            content,
            tags: None,
            enabled: true,
            nbf: None,
            exp: None,
            created: now,
            updated: now,
            managed: false,
        }
    }

    pub(crate) fn version(&self) -> ObjectVersion {
        ObjectVersion::from_bytes(self.version)
    }

    /// Takes over what a request gives; what it does not give stays. `standing` is that of the object, when the request
    /// is about the object as a whole.
    pub(crate) fn change(
        &mut self,
        standing: Option<&mut K::Standing>,
        change: Change<K>,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        limits::check(&change)?;
        self.tags = change.tags.or(self.tags.take());
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self.nbf = change.nbf.or(self.nbf);
        self.exp = change.exp.or(self.exp);
        if self.enabled && !K::is_complete(&self.content) {
            return Err(limits::bad(format!("A {} that is still pending cannot be enabled.", K::NOUN)));
        }
        K::change(&mut self.content, standing, change.update, now)
    }
}

/// The first row of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Head<K: ObjectType> {
    /// As it was created.
    pub(crate) name: String,
    pub(crate) current: Properties<K>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_read: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deletion: Option<Deletion>,
    #[serde(flatten)]
    pub(crate) standing: K::Standing,
    /// The sealed part of the current version, unless it has a row of its own.
    #[serde(skip)]
    pub(super) inline: Option<Inline>,
}

impl<K: ObjectType> Head<K> {
    /// The first row of an object that is new or restored.
    pub(crate) fn new(name: &ObjectName, current: Properties<K>) -> Self {
        let standing = K::Standing::default();
        Self { name: name.as_str().to_owned(), current, last_read: None, deletion: None, standing, inline: None }
    }

    /// Refuses what may only be done to the certificate that the object goes with.
    pub(crate) fn require_own(&self, operation: Operation) -> Result<(), VaultError> {
        if self.current.managed { Err(VaultError::Managed { kind: K::KIND, operation }) } else { Ok(()) }
    }
}

/// A name's first row with where it is written down.
pub(crate) type Whole<K> = (Head<K>, Revision);

/// The rows of one name in one vault.
pub(crate) struct Slot<'a, K> {
    pub(crate) vault: &'a VaultInner,
    pub(crate) tag: [u8; 16],
    /// Absent when a scan found the row: its name is inside the seal.
    name: Option<&'a ObjectName>,
    kind: PhantomData<K>,
}

/// 16 bytes of the key of a row; an error when the key is not of the form that its kind has.
fn part_of_key(vault: &VaultInner, part: Option<&[u8]>) -> Result<[u8; 16], VaultError> {
    part.and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| StoreFailure::damaged(format!("the key of a row of vault {}", vault.state().record.name)).into())
}

pub(crate) fn unless_conflicting(outcome: Result<Revision, CommitError>) -> Result<bool, VaultError> {
    match outcome {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict) => Ok(false),
        Err(CommitError::Storage(error)) => Err(error.into()),
    }
}

impl<'a, K: ObjectType> Slot<'a, K> {
    pub(crate) fn of(vault: &'a VaultInner, name: &'a ObjectName) -> Self {
        Self { vault, tag: vault.key.tag(&name.canonical()), name: Some(name), kind: PhantomData }
    }

    /// The slot that a row found by a scan belongs to.
    pub(crate) fn of_row(vault: &'a VaultInner, key: &[u8]) -> Result<Self, VaultError> {
        Ok(Self::of_tag(vault, part_of_key(vault, key.get(17..33))?))
    }

    /// The version that a row found by a scan is about.
    pub(super) fn version_of_row(&self, key: &[u8]) -> Result<[u8; 16], VaultError> {
        part_of_key(self.vault, key.get(33..))
    }

    /// The key and the secret that go with this object, when its kind has them.
    pub(crate) fn companions(&self) -> Option<(Slot<'a, Keys>, Slot<'a, Secrets>)> {
        K::LEADS.then(|| (self.beside(), self.beside()))
    }

    /// The slot of another kind of object with this name.
    pub(crate) fn beside<O: ObjectType>(&self) -> Slot<'a, O> {
        Slot { vault: self.vault, tag: self.tag, name: self.name, kind: PhantomData }
    }

    /// The slot of a name that is known by its tag only.
    pub(crate) fn of_tag(vault: &'a VaultInner, tag: [u8; 16]) -> Self {
        Self { vault, tag, name: None, kind: PhantomData }
    }

    /// `part` of this object, for the operator: names are told, what is sealed never.
    fn told(&self, part: &str) -> String {
        let (vault, noun) = (&self.vault.state().record.name, K::NOUN);
        match self.name {
            Some(name) => format!("{part} of {noun} {name} in vault {vault}"),
            None => format!("{part} of a {noun} in vault {vault}, in the row of {}", hex_lower(&self.tag)),
        }
    }

    /// A part without which the object cannot be used.
    pub(crate) fn damaged(&self, part: &str) -> VaultError {
        StoreFailure::damaged(self.told(part)).into()
    }

    /// The sealed part of one version: a new version mends it.
    pub(crate) fn damaged_material(&self, version: &[u8; 16]) -> VaultError {
        let part = format!("the {} of version {}", K::MATERIAL, ObjectVersion::from_bytes(*version));
        StoreFailure::DamagedValue { what: self.told(&part) }.into()
    }

    fn damaged_older(&self, version: &[u8; 16]) -> VaultError {
        self.damaged(&format!("version {}", ObjectVersion::from_bytes(*version)))
    }

    fn row(&self, kind: u8) -> Vec<u8> {
        let mut key = prefixed(kind, self.vault.key.owner());
        key.extend_from_slice(&self.tag);
        key
    }

    /// The key of the first row while the object is live.
    pub(crate) fn live_key(&self) -> Vec<u8> {
        self.row(K::ROWS.live)
    }

    /// The key of the first row while it is deleted.
    pub(crate) fn deleted_key(&self) -> Vec<u8> {
        self.row(K::ROWS.deleted)
    }

    /// What the keys of the rows of `kind`, one a version, begin with.
    pub(super) fn versions_prefix(&self, kind: u8) -> Vec<u8> {
        self.row(kind)
    }

    fn version_row(&self, kind: u8, version: &[u8; 16]) -> Vec<u8> {
        let mut key = self.row(kind);
        key.extend_from_slice(version);
        key
    }

    pub(super) fn version_key(&self, version: &[u8; 16]) -> Vec<u8> {
        self.version_row(K::ROWS.version, version)
    }

    /// The first row of the live object.
    pub(crate) fn live(&self) -> Result<Option<Whole<K>>, VaultError> {
        self.head(K::ROWS.live)
    }

    /// The first row of the live object when it is at hand without asking a disk; `None` says nothing.
    pub(super) fn live_at_hand(&self) -> Result<Option<Whole<K>>, VaultError> {
        self.whole(K::ROWS.live, self.vault.key.storage().at_hand(&self.live_key()))
    }

    /// The first row of the deleted object.
    pub(super) fn deleted(&self) -> Result<Option<Whole<K>>, VaultError> {
        self.head(K::ROWS.deleted)
    }

    fn head(&self, kind: u8) -> Result<Option<Whole<K>>, VaultError> {
        self.whole(kind, self.vault.key.storage().get(&self.row(kind))?)
    }

    fn whole(&self, kind: u8, row: Option<Row>) -> Result<Option<Whole<K>>, VaultError> {
        row.map(|row| Ok((self.open_head(kind, &row)?, row.revision))).transpose()
    }

    /// Opens a first row, of a live or deleted object as `kind` says.
    pub(crate) fn open_head(&self, kind: u8, row: &Row) -> Result<Head<K>, VaultError> {
        let damaged = || self.damaged("the first record");
        let (record, inline) = row::parted(&row.value).ok_or_else(damaged)?;
        let opened = self.vault.key.open(Place::named(kind, &self.tag), record).map_err(|_| damaged())?;
        let head = serde_json::from_slice(&opened).map_err(|_| damaged())?;
        Ok(Head { inline, ..head })
    }

    /// Puts the first row of the live object into the batch.
    pub(crate) fn put_live(&self, batch: &mut Batch, head: &Head<K>) -> Result<(), VaultError> {
        self.put_head(batch, K::ROWS.live, head)
    }

    /// Puts the first row of the deleted object into the batch.
    pub(super) fn put_deleted(&self, batch: &mut Batch, head: &Head<K>) -> Result<(), VaultError> {
        self.put_head(batch, K::ROWS.deleted, head)
    }

    fn put_head(&self, batch: &mut Batch, kind: u8, head: &Head<K>) -> Result<(), VaultError> {
        let plain = serde_json::to_vec(head).map_err(|_| self.damaged("the first record"))?;
        let record = self.vault.key.seal(Place::named(kind, &self.tag), &plain)?;
        batch.put(self.row(kind), row::joined(record, head.inline.as_ref()));
        Ok(())
    }

    /// The properties of a version that is not the current one.
    pub(crate) fn older(&self, version: &[u8; 16]) -> Result<Option<(Properties<K>, Revision)>, VaultError> {
        match self.vault.key.storage().get(&self.version_key(version))? {
            Some(row) => Ok(Some((self.open_older(version, &row)?, row.revision))),
            None => Ok(None),
        }
    }

    pub(super) fn open_older(&self, version: &[u8; 16], row: &Row) -> Result<Properties<K>, VaultError> {
        let opened = self.vault.key.open(Place::versioned(K::ROWS.version, &self.tag, version), &row.value);
        let opened = opened.map_err(|_| self.damaged_older(version))?;
        serde_json::from_slice(&opened).map_err(|_| self.damaged_older(version))
    }

    pub(super) fn put_older(&self, batch: &mut Batch, properties: &Properties<K>) -> Result<(), VaultError> {
        let version = &properties.version;
        let plain = serde_json::to_vec(properties).map_err(|_| self.damaged_older(version))?;
        let place = Place::versioned(K::ROWS.version, &self.tag, version);
        batch.put(self.version_key(version), self.vault.key.seal(place, &plain)?);
        Ok(())
    }

    /// The sealed part of a version of the object with this first row. `Ok(None)`: it is nowhere.
    pub(crate) fn material(
        &self,
        head: &Head<K>,
        version: &[u8; 16],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match &head.inline {
            Some(sealed) if head.current.version == *version => self.opened_material(version, sealed).map(Some),
            _ => self.own_material(version),
        }
    }

    /// The sealed part that has a row of its own. `Ok(None)`: there is no such row.
    pub(crate) fn own_material(&self, version: &[u8; 16]) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let row = self.vault.key.storage().get(&self.version_row(K::ROWS.material, version))?;
        row.map(|row| self.opened_material(version, &row.value)).transpose()
    }

    fn opened_material(&self, version: &[u8; 16], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let place = Place::versioned(K::ROWS.material, &self.tag, version);
        self.vault.key.open(place, sealed).map_err(|_| self.damaged_material(version))
    }

    pub(crate) fn sealed_material(&self, version: &[u8; 16], material: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(self.vault.key.seal(Place::versioned(K::ROWS.material, &self.tag, version), material)?)
    }

    /// Takes the sealed part of a version away.
    pub(crate) fn delete_material(&self, batch: &mut Batch, version: &[u8; 16]) {
        batch.delete(self.version_row(K::ROWS.material, version));
    }

    /// Puts the sealed part of a version into a row of its own.
    pub(crate) fn put_material(&self, batch: &mut Batch, version: &[u8; 16], sealed: Vec<u8>) {
        batch.put(self.version_row(K::ROWS.material, version), sealed);
    }

    /// Puts the sealed part of the current version where it belongs: into the first row, which the caller puts after
    /// this, when it is short.
    pub(super) fn put_current_material(&self, batch: &mut Batch, head: &mut Head<K>, sealed: Vec<u8>) {
        match Inline::of(sealed) {
            Ok(inline) => head.inline = Some(inline),
            Err(sealed) => self.put_material(batch, &head.current.version, sealed),
        }
    }

    /// Makes room in the first row for another version.
    pub(super) fn move_material_out(&self, batch: &mut Batch, head: &mut Head<K>) {
        if let Some(inline) = head.inline.take() {
            self.put_material(batch, &head.current.version, inline.to_vec());
        }
    }

    /// An empty batch that is refused when the vault has gone.
    pub(crate) fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        batch.expect(self.vault.row.clone(), Expected::Present);
        batch
    }

    /// Commits. `Ok(false)`: another write came first, or the vault has gone.
    pub(crate) fn commit(&self, batch: Batch) -> Result<bool, VaultError> {
        unless_conflicting(self.vault.key.storage().commit(batch))
    }

    /// [`commit`](Self::commit) without holding the thread.
    pub(crate) async fn committed(&self, batch: Batch) -> Result<bool, VaultError> {
        unless_conflicting(self.vault.key.storage().submit(batch).await)
    }

    /// What callers see of a version.
    pub(crate) fn record(
        &self,
        head: &Head<K>,
        properties: Properties<K>,
        retention: Retention,
    ) -> Result<ObjectRecord<K>, VaultError> {
        self.shown((&head.name, head.last_read), properties, head.standing.clone(), retention)
    }

    /// What callers see of the current version.
    pub(crate) fn current_record(&self, head: Head<K>, retention: Retention) -> Result<ObjectRecord<K>, VaultError> {
        let Head { name, current, last_read, standing, .. } = head;
        self.shown((&name, last_read), current, standing, retention)
    }

    fn shown(
        &self,
        (name, last_read): (&str, Option<Timestamp>),
        properties: Properties<K>,
        standing: K::Standing,
        retention: Retention,
    ) -> Result<ObjectRecord<K>, VaultError> {
        let noted = if K::READS_ARE_NOTED { self.vault.usage.last(&self.tag) } else { None };
        Ok(ObjectRecord {
            name: name.parse().map_err(|_| self.damaged("the name"))?,
            version: properties.version(),
            content: properties.content,
            tags: properties.tags,
            enabled: properties.enabled,
            nbf: properties.nbf,
            exp: properties.exp,
            created: properties.created,
            updated: properties.updated,
            retention,
            last_read: noted.max(last_read),
            managed: properties.managed,
            standing,
        })
    }
}
