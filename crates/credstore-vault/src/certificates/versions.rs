//! New versions of certificates: the certificate, its key and its secret in one batch.

use credstore_protocol::key_vault::Tags;
use credstore_protocol::key_vault::certificates::{CertificateForm, OperationStatus};
use credstore_protocol::{ObjectName, Timestamp};

use super::stored::{CertificateContent, CertificateStanding, Certificates, bytes_of_chain};
use super::{CertificateError, CertificateRecord, Chain, secret_value};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::keys::{KeyContent, KeyMaterial, Keys, possible};
use crate::objects::{ATTEMPTS, Former, Head, ObjectType, Properties, Slot, Whole};
use crate::secrets::{SecretContent, Secrets};
use crate::storage::{Batch, Expected};
use crate::vaults::Vault;

/// A version that is about to be made, or, without a chain, asked for.
pub(super) struct Draft<'a> {
    pub(super) version: [u8; 16],
    pub(super) key: &'a KeyMaterial,
    pub(super) chain: Option<&'a Chain>,
    pub(super) form: CertificateForm,
    pub(super) exportable: bool,
    pub(super) enabled: bool,
    pub(super) tags: Option<Tags>,
}

/// A draft with everything that takes long done: what its three versions hold.
pub(super) struct Made<'a> {
    draft: Draft<'a>,
    content: CertificateContent,
    key: KeyContent,
    validity: Option<(Timestamp, Timestamp)>,
    chain_row: Vec<u8>,
    key_row: Vec<u8>,
    secret_row: Vec<u8>,
}

impl<'a> Made<'a> {
    pub(super) fn of(slot: &Slot<'_, Certificates>, draft: Draft<'a>) -> Result<Self, VaultError> {
        let library = |_| VaultError::Certificate(CertificateError::Library);
        let (version, chain) = (&draft.version, draft.chain);
        let exported = Some(draft.key).filter(|_| draft.exportable);
        let value = chain.map(|chain| secret_value(draft.form, exported, chain)).transpose()?;
        let value = value.as_ref().map_or("", |value| value.expose_secret());
        let public = draft.key.public().map_err(library)?;
        Ok(Self {
            content: CertificateContent { cer: chain.map(Chain::cer), x5t: chain.map(Chain::x5t), form: draft.form },
            key: KeyContent { key_ops: possible(public.kty).to_vec(), key: public },
            validity: chain.map(Chain::validity).transpose()?,
            chain_row: slot.sealed_material(version, &chain.map(bytes_of_chain).unwrap_or_default())?,
            key_row: slot.beside::<Keys>().sealed_material(version, &draft.key.pkcs8().map_err(library)?)?,
            secret_row: slot.beside::<Secrets>().sealed_material(version, value.as_bytes())?,
            draft,
        })
    }

    fn properties<K: ObjectType>(&self, content: K::Content, now: Timestamp) -> Properties<K> {
        let mut properties = Properties::new(self.draft.version, content, now);
        properties.enabled = self.draft.enabled && self.draft.chain.is_some();
        properties.tags.clone_from(&self.draft.tags);
        (properties.nbf, properties.exp) = self.validity.unzip();
        properties.managed = K::KIND != Certificates::KIND;
        properties
    }
}

impl Vault {
    /// Writes a version, or the request for one. `standing` looks at what is there, refuses, and says what there will be
    /// besides the versions. Permission: that of `operation`.
    pub(super) fn store_certificate(
        &self,
        caller: &Caller,
        operation: Operation,
        name: &ObjectName,
        made: &Made<'_>,
        standing: impl Fn(Option<&Head<Certificates>>) -> Result<CertificateStanding, VaultError>,
        now: Timestamp,
    ) -> Result<CertificateRecord, VaultError> {
        let slot = Slot::<Certificates>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let state = self.allow_on(caller, operation, Some(name.as_str()))?;
            let live = self.live_or_free(&slot, name, now)?;
            let standing = standing(live.as_ref().map(|(head, _)| head))?;
            let (batch, head) = self.certificate_batch((&slot, name), live, made, standing, now)?;
            if slot.commit(batch)? {
                return slot.current_record(head, state.retention);
            }
        }
        Err(VaultError::Busy)
    }

    /// The writes of [`store_certificate`](Self::store_certificate), and the first row as it will be.
    pub(super) fn certificate_batch(
        &self,
        (slot, name): (&Slot<'_, Certificates>, &ObjectName),
        live: Option<Whole<Certificates>>,
        made: &Made<'_>,
        standing: CertificateStanding,
        now: Timestamp,
    ) -> Result<(Batch, Head<Certificates>), VaultError> {
        let mut batch = slot.batch();
        let (key, secret) = (slot.beside::<Keys>(), slot.beside::<Secrets>());
        let unfinished = live.as_ref().is_some_and(|(head, _)| !Certificates::is_complete(&head.current.content));
        if let Some(forgotten) = live.as_ref().and_then(|(head, _)| unused_key(head)) {
            key.delete_material(&mut batch, &forgotten);
        }
        let mut head = match live {
            // The current version stays until there is another one.
            Some((head, revision)) if made.draft.chain.is_none() && !unfinished => {
                batch.expect(slot.live_key(), Expected::Revision(revision));
                head
            }
            live => {
                let former = if unfinished { Former::Replaced } else { Former::Kept };
                let properties = made.properties::<Certificates>(made.content.clone(), now);
                let head = slot.put_version(&mut batch, name, (live, former), properties)?;
                slot.put_material(&mut batch, &made.draft.version, made.chain_row.clone());
                self.put_companion(&mut batch, (&key, name), former, made.properties(made.key.clone(), now), now)?;
                let content = SecretContent { content_type: Some(made.draft.form.as_str().to_owned()) };
                self.put_companion(&mut batch, (&secret, name), former, made.properties(content, now), now)?;
                secret.put_material(&mut batch, &made.draft.version, made.secret_row.clone());
                head
            }
        };
        key.put_material(&mut batch, &made.draft.version, made.key_row.clone());
        head.standing = standing;
        slot.put_live(&mut batch, &head)?;
        Ok((batch, head))
    }

    fn put_companion<K: ObjectType>(
        &self,
        batch: &mut Batch,
        (slot, name): (&Slot<'_, K>, &ObjectName),
        former: Former,
        properties: Properties<K>,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let live = self.live_or_free(slot, name, now)?;
        if live.as_ref().is_some_and(|(head, _)| !head.current.managed) {
            return Err(VaultError::NameTaken { kind: K::KIND, name: name.clone() });
        }
        let head = slot.put_version(batch, name, (live, former), properties)?;
        slot.put_live(batch, &head)
    }
}

/// The key of a creation that came to nothing, beside the versions: nothing else would take it away.
pub(super) fn unused_key(head: &Head<Certificates>) -> Option<[u8; 16]> {
    let pending = head.standing.pending.as_ref()?;
    let unused = pending.status != OperationStatus::Completed && pending.version != head.current.version;
    unused.then_some(pending.version)
}
