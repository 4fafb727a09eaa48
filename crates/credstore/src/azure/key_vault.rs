//! The Key Vault data plane as a client: what only secrets have. The store needs [`KeyVaultClient::secret`] only. What every
//! kind of object has is in [`objects`](super::objects).
//!
//! Source: contract sections 4 to 7. Names are checked types, so no text of a user reaches a path unchecked.

use std::sync::Arc;

use credstore_protocol::key_vault::{
    BACKUP_TEXT_MAX, LAST_READ_HEADER, Page, SecretBundle, SecretItem, SecretProperties,
};
use credstore_protocol::{Secret, SecretName, SecretVersion};
use http::Method;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::address::VaultAddress;
use super::door::{Ask, Door, Paged};
use super::error::{AzureError, Service};
use super::retry::When;
use super::token::TokenSource;
use crate::transport::{Body, Transport};

/// The version of the protocol we speak. Source: contract section 1; every cloud has it.
pub const API_VERSION: &str = "2025-07-01";

/// Largest answer to a backup in bytes: the longest backup there is, in its JSON.
pub const BACKUP_ANSWER_MAX: usize = BACKUP_TEXT_MAX + 4 * 1024;

/// One vault.
pub struct KeyVaultClient {
    door: Door,
    address: VaultAddress,
}

impl<T: DeserializeOwned> Paged for Page<T> {
    type Item = T;
    fn take(self) -> (Vec<T>, Option<String>) {
        (self.value, self.next_link)
    }
}

impl KeyVaultClient {
    /// A client for the vault at `address`. `scope` is the resource of the cloud with `/.default`:
    /// `https://vault.azure.net/.default`. Nothing is sent yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        tokens: Arc<TokenSource>,
        address: VaultAddress,
        scope: impl Into<String>,
    ) -> Self {
        let door = Door {
            transport,
            tokens,
            address: address.service().clone(),
            scope: scope.into(),
            service: Service::Vault,
            vault: address.name().to_string(),
        };
        Self { door, address }
    }

    /// Where its access tokens come from.
    pub fn tokens(&self) -> &Arc<TokenSource> {
        &self.door.tokens
    }

    /// Which vault it is.
    pub fn address(&self) -> &VaultAddress {
        &self.address
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    fn about(method: Method, path: &str, name: &SecretName, permission: &'static str) -> Ask<'static> {
        Ask::new(method, with_version(path), permission).about(name.as_str())
    }

    /// The current version of `name`, or exactly `version`, with its value. Permission: Get.
    pub async fn secret(
        &self,
        name: &SecretName,
        version: Option<&SecretVersion>,
        when: When,
    ) -> Result<SecretBundle, AzureError> {
        let version = version.map(ToString::to_string).unwrap_or_default();
        let ask = Self::about(Method::GET, &format!("/secrets/{name}/{version}"), name, "Get");
        self.door.json(ask, when).await
    }

    /// Makes a new version with `value`. Permission: Set. Sent again only when the vault certainly did nothing.
    pub async fn set_secret(
        &self,
        name: &SecretName,
        value: &Secret,
        properties: &SecretProperties,
        when: When,
    ) -> Result<SecretBundle, AzureError> {
        let ask = Self::about(Method::PUT, &format!("/secrets/{name}"), name, "Set");
        self.door.json(ask.with_value(set_body(value, properties), value), when).await
    }

    /// Changes properties of the current version, or of `version`. Permission: Set.
    pub async fn update_secret(
        &self,
        name: &SecretName,
        version: Option<&SecretVersion>,
        update: &SecretProperties,
        when: When,
    ) -> Result<SecretBundle, AzureError> {
        let version = version.map(ToString::to_string).unwrap_or_default();
        let ask = Self::about(Method::PATCH, &format!("/secrets/{name}/{version}"), name, "Set");
        self.door.json(ask.with_json(update), when).await
    }

    /// Every secret without its value, with the time of the last read where the vault knows it; Azure does not tell.
    /// Permission: List.
    pub async fn secrets_with_last_read(&self, when: When) -> Result<Vec<SecretItem>, AzureError> {
        let ask = Ask::new(Method::GET, with_version("/secrets"), "List").with_header(LAST_READ_HEADER, "true");
        self.door.list::<Page<SecretItem>>(ask, when).await
    }
}

pub(super) fn with_version(path: &str) -> String {
    format!("{path}?api-version={API_VERSION}")
}

/// The body of Set in a buffer that never grows, so that no unwiped copy of the value is left.
fn set_body(value: &Secret, properties: &SecretProperties) -> Body {
    // The rest holds no secret. It is an object, so its first byte is the opening brace.
    let rest = serde_json::to_vec(properties).unwrap_or_default();
    let value = value.expose_secret();
    // The longest escape of JSON makes six bytes of one.
    let mut body = Zeroizing::new(Vec::with_capacity(value.len() * 6 + rest.len() + 16));
    body.extend_from_slice(br#"{"value":"#);
    // Writing a string into a vector cannot go wrong; a body without value is refused by the vault.
    let _ = serde_json::to_writer(&mut *body, value);
    if rest.len() > 2 {
        body.push(b',');
    }
    body.extend_from_slice(rest.get(1..).unwrap_or(b"}"));
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use credstore_protocol::key_vault::SecretAttributes;

    use super::*;

    proptest! {
        #[test]
        fn any_value_arrives_as_it_was_given(value in "\\PC{0,40}|[\\x00-\\x1f\"\\\\]{0,40}") {
            let body = set_body(&Secret::from(value.clone()), &SecretProperties::default());
            let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(read, serde_json::json!({ "value": value }));
        }
    }

    #[test]
    fn the_body_of_set_is_json_and_its_buffer_did_not_grow() {
        let properties = SecretProperties {
            content_type: Some("text/plain".to_owned()),
            attributes: Some(SecretAttributes { enabled: Some(true), ..SecretAttributes::default() }),
            tags: None,
        };
        for value in ["s3cret", "", "\"\\\u{1}\n;{}", &"\u{1}".repeat(25_600)] {
            let secret = Secret::from(value.to_owned());
            for properties in [&properties, &SecretProperties::default()] {
                let body = set_body(&secret, properties);
                let rest = serde_json::to_vec(properties).unwrap().len();
                assert_eq!(body.capacity(), value.len() * 6 + rest + 16);
                let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(read["value"], value);
                assert_eq!(read.get("contentType").is_some(), properties.content_type.is_some());
            }
        }
    }
}
