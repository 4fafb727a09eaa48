//! Certificates as `az keyvault certificate` writes them in JSON, and as people read them.

use credstore::azure::Certificates;
use credstore_protocol::encoding::{base64_any, hex_upper};
use credstore_protocol::key_vault::certificates::{
    CertificateAttributes, CertificateBundle, CertificateItem, CertificateOperation, DeletedCertificate,
};
use credstore_protocol::{Timestamp, pem};
use serde_json::{Value, json};

use super::object::{Shown, name_and_version, with_dates};
use crate::output::{Table, pairs};
use crate::time_text::{date, expiry, rfc3339};

/// SHA-1 as tools show it: upper-case hexadecimal.
pub(super) fn thumbprint(x5t: Option<&str>) -> Option<String> {
    x5t.and_then(base64_any).map(|bytes| hex_upper(&bytes))
}

/// DER in standard base64 as a PEM block.
pub(super) fn pem_of(label: &str, base64: Option<&str>) -> Option<String> {
    let mut text = String::new();
    pem::push_block(&mut text, label, &base64.and_then(base64_any)?);
    Some(text)
}

fn attributes(attributes: &CertificateAttributes) -> Value {
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

/// A creation.
pub(super) fn operation(name: &str, operation: &CertificateOperation) -> Value {
    json!({
        "name": name,
        "status": operation.status,
        "issuer": operation.issuer.name,
        "csr": operation.csr,
        "cancellationRequested": operation.cancellation_requested,
        "requestId": operation.request_id,
        "target": operation.target,
    })
}

/// Enabled or not, and until when.
pub(super) fn state(attributes: &CertificateAttributes, now: Timestamp) -> String {
    let enabled = if attributes.enabled == Some(false) { "disabled" } else { "enabled" };
    match attributes.exp {
        None => format!("{enabled}, not signed yet"),
        Some(at) if at <= now => format!("{enabled}, expired {}", expiry(at, now)),
        Some(at) => format!("{enabled}, expires {}", date(at)),
    }
}

/// One certificate for people.
pub(super) fn text(bundle: &CertificateBundle, now: Timestamp) -> String {
    let (name, version) = name_and_version::<Certificates>(&bundle.id);
    let policy = bundle.policy.clone().unwrap_or_default();
    let tags = bundle.tags.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), rfc3339);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    pairs([
        ("Name", name.to_owned()),
        ("Version", version.unwrap_or_default().to_owned()),
        ("State", state(&bundle.attributes, now)),
        ("Subject", or_none(policy.x509_props.and_then(|x509| x509.subject))),
        ("Issuer", or_none(policy.issuer.and_then(|issuer| issuer.name))),
        ("Thumbprint", or_none(thumbprint(bundle.x5t.as_deref()))),
        ("Not before", time(bundle.attributes.nbf)),
        ("Expires", time(bundle.attributes.exp)),
        ("Content type", or_none(bundle.content_type.clone())),
        ("Tags", if tags.is_empty() { "-".to_owned() } else { tags.join(" ") }),
    ])
}

impl Shown for Certificates {
    const WITH: &'static str = " with its key and secret";

    fn id(bundle: &CertificateBundle) -> &str {
        &bundle.id
    }

    fn bundle(bundle: &CertificateBundle) -> Value {
        let (name, version) = name_and_version::<Self>(&bundle.id);
        json!({
            "id": bundle.id,
            "name": name,
            "version": version,
            "kid": bundle.kid,
            "sid": bundle.sid,
            "x509Thumbprint": thumbprint(bundle.x5t.as_deref()),
            "cer": bundle.cer,
            "contentType": bundle.content_type,
            "attributes": attributes(&bundle.attributes),
            "tags": bundle.tags,
            "policy": bundle.policy,
        })
    }

    fn item(item: &CertificateItem) -> Value {
        let (name, version) = name_and_version::<Self>(&item.id);
        json!({
            "id": item.id,
            "name": name,
            "version": version,
            "x509Thumbprint": thumbprint(item.x5t.as_deref()),
            "attributes": attributes(&item.attributes),
            "tags": item.tags,
        })
    }

    fn deleted(deleted: &DeletedCertificate<CertificateBundle>) -> Value {
        with_dates(
            Self::bundle(&deleted.certificate),
            &deleted.recovery_id,
            [deleted.deleted_date, deleted.scheduled_purge_date],
        )
    }

    fn deleted_item(deleted: &DeletedCertificate<CertificateItem>) -> Value {
        with_dates(
            Self::item(&deleted.certificate),
            &deleted.recovery_id,
            [deleted.deleted_date, deleted.scheduled_purge_date],
        )
    }

    fn table(items: &[CertificateItem], versions: bool, now: Timestamp) -> String {
        let mut table = Table::new(&[if versions { "VERSION" } else { "NAME" }, "STATE", "UPDATED", "THUMBPRINT"]);
        for item in items {
            let (name, version) = name_and_version::<Self>(&item.id);
            let first = if versions { version.unwrap_or_default() } else { name };
            let updated = item.attributes.updated.map_or("-".to_owned(), rfc3339);
            let thumbprint = thumbprint(item.x5t.as_deref()).unwrap_or_else(|| "-".to_owned());
            table.row(vec![first.to_owned(), state(&item.attributes, now), updated, thumbprint]);
        }
        table.to_string()
    }

    fn purged(deleted: &DeletedCertificate<CertificateBundle>) -> Timestamp {
        deleted.scheduled_purge_date
    }

    fn deletion(deleted: &DeletedCertificate<CertificateItem>) -> (&str, Timestamp, Timestamp) {
        (&deleted.certificate.id, deleted.deleted_date, deleted.scheduled_purge_date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_what_other_tools_show() {
        // Contract section 8: x5t is base64url of SHA-1.
        let shown = thumbprint(Some("fLi3U52HunIVNXubkEnf8tP6Wbo")).unwrap();
        assert_eq!(shown, "7CB8B7539D87BA7215357B9B9049DFF2D3FA59BA");
        assert_eq!(thumbprint(None), None);
    }
}
