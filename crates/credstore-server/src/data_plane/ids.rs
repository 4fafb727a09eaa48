//! Identifiers of objects: URLs of the vault the client asked.

use std::borrow::Cow;

use credstore_protocol::VaultName;
use credstore_vault::access::ObjectKind;
use credstore_vault::objects::ObjectType;
use credstore_vault::{DeletedRecord, ObjectRecord};

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

    /// `https://…/{kind}/{path}`
    pub(super) fn object(&self, kind: ObjectKind, path: &str) -> String {
        ["https://", &self.host, "/", kind.as_str(), "/", path].concat()
    }

    /// The identifier of one version.
    pub(super) fn version<K: ObjectType>(&self, record: &ObjectRecord<K>) -> String {
        self.object(K::KIND, &[record.name.as_str(), "/", &record.version.to_string()].concat())
    }

    /// The identifier of an object in a list: no version.
    pub(super) fn unversioned<K: ObjectType>(&self, record: &ObjectRecord<K>) -> String {
        self.object(K::KIND, record.name.as_str())
    }

    /// Where a deleted object is got and recovered.
    pub(super) fn recovery<K: ObjectType>(&self, deleted: &DeletedRecord<K>) -> String {
        ["https://", &self.host, "/deleted", K::KIND.as_str(), "/", deleted.object.name.as_str()].concat()
    }
}
