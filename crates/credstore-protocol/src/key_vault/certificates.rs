//! Messages of the Key Vault data plane about certificates, and the names of key usages and actions.
//!
//! The encodings differ within one object: `x5t` is base64url without padding; `cer`, `csr` and `x5c` are standard base64
//! (contract section 19, item 6). What an import brings and the password of an issuer are only ever read. The private key
//! of a certificate leaves in the secret of the same name and version, never in these messages. Source: Key Vault data
//! plane, contract section 8; the names of members are those of the specification, which mixes snake and camel case.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::keys::{Curve, KeyType};
use super::{ErrorDetail, Tags};
use crate::{Secret, Timestamp};

/// `name` of the issuer that is the vault itself: the certificate signs itself.
pub const ISSUER_SELF: &str = "Self";
/// `provider` of an issuer that is an authority inside the vault. Ours.
pub const PROVIDER_INSIDE: &str = "Credstore";

/// With the value `true` on `GET /certificates/issuers/{name}` it asks for the certificate of an authority inside the
/// vault. Ours; Azure ignores it, and who does not send it gets what Azure sends.
pub const ISSUER_CERTIFICATE_HEADER: &str = "x-credstore-issuer-certificate";

/// `name` of the issuer that is nobody the vault knows: the caller has the request signed and merges the certificate.
pub const ISSUER_UNKNOWN: &str = "Unknown";

wire_names! {
    /// A member of `key_usage`: what the key of a certificate is for (RFC 5280 section 4.2.1.3).
    KeyUsage {
        /// Sign what is no certificate and no revocation list.
        DigitalSignature = "digitalSignature",
        /// Sign so that the signer cannot deny it.
        NonRepudiation = "nonRepudiation",
        /// Encrypt keys.
        KeyEncipherment = "keyEncipherment",
        /// Encrypt texts.
        DataEncipherment = "dataEncipherment",
        /// Agree on a key.
        KeyAgreement = "keyAgreement",
        /// Sign certificates.
        KeyCertSign = "keyCertSign",
        /// Sign revocation lists. Some clients write a small `r`.
        #[serde(alias = "crlSign")]
        CrlSign = "cRLSign",
        /// With key agreement: encrypt only.
        EncipherOnly = "encipherOnly",
        /// With key agreement: decrypt only.
        DecipherOnly = "decipherOnly",
    }
}

wire_names! {
    /// `action_type`: what happens towards the end of a certificate's life.
    CertificateAction {
        /// A new version is made by the policy.
        AutoRenew = "AutoRenew",
        /// The contacts of the vault are written to.
        EmailContacts = "EmailContacts",
    }
}

wire_names! {
    /// `status` of an operation. Clients compare it without regard to case.
    OperationStatus {
        /// The certificate is not there yet.
        InProgress = "inProgress",
        /// `target` names the certificate.
        Completed = "completed",
        /// The operation was cancelled.
        Cancelled = "cancelled",
        /// `error` says why there is no certificate.
        Failed = "failed",
    }
}

wire_names! {
    /// `contentType` of `secret_props`: the form of the secret that holds the certificate with its key.
    CertificateForm {
        /// PKCS#12 with the empty password, in standard base64.
        Pkcs12 = "application/x-pkcs12",
        /// PKCS#8 key and certificates as PEM text.
        Pem = "application/x-pem-file",
    }
}

/// Attributes of a certificate, in requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateAttributes {
    /// Whether the certificate may be used. Absent in a request means unchanged, or true on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `notBefore` of the certificate. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Timestamp>,
    /// `notAfter` of the certificate. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<Timestamp>,
    /// When this version was made. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its properties last changed. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// What deletion means in this vault. Answers about one certificate only: lists do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_level: Option<Cow<'static, str>>,
    /// Days that a deleted certificate is kept. As `recovery_level`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable_days: Option<u16>,
}

/// How the versions of a certificate are made. Absent members of a request take their defaults, or stay in an update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatePolicy {
    /// `https://{vault-host}/certificates/{name}/policy`. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_props: Option<KeyProperties>,
    /// The secret that carries certificate and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_props: Option<SecretForm>,
    /// What stands in the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509_props: Option<X509Properties>,
    /// What happens towards the end of its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_actions: Option<Vec<LifetimeAction>>,
    /// Who signs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerParameters>,
    /// State and times of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<CertificateAttributes>,
}

/// `key_props`: the key behind a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyProperties {
    /// Whether the secret carries the private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// Kind of key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kty: Option<KeyType>,
    /// RSA modulus in bits, or the bits of a curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_size: Option<u32>,
    /// Whether the next version keeps the key of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse_key: Option<bool>,
    /// Curve of an EC key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<Curve>,
}

/// `secret_props`: the secret that carries certificate and key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretForm {
    /// A name of [`CertificateForm`]; any other is refused by the vault, with its own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// `x509_props`: what stands in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct X509Properties {
    /// Distinguished name as text, for example `CN=app, O="Acme, Inc."`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Other names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sans: Option<AlternativeNames>,
    /// Extended key usages, as dotted object identifiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ekus: Option<Vec<String>>,
    /// Key usages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<Vec<KeyUsage>>,
    /// How long a version is valid, in months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_months: Option<i64>,
    /// Whether it is a certificate of a CA. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_constraints: Option<BasicConstraints>,
}

/// `basic_constraints` of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BasicConstraints {
    /// Whether the certificate signs others.
    pub ca: bool,
}

/// `sans`: names of the holder beside the subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlternativeNames {
    /// E-mail addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emails: Option<Vec<String>>,
    /// Domain names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_names: Option<Vec<String>>,
    /// User principal names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upns: Option<Vec<String>>,
    /// URIs, from api-version 2025-07-01 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uris: Option<Vec<String>>,
    /// IP addresses, from api-version 2025-07-01 on.
    #[serde(rename = "ipAddresses", default, skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<Vec<String>>,
}

/// One of `lifetime_actions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeAction {
    /// When.
    #[serde(default)]
    pub trigger: LifetimeTrigger,
    /// What.
    pub action: LifetimeActionType,
}

/// `trigger`: the moment of an action, by one of two measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeTrigger {
    /// At this percentage of the life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_percentage: Option<i64>,
    /// So many days before the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_before_expiry: Option<i64>,
}

/// `action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifetimeActionType {
    /// What happens.
    pub action_type: CertificateAction,
}

/// `issuer`: who signs a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerParameters {
    /// [`ISSUER_SELF`], [`ISSUER_UNKNOWN`] or the name of an issuer of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Kind of certificate, in the issuer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cty: Option<String>,
    /// Whether it is published in the logs of certificate transparency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_transparency: Option<bool>,
}

/// A certificate as Import, Get, Update, Merge, Recover and Restore answer it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateBundle {
    /// `https://{vault-host}/certificates/{name}/{version}`.
    pub id: String,
    /// Identifier of the key; the same version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Identifier of the secret; the same version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// SHA-1 of the certificate, base64url without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    /// The certificate: DER in standard base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cer: Option<String>,
    /// Form of the secret. Azure leaves it out as a rule and has it in the policy.
    #[serde(rename = "contentType", default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// State and times.
    #[serde(default)]
    pub attributes: CertificateAttributes,
    /// Tags of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// How versions are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<CertificatePolicy>,
    /// The operation that made it, or makes the next version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingReference>,
}

/// `pending` of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingReference {
    /// `https://{vault-host}/certificates/{name}/pending`.
    pub id: String,
}

/// A certificate in a list; the identifier has no version, except in a list of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateItem {
    /// Identifier of the certificate, or of the version in a list of versions.
    pub id: String,
    /// SHA-1 of the certificate, base64url without padding. A pending certificate has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x5t: Option<String>,
    /// State and times of the current version.
    #[serde(default)]
    pub attributes: CertificateAttributes,
    /// Tags of the current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// A deleted certificate: `T` is [`CertificateBundle`] where one is answered, policy included, [`CertificateItem`] in lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedCertificate<T> {
    /// `https://{vault-host}/deletedcertificates/{name}`.
    pub recovery_id: String,
    /// When it was deleted.
    pub deleted_date: Timestamp,
    /// When it will be purged.
    pub scheduled_purge_date: Timestamp,
    /// The certificate as it was.
    #[serde(flatten)]
    pub certificate: T,
}

/// Body of `POST /certificates/{name}/create`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CreateCertificate {
    /// How it is made; absent takes the policy that the name has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<CertificatePolicy>,
    /// `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<CertificateAttributes>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Whether a chain keeps the order in which it came, from api-version 7.6 on.
    #[serde(rename = "preserveCertOrder", default, skip_serializing_if = "Option::is_none")]
    pub preserve_order: Option<bool>,
}

/// Body of `POST /certificates/{name}/import`. It cannot be serialised.
#[derive(Debug, Deserialize)]
pub struct ImportCertificate {
    /// Certificates and private key: a PFX in standard base64, or PEM text.
    pub value: Secret,
    /// Password of the PFX.
    #[serde(default)]
    pub pwd: Option<Secret>,
    /// How later versions are made; what is absent is told by the certificate.
    #[serde(default)]
    pub policy: Option<CertificatePolicy>,
    /// `enabled`.
    #[serde(default)]
    pub attributes: Option<CertificateAttributes>,
    /// Tags.
    #[serde(default)]
    pub tags: Option<Tags>,
    /// Whether the chain keeps the order in which it came, from api-version 7.6 on.
    #[serde(rename = "preserveCertOrder", default)]
    pub preserve_order: Option<bool>,
}

/// Body of `PATCH /certificates/{name}/{version}`: absent members stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UpdateCertificate {
    /// How later versions are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<CertificatePolicy>,
    /// `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<CertificateAttributes>,
    /// The new tags; they replace the whole map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// Body of `POST /certificates/{name}/pending/merge`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MergeCertificate {
    /// The certificate, then its chain: each DER in standard base64. Some clients encode that text in base64 once more.
    pub x5c: Vec<String>,
    /// `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<CertificateAttributes>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// The making of a certificate, as Create and the requests about `…/pending` answer it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CertificateOperation {
    /// `https://{vault-host}/certificates/{name}/pending`.
    pub id: String,
    /// Who signs.
    pub issuer: IssuerParameters,
    /// The request to be signed: PKCS#10 in standard base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// Whether somebody asked to stop.
    pub cancellation_requested: bool,
    /// How far it is.
    pub status: OperationStatus,
    /// The same in words. A completed operation has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_details: Option<Cow<'static, str>>,
    /// Why it did not come to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorDetail>,
    /// `https://{vault-host}/certificates/{name}`, once completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// 32 lower-case hexadecimal characters that tell this operation from others of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Body of `PATCH /certificates/{name}/pending`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct UpdateCertificateOperation {
    /// Whether the operation is to stop.
    pub cancellation_requested: bool,
}

/// The contacts of a vault: body and answer of `…/certificates/contacts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacts {
    /// `https://{vault-host}/certificates/contacts`. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who is written to.
    #[serde(rename = "contacts", default)]
    pub list: Vec<Contact>,
}

/// One contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Body of `PUT` and `PATCH /certificates/issuers/{name}`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SetIssuer {
    /// Kind of issuer, for example `Test` or `DigiCert`. An update may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How the vault signs in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SetIssuerCredentials>,
    /// Whom it acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_details: Option<Organization>,
    /// `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<IssuerAttributes>,
}

/// `credentials` of a request.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SetIssuerCredentials {
    /// Name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// Password of the account. No answer has it, and it is only ever read.
    #[serde(default, skip_serializing)]
    pub pwd: Option<Secret>,
}

/// An issuer of a vault as every request about one answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerBundle {
    /// `https://{vault-host}/certificates/issuers/{name}`.
    pub id: String,
    /// Kind of issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How the vault signs in there, without the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<IssuerCredentials>,
    /// Whom it acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_details: Option<Organization>,
    /// State and times.
    #[serde(default)]
    pub attributes: IssuerAttributes,
    /// Certificate of an authority inside the vault, in standard base64. Only in answers to
    /// [`ISSUER_CERTIFICATE_HEADER`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cer: Option<String>,
}

/// An issuer in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerItem {
    /// `https://{vault-host}/certificates/issuers/{name}`.
    pub id: String,
    /// Kind of issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// `credentials` of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerCredentials {
    /// Name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
}

/// `org_details` of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its number at the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip: Option<i64>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_details: Option<Vec<Administrator>>,
}

/// One of `admin_details`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Administrator {
    /// First name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Attributes of an issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerAttributes {
    /// Whether it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// When it was made. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it last changed. Answers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Reads a text of the contract and writes it again, which must not change it.
    fn there_and_back<T: Serialize + for<'de> Deserialize<'de>>(sent: Value) -> T {
        let read: T = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), sent);
        read
    }

    /// The policy of the contract's bundle.
    fn policy() -> Value {
        json!({"id": "https://v.vault.azure.net/certificates/app/policy",
            "key_props": {"exportable": true, "kty": "RSA", "key_size": 2048, "reuse_key": false},
            "secret_props": {"contentType": "application/x-pkcs12"},
            "x509_props": {"subject": "CN=app", "sans": {"dns_names": ["app.example"]},
                "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"], "key_usage": ["digitalSignature", "keyEncipherment"],
                "validity_months": 12, "basic_constraints": {"ca": false}},
            "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "AutoRenew"}}],
            "issuer": {"name": "Self", "cert_transparency": false},
            "attributes": {"enabled": true, "created": 1, "updated": 2}})
    }

    fn bundle() -> Value {
        let version = "4387e9f3d6e14c459867679a90fd0f79";
        json!({"id": format!("https://v.vault.azure.net/certificates/app/{version}"),
            "kid": format!("https://v.vault.azure.net/keys/app/{version}"),
            "sid": format!("https://v.vault.azure.net/secrets/app/{version}"),
            "x5t": "fLi3U52HunIVNXubkEnf8tP6Wbo", "cer": "MIICODCCAeagAwIB",
            "attributes": {"enabled": true, "nbf": 1, "exp": 2, "created": 3, "updated": 4,
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90},
            "tags": {"a": "b"}, "policy": policy(),
            "pending": {"id": "https://v.vault.azure.net/certificates/app/pending"}})
    }

    #[test]
    fn the_names_are_those_of_key_vault() {
        // Contract section 8; the specification's CertificateOperation and SecretProperties.
        let names: Vec<_> = KeyUsage::ALL.iter().map(|usage| usage.as_str()).collect();
        let expected = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement"];
        assert_eq!(names[..5], expected);
        assert_eq!(names[5..], ["keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"]);
        for usage in KeyUsage::ALL {
            assert_eq!(serde_json::to_value(usage).unwrap(), json!(usage.as_str()));
            assert_eq!(serde_json::from_value::<KeyUsage>(json!(usage.as_str())).unwrap(), *usage);
        }
        let names: Vec<_> = OperationStatus::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["inProgress", "completed", "cancelled", "failed"]);
        let names: Vec<_> = CertificateForm::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["application/x-pkcs12", "application/x-pem-file"]);
        let names: Vec<_> = CertificateAction::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["AutoRenew", "EmailContacts"]);
    }

    #[test]
    fn both_spellings_of_the_list_signing_usage_are_read() {
        for spelling in ["cRLSign", "crlSign"] {
            assert_eq!(serde_json::from_value::<KeyUsage>(json!(spelling)).unwrap(), KeyUsage::CrlSign);
        }
        assert!(serde_json::from_value::<KeyUsage>(json!("CRLSign")).is_err());
    }

    #[test]
    fn a_bundle_has_the_shape_that_azure_sends() {
        let read: CertificateBundle = there_and_back(bundle());
        let policy = read.policy.unwrap();
        assert_eq!(policy.key_props.unwrap().kty, Some(KeyType::Rsa));
        assert_eq!(policy.issuer.unwrap().name.as_deref(), Some(ISSUER_SELF));
        assert_eq!(policy.lifetime_actions.unwrap()[0].trigger.lifetime_percentage, Some(80));
    }

    #[test]
    fn a_deleted_certificate_has_everything_of_the_bundle_and_its_dates() {
        let mut sent = bundle();
        sent["recoveryId"] = json!("https://v.vault.azure.net/deletedcertificates/app");
        (sent["deletedDate"], sent["scheduledPurgeDate"]) = (json!(1), json!(7_776_001));
        let read: DeletedCertificate<CertificateBundle> = there_and_back(sent);
        assert!(read.certificate.policy.is_some());
        let read: DeletedCertificate<CertificateItem> =
            there_and_back(json!({"recoveryId": "https://v/deletedcertificates/a",
            "deletedDate": 1, "scheduledPurgeDate": 2, "id": "https://v/certificates/a", "x5t": "AA",
            "attributes": {"enabled": true, "nbf": 1, "exp": 2, "created": 3, "updated": 4}, "tags": {}}));
        assert_eq!(read.certificate.x5t.as_deref(), Some("AA"));
    }

    #[test]
    fn the_request_of_a_creation_is_read_with_the_null_it_has() {
        // Contract section 8, `POST /certificates/app/create`.
        let sent = r#"{"policy":{"key_props":{"exportable":true,"kty":"RSA","key_size":2048,"reuse_key":false},
            "secret_props":{"contentType":"application/x-pem-file"},
            "x509_props":{"subject":"CN=app","sans":{"dns_names":["app.example"]},"ekus":["1.3.6.1.5.5.7.3.1"],
                "key_usage":["crlSign"],"validity_months":12},
            "lifetime_actions":[{"trigger":{"lifetime_percentage":80},"action":{"action_type":"AutoRenew"}}],
            "issuer":{"name":"Self","cert_transparency":false,"cty":null}},"attributes":{"enabled":true},"tags":{}}"#;
        let read: CreateCertificate = serde_json::from_str(sent).unwrap();
        let policy = read.policy.unwrap();
        let issuer = IssuerParameters { cert_transparency: Some(false), name: Some("Self".to_owned()), cty: None };
        assert_eq!(policy.issuer, Some(issuer));
        let x509 = policy.x509_props.unwrap();
        assert_eq!(x509.key_usage, Some(vec![KeyUsage::CrlSign]));
        assert_eq!(x509.sans.unwrap().dns_names.unwrap(), ["app.example"]);
        assert_eq!(policy.secret_props.unwrap().content_type.as_deref(), Some("application/x-pem-file"));
        assert_eq!((read.attributes.unwrap().enabled, read.tags), (Some(true), Some(Tags::new())));
    }

    #[test]
    fn later_members_of_a_policy_are_read_and_unknown_ones_are_passed_over() {
        // Contract section 1: 2025-07-01 and 2026-04-01.
        let sent = json!({"x509_props": {"sans": {"uris": ["https://a"], "ipAddresses": ["10.0.0.1"], "upns": ["u@d"],
            "emails": ["e@d"]}}, "platformManaged": {"certificateUsage": "x"}});
        let read: CertificatePolicy = serde_json::from_value(sent).unwrap();
        let names = read.x509_props.unwrap().sans.unwrap();
        assert_eq!(names.ip_addresses.unwrap(), ["10.0.0.1"]);
        assert_eq!((names.uris.unwrap().len(), names.upns.unwrap().len(), names.emails.unwrap().len()), (1, 1, 1));
    }

    #[test]
    fn an_operation_has_the_shape_that_azure_sends() {
        // Contract section 8: under way, and completed.
        let read: CertificateOperation = there_and_back(json!({"id": "https://v/certificates/app/pending",
            "issuer": {"name": "Self"}, "csr": "MIIC", "cancellation_requested": false, "status": "inProgress",
            "status_details": "Pending certificate created. Please Perform Merge to complete the request.",
            "request_id": "4387e9f3d6e14c459867679a90fd0f79"}));
        assert_eq!(read.status, OperationStatus::InProgress);
        let read: CertificateOperation = there_and_back(json!({"id": "https://v/certificates/app/pending",
            "issuer": {"name": "Self"}, "csr": "MIIC", "cancellation_requested": false, "status": "completed",
            "target": "https://v/certificates/app", "request_id": "4387e9f3d6e14c459867679a90fd0f79"}));
        assert_eq!(read.target.as_deref(), Some("https://v/certificates/app"));
        let read: UpdateCertificateOperation = there_and_back(json!({"cancellation_requested": true}));
        assert!(read.cancellation_requested);
    }

    #[test]
    fn what_an_import_and_an_issuer_bring_is_in_no_debug_text() {
        let import: ImportCertificate =
            serde_json::from_str(r#"{"value":"planted1","pwd":"planted2","preserveCertOrder":true}"#).unwrap();
        assert_eq!(import.value.expose_secret(), "planted1");
        assert_eq!(import.pwd.as_ref().unwrap().expose_secret(), "planted2");
        assert_eq!(import.preserve_order, Some(true));
        let issuer: SetIssuer =
            serde_json::from_str(r#"{"provider":"Test","credentials":{"account_id":"u","pwd":"planted3"}}"#).unwrap();
        assert_eq!(issuer.credentials.as_ref().unwrap().pwd.as_ref().unwrap().expose_secret(), "planted3");
        assert!(!format!("{import:?}{issuer:?}").contains("planted"));
    }

    #[test]
    fn merges_updates_contacts_and_issuers_have_the_members_of_the_contract() {
        let merge: MergeCertificate =
            there_and_back(json!({"x5c": ["MIIC"], "attributes": {"enabled": true}, "tags": {}}));
        assert_eq!(merge.x5c, ["MIIC"]);
        let update: UpdateCertificate = there_and_back(json!({"tags": {"a": "b"}}));
        assert!(update.policy.is_none() && update.attributes.is_none());
        let contacts: Contacts = there_and_back(json!({"id": "https://v/certificates/contacts",
            "contacts": [{"email": "a@b", "name": "A", "phone": "1"}, {"email": "c@d"}]}));
        assert_eq!(contacts.list[1].email.as_deref(), Some("c@d"));
        let issuer: IssuerBundle = there_and_back(json!({"id": "https://v/certificates/issuers/i", "provider": "Test",
            "credentials": {"account_id": "keyvaultuser"}, "org_details": {"zip": 98052, "admin_details":
                [{"first_name": "J", "last_name": "D", "email": "a@b", "phone": "1"}]},
            "attributes": {"enabled": true, "created": 1, "updated": 2}}));
        assert_eq!(issuer.org_details.unwrap().admin_details.unwrap().len(), 1);
        let sent: SetIssuer = serde_json::from_value(
            json!({"provider": "Test", "credentials": {"account_id": "a", "pwd": "planted"}, "attributes": {"enabled": true}}),
        )
        .unwrap();
        assert_eq!(
            serde_json::to_value(&sent).unwrap(),
            json!({"provider": "Test", "credentials": {"account_id": "a"}, "attributes": {"enabled": true}}),
            "a password is only ever read"
        );
        let item: IssuerItem = there_and_back(json!({"id": "https://v/certificates/issuers/i", "provider": "Test"}));
        assert_eq!(item.provider.as_deref(), Some("Test"));
    }
}
