//! Keys as `az keyvault key` writes them in JSON, and as people read them.

use credstore::azure::Keys;
use credstore_protocol::Timestamp;
use credstore_protocol::encoding::base64_any;
use credstore_protocol::key_vault::keys::{DeletedKey, JsonWebKey, KeyAttributes, KeyBundle, KeyItem};
use serde_json::{Value, json};

use super::object::{Shown, name_and_version, with_dates};
use crate::output::{Table, pairs};
use crate::time_text::{date, expiry, rfc3339};

fn attributes(attributes: &KeyAttributes) -> Value {
    json!({
        "enabled": attributes.enabled,
        "created": attributes.created.map(rfc3339),
        "updated": attributes.updated.map(rfc3339),
        "notBefore": attributes.nbf.map(rfc3339),
        "expires": attributes.exp.map(rfc3339),
        "recoveryLevel": attributes.recovery_level,
        "recoverableDays": attributes.recoverable_days,
        "exportable": attributes.exportable,
    })
}

fn kid(key: &JsonWebKey) -> &str {
    key.kid.as_deref().unwrap_or_default()
}

/// Enabled or not, and until when.
pub(super) fn state(attributes: &KeyAttributes, now: Timestamp) -> String {
    let enabled = if attributes.enabled == Some(false) { "disabled" } else { "enabled" };
    match attributes.exp {
        None => format!("{enabled}, never expires"),
        Some(at) if at <= now => format!("{enabled}, expired {}", expiry(at, now)),
        Some(at) => format!("{enabled}, expires {}", date(at)),
    }
}

/// Kind and size: `RSA 2048`, `EC P-256`.
pub(super) fn kind(key: &JsonWebKey) -> String {
    let bits = || key.n.as_deref().and_then(base64_any).map(|modulus| modulus.len() * 8);
    match (key.crv, bits()) {
        (Some(curve), _) => format!("{} {curve}", key.kty),
        (None, Some(bits)) => format!("{} {bits}", key.kty),
        (None, None) => key.kty.to_string(),
    }
}

/// One key for people.
pub(super) fn text(bundle: &KeyBundle, now: Timestamp) -> String {
    let (name, version) = name_and_version::<Keys>(kid(&bundle.key));
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), rfc3339);
    let joined = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { words.join(" ") };
    pairs([
        ("Name", name.to_owned()),
        ("Version", version.unwrap_or_default().to_owned()),
        ("State", state(&bundle.attributes, now)),
        ("Kind", kind(&bundle.key)),
        ("Operations", joined(bundle.key.key_ops.iter().flatten().map(ToString::to_string).collect())),
        ("Not before", time(bundle.attributes.nbf)),
        ("Expires", time(bundle.attributes.exp)),
        ("Created", time(bundle.attributes.created)),
        ("Of a certificate", if bundle.managed == Some(true) { "yes" } else { "no" }.to_owned()),
        ("Tags", joined(bundle.tags.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect())),
    ])
}

impl Shown for Keys {
    const WITH: &'static str = "";

    fn id(bundle: &KeyBundle) -> &str {
        kid(&bundle.key)
    }

    fn bundle(bundle: &KeyBundle) -> Value {
        let (name, version) = name_and_version::<Self>(kid(&bundle.key));
        json!({
            "name": name,
            "version": version,
            "key": bundle.key,
            "attributes": attributes(&bundle.attributes),
            "managed": bundle.managed,
            "tags": bundle.tags,
        })
    }

    fn item(item: &KeyItem) -> Value {
        let (name, version) = name_and_version::<Self>(&item.kid);
        json!({
            "kid": item.kid,
            "name": name,
            "version": version,
            "attributes": attributes(&item.attributes),
            "managed": item.managed,
            "tags": item.tags,
        })
    }

    fn deleted(deleted: &DeletedKey<KeyBundle>) -> Value {
        with_dates(
            Self::bundle(&deleted.key),
            &deleted.recovery_id,
            [deleted.deleted_date, deleted.scheduled_purge_date],
        )
    }

    fn deleted_item(deleted: &DeletedKey<KeyItem>) -> Value {
        with_dates(Self::item(&deleted.key), &deleted.recovery_id, [deleted.deleted_date, deleted.scheduled_purge_date])
    }

    fn table(items: &[KeyItem], versions: bool, now: Timestamp) -> String {
        let mut table =
            Table::new(&[if versions { "VERSION" } else { "NAME" }, "STATE", "UPDATED", "OF A CERTIFICATE"]);
        for item in items {
            let (name, version) = name_and_version::<Self>(&item.kid);
            let first = if versions { version.unwrap_or_default() } else { name };
            let updated = item.attributes.updated.map_or("-".to_owned(), rfc3339);
            let managed = if item.managed == Some(true) { "yes" } else { "no" };
            table.row(vec![first.to_owned(), state(&item.attributes, now), updated, managed.to_owned()]);
        }
        table.to_string()
    }

    fn purged(deleted: &DeletedKey<KeyBundle>) -> Timestamp {
        deleted.scheduled_purge_date
    }

    fn deletion(deleted: &DeletedKey<KeyItem>) -> (&str, Timestamp, Timestamp) {
        (&deleted.key.kid, deleted.deleted_date, deleted.scheduled_purge_date)
    }
}
