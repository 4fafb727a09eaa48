//! What a new store begins with, and how an existing one is read.

use std::sync::Arc;

use credstore_protocol::{ClientId, ObjectId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{FORMAT, Operator};
use crate::authority::{self, CertificateAuthority, NewAuthority};
use crate::directory::{self, Directory};
use crate::error::{CommitError, OpenError, StorageError};
use crate::random;
use crate::seal::{DataKey, KeyDerivation, Keyring, OwnerId, Place, RootKey, SealError, hex16, kind};
use crate::storage::{Batch, Expected, Storage};
use crate::vaults::Vaults;

/// The owner of everything that belongs to no vault.
const SYSTEM: OwnerId = [0; 16];

const IDENTITY: &[u8] = b"identity";
const SIGNING_KEY: &[u8] = b"token signing key";
const CA_KEY: &[u8] = b"ca key";
const CA_CERTIFICATE: &[u8] = b"ca certificate";

/// What stands in clear: enough to find the root key. The key check vouches for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    format: u32,
    #[serde(with = "hex16")]
    store: [u8; 16],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) derivation: Option<KeyDerivation>,
}

/// Who the installation is.
#[derive(Serialize, Deserialize)]
struct Identity {
    tenant: TenantId,
    operator: ClientId,
    operator_principal: ObjectId,
}

/// Everything that was read from a store.
pub(super) struct Opened {
    pub(super) directory: Directory,
    pub(super) vaults: Vaults,
    pub(super) authority: CertificateAuthority,
    pub(super) operator: Operator,
}

fn damaged(what: &str) -> OpenError {
    OpenError::Damaged { what: what.to_owned() }
}

fn sealing(error: SealError) -> OpenError {
    match error {
        SealError::UsedUp => damaged("the count of uses of a data key"),
        SealError::Storage(error) => error.into(),
    }
}

/// The header of a store; `None` when the storage is empty.
pub(super) fn header(storage: &dyn Storage) -> Result<Option<Header>, OpenError> {
    let Some(row) = storage.get(&[kind::HEADER])? else { return Ok(None) };
    let header: Header = serde_json::from_slice(&row.value).map_err(|_| damaged("the header of the store"))?;
    if header.format > FORMAT {
        return Err(OpenError::NewerFormat { found: header.format, known: FORMAT });
    }
    Ok(Some(header))
}

fn setting_key(name: &[u8]) -> Vec<u8> {
    [&[kind::SETTING], name].concat()
}

fn put_setting(batch: &mut Batch, system: &DataKey, name: &[u8], plain: &[u8]) -> Result<(), OpenError> {
    let sealed = system.seal(Place::named(kind::SETTING, name), plain).map_err(sealing)?;
    batch.put(setting_key(name), sealed);
    Ok(())
}

fn setting(system: &DataKey, name: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let what = || damaged(&String::from_utf8_lossy(name));
    let row = system.storage().get(&setting_key(name))?.ok_or_else(what)?;
    system.open(Place::named(kind::SETTING, name), &row.value).map_err(|_| what())
}

/// Fills an empty storage, in one batch.
pub(super) fn found(
    storage: &Arc<dyn Storage>,
    root_key: &RootKey,
    derivation: Option<KeyDerivation>,
    now: Timestamp,
) -> Result<(), OpenError> {
    let store = random::bytes();
    let keyring = Arc::new(Keyring::new(root_key, store, Arc::clone(storage)));
    let header = serde_json::to_vec(&Header { format: FORMAT, store, derivation });
    let header = header.map_err(|_| damaged("the header of the store"))?;
    let (system, mut batch) = keyring.new_data_key(SYSTEM);
    batch.expect(vec![kind::HEADER], Expected::Absent);
    batch.put(vec![kind::KEY_CHECK], keyring.key_check(&header));
    batch.put(vec![kind::HEADER], header);
    let identity = Identity { tenant: random::id(), operator: random::id(), operator_principal: random::id() };
    let plain = serde_json::to_vec(&identity).map_err(|_| damaged("identity"))?;
    put_setting(&mut batch, &system, IDENTITY, &plain)?;
    put_setting(&mut batch, &system, SIGNING_KEY, &directory::new_signing_key()?)?;
    let authority = authority::create(&store, now).map_err(|_| OpenError::KeyGeneration("the CA"))?;
    put_setting(&mut batch, &system, CA_KEY, &authority.key_der)?;
    put_setting(&mut batch, &system, CA_CERTIFICATE, authority.certificate_pem.as_bytes())?;
    let operator = Operator { client_id: identity.operator, object_id: identity.operator_principal };
    let (key, row) = directory::operator_row(&system, &operator, now)?;
    batch.put(key, row);
    match storage.commit(batch) {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict) => Err(damaged("the header of the store")),
        Err(CommitError::Storage(error)) => Err(error.into()),
    }
}

impl Opened {
    /// Reads a store that [`found`] has filled.
    pub(super) fn read(storage: &Arc<dyn Storage>, root_key: &RootKey) -> Result<Self, OpenError> {
        let row = storage.get(&[kind::HEADER])?.ok_or_else(|| damaged("the header of the store"))?;
        let header: Header = serde_json::from_slice(&row.value).map_err(|_| damaged("the header of the store"))?;
        let check = storage.get(&[kind::KEY_CHECK])?.ok_or_else(|| damaged("the key check"))?;
        let keyring = Arc::new(Keyring::new(root_key, header.store, Arc::clone(storage)));
        let passes = keyring.passes_check(&row.value, &check.value);
        let system = match keyring.open_data_key(SYSTEM) {
            Ok(system) if passes => system.ok_or_else(|| damaged("a data key"))?,
            // Only the right key opens it, so what did not pass was changed.
            Ok(Some(_)) => return Err(damaged("the header of the store, or its key check")),
            Ok(None) | Err(StorageError::Damaged(_)) if !passes && !Keyring::is_key_check(&check.value) => {
                return Err(damaged("the key check"));
            }
            Ok(None) | Err(StorageError::Damaged(_)) if !passes => return Err(OpenError::WrongRootKey),
            Ok(None) => return Err(damaged("a data key")),
            Err(error) => return Err(error.into()),
        };
        let system = Arc::new(system);
        let identity: Identity =
            serde_json::from_slice(&setting(&system, IDENTITY)?).map_err(|_| damaged("identity"))?;
        let operator = Operator { client_id: identity.operator, object_id: identity.operator_principal };
        let signing_key = setting(&system, SIGNING_KEY)?;
        let directory = Directory::open(identity.tenant.clone(), operator.clone(), Arc::clone(&system), &signing_key)?;
        let certificate_pem = String::from_utf8(setting(&system, CA_CERTIFICATE)?.to_vec());
        let kept = NewAuthority {
            key_der: setting(&system, CA_KEY)?,
            certificate_pem: certificate_pem.map_err(|_| damaged("ca certificate"))?,
        };
        let authority = CertificateAuthority::open(kept).ok_or_else(|| damaged("ca certificate"))?;
        let vaults = Vaults::load(identity.tenant, operator.object_id.clone(), system)?;
        Ok(Self { directory, vaults, authority, operator })
    }
}
