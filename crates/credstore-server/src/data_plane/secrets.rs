//! What only secrets have on the wire: their messages, get and set.

use std::borrow::Cow;

use credstore_protocol::key_vault::certificates::CertificateForm;
use credstore_protocol::key_vault::{
    DeletedSecret, SecretAttributes, SecretBundle, SecretItem, SecretProperties, SetSecret,
};
use credstore_protocol::{ApiVersion, SecretName};
use credstore_vault::access::ObjectKind;
use credstore_vault::certificates::converted;
use credstore_vault::{DeletedRecord, OpenSecret, SecretRecord, Secrets};
use http::StatusCode;

use super::ids::Ids;
use super::objects::{Messages, read_version};
use super::problem::Problem;
use super::{Answer, Call};
use crate::outcome::json_answer;

impl Messages for Secrets {
    type Change = SecretProperties;
    type Bundle = SecretBundle;
    type Item = SecretItem;
    type Deleted = DeletedSecret;
    type DeletedItem = DeletedSecret;

    fn bundle(ids: &Ids, record: SecretRecord) -> SecretBundle {
        SecretBundle {
            id: ids.version(&record),
            attributes: attributes(&record),
            value: None,
            kid: record.managed.then(|| ids.object(ObjectKind::Keys, &format!("{}/{}", record.name, record.version))),
            managed: record.managed.then_some(true),
            content_type: record.content.content_type,
            tags: record.tags,
        }
    }

    fn item(ids: &Ids, record: SecretRecord) -> SecretItem {
        let last_read = record.last_read;
        let mut item = SecretItem { id: ids.unversioned(&record), ..Self::version_item(ids, record) };
        item.attributes.last_read = last_read;
        item
    }

    fn version_item(ids: &Ids, record: SecretRecord) -> SecretItem {
        SecretItem {
            id: ids.version(&record),
            attributes: attributes(&record),
            managed: record.managed.then_some(true),
            content_type: record.content.content_type,
            tags: record.tags,
        }
    }

    fn deleted(ids: &Ids, record: DeletedRecord<Self>) -> DeletedSecret {
        DeletedSecret {
            recovery_id: ids.recovery(&record),
            deleted_date: record.deleted,
            scheduled_purge_date: record.scheduled_purge,
            secret: Self::version_item(ids, record.object),
        }
    }

    fn deleted_item(ids: &Ids, record: DeletedRecord<Self>) -> DeletedSecret {
        let id = ids.unversioned(&record.object);
        let mut deleted = Self::deleted(ids, record);
        deleted.secret.id = id;
        deleted
    }
}

fn attributes(record: &SecretRecord) -> SecretAttributes {
    SecretAttributes {
        enabled: Some(record.enabled),
        nbf: record.nbf,
        exp: record.exp,
        created: Some(record.created),
        updated: Some(record.updated),
        recovery_level: Some(Cow::Borrowed(record.retention.level)),
        recoverable_days: Some(record.retention.days),
        last_read: None,
    }
}

fn is_in(secret: &OpenSecret, form: CertificateForm) -> bool {
    secret.record.content.content_type.as_deref() == Some(form.as_str())
}

impl Call<'_> {
    pub(super) async fn get_secret(&self, name: &SecretName, version: Option<&str>) -> Answer {
        let form = self.wanted_form()?;
        let version = read_version::<Secrets>(name, version)?;
        let version = version.as_ref();
        let secret = match self.caller.object_id == self.app.installation().operator().object_id {
            true => self.vault.secret_unnoted(&self.caller, name, version),
            false => self.vault.secret(&self.caller, name, version, self.now),
        };
        let mut secret = secret.map_err(self.explain())?;
        // Only what backs a certificate has another form.
        if let Some(form) = form.filter(|form| secret.record.managed && !is_in(&secret, *form)) {
            let value = secret.value;
            let converted = self.app.aside(move |_| converted(&value, form)).await.map_err(|_| Problem::internal())?;
            secret.value = converted.map_err(|error| self.explain()(error.into()))?;
            secret.record.content.content_type = Some(form.as_str().to_owned());
        }
        Ok(self.open(secret))
    }

    /// `outContentType`, which clients of older versions do not know.
    fn wanted_form(&self) -> Result<Option<CertificateForm>, Problem> {
        match self.query.get("outContentType").filter(|_| self.version >= ApiVersion::V2025_07_01) {
            None => Ok(None),
            Some("PFX") => Ok(Some(CertificateForm::Pkcs12)),
            Some("PEM") => Ok(Some(CertificateForm::Pem)),
            Some(_) => Err(Problem::bad_parameter("The value of outContentType must be 'PFX' or 'PEM'.")),
        }
    }

    pub(super) async fn set_secret(&self, name: SecretName, set: SetSecret) -> Answer {
        // The write that comes in numbers: no thread is held while it waits for the disk.
        let _turn = self.app.turn_to_write().await.map_err(|_| Problem::internal())?;
        let secret = self.vault.set_secret_async(&self.caller, &name, set, self.now).await.map_err(self.explain())?;
        Ok(self.open(secret))
    }

    fn open(&self, secret: OpenSecret) -> http::Response<crate::body::Content> {
        let bundle = SecretBundle { value: Some(secret.value), ..Secrets::bundle(self.ids, secret.record) };
        json_answer(StatusCode::OK, &bundle)
    }
}
