//! What the client does with the issuers and contacts of a vault.
//!
//! Source: Key Vault data plane, "Certificate Issuers" and "Certificate Contacts"; contract section 8.

use credstore_protocol::ObjectName;
use credstore_protocol::key_vault::Page;
use credstore_protocol::key_vault::certificates::{
    Contacts, ISSUER_CERTIFICATE_HEADER, IssuerBundle, IssuerItem, SetIssuer,
};
use http::Method;

use super::door::Ask;
use super::error::AzureError;
use super::key_vault::{KeyVaultClient, with_version};
use super::objects::ObjectKind;
use super::retry::When;

fn issuer(method: Method, name: &ObjectName, permission: &'static str) -> Ask<'static> {
    let path = with_version(&format!("/certificates/issuers/{name}"));
    Ask::new(method, path, permission).of(ObjectKind::Certificate).about(name.as_str())
}

fn contacts(method: Method) -> Ask<'static> {
    let path = with_version("/certificates/contacts");
    Ask::new(method, path, "ManageContacts").of(ObjectKind::Certificate)
}

impl KeyVaultClient {
    /// The issuers of the vault. Permission: ListIssuers.
    pub async fn issuers(&self, when: When) -> Result<Vec<IssuerItem>, AzureError> {
        let ask = Ask::new(Method::GET, with_version("/certificates/issuers"), "ListIssuers");
        self.door().list::<Page<IssuerItem>>(ask.of(ObjectKind::Certificate), when).await
    }

    /// One issuer. An embedded vault adds the certificate of an authority inside it. Permission: GetIssuers.
    pub async fn issuer(&self, name: &ObjectName, when: When) -> Result<IssuerBundle, AzureError> {
        let ask = issuer(Method::GET, name, "GetIssuers").with_header(ISSUER_CERTIFICATE_HEADER, "true");
        self.door().json(ask, when).await
    }

    /// Makes an issuer, or replaces it. Permission: SetIssuers.
    pub async fn set_issuer(&self, name: &ObjectName, set: &SetIssuer, when: When) -> Result<IssuerBundle, AzureError> {
        self.door().json(issuer(Method::PUT, name, "SetIssuers").with_json(set), when).await
    }

    /// Deletes an issuer, at once and for good. Permission: DeleteIssuers.
    pub async fn delete_issuer(&self, name: &ObjectName, when: When) -> Result<IssuerBundle, AzureError> {
        self.door().json(issuer(Method::DELETE, name, "DeleteIssuers"), when).await
    }

    /// The contacts of the vault; none is an answer too. Permission: ManageContacts.
    pub async fn contacts(&self, when: When) -> Result<Contacts, AzureError> {
        match self.door().json(contacts(Method::GET), when).await {
            Err(error) if error.is_not_found() => Ok(Contacts::default()),
            answer => answer,
        }
    }

    /// Replaces the contacts of the vault; without any they are deleted. Permission: ManageContacts.
    pub async fn set_contacts(&self, wanted: &Contacts, when: When) -> Result<Contacts, AzureError> {
        if wanted.list.is_empty() {
            self.door().json::<Contacts>(contacts(Method::DELETE), when).await?;
            return Ok(Contacts::default());
        }
        self.door().json(contacts(Method::PUT).with_json(wanted), when).await
    }
}
