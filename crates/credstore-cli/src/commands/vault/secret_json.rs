//! Secrets as `az keyvault secret` writes them in JSON: no Unix seconds, and a value only when it was asked for.

use credstore::azure::Secrets;
use credstore_protocol::key_vault::{DeletedSecret, SecretAttributes, SecretBundle, SecretItem, Tags};
use serde_json::{Value, json};

use super::object::{name_and_version, with_dates};
use crate::time_text::rfc3339;

fn attributes(attributes: &SecretAttributes) -> Value {
    json!({
        "enabled": attributes.enabled,
        "created": attributes.created.map(rfc3339),
        "updated": attributes.updated.map(rfc3339),
        "notBefore": attributes.nbf.map(rfc3339),
        "expires": attributes.exp.map(rfc3339),
        "recoveryLevel": attributes.recovery_level,
        "recoverableDays": attributes.recoverable_days,
    })
}

fn described(id: &str, content_type: Option<&String>, of: &SecretAttributes, tags: Option<&Tags>) -> Value {
    let (name, version) = name_and_version::<Secrets>(id);
    json!({
        "id": id,
        "name": name,
        "version": version,
        "contentType": content_type,
        "attributes": attributes(of),
        "tags": tags,
    })
}

/// One secret without its value.
pub(super) fn bundle(bundle: &SecretBundle) -> Value {
    let mut object = described(&bundle.id, bundle.content_type.as_ref(), &bundle.attributes, bundle.tags.as_ref());
    object["value"] = Value::Null;
    object
}

/// One secret of a list.
pub(super) fn item(item: &SecretItem) -> Value {
    described(&item.id, item.content_type.as_ref(), &item.attributes, item.tags.as_ref())
}

/// One deleted secret.
pub(super) fn deleted(deleted: &DeletedSecret) -> Value {
    with_dates(item(&deleted.secret), &deleted.recovery_id, [deleted.deleted_date, deleted.scheduled_purge_date])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_in_no_description() {
        let secret = SecretBundle {
            value: Some(credstore_protocol::Secret::from("planted".to_owned())),
            id: "https://v.vault.azure.net/secrets/A/0f".to_owned(),
            ..SecretBundle::default()
        };
        assert!(!bundle(&secret).to_string().contains("planted"));
    }
}
