//! Certificates that are made, imported, or completed by what somebody else signed.
//!
//! What the vault can sign itself is complete when the request is answered, in one batch; the answer says that the creation
//! is under way all the same, as Azure's does, and the next look at it that it is completed.
//!
//! Source: Key Vault, "Monitor and manage certificate creation"; contract section 8.

use credstore_protocol::encoding::{base64_standard, hex_lower};
use credstore_protocol::key_vault::certificates::{
    CreateCertificate, ISSUER_SELF, ISSUER_UNKNOWN, ImportCertificate, IssuerParameters, MergeCertificate,
    OperationStatus,
};
use credstore_protocol::key_vault::keys::JsonWebKey;
use credstore_protocol::{ObjectName, Timestamp};
use zeroize::Zeroizing;

use super::stored::{Certificates, Pending};
use super::versions::{Draft, Made, unused_key};
use super::{CertificateError, CertificateRecord, Chain, Policy, import, request_of, self_signed};
use crate::access::{Caller, Operation};
use crate::error::{PendingRefusal, VaultError};
use crate::keys::{KeyMaterial, KeyShape, Keys};
use crate::objects::limits::{bad, check};
use crate::objects::{Change, Head, ObjectType, Properties, Slot};
use crate::random;
use crate::secrets::Secrets;
use crate::vaults::Vault;

/// A creation and the certificate's name.
#[derive(Clone, Debug)]
pub struct CertificateCreation {
    /// Name as it was created.
    pub name: ObjectName,
    /// The creation.
    pub pending: Pending,
}

/// While a creation is under way, nothing else makes a version.
fn require_none_pending(head: Option<&Head<Certificates>>) -> Result<(), VaultError> {
    let pending = head.and_then(|head| head.standing.pending.as_ref());
    match pending.filter(|pending| pending.status == OperationStatus::InProgress) {
        Some(_) => Err(VaultError::Pending(PendingRefusal::UnderWay)),
        None => Ok(()),
    }
}

/// What somebody signed completes a creation that waits for it, or one that came to nothing.
fn require_mergeable(pending: &Pending) -> Result<(), VaultError> {
    match pending.status {
        OperationStatus::InProgress | OperationStatus::Cancelled | OperationStatus::Failed => Ok(()),
        OperationStatus::Completed => {
            let issuer = pending.issuer.name.clone().unwrap_or_default();
            Err(VaultError::Pending(PendingRefusal::Merge { issuer }))
        }
    }
}

fn creation_of(name: &ObjectName, head: &Head<Certificates>) -> Result<Pending, VaultError> {
    head.standing.pending.clone().ok_or_else(|| VaultError::PendingNotFound(name.clone()))
}

/// The creation, when it is the one that the request names.
fn requested(name: &ObjectName, head: &Head<Certificates>, request_id: Option<&str>) -> Result<Pending, VaultError> {
    let pending = creation_of(name, head)?;
    let same = request_id.is_none_or(|id| id.eq_ignore_ascii_case(&pending.request_id));
    if same { Ok(pending) } else { Err(VaultError::PendingNotFound(name.clone())) }
}

impl Vault {
    /// Makes a certificate, or a new version of it: signed at once when its issuer is the vault, else a request that somebody
    /// signs. Permission: `certificates create`.
    ///
    /// # Errors
    /// [`VaultError::Certificate`] for a policy that cannot be; [`VaultError::Pending`] when a creation is under way;
    /// [`VaultError::NameTaken`]; [`VaultError::DeletedButRecoverable`]; [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Create Certificate"; contract section 8.
    pub fn create_certificate(
        &self,
        caller: &Caller,
        name: &ObjectName,
        create: CreateCertificate,
        now: Timestamp,
    ) -> Result<CertificateCreation, VaultError> {
        let operation = Operation::CreateCertificate;
        self.allow_on(caller, operation, Some(name.as_str()))?;
        let change = Change::<Certificates>::of(None, create.tags, create.attributes.as_ref());
        check(&change)?;
        let slot = Slot::<Certificates>::of(&self.inner, name);
        let live = slot.live()?.map(|(head, _)| head);
        require_none_pending(live.as_ref())?;
        self.require_free_name(&slot, name, live.is_some(), now)?;
        let kept = live.as_ref().and_then(|head| head.standing.policy.as_ref());
        let asked = create.policy.as_ref().or(kept);
        let asked =
            asked.ok_or_else(|| bad("The property \"policy\" is required for a new certificate.".to_owned()))?;
        let policy = Policy::checked(asked)?;
        let key = self.key_for(&slot, live.as_ref(), &policy)?;
        let request = request_of(&policy, &key)?;
        let chain = self.signed(&policy, &key, now)?;
        let version = random::bytes();
        let pending = Pending {
            version,
            request_id: hex_lower(&random::bytes::<16>()),
            issuer: IssuerParameters { name: Some(policy.issuer.clone()), ..policy.issuer_words.clone() },
            csr: base64_standard(&request),
            key: key.public().map_err(|_| CertificateError::Library)?,
            status: if chain.is_some() { OperationStatus::Completed } else { OperationStatus::InProgress },
            cancellation_requested: false,
            form: policy.form,
            exportable: policy.exportable,
            enabled: change.enabled,
            tags: change.tags.clone(),
        };
        let (enabled, tags) = (change.enabled.unwrap_or(true), change.tags);
        let (form, exportable, chain) = (policy.form, policy.exportable, chain.as_ref());
        let made = Made::of(&slot, Draft { version, key: &key, chain, form, exportable, enabled, tags })?;
        let standing = |head: Option<&Head<Certificates>>| {
            require_none_pending(head)?;
            let mut standing = head.map(|head| head.standing.clone()).unwrap_or_default();
            standing.set_policy(&policy, now);
            standing.pending = Some(pending.clone());
            Ok(standing)
        };
        let record = self.store_certificate(caller, operation, name, &made, standing, now)?;
        Ok(CertificateCreation { name: record.name, pending })
    }

    /// Takes a certificate that the caller has with its key, PFX or PEM. Permission: `certificates import`.
    ///
    /// # Errors
    /// Those of [`create_certificate`](Self::create_certificate); [`VaultError::Certificate`] also for what cannot be read.
    ///
    /// Source: Key Vault data plane, "Import Certificate"; contract section 8.
    pub fn import_certificate(
        &self,
        caller: &Caller,
        name: &ObjectName,
        request: ImportCertificate,
        now: Timestamp,
    ) -> Result<CertificateRecord, VaultError> {
        let operation = Operation::ImportCertificate;
        self.allow_on(caller, operation, Some(name.as_str()))?;
        let change = Change::<Certificates>::of(None, request.tags.clone(), request.attributes.as_ref());
        check(&change)?;
        let slot = Slot::<Certificates>::of(&self.inner, name);
        let live = slot.live()?.map(|(head, _)| head);
        require_none_pending(live.as_ref())?;
        self.require_free_name(&slot, name, live.is_some(), now)?;
        let imported = import(&request)?;
        let policy = &imported.policy;
        let draft = Draft {
            version: random::bytes(),
            key: &imported.key,
            chain: Some(&imported.chain),
            form: policy.form,
            exportable: policy.exportable,
            enabled: change.enabled.unwrap_or(true),
            tags: change.tags,
        };
        let made = Made::of(&slot, draft)?;
        let standing = |head: Option<&Head<Certificates>>| {
            require_none_pending(head)?;
            let mut standing = head.map(|head| head.standing.clone()).unwrap_or_default();
            standing.set_policy(policy, now);
            standing.pending = None;
            Ok(standing)
        };
        self.store_certificate(caller, operation, name, &made, standing, now)
    }

    /// Completes a creation with what an issuer outside signed on its request. Permission: `certificates create`.
    ///
    /// # Errors
    /// [`VaultError::PendingNotFound`]; [`VaultError::Pending`] when the creation is completed; [`VaultError::Certificate`]
    /// for certificates that cannot be read or are another key's; [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Merge Certificate"; contract section 8.
    pub fn merge_certificate(
        &self,
        caller: &Caller,
        name: &ObjectName,
        merge: MergeCertificate,
        now: Timestamp,
    ) -> Result<CertificateRecord, VaultError> {
        let operation = Operation::MergeCertificate;
        self.allow_on(caller, operation, Some(name.as_str()))?;
        let change = Change::<Certificates>::of(None, merge.tags, merge.attributes.as_ref());
        check(&change)?;
        let slot = Slot::<Certificates>::of(&self.inner, name);
        let (head, _) = slot.live()?.ok_or_else(|| VaultError::PendingNotFound(name.clone()))?;
        let pending = creation_of(name, &head)?;
        require_mergeable(&pending)?;
        let key_slot = slot.beside::<Keys>();
        let sealed = key_slot.own_material(&pending.version)?;
        let key = sealed_key(&key_slot, &pending.version, &pending.key, sealed)?;
        let chain = Chain::merge(&key, &merge.x5c)?;
        let draft = Draft {
            version: pending.version,
            key: &key,
            chain: Some(&chain),
            form: pending.form,
            exportable: pending.exportable,
            enabled: change.enabled.or(pending.enabled).unwrap_or(true),
            tags: change.tags.or(pending.tags.clone()),
        };
        let made = Made::of(&slot, draft)?;
        let standing = |head: Option<&Head<Certificates>>| {
            let head = head.ok_or_else(|| VaultError::PendingNotFound(name.clone()))?;
            let mut standing = head.standing.clone();
            let now_pending = creation_of(name, head)?;
            require_mergeable(&now_pending)?;
            if now_pending.request_id != pending.request_id {
                return Err(VaultError::PendingNotFound(name.clone()));
            }
            standing.pending = Some(Pending { status: OperationStatus::Completed, ..now_pending });
            Ok(standing)
        };
        self.store_certificate(caller, operation, name, &made, standing, now)
    }

    /// The last creation of a certificate. `request_id`, when it is given, must be its own. Permission: `certificates get`.
    ///
    /// # Errors
    /// [`VaultError::PendingNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Get Certificate Operation".
    pub fn certificate_creation(
        &self,
        caller: &Caller,
        name: &ObjectName,
        request_id: Option<&str>,
    ) -> Result<CertificateCreation, VaultError> {
        self.allow_on(caller, Operation::GetCertificateOperation, Some(name.as_str()))?;
        let live = Slot::<Certificates>::of(&self.inner, name).live()?;
        let (head, _) = live.ok_or_else(|| VaultError::PendingNotFound(name.clone()))?;
        let pending = requested(name, &head, request_id)?;
        Ok(CertificateCreation { name: head.name.parse().unwrap_or_else(|_| name.clone()), pending })
    }

    /// Asks to cancel a creation that is under way. Nobody outside signs for the vault, so it always succeeds; the answer
    /// says `inProgress` once more, as Azure's does. Permission: `certificates update`.
    ///
    /// # Errors
    /// [`VaultError::PendingNotFound`]; [`VaultError::Pending`] when it is not under way; [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Update Certificate Operation"; contract section 8.
    pub fn cancel_certificate_creation(
        &self,
        caller: &Caller,
        name: &ObjectName,
        (request_id, cancel): (Option<&str>, bool),
    ) -> Result<CertificateCreation, VaultError> {
        let operation = Operation::UpdateCertificateOperation;
        let rewritten = self.rewrite_certificate(caller, operation, name, |_, _, head| {
            let mut pending = requested(name, head, request_id)?;
            if pending.status != OperationStatus::InProgress {
                return Err(VaultError::Pending(PendingRefusal::Ended));
            }
            if cancel {
                (pending.cancellation_requested, pending.status) = (true, OperationStatus::Cancelled);
            }
            head.standing.pending = Some(pending.clone());
            Ok(Pending { status: OperationStatus::InProgress, ..pending })
        });
        let (record, pending) = rewritten.map_err(without_creation)?;
        Ok(CertificateCreation { name: record.name, pending })
    }

    /// Forgets a creation, whatever its state. A certificate that was never completed stays as it is until it is deleted or
    /// made anew. Permission: `certificates delete`.
    ///
    /// # Errors
    /// [`VaultError::PendingNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Delete Certificate Operation".
    pub fn delete_certificate_creation(
        &self,
        caller: &Caller,
        name: &ObjectName,
        request_id: Option<&str>,
    ) -> Result<CertificateCreation, VaultError> {
        let operation = Operation::DeleteCertificateOperation;
        let rewritten = self.rewrite_certificate(caller, operation, name, |batch, slot, head| {
            let deleted = requested(name, head, request_id)?;
            if let Some(version) = unused_key(head) {
                slot.beside::<Keys>().delete_material(batch, &version);
            }
            head.standing.pending = None;
            Ok(deleted)
        });
        let (record, pending) = rewritten.map_err(without_creation)?;
        Ok(CertificateCreation { name: record.name, pending })
    }

    /// Neither a deleted object nor one that belongs to no certificate has the name. Looked at before a key is made, which
    /// takes long, and by the batch once more.
    fn require_free_name(
        &self,
        slot: &Slot<'_, Certificates>,
        name: &ObjectName,
        live: bool,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        let (key, secret) = (slot.beside::<Keys>(), slot.beside::<Secrets>());
        self.require_no_deleted(slot, name, now)?;
        self.require_no_deleted(&key, name, now)?;
        self.require_no_deleted(&secret, name, now)?;
        let taken = |kind| Err(VaultError::NameTaken { kind, name: name.clone() });
        match live {
            false if key.live()?.is_some() => taken(Keys::KIND),
            false if secret.live()?.is_some() => taken(Secrets::KIND),
            _ => Ok(()),
        }
    }

    /// The key of the next version: the current one's when the policy says so and it is of the right shape, else a new one.
    pub(super) fn key_for(
        &self,
        slot: &Slot<'_, Certificates>,
        head: Option<&Head<Certificates>>,
        policy: &Policy,
    ) -> Result<KeyMaterial, VaultError> {
        let key_slot = slot.beside::<Keys>();
        let complete = head.is_some_and(|head| Certificates::is_complete(&head.current.content));
        if policy.reuse_key
            && complete
            && let Some((current, _)) = key_slot.live()?
        {
            let Properties { version, content, .. } = &current.current;
            let key = sealed_key(&key_slot, version, &content.key, key_slot.material(&current, version)?)?;
            if key.shape() == policy.shape {
                return Ok(key);
            }
        }
        Ok(KeyMaterial::generate(policy.shape).map_err(|_| CertificateError::Library)?)
    }

    /// The certificate that the vault can sign itself; none when somebody outside has to.
    pub(super) fn signed(
        &self,
        policy: &Policy,
        key: &KeyMaterial,
        now: Timestamp,
    ) -> Result<Option<Chain>, VaultError> {
        match policy.issuer.as_str() {
            ISSUER_SELF => Ok(Some(self_signed(policy, key, now)?)),
            ISSUER_UNKNOWN => Ok(None),
            issuer => Ok(Some(self.issuing_authority(issuer)?.issue(policy, key, now)?)),
        }
    }
}

/// A certificate that is not there has no creation either.
fn without_creation(error: VaultError) -> VaultError {
    match error {
        VaultError::ObjectNotFound { name, .. } => VaultError::PendingNotFound(name),
        other => other,
    }
}

/// The key of a version, whose public half is known, of what was sealed for it.
fn sealed_key(
    slot: &Slot<'_, Keys>,
    version: &[u8; 16],
    public: &JsonWebKey,
    opened: Option<Zeroizing<Vec<u8>>>,
) -> Result<KeyMaterial, VaultError> {
    let damaged = || slot.damaged_material(version);
    let opened = opened.ok_or_else(damaged)?;
    KeyMaterial::open(KeyShape::of_public(public).ok_or_else(damaged)?, &opened).map_err(|_| damaged())
}
