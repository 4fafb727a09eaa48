//! Applications and service principals in Microsoft Graph.

use credstore_protocol::graph::{
    Application, ApplicationParameters, Collection, ErrorBody, KeyCredential, ServicePrincipalParameters,
};
use serde_json::json;

#[test]
fn the_key_that_az_uploads_is_read_with_what_it_adds() {
    // Contract section 16: a type annotation, a null name, and line breaks in the base64 text.
    let body = json!({"keyCredentials": [{"@odata.type": "#microsoft.graph.keyCredential", "displayName": null,
        "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z",
        "keyId": "9c417a20-0000-4000-8000-000000000000", "type": "AsymmetricX509Cert", "usage": "Verify",
        "key": "MIIC\nAAAA\n"}]});
    let parameters: ApplicationParameters = serde_json::from_value(body).unwrap();
    let keys = parameters.key_credentials.unwrap();
    assert_eq!(keys[0].key.as_deref(), Some("MIIC\nAAAA\n"));
    assert_eq!((keys[0].display_name.as_deref(), parameters.display_name), (None, None));
}

#[test]
fn an_empty_list_of_keys_and_none_are_told_apart() {
    // PATCH replaces the list: an empty one removes every key, an absent one leaves them.
    let empty: ApplicationParameters = serde_json::from_str(r#"{"keyCredentials":[]}"#).unwrap();
    let absent: ApplicationParameters = serde_json::from_str(r#"{"displayName":"x"}"#).unwrap();
    assert_eq!(
        (empty.key_credentials.map(|keys| keys.len()), absent.key_credentials.map(|keys| keys.len())),
        (Some(0), None)
    );
}

#[test]
fn a_key_in_a_list_has_a_null_for_its_bytes() {
    let written = serde_json::to_value(KeyCredential::default()).unwrap();
    assert_eq!(written, json!({"key": null}));
}

#[test]
fn an_application_of_azure_is_read_and_its_other_members_are_ignored() {
    let text = json!({"@odata.context": "c", "id": "0abfcf6b-b38b-40bd-9e1b-4703be1edf2c",
        "appId": "5D0C2A8E-91F3-4F0E-8A27-6C3F1D90B7F1", "displayName": "process-mining", "identifierUris": [],
        "createdDateTime": "2026-11-23T10:42:07Z", "signInAudience": "AzureADMyOrg", "publisherDomain": "contoso.com",
        "keyCredentials": [], "passwordCredentials": [], "requiredResourceAccess": [], "api": {}, "appRoles": [], "web": {}});
    let application: Application = serde_json::from_value(text).unwrap();
    assert_eq!(application.app_id.as_str(), "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1");
    assert_ne!(application.id.as_str(), application.app_id.as_str());
}

#[test]
fn a_service_principal_is_asked_for_by_client_id_only() {
    let parameters: ServicePrincipalParameters =
        serde_json::from_str(r#"{"appId":"5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1","accountEnabled":true}"#).unwrap();
    assert_eq!(parameters.account_enabled, Some(true));
    assert!(serde_json::from_str::<ServicePrincipalParameters>(r#"{"appId":"process-mining"}"#).is_err());
}

#[test]
fn collections_and_errors_have_graphs_names() {
    let collection = Collection::<KeyCredential> { context: "c".to_owned(), value: Vec::new() };
    assert_eq!(serde_json::to_value(&collection).unwrap(), json!({"@odata.context": "c", "value": []}));
    let error: ErrorBody = serde_json::from_str(
        r#"{"error":{"code":"Request_ResourceNotFound","message":"m","innerError":{"date":"2026-11-23"}}}"#,
    )
    .unwrap();
    assert_eq!(error.error.code, "Request_ResourceNotFound");
}
