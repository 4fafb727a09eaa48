//! Microsoft Graph as a client: app registrations, their public keys, and service principals.
//!
//! Source: contract section 16. An access policy names the service principal's id, not the application's and
//! not the client id; that is why both kinds of object are here.

use std::sync::Arc;

use credstore_protocol::encoding::base64_standard;
use credstore_protocol::graph::{
    AddKeyParameters, Application, ApplicationParameters, KeyCredential, RemoveKeyParameters, ServicePrincipal,
    ServicePrincipalParameters,
};
use credstore_protocol::{ClientId, ObjectId};
use http::Method;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::address::ServiceAddress;
use super::arm::SEGMENT;
use super::certificate::PublicCertificate;
use super::door::{Ask, Door, Paged};
use super::error::{AzureError, Service, moment};
use super::retry::When;
use super::token::TokenSource;
use crate::transport::Transport;

/// Longest name of a key credential in characters. Source: Graph, keyCredential: cut at 90.
const KEY_NAME_MAX: usize = 90;

/// Which app registrations are wanted.
#[derive(Clone, Debug)]
pub enum ApplicationFilter {
    /// All of the tenant.
    All,
    /// Those with exactly this name; Graph allows several.
    Named(String),
    /// The one with this client id.
    Client(ClientId),
}

/// A page of a Graph list.
#[derive(Deserialize)]
struct GraphPage<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl<T: DeserializeOwned> Paged for GraphPage<T> {
    type Item = T;
    fn take(self) -> (Vec<T>, Option<String>) {
        (self.value, self.next)
    }
}

/// Only the keys of an application, with their content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    #[serde(default)]
    key_credentials: Vec<KeyCredential>,
}

/// The directory of one tenant.
pub struct GraphClient {
    door: Door,
}

impl GraphClient {
    /// A client for Graph at `address`, for example `https://graph.microsoft.com`.
    pub fn new(transport: Arc<dyn Transport>, tokens: Arc<TokenSource>, address: ServiceAddress) -> Self {
        let scope = format!("{}/.default", address.as_str());
        let service = Service::Graph;
        Self { door: Door { transport, tokens, address, scope, service, vault: String::new() } }
    }

    /// Makes an app registration without keys.
    pub async fn create_application(&self, display_name: &str, when: When) -> Result<Application, AzureError> {
        let parameters =
            ApplicationParameters { display_name: Some(display_name.to_owned()), key_credentials: Some(Vec::new()) };
        let ask = Ask::new(Method::POST, "/v1.0/applications".to_owned(), "");
        self.door.json(ask.about(format!("app registration {display_name}")).with_json(&parameters), when).await
    }

    /// One app registration by its object id.
    pub async fn application(&self, id: &ObjectId, when: When) -> Result<Application, AzureError> {
        self.door.json(about(Method::GET, id, ""), when).await
    }

    /// The app registrations that match.
    pub async fn applications(&self, filter: &ApplicationFilter, when: When) -> Result<Vec<Application>, AzureError> {
        let path = match filter {
            ApplicationFilter::All => "/v1.0/applications".to_owned(),
            ApplicationFilter::Named(name) => {
                filtered("applications", &format!("displayName eq '{}'", name.replace('\'', "''")))
            }
            ApplicationFilter::Client(client) => filtered("applications", &format!("appId eq '{client}'")),
        };
        self.door.list::<GraphPage<Application>>(Ask::new(Method::GET, path, "").about("app registration"), when).await
    }

    /// Changes an app registration; absent members stay, `key_credentials` replaces the whole list.
    pub async fn update_application(
        &self,
        id: &ObjectId,
        parameters: &ApplicationParameters,
        when: When,
    ) -> Result<(), AzureError> {
        self.door.nothing(about(Method::PATCH, id, "").with_json(parameters), when).await
    }

    /// Deletes an app registration, and its service principal with it.
    pub async fn delete_application(&self, id: &ObjectId, when: When) -> Result<(), AzureError> {
        self.door.nothing(about(Method::DELETE, id, ""), when).await
    }

    /// The public keys of an app registration, with their content.
    pub async fn keys(&self, id: &ObjectId, when: When) -> Result<Vec<KeyCredential>, AzureError> {
        let keys: Keys = self.door.json(about(Method::GET, id, "?$select=keyCredentials"), when).await?;
        Ok(keys.key_credentials)
    }

    /// Adds a public key beside those that are there, and gives its entry. Adding one that is there changes nothing.
    pub async fn add_key(
        &self,
        id: &ObjectId,
        certificate: &PublicCertificate,
        display_name: Option<&str>,
        when: When,
    ) -> Result<KeyCredential, AzureError> {
        let mut keys = self.keys(id, when).await?;
        let thumbprint = certificate.thumbprint();
        let same = |key: &&KeyCredential| {
            key.custom_key_identifier.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&thumbprint))
        };
        if let Some(known) = keys.iter().find(same) {
            return Ok(known.clone());
        }
        let name = display_name.map_or_else(|| certificate.subject.clone(), str::to_owned);
        let added = KeyCredential {
            key_id: Some(Uuid::new_v4().to_string()),
            custom_key_identifier: Some(thumbprint.clone()),
            display_name: Some(name.chars().take(KEY_NAME_MAX).collect()),
            start_date_time: Some(moment(certificate.not_before)),
            end_date_time: Some(moment(certificate.not_after)),
            type_: Some("AsymmetricX509Cert".to_owned()),
            usage: Some("Verify".to_owned()),
            key: Some(base64_standard(&certificate.der)),
        };
        keys.push(added.clone());
        self.replace_keys(id, keys, when).await?;
        Ok(added)
    }

    /// Adds a public key as the application itself, with a [`proof`](super::assertion::proof) that it holds one, and gives
    /// the entry. It needs no permission.
    pub async fn add_key_with_proof(
        &self,
        id: &ObjectId,
        certificate: &PublicCertificate,
        proof: &str,
        when: When,
    ) -> Result<KeyCredential, AzureError> {
        let key_credential = KeyCredential {
            type_: Some("AsymmetricX509Cert".to_owned()),
            usage: Some("Verify".to_owned()),
            key: Some(base64_standard(&certificate.der)),
            ..KeyCredential::default()
        };
        let parameters = AddKeyParameters { key_credential, password_credential: None, proof: proof.to_owned() };
        self.door.json(about(Method::POST, id, "/addKey").with_json(&parameters), when).await
    }

    /// Takes a public key away as the application itself; it may be the one that signed `proof`.
    pub async fn remove_key_with_proof(
        &self,
        id: &ObjectId,
        key_id: &str,
        proof: &str,
        when: When,
    ) -> Result<(), AzureError> {
        let parameters = RemoveKeyParameters { key_id: key_id.to_owned(), proof: proof.to_owned() };
        self.door.nothing(about(Method::POST, id, "/removeKey").with_json(&parameters), when).await
    }

    /// Takes the public key with this key id away. Gives whether it was there.
    pub async fn delete_key(&self, id: &ObjectId, key_id: &str, when: When) -> Result<bool, AzureError> {
        let keys = self.keys(id, when).await?;
        let is_it = |key: &KeyCredential| key.key_id.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(key_id));
        let (gone, kept): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_it);
        if gone.is_empty() {
            return Ok(false);
        }
        self.replace_keys(id, kept, when).await.map(|()| true)
    }

    async fn replace_keys(&self, id: &ObjectId, keys: Vec<KeyCredential>, when: When) -> Result<(), AzureError> {
        let parameters = ApplicationParameters { display_name: None, key_credentials: Some(keys) };
        self.update_application(id, &parameters, when).await
    }

    /// Makes the service principal of an app: its identity in the tenant.
    pub async fn create_service_principal(
        &self,
        client: &ClientId,
        when: When,
    ) -> Result<ServicePrincipal, AzureError> {
        let parameters = ServicePrincipalParameters { app_id: client.clone(), account_enabled: Some(true) };
        let ask = Ask::new(Method::POST, "/v1.0/servicePrincipals".to_owned(), "");
        self.door.json(ask.about(format!("service principal of {client}")).with_json(&parameters), when).await
    }

    /// The service principal of an app, if it has one.
    pub async fn service_principal(
        &self,
        client: &ClientId,
        when: When,
    ) -> Result<Option<ServicePrincipal>, AzureError> {
        let path = filtered("servicePrincipals", &format!("servicePrincipalNames/any(c:c eq '{client}')"));
        let ask = Ask::new(Method::GET, path, "").about(format!("service principal of {client}"));
        let found = self.door.list::<GraphPage<ServicePrincipal>>(ask, when).await?;
        Ok(found.into_iter().find(|principal| principal.app_id == *client))
    }

    /// Every service principal of the tenant.
    pub async fn service_principals(&self, when: When) -> Result<Vec<ServicePrincipal>, AzureError> {
        let ask = Ask::new(Method::GET, "/v1.0/servicePrincipals".to_owned(), "").about("service principal");
        self.door.list::<GraphPage<ServicePrincipal>>(ask, when).await
    }
}

fn about(method: Method, id: &ObjectId, rest: &str) -> Ask<'static> {
    Ask::new(method, format!("/v1.0/applications/{id}{rest}"), "").about(format!("app registration {id}"))
}

fn filtered(collection: &str, filter: &str) -> String {
    format!("/v1.0/{collection}?$filter={}", utf8_percent_encode(filter, SEGMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_percent_encoded_and_its_quotes_are_doubled() {
        assert_eq!(
            filtered("applications", "displayName eq 'a''b&c'"),
            "/v1.0/applications?$filter=displayName%20eq%20%27a%27%27b%26c%27"
        );
    }
}
