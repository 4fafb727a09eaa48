//! Records of the vault as messages of the data plane. Identifiers are URLs of the vault the client asked.

use std::borrow::Cow;

use credstore_protocol::VaultName;
use credstore_protocol::key_vault::{DeletedSecret, SecretAttributes, SecretBundle, SecretItem};
use credstore_vault::{DeletedRecord, SecretRecord};

use crate::names::LOCATION;
use crate::site::Site;

/// Makes identifiers of one vault.
pub(super) struct Ids<'a> {
    /// `{vault}.vault.…`, with the port unless it is 443.
    host: String,
    vault: &'a VaultName,
    /// Where the vault is said to be; only a denial asks.
    location: Cow<'static, str>,
}

impl<'a> Ids<'a> {
    pub(super) fn new(site: &Site, vault: &'a VaultName) -> Self {
        Self { host: site.vault_host(vault), vault, location: Cow::Borrowed(LOCATION) }
    }

    /// The same, for the texts about a vault that is elsewhere.
    pub(super) fn located(self, location: String) -> Self {
        Self { location: Cow::Owned(location), ..self }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// The host without a port.
    pub(super) fn host_name(&self) -> &str {
        self.host.split_once(':').map_or(&self.host, |(name, _)| name)
    }

    pub(super) fn vault(&self) -> &VaultName {
        self.vault
    }

    /// `https://…/secrets/{path}`
    pub(super) fn secret(&self, path: &str) -> String {
        self.url("/secrets/", path)
    }

    fn version(&self, record: &SecretRecord) -> String {
        self.secret(&[record.name.as_str(), "/", &record.version.to_string()].concat())
    }

    fn url(&self, collection: &str, path: &str) -> String {
        ["https://", &self.host, collection, path].concat()
    }

    /// With the value, when the record has one.
    pub(super) fn bundle(&self, record: SecretRecord) -> SecretBundle {
        SecretBundle {
            id: self.version(&record),
            attributes: attributes(&record),
            value: record.value,
            content_type: record.content_type,
            tags: record.tags,
            kid: None,
            managed: None,
        }
    }

    pub(super) fn bundle_without_value(&self, record: SecretRecord) -> SecretBundle {
        SecretBundle { value: None, ..self.bundle(record) }
    }

    /// An item of a list of secrets: no version in the identifier.
    pub(super) fn item(&self, record: SecretRecord) -> SecretItem {
        SecretItem { id: self.secret(record.name.as_str()), ..self.version_item(record) }
    }

    /// The same with the time of the last read, for who asked for it.
    pub(super) fn item_with_last_read(&self, record: SecretRecord) -> SecretItem {
        let last_read = record.last_read;
        let mut item = self.item(record);
        item.attributes.last_read = last_read;
        item
    }

    /// An item of a list of versions.
    pub(super) fn version_item(&self, record: SecretRecord) -> SecretItem {
        SecretItem {
            id: self.version(&record),
            attributes: attributes(&record),
            content_type: record.content_type,
            tags: record.tags,
            managed: None,
        }
    }

    pub(super) fn deleted(&self, record: DeletedRecord) -> DeletedSecret {
        DeletedSecret {
            recovery_id: self.url("/deletedsecrets/", record.secret.name.as_str()),
            deleted_date: record.deleted,
            scheduled_purge_date: record.scheduled_purge,
            secret: self.version_item(record.secret),
        }
    }

    pub(super) fn deleted_item(&self, record: DeletedRecord) -> DeletedSecret {
        let id = self.secret(record.secret.name.as_str());
        let mut deleted = self.deleted(record);
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
