//! Keys as `az keyvault key` writes them in JSON, as people read them, and the public half as PEM.

use credstore::azure::Keys;
use credstore_protocol::encoding::base64_any;
use credstore_protocol::key_vault::keys::{Curve, DeletedKey, JsonWebKey, KeyAttributes, KeyBundle, KeyItem, KeyType};
use credstore_protocol::{Timestamp, pem};
use serde_json::{Value, json};

use super::object::{Shown, name_and_version};
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
        with_dates(deleted, Self::bundle(&deleted.key))
    }

    fn deleted_item(deleted: &DeletedKey<KeyItem>) -> Value {
        with_dates(deleted, Self::item(&deleted.key))
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

fn with_dates<T>(deleted: &DeletedKey<T>, mut object: Value) -> Value {
    object["recoveryId"] = json!(deleted.recovery_id);
    object["deletedDate"] = json!(rfc3339(deleted.deleted_date));
    object["scheduledPurgeDate"] = json!(rfc3339(deleted.scheduled_purge_date));
    object
}

/// The public half as PEM: `SubjectPublicKeyInfo`. `None`: the key lacks a member.
///
/// Source: RFC 5280 section 4.1.2.7; RFC 3279 section 2.3.1 for RSA; RFC 5480 sections 2.1.1 and 2.2 for EC.
pub(super) fn pem_of(key: &JsonWebKey) -> Option<String> {
    const RSA_ENCRYPTION: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
    const EC_PUBLIC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    let number = |text: &Option<String>| base64_any(text.as_deref()?);
    let (algorithm, public) = match key.kty {
        KeyType::Rsa | KeyType::RsaHsm => {
            let numbers = [integer(&number(&key.n)?), integer(&number(&key.e)?)].concat();
            (RSA_ENCRYPTION.to_vec(), element(0x30, &numbers))
        }
        KeyType::Ec | KeyType::EcHsm => {
            let curve: &[u8] = match key.crv? {
                Curve::P256 => &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
                Curve::P384 => &[0x06, 5, 0x2b, 0x81, 4, 0, 34],
                Curve::P521 => &[0x06, 5, 0x2b, 0x81, 4, 0, 35],
                Curve::P256K => &[0x06, 5, 0x2b, 0x81, 4, 0, 10],
            };
            ([EC_PUBLIC_KEY, curve].concat(), [vec![4], number(&key.x)?, number(&key.y)?].concat())
        }
        KeyType::Oct | KeyType::OctHsm => return None,
    };
    let bits = element(0x03, &[vec![0], public].concat());
    let mut text = String::new();
    pem::push_block(&mut text, "PUBLIC KEY", &element(0x30, &[element(0x30, &algorithm), bits].concat()));
    Some(text)
}

/// A positive INTEGER of DER. Source: X.690 section 8.3.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take(bytes.len().saturating_sub(1)).take_while(|&&byte| byte == 0).count();
    let bytes = &bytes[zeros..];
    let sign: &[u8] = if bytes.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    element(0x02, &[sign, bytes].concat())
}

/// Tag, length and content. Source: X.690 sections 8.1.2 and 8.1.3.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let mut element = vec![tag];
    match content.len() {
        0..=0x7f => element.push(length[length.len() - 1]),
        _ => {
            let zeros = length.iter().take_while(|&&byte| byte == 0).count();
            // A length has at most eight bytes.
            element.push(0x80 | (length.len() - zeros) as u8);
            element.extend_from_slice(&length[zeros..]);
        }
    }
    element.extend_from_slice(content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_those_of_der() {
        // X.690 sections 8.1.3.4, 8.1.3.5 and 8.3.2.
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(element(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[0; 0x1234])[..4], [4, 0x82, 0x12, 0x34]);
    }
}
