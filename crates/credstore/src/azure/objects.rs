//! What the client does with every kind of object of a vault: one set of calls, named by the kind.
//!
//! What only secrets have is in [`key_vault`](super::key_vault). Source: contract sections 7
//! to 9.

use std::fmt;

use credstore_protocol::key_vault::certificates::{
    CertificateBundle, CertificateItem, CertificateOperation, CreateCertificate, DeletedCertificate, MergeCertificate,
    UpdateCertificate,
};
use credstore_protocol::key_vault::keys::{DeletedKey, KeyBundle, KeyItem};
use credstore_protocol::key_vault::{BackupBlob, DeletedSecret, Page, SecretBundle, SecretItem};
use credstore_protocol::{ObjectName, ObjectVersion, Secret};
use http::Method;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::door::Ask;
use super::error::AzureError;
use super::key_vault::{BACKUP_ANSWER_MAX, KeyVaultClient, with_version};
use super::retry::When;

/// A kind of object in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// `secrets`
    Secret,
    /// `keys`
    Key,
    /// `certificates`
    Certificate,
}

impl ObjectKind {
    /// The collection's name in URLs and permissions.
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Key => "keys",
            Self::Certificate => "certificates",
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "certificate",
        })
    }
}

/// The messages of one kind of object.
pub trait VaultObject {
    /// Which kind it is.
    const KIND: ObjectKind;
    /// An object with everything about one version.
    type Bundle: DeserializeOwned;
    /// One of a list.
    type Item: DeserializeOwned;
    /// A deleted object.
    type Deleted: DeserializeOwned;
    /// One of a list of deleted ones.
    type DeletedItem: DeserializeOwned;
}

/// Secrets, as a kind of object. Their properties are changed by
/// [`update_secret`](KeyVaultClient::update_secret): it needs another permission.
#[derive(Clone, Copy, Debug)]
pub enum Secrets {}

impl VaultObject for Secrets {
    const KIND: ObjectKind = ObjectKind::Secret;
    type Bundle = SecretBundle;
    type Item = SecretItem;
    type Deleted = DeletedSecret;
    type DeletedItem = DeletedSecret;
}

/// Keys, as a kind of object. What is done with them is in [`keys`](super::keys).
#[derive(Clone, Copy, Debug)]
pub enum Keys {}

impl VaultObject for Keys {
    const KIND: ObjectKind = ObjectKind::Key;
    type Bundle = KeyBundle;
    type Item = KeyItem;
    type Deleted = DeletedKey<KeyBundle>;
    type DeletedItem = DeletedKey<KeyItem>;
}

/// Certificates, as a kind of object.
#[derive(Clone, Copy, Debug)]
pub enum Certificates {}

impl VaultObject for Certificates {
    const KIND: ObjectKind = ObjectKind::Certificate;
    type Bundle = CertificateBundle;
    type Item = CertificateItem;
    type Deleted = DeletedCertificate<CertificateBundle>;
    type DeletedItem = DeletedCertificate<CertificateItem>;
}

pub(super) fn about<O: VaultObject>(
    method: Method,
    path: &str,
    name: &ObjectName,
    permission: &'static str,
) -> Ask<'static> {
    let path = with_version(&format!("/{}/{name}{path}", O::KIND.collection()));
    Ask::new(method, path, permission).of(O::KIND).about(name.as_str())
}

fn about_deleted<O: VaultObject>(method: Method, path: &str, name: &ObjectName, what: &'static str) -> Ask<'static> {
    let path = with_version(&format!("/deleted{}/{name}{path}", O::KIND.collection()));
    Ask::new(method, path, what).of(O::KIND).about(name.as_str())
}

pub(super) fn at(version: Option<&ObjectVersion>) -> String {
    version.map_or_else(|| "/".to_owned(), |version| format!("/{version}"))
}

impl KeyVaultClient {
    /// The current version of an object, or exactly `version`. Permission: Get.
    pub async fn object<O: VaultObject>(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        when: When,
    ) -> Result<O::Bundle, AzureError> {
        self.door().json(about::<O>(Method::GET, &at(version), name, "Get"), when).await
    }

    /// Every object of the kind. Permission: List.
    pub async fn objects<O: VaultObject>(&self, when: When) -> Result<Vec<O::Item>, AzureError> {
        let path = with_version(&format!("/{}", O::KIND.collection()));
        self.door().list::<Page<O::Item>>(Ask::new(Method::GET, path, "List").of(O::KIND), when).await
    }

    /// Every version of an object; none when there is no such object. Permission: List.
    pub async fn object_versions<O: VaultObject>(
        &self,
        name: &ObjectName,
        when: When,
    ) -> Result<Vec<O::Item>, AzureError> {
        self.door().list::<Page<O::Item>>(about::<O>(Method::GET, "/versions", name, "List"), when).await
    }

    /// Changes properties of the current version of a certificate, or of `version`. Permission: Update.
    pub async fn update_certificate(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        update: &UpdateCertificate,
        when: When,
    ) -> Result<CertificateBundle, AzureError> {
        let ask = about::<Certificates>(Method::PATCH, &at(version), name, "Update").with_json(update);
        self.door().json(ask, when).await
    }

    /// Deletes all versions; they can be recovered until purged. Permission: Delete.
    pub async fn delete_object<O: VaultObject>(&self, name: &ObjectName, when: When) -> Result<O::Deleted, AzureError> {
        self.door().json(about::<O>(Method::DELETE, "", name, "Delete"), when).await
    }

    /// Every deleted object of the kind. Permission: List.
    pub async fn deleted_objects<O: VaultObject>(&self, when: When) -> Result<Vec<O::DeletedItem>, AzureError> {
        let path = with_version(&format!("/deleted{}", O::KIND.collection()));
        self.door().list::<Page<O::DeletedItem>>(Ask::new(Method::GET, path, "List").of(O::KIND), when).await
    }

    /// One deleted object. Permission: Get.
    pub async fn deleted_object<O: VaultObject>(
        &self,
        name: &ObjectName,
        when: When,
    ) -> Result<O::Deleted, AzureError> {
        self.door().json(about_deleted::<O>(Method::GET, "", name, "Get"), when).await
    }

    /// Brings a deleted object back. Azure needs some seconds more after its answer. Permission: Recover.
    pub async fn recover_object<O: VaultObject>(&self, name: &ObjectName, when: When) -> Result<O::Bundle, AzureError> {
        self.door().json(about_deleted::<O>(Method::POST, "/recover", name, "Recover"), when).await
    }

    /// Destroys a deleted object for good. Permission: Purge.
    pub async fn purge_object<O: VaultObject>(&self, name: &ObjectName, when: When) -> Result<(), AzureError> {
        self.door().nothing(about_deleted::<O>(Method::DELETE, "", name, "Purge"), when).await
    }

    /// All versions as one sealed blob. Permission: Backup.
    pub async fn backup_object<O: VaultObject>(&self, name: &ObjectName, when: When) -> Result<BackupBlob, AzureError> {
        let ask = about::<O>(Method::POST, "/backup", name, "Backup");
        self.door().json(ask.answered_with_up_to(BACKUP_ANSWER_MAX), when).await
    }

    /// Brings back what [`Self::backup_object`] gave, where its name is free. Permission: Restore.
    pub async fn restore_object<O: VaultObject>(
        &self,
        backup: &BackupBlob,
        when: When,
    ) -> Result<O::Bundle, AzureError> {
        let path = with_version(&format!("/{}/restore", O::KIND.collection()));
        self.door().json(Ask::new(Method::POST, path, "Restore").of(O::KIND).with_json(backup), when).await
    }

    /// Starts to make a certificate. What the vault signs itself is complete soon: [`Self::certificate_operation`] tells.
    /// Permission: Create.
    pub async fn create_certificate(
        &self,
        name: &ObjectName,
        create: &CreateCertificate,
        when: When,
    ) -> Result<CertificateOperation, AzureError> {
        let ask = about::<Certificates>(Method::POST, "/create", name, "Create").with_json(create);
        self.door().json(ask, when).await
    }

    /// The last creation of a certificate. Permission: Get.
    pub async fn certificate_operation(
        &self,
        name: &ObjectName,
        when: When,
    ) -> Result<CertificateOperation, AzureError> {
        self.door().json(about::<Certificates>(Method::GET, "/pending", name, "Get"), when).await
    }

    /// Forgets the last creation of a certificate. Permission: Delete.
    pub async fn delete_certificate_operation(
        &self,
        name: &ObjectName,
        when: When,
    ) -> Result<CertificateOperation, AzureError> {
        self.door().json(about::<Certificates>(Method::DELETE, "/pending", name, "Delete"), when).await
    }

    /// Completes a creation with what somebody outside signed. Permission: Create.
    pub async fn merge_certificate(
        &self,
        name: &ObjectName,
        merge: &MergeCertificate,
        when: When,
    ) -> Result<CertificateBundle, AzureError> {
        let ask = about::<Certificates>(Method::POST, "/pending/merge", name, "Create").with_json(merge);
        self.door().json(ask, when).await
    }

    /// Imports a certificate with its key: a PFX in base64, or PEM text. `rest` has the other members of the request.
    /// Permission: Import.
    pub async fn import_certificate(
        &self,
        name: &ObjectName,
        (value, password): (&Secret, Option<&Secret>),
        rest: &CreateCertificate,
        when: When,
    ) -> Result<CertificateBundle, AzureError> {
        let body = import_body(value, password, rest);
        let ask = about::<Certificates>(Method::POST, "/import", name, "Import").with_value(body, value);
        self.door().json(ask, when).await
    }
}

/// The body of Import in a buffer that never grows, so that no unwiped copy of the key or the password is left.
fn import_body(value: &Secret, password: Option<&Secret>, rest: &CreateCertificate) -> Zeroizing<Vec<u8>> {
    let rest = serde_json::to_vec(rest).unwrap_or_default();
    let (value, password) = (value.expose_secret(), password.map(Secret::expose_secret));
    let mut body =
        Zeroizing::new(Vec::with_capacity((value.len() + password.map_or(0, str::len)) * 6 + rest.len() + 32));
    body.extend_from_slice(br#"{"value":"#);
    // Writing a string into a vector cannot go wrong; a body without value is refused by the vault.
    let _ = serde_json::to_writer(&mut *body, value);
    if let Some(password) = password {
        body.extend_from_slice(br#","pwd":"#);
        let _ = serde_json::to_writer(&mut *body, password);
    }
    if rest.len() > 2 {
        body.push(b',');
    }
    body.extend_from_slice(rest.get(1..).unwrap_or(b"}"));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_import_is_json_and_its_buffer_did_not_grow() {
        let rest = CreateCertificate { tags: Some([("a".to_owned(), "b".to_owned())].into()), ..Default::default() };
        for (value, password) in
            [("-----BEGIN\n", None), ("AAAA", Some("\"\\\u{1}")), (&"\u{1}".repeat(9_000), Some(""))]
        {
            let (value, password) =
                (Secret::from(value.to_owned()), password.map(|text: &str| Secret::from(text.to_owned())));
            for rest in [&rest, &CreateCertificate::default()] {
                let length = value.expose_secret().len() + password.as_ref().map_or(0, |it| it.expose_secret().len());
                let written = serde_json::to_vec(rest).unwrap().len();
                let body = import_body(&value, password.as_ref(), rest);
                assert_eq!(body.capacity(), length * 6 + written + 32);
                let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(read["value"], value.expose_secret());
                assert_eq!(read["pwd"].as_str(), password.as_ref().map(Secret::expose_secret));
                assert_eq!(read.get("tags").is_some(), rest.tags.is_some());
            }
        }
    }
}
