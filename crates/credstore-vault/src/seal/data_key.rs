//! Data keys and the records they seal.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac};
use credstore_protocol::encoding::hex_lower;
use zeroize::Zeroizing;

use super::RootKey;
use crate::error::{CommitError, StorageError};
use crate::random;
use crate::storage::{Batch, Storage};

/// Most records that one data key seals. Source: reliability goal C2; half of the 2^32 of NIST SP 800-38D.
pub const USES_MAX: u64 = 1 << 31;
/// How many uses are set aside at once. The count survives a crash rounded up to the next multiple of this.
const USES_BLOCK: u64 = 1 << 12;
/// First byte of every sealed record.
const FORMAT: u8 = 1;
/// Second byte: which key of the owner sealed it. There is one until rotation comes.
const KEY_VERSION: u8 = 1;
/// What a key check says once it is open.
const KEY_CHECK: &[u8] = b"credstore";
const HEADER: usize = 2;
const OVERHEAD: usize = HEADER + NONCE_LEN + MAX_TAG_LEN;

/// Kinds of rows: the first byte of a key, and part of what a record is bound to.
pub(crate) mod kind {
    /// Store id, format and key derivation, in clear.
    pub(crate) const HEADER: u8 = 0;
    /// Opens only with the right root key.
    pub(crate) const KEY_CHECK: u8 = 1;
    /// The data key of an owner.
    pub(crate) const DATA_KEY: u8 = 2;
    /// How often a data key was used.
    pub(crate) const KEY_USES: u8 = 3;
    /// One thing of the installation, by name.
    pub(crate) const SETTING: u8 = 4;
    /// An application with its keys and service principal.
    pub(crate) const APPLICATION: u8 = 5;
    /// A vault.
    pub(crate) const VAULT: u8 = 6;
    /// A deleted vault.
    pub(crate) const DELETED_VAULT: u8 = 7;
    /// The id of a vault whose rows are being removed, in clear.
    pub(crate) const PURGED_VAULT: u8 = 8;
    /// A secret: its name and its current version without the value.
    pub(crate) const SECRET: u8 = 9;
    /// A deleted secret, likewise.
    pub(crate) const DELETED_SECRET: u8 = 10;
    /// A version that is not the current one, without the value.
    pub(crate) const VERSION: u8 = 11;
    /// The value of a version.
    pub(crate) const VALUE: u8 = 12;
    /// A key: its name and its current version without the private half.
    pub(crate) const KEY: u8 = 14;
    /// A deleted key, likewise.
    pub(crate) const DELETED_KEY: u8 = 15;
    /// A version of a key that is not the current one, without the private half.
    pub(crate) const KEY_VERSION: u8 = 16;
    /// A version of a key with its private half, as PKCS#8.
    pub(crate) const KEY_MATERIAL: u8 = 17;
    /// A certificate: its name, policy and current version without the chain.
    pub(crate) const CERTIFICATE: u8 = 18;
    /// A deleted certificate, likewise.
    pub(crate) const DELETED_CERTIFICATE: u8 = 19;
    /// A version of a certificate that is not the current one, without the chain.
    pub(crate) const CERTIFICATE_VERSION: u8 = 20;
    /// The chain of a version of a certificate.
    pub(crate) const CERTIFICATE_CHAIN: u8 = 21;
    /// An issuer of certificates.
    pub(crate) const ISSUER: u8 = 22;
    /// The private half of an issuer that is an authority, as PKCS#8.
    pub(crate) const ISSUER_KEY: u8 = 23;
    /// The contacts of a vault.
    pub(crate) const CONTACTS: u8 = 24;
    /// Not a row: a backup that a client keeps.
    pub(crate) const BACKUP: u8 = 13;
    /// A role assignment.
    pub(crate) const ROLE_ASSIGNMENT: u8 = 32;
    /// A resource group.
    pub(crate) const RESOURCE_GROUP: u8 = 33;
}

/// Whose data key it is: a vault's random id, or zeros for the installation itself.
pub type OwnerId = [u8; 16];

/// Why a record could not be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key has sealed [`USES_MAX`] records.
    #[error("the data key is used up")]
    UsedUp,
    /// The count of uses could not be written.
    #[error(transparent)]
    Storage(StorageError),
}

/// The record does not open: it was changed, cut, or belongs elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DoesNotOpen;

/// The place a record is bound to, besides its store and owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// One of [`kind`].
    pub(crate) kind: u8,
    /// Canonical name.
    pub(crate) name: &'a [u8],
    /// Version, for records of one.
    pub(crate) version: Option<&'a [u8; 16]>,
}

impl<'a> Place<'a> {
    /// A place without a version.
    pub(crate) fn named(kind: u8, name: &'a [u8]) -> Self {
        Self { kind, name, version: None }
    }

    /// A place of one version.
    pub(crate) fn versioned(kind: u8, name: &'a [u8], version: &'a [u8; 16]) -> Self {
        Self { kind, name, version: Some(version) }
    }

    /// Everything a record is bound to. Fixed lengths first and the one variable length written down, so that
    /// no two places give the same bytes.
    fn authenticated(&self, store: &[u8; 16], owner: &OwnerId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.name.len());
        bytes.extend_from_slice(b"credstore record");
        bytes.extend_from_slice(&[FORMAT, KEY_VERSION, self.kind]);
        bytes.extend_from_slice(store);
        bytes.extend_from_slice(owner);
        bytes.extend_from_slice(&(self.name.len() as u64).to_be_bytes());
        bytes.extend_from_slice(self.name);
        bytes.push(u8::from(self.version.is_some()));
        bytes.extend_from_slice(self.version.map_or(&[][..], |version| version));
        bytes
    }
}

fn seal_with(key: &RandomizedNonceKey, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
    sealed.extend_from_slice(&[FORMAT, KEY_VERSION]);
    sealed.extend_from_slice(&[0; NONCE_LEN]);
    sealed.extend_from_slice(plain);
    let body = &mut sealed[HEADER + NONCE_LEN..];
    let (nonce, tag) = key
        .seal_in_place_separate_tag(Aad::from(aad), body)
        .expect("AES-GCM seals every length below 2^36 bytes, and records are below 2^26");
    sealed[HEADER..HEADER + NONCE_LEN].copy_from_slice(nonce.as_ref());
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

fn open_with(key: &RandomizedNonceKey, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    if sealed.len() < OVERHEAD || sealed[..HEADER] != [FORMAT, KEY_VERSION] {
        return Err(DoesNotOpen);
    }
    let (nonce, body) = sealed[HEADER..].split_at(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
    let mut plain = Zeroizing::new(body.to_vec());
    let length = key.open_in_place(nonce, Aad::from(aad), &mut plain).map_err(|_| DoesNotOpen)?.len();
    plain.truncate(length);
    Ok(plain)
}

fn aead_key(bytes: &[u8; 32]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("AES-256-GCM takes every key of 32 bytes")
}

/// What the root key opens: the keys that wrap data keys and seal backups.
pub struct Keyring {
    store: [u8; 16],
    wrapping: RandomizedNonceKey,
    backup: RandomizedNonceKey,
    storage: Arc<dyn Storage>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

struct KeyLength;

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

fn derived(root: &RootKey, store: &[u8; 16], purpose: &[u8]) -> RandomizedNonceKey {
    let mut bytes = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, store).extract(root.bytes());
    let expanded = extracted.expand(&[purpose], KeyLength).and_then(|okm| okm.fill(&mut bytes[..]));
    expanded.expect("HKDF-SHA256 gives up to 8160 bytes");
    aead_key(&bytes)
}

impl Keyring {
    /// The keys of the store with this id.
    pub fn new(root: &RootKey, store: [u8; 16], storage: Arc<dyn Storage>) -> Self {
        let wrapping = derived(root, &store, b"credstore wrapping key 1");
        let backup = derived(root, &store, b"credstore backup key 1");
        Self { store, wrapping, backup, storage }
    }

    /// A record that only this root key and exactly this header can open.
    pub(crate) fn key_check(&self, header: &[u8]) -> Vec<u8> {
        let place = Place::named(kind::KEY_CHECK, header);
        seal_with(&self.wrapping, &place.authenticated(&self.store, &[0; 16]), KEY_CHECK)
    }

    /// Whether [`key_check`](Self::key_check) of the same root key made `sealed`.
    pub(crate) fn passes_check(&self, header: &[u8], sealed: &[u8]) -> bool {
        let place = Place::named(kind::KEY_CHECK, header);
        open_with(&self.wrapping, &place.authenticated(&self.store, &[0; 16]), sealed).is_ok()
    }

    /// Whether `sealed` has the form of a key check, whichever root key made it.
    pub(crate) fn is_key_check(sealed: &[u8]) -> bool {
        sealed.len() == OVERHEAD + KEY_CHECK.len() && sealed[..HEADER] == [FORMAT, KEY_VERSION]
    }

    /// A new data key for `owner`, with the rows that keep it; they must be committed before its first use.
    pub(crate) fn new_data_key(self: &Arc<Self>, owner: OwnerId) -> (DataKey, Batch) {
        let bytes = Zeroizing::new(random::bytes::<64>());
        let mut batch = Batch::default();
        let place = Place::named(kind::DATA_KEY, &[]);
        let sealed = seal_with(&self.wrapping, &place.authenticated(&self.store, &owner), &bytes[..]);
        batch.put(owner_key(kind::DATA_KEY, &owner), sealed);
        batch.put(owner_key(kind::KEY_USES, &owner), self.sealed_uses(&owner, USES_BLOCK));
        (self.data_key(owner, &bytes, 0, USES_BLOCK), batch)
    }

    /// Opens the data key of `owner`. `Ok(None)`: there is none.
    pub(crate) fn open_data_key(self: &Arc<Self>, owner: OwnerId) -> Result<Option<DataKey>, StorageError> {
        let damaged = || StorageError::Damaged("a data key".to_owned());
        let Some(row) = self.storage.get(&owner_key(kind::DATA_KEY, &owner))? else { return Ok(None) };
        let place = Place::named(kind::DATA_KEY, &[]);
        let opened = open_with(&self.wrapping, &place.authenticated(&self.store, &owner), &row.value);
        let opened = opened.map_err(|DoesNotOpen| damaged())?;
        let bytes = Zeroizing::new(<[u8; 64]>::try_from(opened.as_slice()).map_err(|_| damaged())?);
        let row = self.storage.get(&owner_key(kind::KEY_USES, &owner))?.ok_or_else(damaged)?;
        let place = Place::named(kind::KEY_USES, &[]);
        let opened = open_with(&self.wrapping, &place.authenticated(&self.store, &owner), &row.value);
        let uses = opened.ok().and_then(|uses| <[u8; 8]>::try_from(uses.as_slice()).ok()).ok_or_else(damaged)?;
        let uses = u64::from_be_bytes(uses);
        Ok(Some(self.data_key(owner, &bytes, uses, uses)))
    }

    fn data_key(self: &Arc<Self>, owner: OwnerId, bytes: &[u8; 64], uses: u64, reserved: u64) -> DataKey {
        let mut seal = Zeroizing::new([0; 32]);
        let (first, names) = bytes.split_at(32);
        seal.copy_from_slice(first);
        DataKey {
            keyring: Arc::clone(self),
            owner,
            seal: aead_key(&seal),
            names: hmac::Key::new(hmac::HMAC_SHA256, names),
            uses: AtomicU64::new(uses),
            reserved: AtomicU64::new(reserved),
            reserving: Mutex::new(()),
        }
    }

    fn sealed_uses(&self, owner: &OwnerId, uses: u64) -> Vec<u8> {
        let place = Place::named(kind::KEY_USES, &[]);
        seal_with(&self.wrapping, &place.authenticated(&self.store, owner), &uses.to_be_bytes())
    }

    /// Seals a backup. It is bound to the store and to `scope`, not to a vault.
    pub(crate) fn seal_backup(&self, scope: &[u8], plain: &[u8]) -> Vec<u8> {
        seal_with(&self.backup, &Place::named(kind::BACKUP, scope).authenticated(&self.store, &[0; 16]), plain)
    }

    /// Opens a backup.
    pub(crate) fn open_backup(&self, scope: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        open_with(&self.backup, &Place::named(kind::BACKUP, scope).authenticated(&self.store, &[0; 16]), sealed)
    }
}

/// The key of a row that an owner has once.
pub(crate) fn owner_key(kind: u8, owner: &OwnerId) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    key.push(kind);
    key.extend_from_slice(owner);
    key
}

/// The data key of one owner. It seals and opens records and hides names.
pub struct DataKey {
    keyring: Arc<Keyring>,
    owner: OwnerId,
    seal: RandomizedNonceKey,
    names: hmac::Key,
    /// How many records it has sealed, at most.
    uses: AtomicU64,
    /// Up to where the count is written down.
    reserved: AtomicU64,
    reserving: Mutex<()>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("owner", &hex_lower(&self.owner)).finish_non_exhaustive()
    }
}

impl DataKey {
    /// Whose key it is.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The storage that its records lie in.
    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.keyring.storage
    }

    /// The keyring it came from.
    pub(crate) fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// What stands for a canonical name in the keys of rows: HMAC-SHA256, the first 16 bytes.
    pub(crate) fn tag(&self, canonical: &str) -> [u8; 16] {
        let tag = hmac::sign(&self.names, canonical.as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&tag.as_ref()[..16]);
        short
    }

    /// Seals `plain` for `place`.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.count_use()?;
        Ok(seal_with(&self.seal, &place.authenticated(&self.keyring.store, &self.owner), plain))
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        open_with(&self.seal, &place.authenticated(&self.keyring.store, &self.owner), sealed)
    }

    fn count_use(&self) -> Result<(), SealError> {
        let uses = self.uses.fetch_add(1, Ordering::Relaxed);
        if uses >= USES_MAX {
            return Err(SealError::UsedUp);
        }
        if uses < self.reserved.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one_at_a_time = self.reserving.lock().unwrap_or_else(PoisonError::into_inner);
        if uses < self.reserved.load(Ordering::Acquire) {
            return Ok(());
        }
        let reserved = uses + USES_BLOCK;
        let mut batch = Batch::default();
        batch.put(owner_key(kind::KEY_USES, &self.owner), self.keyring.sealed_uses(&self.owner, reserved));
        match self.storage().commit(batch) {
            Ok(_) => {}
            Err(CommitError::Storage(error)) => return Err(SealError::Storage(error)),
            // The batch has no preconditions.
            Err(CommitError::Conflict) => return Err(SealError::Storage(StorageError::Io("conflict".to_owned()))),
        }
        self.reserved.store(reserved, Ordering::Release);
        Ok(())
    }
}

/// 16 bytes as 32 hexadecimal digits, for `#[serde(with)]`.
pub(crate) mod hex16 {
    use credstore_protocol::encoding::{hex_any, hex_lower};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex_lower(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex_any(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| de::Error::custom("32 hexadecimal digits"))
    }
}

/// Bytes as hexadecimal digits, for `#[serde(with)]`.
pub(crate) mod hex_bytes {
    use credstore_protocol::encoding::{hex_any, hex_lower};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex_lower(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex_any(&String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryStorage;

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::new(&RootKey::random(), [7; 16], Arc::new(MemoryStorage::new())))
    }

    fn data_key(keyring: &Arc<Keyring>, owner: OwnerId) -> DataKey {
        let (key, batch) = keyring.new_data_key(owner);
        keyring.storage.commit(batch).unwrap();
        key
    }

    #[test]
    fn a_record_opens_only_in_its_own_place() {
        let keyring = keyring();
        let (key, other_vault) = (data_key(&keyring, [1; 16]), data_key(&keyring, [2; 16]));
        let place = Place::versioned(kind::VALUE, b"db", &[3; 16]);
        let sealed = key.seal(place, b"hunter2").unwrap();
        assert_eq!(key.open(place, &sealed).unwrap().as_slice(), b"hunter2");
        let elsewhere = [
            Place::versioned(kind::VERSION, b"db", &[3; 16]),
            Place::versioned(kind::VALUE, b"dc", &[3; 16]),
            Place::versioned(kind::VALUE, b"db", &[4; 16]),
            Place::named(kind::VALUE, b"db"),
            Place::versioned(kind::VALUE, b"", &[3; 16]),
        ];
        for place in elsewhere {
            assert_eq!(key.open(place, &sealed), Err(DoesNotOpen), "{place:?}");
        }
        assert_eq!(other_vault.open(place, &sealed), Err(DoesNotOpen));
    }

    #[test]
    fn a_record_of_another_store_does_not_open_even_with_the_same_root_key() {
        let root = RootKey::random();
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let one = Keyring::new(&root, [1; 16], Arc::clone(&storage));
        let other = Keyring::new(&root, [2; 16], storage);
        let sealed = one.seal_backup(b"scope", b"content");
        assert!(one.open_backup(b"scope", &sealed).is_ok());
        assert_eq!(one.open_backup(b"other", &sealed), Err(DoesNotOpen));
        assert_eq!(other.open_backup(b"scope", &sealed), Err(DoesNotOpen));
    }

    #[test]
    fn a_changed_or_cut_record_does_not_open() {
        let keyring = keyring();
        let key = data_key(&keyring, [1; 16]);
        let place = Place::named(kind::SECRET, b"db");
        let sealed = key.seal(place, b"content").unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(key.open(place, &changed), Err(DoesNotOpen), "byte {at} bit {bit}");
            }
            assert_eq!(key.open(place, &sealed[..at]), Err(DoesNotOpen), "cut at {at}");
        }
    }

    #[test]
    fn two_seals_of_the_same_content_differ() {
        let keyring = keyring();
        let key = data_key(&keyring, [1; 16]);
        let place = Place::named(kind::SECRET, b"db");
        assert_ne!(key.seal(place, b"content").unwrap(), key.seal(place, b"content").unwrap());
    }

    #[test]
    fn the_count_of_uses_survives_and_never_goes_back() {
        let keyring = keyring();
        let key = data_key(&keyring, [1; 16]);
        let place = Place::named(kind::SECRET, b"db");
        for _ in 0..=USES_BLOCK {
            key.seal(place, b"").unwrap();
        }
        let again = keyring.open_data_key([1; 16]).unwrap().unwrap();
        assert!(again.uses.load(Ordering::Relaxed) > USES_BLOCK);
    }

    #[test]
    fn a_key_stops_at_its_last_use() {
        let keyring = keyring();
        let key = data_key(&keyring, [1; 16]);
        key.uses.store(USES_MAX - 1, Ordering::Relaxed);
        let place = Place::named(kind::SECRET, b"db");
        assert!(key.seal(place, b"").is_ok());
        assert_eq!(key.seal(place, b""), Err(SealError::UsedUp));
        let again = keyring.open_data_key([1; 16]).unwrap().unwrap();
        assert_eq!(again.seal(place, b""), Err(SealError::UsedUp), "a restart gives no second life");
    }

    #[test]
    fn a_name_has_one_tag_in_a_vault_and_another_in_the_next() {
        let keyring = keyring();
        let (one, other) = (data_key(&keyring, [1; 16]), data_key(&keyring, [2; 16]));
        assert_eq!(one.tag("db"), one.tag("db"));
        assert_ne!(one.tag("db"), one.tag("dc"));
        assert_ne!(one.tag("db"), other.tag("db"));
    }
}
