//! What only certificates have on the wire: their messages, creations, policies, issuers and contacts.

use std::borrow::Cow;

use credstore_protocol::key_vault::Page;
use credstore_protocol::key_vault::certificates::{
    CertificateAttributes, CertificateBundle, CertificateItem, CertificateOperation, CertificatePolicy, Contact,
    Contacts, CreateCertificate, DeletedCertificate, ISSUER_UNKNOWN, ImportCertificate, IssuerAttributes, IssuerBundle,
    IssuerCredentials, IssuerItem, MergeCertificate, OperationStatus, PendingReference, SetIssuer, UpdateCertificate,
    UpdateCertificateOperation,
};
use credstore_protocol::{ApiVersion, ObjectName};
use credstore_vault::access::ObjectKind;
use credstore_vault::certificates::{CertificateCreation, Issuer, IssuerWrite};
use credstore_vault::{CertificateRecord, Certificates, DeletedRecord};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::ids::Ids;
use super::objects::{Messages, read_version};
use super::problem::Problem;
use super::{Answer, Call};
use crate::body::Content;
use crate::outcome::json_answer;

/// Seconds after which a client looks at a creation again. Source: contract section 8.
const LOOK_AGAIN: HeaderValue = HeaderValue::from_static("10");

impl Messages for Certificates {
    type Change = UpdateCertificate;
    type Bundle = CertificateBundle;
    type Item = CertificateItem;
    type Deleted = DeletedCertificate<CertificateBundle>;
    type DeletedItem = DeletedCertificate<CertificateItem>;

    fn bundle(ids: &Ids, record: CertificateRecord) -> CertificateBundle {
        let versioned = format!("{}/{}", record.name, record.version);
        let pending = record.standing.pending.as_ref();
        CertificateBundle {
            id: ids.version(&record),
            kid: Some(ids.object(ObjectKind::Keys, &versioned)),
            sid: Some(ids.object(ObjectKind::Secrets, &versioned)),
            attributes: attributes(&record),
            pending: pending.map(|_| PendingReference { id: pending_id(ids, &record.name) }),
            policy: record.standing.policy.map(|policy| with_id(ids, &record.name, policy)),
            content_type: Some(record.content.form.as_str().to_owned()),
            x5t: record.content.x5t,
            cer: record.content.cer,
            tags: record.tags,
        }
    }

    fn item(ids: &Ids, record: CertificateRecord) -> CertificateItem {
        CertificateItem { id: ids.unversioned(&record), ..Self::version_item(ids, record) }
    }

    fn version_item(ids: &Ids, record: CertificateRecord) -> CertificateItem {
        let attributes = CertificateAttributes { recovery_level: None, recoverable_days: None, ..attributes(&record) };
        CertificateItem { id: ids.version(&record), x5t: record.content.x5t, attributes, tags: record.tags }
    }

    fn deleted(ids: &Ids, record: DeletedRecord<Self>) -> DeletedCertificate<CertificateBundle> {
        deleted(ids, record, Self::bundle)
    }

    fn deleted_item(ids: &Ids, record: DeletedRecord<Self>) -> DeletedCertificate<CertificateItem> {
        deleted(ids, record, Self::item)
    }

    fn is_pending(record: &CertificateRecord) -> bool {
        record.content.cer.is_none()
    }
}

fn deleted<T>(
    ids: &Ids,
    record: DeletedRecord<Certificates>,
    certificate: impl Fn(&Ids, CertificateRecord) -> T,
) -> DeletedCertificate<T> {
    DeletedCertificate {
        recovery_id: ids.recovery(&record),
        deleted_date: record.deleted,
        scheduled_purge_date: record.scheduled_purge,
        certificate: certificate(ids, record.object),
    }
}

fn attributes(record: &CertificateRecord) -> CertificateAttributes {
    CertificateAttributes {
        enabled: Some(record.enabled),
        nbf: record.nbf,
        exp: record.exp,
        created: Some(record.created),
        updated: Some(record.updated),
        recovery_level: Some(Cow::Borrowed(record.retention.level)),
        recoverable_days: Some(record.retention.days),
    }
}

fn pending_id(ids: &Ids, name: &ObjectName) -> String {
    ids.object(ObjectKind::Certificates, &format!("{name}/pending"))
}

fn with_id(ids: &Ids, name: &ObjectName, policy: CertificatePolicy) -> CertificatePolicy {
    CertificatePolicy { id: Some(ids.object(ObjectKind::Certificates, &format!("{name}/policy"))), ..policy }
}

/// Azure's texts about a creation that is under way. Source: contract section 8.
fn details(creation: &CertificateCreation) -> Option<&'static str> {
    let unknown = creation.pending.issuer.name.as_deref() == Some(ISSUER_UNKNOWN);
    match (creation.pending.status, unknown) {
        (OperationStatus::InProgress, true) => {
            Some("Pending certificate created. Please Perform Merge to complete the request.")
        }
        (OperationStatus::InProgress, false) => Some(
            "Pending certificate created. Certificate request is in progress. This may take some time based on the \
             issuer provider. Please check again later.",
        ),
        (OperationStatus::Completed | OperationStatus::Cancelled | OperationStatus::Failed, _) => None,
    }
}

fn operation(ids: &Ids, creation: CertificateCreation) -> CertificateOperation {
    let status_details = details(&creation).map(Cow::Borrowed);
    let CertificateCreation { name, pending } = creation;
    let completed = pending.status == OperationStatus::Completed;
    CertificateOperation {
        id: pending_id(ids, &name),
        issuer: pending.issuer,
        csr: Some(pending.csr),
        cancellation_requested: pending.cancellation_requested,
        status: pending.status,
        status_details,
        error: None,
        target: completed.then(|| ids.object(ObjectKind::Certificates, name.as_str())),
        request_id: Some(pending.request_id),
    }
}

fn issuer_bundle(ids: &Ids, issuer: Issuer) -> IssuerBundle {
    IssuerBundle {
        id: issuer_id(ids, &issuer),
        provider: Some(issuer.provider),
        credentials: Some(IssuerCredentials { account_id: issuer.account_id }),
        org_details: issuer.organization,
        attributes: IssuerAttributes {
            enabled: Some(issuer.enabled),
            created: Some(issuer.created),
            updated: Some(issuer.updated),
        },
        cer: None,
    }
}

fn issuer_id(ids: &Ids, issuer: &Issuer) -> String {
    ids.object(ObjectKind::Certificates, &format!("issuers/{}", issuer.name))
}

impl Call<'_> {
    fn certificate_answer(&self, record: CertificateRecord) -> Answer {
        Ok(json_answer(StatusCode::OK, &Certificates::bundle(self.ids, record)))
    }

    fn operation_answer(&self, creation: CertificateCreation) -> Answer {
        Ok(json_answer(StatusCode::OK, &operation(self.ids, creation)))
    }

    fn policy_of(&self, record: CertificateRecord) -> Answer {
        let policy = record.standing.policy.unwrap_or_default();
        Ok(json_answer(StatusCode::OK, &with_id(self.ids, &record.name, policy)))
    }

    /// A URL of this vault with the version of the interface that the client speaks.
    fn location(&self, path: &str, more: &str) -> Result<HeaderValue, Problem> {
        let url = self.ids.object(ObjectKind::Certificates, path);
        let version = self.query.get("api-version").unwrap_or(ApiVersion::LATEST.as_str());
        HeaderValue::from_str(&format!("{url}?api-version={version}{more}")).map_err(|_| Problem::internal())
    }

    pub(super) fn get_certificate(&self, name: &ObjectName, version: Option<&str>) -> Answer {
        let version = read_version::<Certificates>(name, version)?;
        let record = self.vault.certificate(&self.caller, name, version.as_ref()).map_err(self.explain())?;
        self.certificate_answer(record)
    }

    /// A creation is answered as accepted, even when it is done: clients look at it again.
    pub(super) async fn create_certificate(&self, name: ObjectName, create: CreateCertificate) -> Answer {
        let create = move |vault: &credstore_vault::Vault, caller: &credstore_vault::Caller, now| {
            vault.create_certificate(caller, &name, create, now)
        };
        let mut creation = self.write(create).await?;
        creation.pending.status = OperationStatus::InProgress;
        let (path, id) = (format!("{}/pending", creation.name), creation.pending.request_id.clone());
        let mut response = json_answer(StatusCode::ACCEPTED, &operation(self.ids, creation));
        response.headers_mut().insert(LOCATION, self.location(&path, &format!("&request_id={id}"))?);
        response.headers_mut().insert(RETRY_AFTER, LOOK_AGAIN);
        Ok(response)
    }

    pub(super) async fn import_certificate(&self, name: ObjectName, import: ImportCertificate) -> Answer {
        let imported = self.write(move |vault, caller, now| vault.import_certificate(caller, &name, import, now));
        self.certificate_answer(imported.await?)
    }

    pub(super) async fn merge_certificate(&self, name: ObjectName, merge: MergeCertificate) -> Answer {
        let merged = self.write(move |vault, caller, now| vault.merge_certificate(caller, &name, merge, now));
        let record = merged.await?;
        let location = self.location(record.name.as_str(), "")?;
        let mut response = json_answer(StatusCode::CREATED, &Certificates::bundle(self.ids, record));
        response.headers_mut().insert(LOCATION, location);
        Ok(response)
    }

    pub(super) fn get_certificate_operation(&self, name: &ObjectName) -> Answer {
        let request_id = self.query.given("request_id");
        let found = self.vault.certificate_creation(&self.caller, name, request_id);
        self.operation_answer(found.map_err(self.explain())?)
    }

    pub(super) async fn update_certificate_operation(
        &self,
        name: ObjectName,
        update: UpdateCertificateOperation,
    ) -> Answer {
        let request_id = self.query.given("request_id").map(str::to_owned);
        let cancelled = self.write(move |vault, caller, _| {
            vault.cancel_certificate_creation(caller, &name, (request_id.as_deref(), update.cancellation_requested))
        });
        self.operation_answer(cancelled.await?)
    }

    pub(super) async fn delete_certificate_operation(&self, name: ObjectName) -> Answer {
        let request_id = self.query.given("request_id").map(str::to_owned);
        let deleted =
            self.write(move |vault, caller, _| vault.delete_certificate_creation(caller, &name, request_id.as_deref()));
        self.operation_answer(deleted.await?)
    }

    pub(super) fn get_certificate_policy(&self, name: &ObjectName) -> Answer {
        self.policy_of(self.vault.certificate_policy(&self.caller, name).map_err(self.explain())?)
    }

    pub(super) async fn update_certificate_policy(&self, name: ObjectName, change: CertificatePolicy) -> Answer {
        let changed =
            self.write(move |vault, caller, now| vault.update_certificate_policy(caller, &name, &change, now));
        self.policy_of(changed.await?)
    }

    fn contacts_answer(&self, list: Vec<Contact>) -> Response<Content> {
        let id = Some(self.ids.object(ObjectKind::Certificates, "contacts"));
        json_answer(StatusCode::OK, &Contacts { id, list })
    }

    pub(super) fn get_contacts(&self) -> Answer {
        Ok(self.contacts_answer(self.vault.contacts(&self.caller).map_err(self.explain())?))
    }

    pub(super) async fn set_contacts(&self, contacts: Contacts) -> Answer {
        let set = self.write(move |vault, caller, _| vault.set_contacts(caller, contacts)).await?;
        Ok(self.contacts_answer(set))
    }

    pub(super) async fn delete_contacts(&self) -> Answer {
        Ok(self.contacts_answer(self.write(|vault, caller, _| vault.delete_contacts(caller)).await?))
    }

    pub(super) fn list_issuers(&self) -> Answer {
        let (after, limit) = self.page()?;
        let (issuers, next) = self.vault.issuers(&self.caller, after.as_ref(), limit).map_err(self.explain())?;
        let item = |issuer: Issuer| IssuerItem { id: issuer_id(self.ids, &issuer), provider: Some(issuer.provider) };
        let value = issuers.into_iter().map(item).collect();
        Ok(json_answer(StatusCode::OK, &Page { value, next_link: self.next("certificates/issuers", next, limit) }))
    }

    pub(super) fn get_issuer(&self, name: &ObjectName, with_certificate: bool) -> Answer {
        let issuer = self.vault.issuer(&self.caller, name).map_err(self.explain())?;
        let cer = issuer.certificate().filter(|_| with_certificate).map(str::to_owned);
        Ok(json_answer(StatusCode::OK, &IssuerBundle { cer, ..issuer_bundle(self.ids, issuer) }))
    }

    pub(super) async fn set_issuer(&self, name: ObjectName, write: IssuerWrite, set: SetIssuer) -> Answer {
        let issuer = self.write(move |vault, caller, now| vault.set_issuer(caller, &name, (write, set), now)).await?;
        Ok(json_answer(StatusCode::OK, &issuer_bundle(self.ids, issuer)))
    }

    pub(super) async fn delete_issuer(&self, name: ObjectName) -> Answer {
        let issuer = self.write(move |vault, caller, _| vault.delete_issuer(caller, &name)).await?;
        Ok(json_answer(StatusCode::OK, &issuer_bundle(self.ids, issuer)))
    }
}
