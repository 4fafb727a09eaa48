//! The keys of a vault: create, import, get.

use credstore_protocol::key_vault::Tags;
use credstore_protocol::key_vault::keys::{
    CreateKey, Curve, ImportKey, JsonWebKey, KeyAttributes, KeyOperation, KeyType, RotationPolicy, UpdateKey,
};
use credstore_protocol::{ObjectName, ObjectVersion, Timestamp};
use serde::{Deserialize, Serialize};

use super::{KeyError, KeyMaterial, KeyShape, RsaSize, rotation};
use crate::access::{Caller, ObjectKind, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::objects::limits::{bad, check};
use crate::objects::{Change, Head, NewVersion, ObjectRecord, ObjectType, Opened, Properties, Rows, Slot};
use crate::random;
use crate::seal::kind;
use crate::vaults::Vault;

/// The keys of a vault, as a kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {}

/// What a version of a key has besides its private half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyContent {
    /// The public half, without identifier and `key_ops`.
    pub key: JsonWebKey,
    /// What it may be used for.
    pub key_ops: Vec<KeyOperation>,
}

/// What a key has besides its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStanding {
    /// When it is rotated; none was set yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_policy: Option<RotationPolicy>,
}

/// One version of a key without its private half.
pub type KeyRecord = ObjectRecord<Keys>;

/// Everything that a key of a kind can do, which is the default. Source: contract section 9.
pub(crate) const fn possible(kty: KeyType) -> &'static [KeyOperation] {
    match kty {
        KeyType::Rsa => &[
            KeyOperation::Encrypt,
            KeyOperation::Decrypt,
            KeyOperation::Sign,
            KeyOperation::Verify,
            KeyOperation::WrapKey,
            KeyOperation::UnwrapKey,
        ],
        KeyType::Ec => &[KeyOperation::Sign, KeyOperation::Verify],
        KeyType::RsaHsm | KeyType::EcHsm | KeyType::Oct | KeyType::OctHsm => &[],
    }
}

fn check_operations(kty: KeyType, key_ops: &[KeyOperation]) -> Result<(), VaultError> {
    match key_ops.iter().find(|operation| !possible(kty).contains(operation)) {
        Some(operation) => Err(bad(format!("The key operation '{operation}' is not for keys of type '{kty}' here."))),
        None => Ok(()),
    }
}

impl ObjectType for Keys {
    const KIND: ObjectKind = ObjectKind::Keys;
    const NOUN: &'static str = "key";
    const MATERIAL: &'static str = "private half";
    const ROWS: Rows =
        Rows { live: kind::KEY, deleted: kind::DELETED_KEY, version: kind::KEY_VERSION, material: kind::KEY_MATERIAL };
    const READS_ARE_NOTED: bool = false;
    const BACKUP: &'static [u8; 16] = b"key backup 1\0\0\0\0";
    const BACKUP_SCOPE: &'static [u8] = b"key";
    const LEADS: bool = false;

    type Content = KeyContent;
    type Standing = KeyStanding;
    /// `key_ops`.
    type Update = Option<Vec<KeyOperation>>;

    fn fits(content: &KeyContent, material: &[u8]) -> bool {
        opened(content, material).is_ok()
    }

    fn change(
        content: &mut KeyContent,
        _standing: Option<&mut KeyStanding>,
        key_ops: Option<Vec<KeyOperation>>,
        _now: Timestamp,
    ) -> Result<(), VaultError> {
        if let Some(key_ops) = key_ops {
            check_operations(content.key.kty, &key_ops)?;
            content.key_ops = KeyOperation::ALL.iter().copied().filter(|it| key_ops.contains(it)).collect();
        }
        Ok(())
    }
}

impl Change<Keys> {
    fn of(key_ops: Option<Vec<KeyOperation>>, tags: Option<Tags>, attributes: Option<KeyAttributes>) -> Self {
        let attributes = attributes.unwrap_or_default();
        Self { tags, enabled: attributes.enabled, nbf: attributes.nbf, exp: attributes.exp, update: key_ops }
    }
}

impl From<UpdateKey> for Change<Keys> {
    fn from(update: UpdateKey) -> Self {
        Self::of(update.key_ops, update.tags, update.attributes)
    }
}

/// The key that a version seals.
pub(super) fn opened(content: &KeyContent, material: &[u8]) -> Result<KeyMaterial, KeyError> {
    KeyMaterial::open(KeyShape::of_public(&content.key).ok_or(KeyError::Damaged)?, material)
}

/// What a request asks for. Source: contract section 9; RSA 2048 and P-256 are Azure's defaults.
fn shape(create: &CreateKey) -> Result<KeyShape, KeyError> {
    match create.kty {
        KeyType::Rsa => {
            let bits = create.key_size.unwrap_or(RsaSize::Bits2048.bits());
            RsaSize::of_bits(usize::try_from(bits).unwrap_or(usize::MAX)).map(KeyShape::Rsa)
        }
        KeyType::Ec => Ok(KeyShape::Ec(create.crv.unwrap_or(Curve::P256))),
        KeyType::RsaHsm | KeyType::EcHsm | KeyType::Oct | KeyType::OctHsm => Err(KeyError::Kind(create.kty)),
    }
}

fn no_release(exportable: Option<bool>, release_policy: bool) -> Result<(), VaultError> {
    match exportable == Some(true) || release_policy {
        true => Err(bad("Keys that can be released need a premium vault.".to_owned())),
        false => Ok(()),
    }
}

impl Vault {
    /// Makes a key, or a new version of it. Permission: `keys create`.
    ///
    /// # Errors
    /// [`VaultError::Key`] for a kind or size that a vault does not have; [`VaultError::BadParameter`];
    /// [`VaultError::DeletedButRecoverable`]; [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Create Key"; contract section 9.
    pub fn create_key(
        &self,
        caller: &Caller,
        name: &ObjectName,
        create: CreateKey,
        now: Timestamp,
    ) -> Result<KeyRecord, VaultError> {
        self.allow_on(caller, Operation::CreateKey, Some(name.as_str()))?;
        let failed = |error| VaultError::Key { name: name.clone(), version: None, error };
        let exportable = create.attributes.as_ref().and_then(|attributes| attributes.exportable);
        no_release(exportable, create.release_policy.is_some())?;
        if create.public_exponent.is_some_and(|exponent| exponent != 65_537) {
            return Err(bad("The public exponent of an RSA key is 65537 in a vault without hardware.".to_owned()));
        }
        let shape = shape(&create).map_err(failed)?;
        let change = Change::of(create.key_ops, create.tags, create.attributes);
        let kty = create.kty;
        self.store_key(caller, (Operation::CreateKey, kty), name, || KeyMaterial::generate(shape), change, now)
    }

    /// Takes a key that the caller has, as a new key or a new version. Permission: `keys import`.
    ///
    /// # Errors
    /// Those of [`create_key`](Self::create_key); [`VaultError::Key`] also for numbers that are no key.
    ///
    /// Source: Key Vault data plane, "Import Key"; contract section 9.
    pub fn import_key(
        &self,
        caller: &Caller,
        name: &ObjectName,
        import: ImportKey,
        now: Timestamp,
    ) -> Result<KeyRecord, VaultError> {
        self.allow_on(caller, Operation::ImportKey, Some(name.as_str()))?;
        let failed = |error| VaultError::Key { name: name.clone(), version: None, error };
        if import.hsm == Some(true) {
            return Err(failed(KeyError::Kind(KeyType::RsaHsm)));
        }
        let exportable = import.attributes.as_ref().and_then(|attributes| attributes.exportable);
        no_release(exportable, import.release_policy.is_some())?;
        let change = Change::of(import.key.key_ops.clone(), import.tags, import.attributes);
        let operation = (Operation::ImportKey, import.key.kty);
        self.store_key(caller, operation, name, || KeyMaterial::import(&import.key), change, now)
    }

    fn store_key(
        &self,
        caller: &Caller,
        (operation, kty): (Operation, KeyType),
        name: &ObjectName,
        make: impl FnOnce() -> Result<KeyMaterial, KeyError>,
        change: Change<Keys>,
        now: Timestamp,
    ) -> Result<KeyRecord, VaultError> {
        let failed = |error| VaultError::Key { name: name.clone(), version: None, error };
        // What cannot be is refused before a key is made for it, which takes long.
        check(&change)?;
        check_operations(kty, change.update.as_deref().unwrap_or_default())?;
        let slot = Slot::<Keys>::of(&self.inner, name);
        self.require_no_deleted(&slot, name, now)?;
        let key = make().map_err(failed)?;
        let version = random::bytes();
        let sealed = slot.sealed_material(&version, &key.pkcs8().map_err(failed)?)?;
        let content = KeyContent { key: key.public().map_err(failed)?, key_ops: possible(kty).to_vec() };
        let mut properties = Properties::new(version, content, now);
        properties.change(None, change, now)?;
        // The permission is looked at once more: making a key takes long enough for it to be taken away.
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let new = NewVersion {
            operation,
            name,
            sealed,
            name_may_be_free: false,
            properties: &|live: Option<&Head<Keys>>| {
                let mut properties = properties.clone();
                let policy = live.and_then(|head| head.standing.rotation_policy.as_ref());
                properties.exp = properties.exp.or_else(|| rotation::expiry(policy, now));
                Ok(properties)
            },
        };
        pollster::block_on(self.add_version(caller, state, new, now))
    }

    /// The public half and the properties of a key: of the current version, or of exactly `version`. Permission:
    /// `keys get`. A disabled key is shown too.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Get Key"; contract section 9.
    pub fn key(
        &self,
        caller: &Caller,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
    ) -> Result<KeyRecord, VaultError> {
        let operation = Operation::Object(ObjectKind::Keys, ObjectOperation::Get);
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<Keys>::of(&self.inner, name);
        let (head, properties) = slot.properties(name, version)?;
        slot.record(&head, properties, state.retention)
    }
}

impl Slot<'_, Keys> {
    /// The key of an opened version.
    pub(super) fn key<H>(&self, opened_version: &Opened<H, Keys>) -> Result<KeyMaterial, VaultError> {
        let properties = &opened_version.properties;
        opened(&properties.content, &opened_version.material).map_err(|_| self.damaged_material(&properties.version))
    }
}
