//! Secrets on the wire.

use credstore_protocol::key_vault::{
    BackupBlob, DeletedSecret, ErrorBody, Page, SecretAttributes, SecretBundle, SecretItem, SecretProperties, SetSecret,
};
use credstore_protocol::{Secret, Timestamp};
use serde_json::json;

#[test]
fn a_request_to_set_is_read_as_the_sdks_write_it() {
    // Contract section 6.
    let text = r#"{"value":"s3cret","contentType":"text/plain","tags":{"a":"b"},
        "attributes":{"enabled":true,"nbf":1700000000,"exp":1900000000}}"#;
    let set: SetSecret = serde_json::from_str(text).unwrap();
    assert_eq!(set.value.expose_secret(), "s3cret");
    assert_eq!(set.content_type.as_deref(), Some("text/plain"));
    let attributes = set.attributes.unwrap();
    assert_eq!((attributes.nbf, attributes.exp), (Some(Timestamp(1_700_000_000)), Some(Timestamp(1_900_000_000))));
    assert_eq!(set.tags.unwrap()["a"], "b");
}

#[test]
fn null_is_absent_and_an_unknown_member_is_ignored() {
    let set: SetSecret =
        serde_json::from_str(r#"{"value":"","contentType":null,"tags":null,"attributes":null,"later":{"a":[1]}}"#)
            .unwrap();
    assert!(set.value.is_empty() && set.content_type.is_none() && set.tags.is_none() && set.attributes.is_none());
}

#[test]
fn a_value_is_text_and_must_be_there() {
    for text in ["{}", r#"{"value":null}"#, r#"{"value":1}"#, r#"{"value":["a"]}"#, r#"{"value":{"a":"b"}}"#] {
        assert!(serde_json::from_str::<SetSecret>(text).is_err(), "{text}");
    }
}

#[test]
fn an_update_writes_only_what_changes() {
    let update = SecretProperties {
        attributes: Some(SecretAttributes { enabled: Some(false), ..SecretAttributes::default() }),
        ..SecretProperties::default()
    };
    assert_eq!(serde_json::to_value(&update).unwrap(), json!({"attributes": {"enabled": false}}));
}

#[test]
fn a_bundle_without_a_value_has_no_member_for_it() {
    let bundle = SecretBundle { id: "https://v/secrets/a/b".to_owned(), ..SecretBundle::default() };
    assert_eq!(serde_json::to_value(&bundle).unwrap(), json!({"id": "https://v/secrets/a/b", "attributes": {}}));
    let with = SecretBundle { value: Some(Secret::from(String::new())), ..bundle };
    assert_eq!(serde_json::to_value(&with).unwrap()["value"], "");
}

#[test]
fn a_deleted_secret_is_one_flat_object() {
    let deleted = DeletedSecret {
        recovery_id: "https://v/deletedsecrets/a".to_owned(),
        deleted_date: Timestamp(1_700_000_100),
        scheduled_purge_date: Timestamp(1_707_776_100),
        secret: SecretItem { id: "https://v/secrets/a/b".to_owned(), ..SecretItem::default() },
    };
    let written = json!({"recoveryId": "https://v/deletedsecrets/a", "deletedDate": 1_700_000_100,
        "scheduledPurgeDate": 1_707_776_100, "id": "https://v/secrets/a/b", "attributes": {}});
    assert_eq!(serde_json::to_value(&deleted).unwrap(), written);
    assert_eq!(serde_json::from_value::<DeletedSecret>(written).unwrap(), deleted);
}

#[test]
fn the_end_of_a_list_is_a_null_link_or_none() {
    for text in [r#"{"value":[],"nextLink":null}"#, r#"{"value":[]}"#, "{}"] {
        let page: Page<SecretItem> = serde_json::from_str(text).unwrap();
        assert!(page.value.is_empty() && page.next_link.is_none(), "{text}");
    }
    let last = Page::<SecretItem> { value: Vec::new(), next_link: None };
    assert_eq!(serde_json::to_value(&last).unwrap(), json!({"value": [], "nextLink": null}));
}

#[test]
fn a_backup_is_one_member() {
    let blob: BackupBlob = serde_json::from_str(r#"{"value":"AAEC"}"#).unwrap();
    assert_eq!(serde_json::to_value(&blob).unwrap(), json!({"value": "AAEC"}));
}

#[test]
fn an_error_may_come_without_its_inner_part() {
    for text in [
        r#"{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}"#,
        r#"{"error":{"code":"Unauthorized","message":"m","innererror":null}}"#,
    ] {
        let body: ErrorBody = serde_json::from_str(text).unwrap();
        assert!(body.error.innererror.is_none() && body.error.code == "Unauthorized", "{text}");
    }
}
