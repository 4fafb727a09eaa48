//! Messages of Microsoft Graph: applications, service principals and their key credentials.
//!
//! Source: Microsoft Graph v1.0; contract section 16.

use serde::{Deserialize, Serialize};

use crate::{ClientId, ObjectId};

/// An app registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Object id of the registration; not the client id.
    pub id: ObjectId,
    /// The application (client) ID.
    pub app_id: ClientId,
    /// For people.
    pub display_name: String,
    /// `2026-11-23T10:42:07Z`.
    pub created_date_time: String,
    /// Public keys that may sign its assertions.
    #[serde(default)]
    pub key_credentials: Vec<KeyCredential>,
    /// Always empty here: credstore signs in with certificates.
    #[serde(default)]
    pub password_credentials: Vec<serde_json::Value>,
    /// `AzureADMyOrg`.
    #[serde(default)]
    pub sign_in_audience: String,
    /// Always empty here.
    #[serde(default)]
    pub identifier_uris: Vec<String>,
}

/// Body of `POST /applications` and `PATCH /applications/{id}`. Absent members stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationParameters {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Replaces the whole list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_credentials: Option<Vec<KeyCredential>>,
}

/// A public key of an application: an X.509 certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCredential {
    /// GUID of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Thumbprint, SHA-1, upper-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_key_identifier: Option<String>,
    /// At most 90 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Valid from, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date_time: Option<String>,
    /// Valid until, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date_time: Option<String>,
    /// `AsymmetricX509Cert`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// `Verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// The certificate, standard base64 of DER; `az` sends it with line breaks. Null in lists.
    #[serde(default)]
    pub key: Option<String>,
}

/// Body of `POST /applications/{id}/addKey`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddKeyParameters {
    /// The public key to add.
    pub key_credential: KeyCredential,
    /// Always null here: a key with a password is none of a certificate.
    #[serde(default)]
    pub password_credential: Option<serde_json::Value>,
    /// A JWT that a key of the application signed, valid for ten minutes at most. Whoever has it and a token of the
    /// application can exchange its keys.
    pub proof: String,
}

/// Body of `POST /applications/{id}/removeKey`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoveKeyParameters {
    /// Which key.
    pub key_id: String,
    /// As in [`AddKeyParameters`].
    pub proof: String,
}

/// An application's identity in the tenant. Access policies name its `id`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    /// Object id of the service principal, the `oid` of its tokens.
    pub id: ObjectId,
    /// The application (client) ID.
    pub app_id: ClientId,
    /// Name of the application.
    pub display_name: String,
    /// The client id as a list.
    #[serde(default)]
    pub service_principal_names: Vec<String>,
    /// `Application`.
    #[serde(default)]
    pub service_principal_type: String,
    /// Whether it may sign in.
    #[serde(default)]
    pub account_enabled: bool,
}

/// Body of `POST /servicePrincipals`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipalParameters {
    /// Which application it stands for.
    pub app_id: ClientId,
    /// Whether it may sign in; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_enabled: Option<bool>,
}

/// A collection of objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collection<T> {
    /// Where the type is described.
    #[serde(rename = "@odata.context", default)]
    pub context: String,
    /// The objects.
    pub value: Vec<T>,
}

/// The body of every Graph error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// Code and text of a Graph error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For example `Request_ResourceNotFound`.
    pub code: String,
    /// For people.
    pub message: String,
}
