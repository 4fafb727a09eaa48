//! The issuers and contacts of a vault.
//!
//! An issuer whose provider is [`PROVIDER_INSIDE`] is an authority of the vault's own: it signs at once. Any other is kept
//! and given back, and nothing is issued by it, because the vault talks to nobody outside. The password of an account is
//! not kept, since nothing would read it.
//!
//! Source: Key Vault data plane, "Set", "Update", "Get", "Delete Certificate Issuer" and "Certificate Contacts"; contract
//! section 8.

use credstore_protocol::encoding::{base64_any, base64_standard};
use credstore_protocol::key_vault::certificates::{
    Contact, Contacts, IssuerAttributes, Organization, PROVIDER_INSIDE, SetIssuer,
};
use credstore_protocol::{ObjectName, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CertificateError, Chain, IssuingAuthority};
use crate::access::{Caller, Operation};
use crate::error::VaultError;
use crate::keys::{KeyMaterial, KeyShape};
use crate::objects::limits::bad;
use crate::objects::{ATTEMPTS, Page, PageToken, moved};
use crate::seal::{Place, kind};
use crate::storage::{Batch, Expected, Revision, Row};
use crate::vaults::{Vault, prefixed};

/// Most issuers of a vault. Ours: lists and renewals open every one.
pub const ISSUERS_MAX: usize = 100;
/// Most contacts of a vault. Ours.
pub const CONTACTS_MAX: usize = 100;
/// Most administrators of an issuer. Ours.
pub const ADMINISTRATORS_MAX: usize = 20;
/// Longest text about an issuer or a contact in characters. Ours: that of a tag.
pub const ISSUER_TEXT_MAX: usize = 512;

/// What a contact's row is found by: a vault has one.
const CONTACTS: [u8; 16] = [0; 16];

/// An issuer of a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Name as it was set first.
    pub name: String,
    /// Kind of issuer.
    pub provider: String,
    /// Name of the account there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// Whom it acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// The authority's certificate in standard base64, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

impl Issuer {
    /// The certificate of an authority inside the vault, in standard base64.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }
}

/// The key of an issuer's row, and what is in it.
type StoredIssuer = (Vec<u8>, Option<(Issuer, Revision)>);

fn too_long(text: Option<&String>) -> bool {
    text.is_some_and(|text| text.chars().count() > ISSUER_TEXT_MAX)
}

fn check_texts<'a>(texts: impl IntoIterator<Item = Option<&'a String>>) -> Result<(), VaultError> {
    match texts.into_iter().any(too_long) {
        true => Err(bad(format!("No text about an issuer or a contact must exceed {ISSUER_TEXT_MAX} characters."))),
        false => Ok(()),
    }
}

fn check(set: &SetIssuer) -> Result<(), VaultError> {
    let account = set.credentials.as_ref().and_then(|credentials| credentials.account_id.as_ref());
    check_texts([set.provider.as_ref(), account])?;
    let Some(organization) = &set.org_details else { return Ok(()) };
    check_texts([organization.id.as_ref()])?;
    let administrators = organization.admin_details.as_deref().unwrap_or_default();
    if administrators.len() > ADMINISTRATORS_MAX {
        return Err(bad(format!("An issuer must not have more than {ADMINISTRATORS_MAX} administrators.")));
    }
    check_texts(
        administrators
            .iter()
            .flat_map(|one| [one.first_name.as_ref(), one.last_name.as_ref(), one.email.as_ref(), one.phone.as_ref()]),
    )
}

/// Whether a request makes an issuer or changes one that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerWrite {
    /// `PUT`
    Set,
    /// `PATCH`
    Update,
}

impl Vault {
    fn row_of(&self, kind: u8, tag: &[u8; 16]) -> Vec<u8> {
        let mut key = prefixed(kind, self.inner.key.owner());
        key.extend_from_slice(tag);
        key
    }

    fn issuer_row(&self, name: &ObjectName) -> ([u8; 16], Vec<u8>) {
        let tag = self.inner.key.tag(&name.canonical());
        (tag, self.row_of(kind::ISSUER, &tag))
    }

    fn opened_issuer(&self, key: &[u8], row: &Row) -> Result<Issuer, VaultError> {
        Ok(self.inner.key.opened_record(key, "an issuer of certificates", row)?)
    }

    fn stored_issuer(&self, name: &ObjectName) -> Result<StoredIssuer, VaultError> {
        let (_, key) = self.issuer_row(name);
        let found = match self.inner.key.storage().get(&key)? {
            Some(row) => Some((self.opened_issuer(&key, &row)?, row.revision)),
            None => None,
        };
        Ok((key, found))
    }

    /// An empty batch that is refused when the vault has gone.
    fn vault_batch(&self) -> Batch {
        let mut batch = Batch::default();
        batch.expect(self.inner.row.clone(), Expected::Present);
        batch
    }

    fn commit_of_vault(&self, batch: Batch) -> Result<bool, VaultError> {
        crate::objects::unless_conflicting(self.inner.key.storage().commit(batch))
    }

    /// Makes an issuer or changes it. One whose provider is [`PROVIDER_INSIDE`] gets a key and a certificate of its own,
    /// once, and keeps them. Permission: `certificates setissuers`.
    ///
    /// # Errors
    /// [`VaultError::IssuerNotFound`] for an update, [`VaultError::BadParameter`], [`VaultError::Denied`].
    pub fn set_issuer(
        &self,
        caller: &Caller,
        name: &ObjectName,
        (write, set): (IssuerWrite, SetIssuer),
        now: Timestamp,
    ) -> Result<Issuer, VaultError> {
        let operation = match write {
            IssuerWrite::Set => Operation::SetIssuer,
            IssuerWrite::Update => Operation::UpdateIssuer,
        };
        self.allow(caller, operation)?;
        check(&set)?;
        for _ in 0..ATTEMPTS {
            self.allow(caller, operation)?;
            let (key, found) = self.stored_issuer(name)?;
            let mut batch = self.vault_batch();
            let before = match (&found, write) {
                (Some((issuer, revision)), _) => {
                    batch.expect(key.clone(), Expected::Revision(*revision));
                    Some(issuer)
                }
                (None, IssuerWrite::Update) => return Err(VaultError::IssuerNotFound),
                (None, IssuerWrite::Set) => {
                    self.require_room_for_issuer()?;
                    batch.expect(key.clone(), Expected::Absent);
                    None
                }
            };
            let mut issuer = changed(name, before, write, &set, now)?;
            if issuer.provider == PROVIDER_INSIDE && issuer.certificate.is_none() {
                issuer.certificate = Some(self.put_authority(&mut batch, name, now)?);
            }
            batch.put(key.clone(), self.inner.key.sealed_record(&key, "an issuer of certificates", &issuer)?);
            if self.commit_of_vault(batch)? {
                return Ok(issuer);
            }
        }
        Err(VaultError::Busy)
    }

    fn require_room_for_issuer(&self) -> Result<(), VaultError> {
        let rows = self.inner.key.storage().scan(&prefixed(kind::ISSUER, self.inner.key.owner()), None, ISSUERS_MAX)?;
        match rows.len() < ISSUERS_MAX {
            true => Ok(()),
            false => Err(bad(format!("A vault must not have more than {ISSUERS_MAX} issuers."))),
        }
    }

    /// A new authority whose key is in the batch; its certificate in base64.
    fn put_authority(&self, batch: &mut Batch, name: &ObjectName, now: Timestamp) -> Result<String, VaultError> {
        let authority = IssuingAuthority::create(&format!("{name} of {}", self.name()), now)?;
        let pkcs8 = authority.key().pkcs8().map_err(|_| CertificateError::Library)?;
        let (tag, _) = self.issuer_row(name);
        let sealed = self.inner.key.seal(Place::named(kind::ISSUER_KEY, &tag), &pkcs8)?;
        batch.put(self.row_of(kind::ISSUER_KEY, &tag), sealed);
        Ok(base64_standard(authority.certificate().leaf()))
    }

    /// One issuer. Permission: `certificates getissuers`.
    ///
    /// # Errors
    /// [`VaultError::IssuerNotFound`], [`VaultError::Denied`].
    pub fn issuer(&self, caller: &Caller, name: &ObjectName) -> Result<Issuer, VaultError> {
        self.allow(caller, Operation::GetIssuer)?;
        let (_, found) = self.stored_issuer(name)?;
        found.map(|(issuer, _)| issuer).ok_or(VaultError::IssuerNotFound)
    }

    /// A page of issuers. Permission: `certificates listissuers`.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn issuers(
        &self,
        caller: &Caller,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<Page<Issuer>, VaultError> {
        self.allow(caller, Operation::ListIssuers)?;
        let (rows, next) = self.page(prefixed(kind::ISSUER, self.inner.key.owner()), after, limit)?;
        let issuers = rows.iter().map(|(key, row)| self.opened_issuer(key, row)).collect::<Result<_, _>>()?;
        Ok((issuers, next))
    }

    /// Takes an issuer away, with the key of an authority inside: certificates that it has signed stay, and are renewed by
    /// it no more. Permission: `certificates deleteissuers`.
    ///
    /// # Errors
    /// [`VaultError::IssuerNotFound`], [`VaultError::Denied`].
    pub fn delete_issuer(&self, caller: &Caller, name: &ObjectName) -> Result<Issuer, VaultError> {
        for _ in 0..ATTEMPTS {
            self.allow(caller, Operation::DeleteIssuer)?;
            let (key, found) = self.stored_issuer(name)?;
            let (issuer, revision) = found.ok_or(VaultError::IssuerNotFound)?;
            let (tag, _) = self.issuer_row(name);
            let mut batch = self.vault_batch();
            batch.expect(key.clone(), Expected::Revision(revision));
            batch.delete(key);
            batch.delete(self.row_of(kind::ISSUER_KEY, &tag));
            if self.commit_of_vault(batch)? {
                return Ok(issuer);
            }
        }
        Err(VaultError::Busy)
    }

    /// The authority that an issuer's name in a policy stands for.
    pub(super) fn issuing_authority(&self, issuer: &str) -> Result<IssuingAuthority, VaultError> {
        let refused = |why: String| bad(format!("Property policy.issuer has invalid value. {why}"));
        let name: ObjectName = issuer.parse().map_err(|_| refused(format!("'{issuer}' is no name of an issuer.")))?;
        let (_, found) = self.stored_issuer(&name)?;
        let (issuer, _) = found.ok_or_else(|| refused(format!("The issuer '{name}' was not found.")))?;
        if !issuer.enabled {
            return Err(refused(format!("The issuer '{name}' is disabled.")));
        }
        let Some(certificate) = issuer.certificate.as_deref().filter(|_| issuer.provider == PROVIDER_INSIDE) else {
            return Err(refused(format!(
                "The issuer '{name}' is of provider '{}', which this vault cannot ask. Use the issuer 'Unknown' and merge \
                 what it signs, or an issuer of provider '{PROVIDER_INSIDE}'.",
                issuer.provider
            )));
        };
        let damaged = || crate::error::StoreFailure::damaged(format!("the authority {name} of vault {}", self.name()));
        let (tag, _) = self.issuer_row(&name);
        let row = self.inner.key.storage().get(&self.row_of(kind::ISSUER_KEY, &tag))?.ok_or_else(damaged)?;
        let pkcs8 = self.inner.key.open(Place::named(kind::ISSUER_KEY, &tag), &row.value).map_err(|_| damaged())?;
        let certificate = Chain::of(vec![base64_any(certificate).ok_or_else(damaged)?]).map_err(|_| damaged())?;
        let shape = KeyShape::Ec(super::authority::CURVE);
        let key = KeyMaterial::open(shape, &pkcs8).map_err(|_| damaged())?;
        IssuingAuthority::open(key, certificate).map_err(|_| damaged().into())
    }

    /// The contacts of the vault. Permission: `certificates managecontacts`.
    ///
    /// # Errors
    /// [`VaultError::ContactsNotFound`] when there are none, [`VaultError::Denied`].
    pub fn contacts(&self, caller: &Caller) -> Result<Vec<Contact>, VaultError> {
        self.allow(caller, Operation::GetContacts)?;
        let key = self.row_of(kind::CONTACTS, &CONTACTS);
        let row = self.inner.key.storage().get(&key)?.ok_or(VaultError::ContactsNotFound)?;
        Ok(self.inner.key.opened_record(&key, "the contacts of a vault", &row)?)
    }

    /// Replaces the contacts. Permission: `certificates managecontacts`.
    ///
    /// # Errors
    /// [`VaultError::BadParameter`], [`VaultError::Denied`].
    pub fn set_contacts(&self, caller: &Caller, contacts: Contacts) -> Result<Vec<Contact>, VaultError> {
        self.allow(caller, Operation::SetContacts)?;
        let contacts = contacts.list;
        if contacts.is_empty() || contacts.len() > CONTACTS_MAX {
            return Err(bad(format!("There must be 1 to {CONTACTS_MAX} contacts.")));
        }
        if contacts.iter().any(|contact| contact.email.as_deref().is_none_or(str::is_empty)) {
            return Err(bad("Each contact must have an e-mail address.".to_owned()));
        }
        check_texts(contacts.iter().flat_map(|one| [one.email.as_ref(), one.name.as_ref(), one.phone.as_ref()]))?;
        let key = self.row_of(kind::CONTACTS, &CONTACTS);
        let mut batch = self.vault_batch();
        batch.put(key.clone(), self.inner.key.sealed_record(&key, "the contacts of a vault", &contacts)?);
        match self.commit_of_vault(batch)? {
            true => Ok(contacts),
            false => Err(VaultError::VaultNotFound(self.name())),
        }
    }

    /// Takes the contacts away and answers who they were. Permission: `certificates managecontacts`.
    ///
    /// # Errors
    /// [`VaultError::ContactsNotFound`], [`VaultError::Denied`].
    pub fn delete_contacts(&self, caller: &Caller) -> Result<Vec<Contact>, VaultError> {
        let key = self.row_of(kind::CONTACTS, &CONTACTS);
        for _ in 0..ATTEMPTS {
            self.allow(caller, Operation::DeleteContacts)?;
            let row = self.inner.key.storage().get(&key)?.ok_or(VaultError::ContactsNotFound)?;
            let contacts = self.inner.key.opened_record(&key, "the contacts of a vault", &row)?;
            let mut batch = self.vault_batch();
            batch.expect(key.clone(), Expected::Revision(row.revision));
            batch.delete(key.clone());
            if self.commit_of_vault(batch)? {
                return Ok(contacts);
            }
        }
        Err(VaultError::Busy)
    }
}

/// The issuer as a request makes it of the one before. An authority stays the same until the issuer is deleted, even when
/// the provider was another for a while: what it has signed is trusted somewhere.
fn changed(
    name: &ObjectName,
    before: Option<&Issuer>,
    write: IssuerWrite,
    set: &SetIssuer,
    now: Timestamp,
) -> Result<Issuer, VaultError> {
    let kept = before.filter(|_| write == IssuerWrite::Update);
    let provider = set.provider.clone().or(kept.map(|issuer| issuer.provider.clone()));
    let provider = provider.filter(|provider| !provider.is_empty());
    let provider = provider.ok_or_else(|| bad("The property \"provider\" is required for an issuer.".to_owned()))?;
    let attributes: IssuerAttributes = set.attributes.unwrap_or_default();
    let account_id = set.credentials.as_ref().and_then(|credentials| credentials.account_id.clone());
    Ok(Issuer {
        name: before.map_or_else(|| name.as_str().to_owned(), |issuer| issuer.name.clone()),
        provider,
        account_id: account_id.or(kept.and_then(|issuer| issuer.account_id.clone())),
        organization: set.org_details.clone().or(kept.and_then(|issuer| issuer.organization.clone())),
        enabled: attributes.enabled.unwrap_or(kept.is_none_or(|issuer| issuer.enabled)),
        created: before.map_or(now, |issuer| issuer.created),
        updated: before.map_or(now, |issuer| moved(issuer.updated, now)),
        certificate: before.and_then(|issuer| issuer.certificate.clone()),
    })
}
