//! What only keys have on the wire: their messages, and what is done with them.

use std::borrow::Cow;

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::keys::{
    CreateKey, DeletedKey, EncryptionAlgorithm, EncryptionRequest, ImportKey, JsonWebKey, KeyAttributes, KeyBundle,
    KeyItem, KeyOperationResult, RotationPolicy, SignRequest, UpdateKey, VerifyRequest, VerifyResult,
};
use credstore_protocol::{ObjectName, ObjectVersion, Secret, Timestamp};
use credstore_vault::access::ObjectKind;
use credstore_vault::keys::{KeyAt, KeyUse};
use credstore_vault::{Caller, DeletedRecord, KeyRecord, Keys, Vault, VaultError};
use http::StatusCode;
use zeroize::Zeroizing;

use super::ids::Ids;
use super::objects::{Messages, read_version};
use super::problem::Problem;
use super::{Answer, Call};
use crate::outcome::json_answer;

impl Messages for Keys {
    type Change = UpdateKey;
    type Bundle = KeyBundle;
    type Item = KeyItem;
    type Deleted = DeletedKey<KeyBundle>;
    type DeletedItem = DeletedKey<KeyItem>;

    fn bundle(ids: &Ids, record: KeyRecord) -> KeyBundle {
        let (kid, attributes) = (ids.version(&record), attributes(&record));
        let key = JsonWebKey { kid: Some(kid), key_ops: Some(record.content.key_ops), ..record.content.key };
        KeyBundle { key, attributes, tags: record.tags, managed: record.managed.then_some(true) }
    }

    fn item(ids: &Ids, record: KeyRecord) -> KeyItem {
        KeyItem { kid: ids.unversioned(&record), ..Self::version_item(ids, record) }
    }

    fn version_item(ids: &Ids, record: KeyRecord) -> KeyItem {
        let (kid, attributes, managed) = (ids.version(&record), attributes(&record), record.managed.then_some(true));
        KeyItem { kid, attributes, tags: record.tags, managed }
    }

    fn deleted(ids: &Ids, record: DeletedRecord<Self>) -> DeletedKey<KeyBundle> {
        deleted(ids, record, Self::bundle)
    }

    fn deleted_item(ids: &Ids, record: DeletedRecord<Self>) -> DeletedKey<KeyItem> {
        deleted(ids, record, Self::item)
    }
}

fn deleted<T>(ids: &Ids, record: DeletedRecord<Keys>, key: impl Fn(&Ids, KeyRecord) -> T) -> DeletedKey<T> {
    DeletedKey {
        recovery_id: ids.recovery(&record),
        deleted_date: record.deleted,
        scheduled_purge_date: record.scheduled_purge,
        key: key(ids, record.object),
    }
}

fn attributes(record: &KeyRecord) -> KeyAttributes {
    KeyAttributes {
        enabled: Some(record.enabled),
        nbf: record.nbf,
        exp: record.exp,
        created: Some(record.created),
        updated: Some(record.updated),
        recovery_level: Some(Cow::Borrowed(record.retention.level)),
        recoverable_days: Some(record.retention.days),
        exportable: Some(false),
        hsm_platform: Some(Cow::Borrowed("0")),
    }
}

/// One of the four operations that take and give bytes.
type Crypt<T> = fn(&Vault, &Caller, KeyAt<'_>, EncryptionAlgorithm, &[u8], Timestamp) -> Result<KeyUse<T>, VaultError>;

/// A key in a path: its name and its version, if the path has one.
pub(super) type Target = (ObjectName, Option<ObjectVersion>);

fn at((name, version): &Target) -> KeyAt<'_> {
    KeyAt { name, version: version.as_ref() }
}

impl Call<'_> {
    pub(super) fn target(&self, name: ObjectName, version: Option<&str>) -> Result<Target, Problem> {
        let version = read_version::<Keys>(&name, version)?;
        Ok((name, version))
    }

    fn key_answer(&self, record: KeyRecord) -> Answer {
        Ok(json_answer(StatusCode::OK, &Keys::bundle(self.ids, record)))
    }

    pub(super) fn get_key(&self, (name, version): Target) -> Answer {
        let record = self.vault.key(&self.caller, &name, version.as_ref()).map_err(self.explain())?;
        self.key_answer(record)
    }

    pub(super) async fn create_key(&self, name: ObjectName, create: CreateKey) -> Answer {
        self.key_answer(self.write(move |vault, caller, now| vault.create_key(caller, &name, create, now)).await?)
    }

    pub(super) async fn import_key(&self, name: ObjectName, import: ImportKey) -> Answer {
        self.key_answer(self.write(move |vault, caller, now| vault.import_key(caller, &name, import, now)).await?)
    }

    pub(super) async fn rotate_key(&self, name: ObjectName) -> Answer {
        self.key_answer(self.write(move |vault, caller, now| vault.rotate_key(caller, &name, now)).await?)
    }

    pub(super) fn get_rotation_policy(&self, name: &ObjectName) -> Answer {
        let policy = self.vault.rotation_policy(&self.caller, name).map_err(self.explain())?;
        Ok(self.policy_answer(name, policy))
    }

    pub(super) async fn set_rotation_policy(&self, name: ObjectName, policy: RotationPolicy) -> Answer {
        let of = name.clone();
        let policy = self.write(move |vault, caller, now| vault.set_rotation_policy(caller, &of, policy, now)).await?;
        Ok(self.policy_answer(&name, policy))
    }

    fn policy_answer(&self, name: &ObjectName, policy: RotationPolicy) -> http::Response<crate::body::Content> {
        let id = Some(self.ids.object(ObjectKind::Keys, &format!("{name}/rotationpolicy")));
        json_answer(StatusCode::OK, &RotationPolicy { id, ..policy })
    }

    /// Encrypt, decrypt, wrap and unwrap. Run aside: a decryption takes a millisecond of processor.
    pub(super) async fn crypt<T>(&self, key: Target, request: EncryptionRequest, crypt: Crypt<T>) -> Answer
    where
        T: AsRef<[u8]> + Send + 'static,
    {
        let text = base64_any(request.value.expose_secret()).map(Zeroizing::new).ok_or_else(|| no_base64("value"))?;
        let work = move |vault: &Vault, caller: &Caller, now| crypt(vault, caller, at(&key), request.alg, &text, now);
        let done = self.write(work).await?;
        Ok(self.result(&done.name, &done.version, done.result.as_ref()))
    }

    pub(super) async fn sign(&self, key: Target, request: SignRequest) -> Answer {
        let digest = base64_any(&request.value).ok_or_else(|| no_base64("value"))?;
        let work = move |vault: &Vault, caller: &Caller, now| vault.sign(caller, at(&key), request.alg, &digest, now);
        let done = self.write(work).await?;
        Ok(self.result(&done.name, &done.version, &done.result))
    }

    pub(super) async fn verify(&self, key: Target, request: VerifyRequest) -> Answer {
        let digest = base64_any(&request.digest).ok_or_else(|| no_base64("digest"))?;
        let signature = base64_any(&request.value).ok_or_else(|| no_base64("value"))?;
        let work = move |vault: &Vault, caller: &Caller, now| {
            vault.verify(caller, at(&key), request.alg, (&digest, &signature), now)
        };
        let done = self.write(work).await?;
        Ok(json_answer(StatusCode::OK, &VerifyResult { value: done.result }))
    }

    fn result(&self, name: &ObjectName, version: &ObjectVersion, bytes: &[u8]) -> http::Response<crate::body::Content> {
        let kid = self.ids.object(ObjectKind::Keys, &format!("{name}/{version}"));
        json_answer(StatusCode::OK, &KeyOperationResult { kid, value: Some(Secret::from(base64url(bytes))) })
    }
}

fn no_base64(member: &str) -> Problem {
    Problem::bad_parameter(format!("The property \"{member}\" must be base64url text."))
}
