//! The certificates of a vault as a kind of object: what a version holds, and what the certificate has besides.
//!
//! A certificate leads: with each version go a key and a secret of the same name and version, which hold the private half
//! and the form that applications download. What is sealed with a version here is the chain, which is public.

use credstore_protocol::key_vault::Tags;
use credstore_protocol::key_vault::certificates::{
    CertificateAttributes, CertificateForm, CertificatePolicy, IssuerParameters, OperationStatus, UpdateCertificate,
};
use credstore_protocol::key_vault::keys::JsonWebKey;
use credstore_protocol::{ObjectName, ObjectVersion, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Chain, Policy, pfx};
use crate::access::{Caller, ObjectKind, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::objects::limits::bad;
use crate::objects::{ATTEMPTS, Change, Head, ObjectRecord, ObjectType, Rows, Slot, moved, not_found};
use crate::seal::{hex16, kind};
use crate::storage::{Batch, Expected};
use crate::vaults::Vault;

/// The certificates of a vault, as a kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificates {}

/// What a version of a certificate holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateContent {
    /// The leaf in standard base64; none until somebody has signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cer: Option<String>,
    /// SHA-1 of the leaf, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    /// Form of the secret.
    pub form: CertificateForm,
}

/// What a certificate has besides its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStanding {
    /// By what the next version is made: complete, with its times, without an identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<CertificatePolicy>,
    /// The last creation, until somebody deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

impl CertificateStanding {
    /// Sets the policy; its first one began when it was set.
    pub(super) fn set_policy(&mut self, policy: &Policy, now: Timestamp) {
        let before = self.policy.as_ref().and_then(|policy| policy.attributes.as_ref());
        let attributes = CertificateAttributes {
            enabled: Some(true),
            created: before.and_then(|before| before.created).or(Some(now)),
            updated: before.and_then(|before| before.updated).map(|before| moved(before, now)).or(Some(now)),
            ..CertificateAttributes::default()
        };
        self.policy = Some(CertificatePolicy { attributes: Some(attributes), ..policy.to_wire() });
    }

    /// The policy with the members of `change` in place of its own.
    pub(super) fn change_policy(&mut self, change: &CertificatePolicy, now: Timestamp) -> Result<(), VaultError> {
        let whole = self.policy.clone().unwrap_or_default();
        let changed = Policy::changed(whole, change)?;
        self.set_policy(&changed, now);
        Ok(())
    }
}

/// A creation: under way, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The version that it makes. Its key lies where the keys of versions lie.
    #[serde(with = "hex16")]
    pub(crate) version: [u8; 16],
    /// 32 hexadecimal digits.
    pub request_id: String,
    /// What was said about the issuer.
    pub issuer: IssuerParameters,
    /// The request that an issuer signs: PKCS#10 in standard base64.
    pub csr: String,
    /// The public half of its key.
    pub(super) key: JsonWebKey,
    /// Whether it is under way.
    pub status: OperationStatus,
    /// Whether somebody has asked to cancel it.
    pub cancellation_requested: bool,
    /// Form of the secret to be.
    pub(super) form: CertificateForm,
    /// Whether the secret will carry the private key.
    pub(super) exportable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Tags>,
}

/// One version of a certificate.
pub type CertificateRecord = ObjectRecord<Certificates>;

impl ObjectType for Certificates {
    const KIND: ObjectKind = ObjectKind::Certificates;
    const NOUN: &'static str = "certificate";
    const MATERIAL: &'static str = "chain";
    const ROWS: Rows = Rows {
        live: kind::CERTIFICATE,
        deleted: kind::DELETED_CERTIFICATE,
        version: kind::CERTIFICATE_VERSION,
        material: kind::CERTIFICATE_CHAIN,
    };
    const READS_ARE_NOTED: bool = false;
    const BACKUP: &'static [u8; 16] = b"certificate bak1";
    const BACKUP_SCOPE: &'static [u8] = b"certificate";
    const LEADS: bool = true;

    type Content = CertificateContent;
    type Standing = CertificateStanding;
    /// The policy.
    type Update = Option<CertificatePolicy>;

    fn fits(content: &CertificateContent, material: &[u8]) -> bool {
        chain_of_bytes(material).is_some_and(|chain| content.cer.as_deref() == Some(&chain.cer()))
    }

    fn is_complete(content: &CertificateContent) -> bool {
        content.cer.is_some()
    }

    fn change(
        _content: &mut CertificateContent,
        standing: Option<&mut CertificateStanding>,
        policy: Option<CertificatePolicy>,
        now: Timestamp,
    ) -> Result<(), VaultError> {
        match (policy, standing) {
            (None, _) => Ok(()),
            (Some(policy), Some(standing)) => standing.change_policy(&policy, now),
            (Some(_), None) => {
                Err(bad("The policy belongs to the certificate and cannot be updated on one version.".to_owned()))
            }
        }
    }

    /// The key of what is under way is not in a backup, so neither is the request.
    fn lasting(standing: &CertificateStanding) -> CertificateStanding {
        CertificateStanding { policy: standing.policy.clone(), pending: None }
    }
}

impl Change<Certificates> {
    /// The times of a certificate are those in it, whatever a request says.
    pub(super) fn of(
        policy: Option<CertificatePolicy>,
        tags: Option<Tags>,
        attributes: Option<&CertificateAttributes>,
    ) -> Self {
        let enabled = attributes.and_then(|attributes| attributes.enabled);
        Self { tags, enabled, nbf: None, exp: None, update: policy }
    }
}

impl From<UpdateCertificate> for Change<Certificates> {
    fn from(update: UpdateCertificate) -> Self {
        Self::of(update.policy, update.tags, update.attributes.as_ref())
    }
}

/// The certificates one after the other, leaf first, as a version seals them.
pub(super) fn bytes_of_chain(chain: &Chain) -> Vec<u8> {
    chain.certificates().concat()
}

/// What [`bytes_of_chain`] made.
pub(super) fn chain_of_bytes(mut bytes: &[u8]) -> Option<Chain> {
    let mut certificates = Vec::new();
    while !bytes.is_empty() {
        let (_, _, rest) = pfx::element(bytes)?;
        certificates.push(bytes[..bytes.len() - rest.len()].to_vec());
        bytes = rest;
    }
    Chain::of(certificates).ok()
}

impl Vault {
    /// A certificate: the current version, or exactly `version`. Permission: `certificates get`. A disabled one is shown
    /// too, and one that is still pending.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Get Certificate"; contract section 8.
    pub fn certificate(
        &self,
        caller: &Caller,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
    ) -> Result<CertificateRecord, VaultError> {
        let operation = Operation::Object(ObjectKind::Certificates, ObjectOperation::Get);
        self.shown_certificate(caller, operation, (name, version))
    }

    pub(super) fn shown_certificate(
        &self,
        caller: &Caller,
        operation: Operation,
        (name, version): (&ObjectName, Option<&ObjectVersion>),
    ) -> Result<CertificateRecord, VaultError> {
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<Certificates>::of(&self.inner, name);
        let (head, properties) = slot.properties(name, version)?;
        slot.record(&head, properties, state.retention)
    }

    /// The policy of a certificate. Permission: `certificates get`.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Get Certificate Policy".
    pub fn certificate_policy(&self, caller: &Caller, name: &ObjectName) -> Result<CertificateRecord, VaultError> {
        self.shown_certificate(caller, Operation::GetCertificatePolicy, (name, None))
    }

    /// Changes the policy, for the next version on: the members that are given take the place of those that were.
    /// Permission: `certificates update`.
    ///
    /// # Errors
    /// [`VaultError::ObjectNotFound`], [`VaultError::Certificate`], [`VaultError::Denied`].
    ///
    /// Source: Key Vault data plane, "Update Certificate Policy".
    pub fn update_certificate_policy(
        &self,
        caller: &Caller,
        name: &ObjectName,
        change: &CertificatePolicy,
        now: Timestamp,
    ) -> Result<CertificateRecord, VaultError> {
        let operation = Operation::UpdateCertificatePolicy;
        let change = |head: &mut Head<Certificates>| head.standing.change_policy(change, now);
        self.rewrite_certificate(caller, operation, name, |_, _, head| change(head)).map(|(record, ())| record)
    }

    /// Rewrites the first row of a certificate. `change` may add to the batch.
    pub(super) fn rewrite_certificate<T>(
        &self,
        caller: &Caller,
        operation: Operation,
        name: &ObjectName,
        change: impl Fn(&mut Batch, &Slot<'_, Certificates>, &mut Head<Certificates>) -> Result<T, VaultError>,
    ) -> Result<(CertificateRecord, T), VaultError> {
        let slot = Slot::<Certificates>::of(&self.inner, name);
        for _ in 0..ATTEMPTS {
            let state = self.allow_on(caller, operation, Some(name.as_str()))?;
            let (mut head, revision) = slot.live()?.ok_or_else(|| not_found::<Certificates>(name, None))?;
            let mut batch = slot.batch();
            batch.expect(slot.live_key(), Expected::Revision(revision));
            let told = change(&mut batch, &slot, &mut head)?;
            slot.put_live(&mut batch, &head)?;
            if slot.commit(batch)? {
                return Ok((slot.current_record(head, state.retention)?, told));
            }
        }
        Err(VaultError::Busy)
    }
}
