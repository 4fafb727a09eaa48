//! What a certificate is made by: every member of a policy has a value, and each is one that a vault takes.
//!
//! Defaults and limits are those of contract section 8 and of the specification; where neither has one, the constant says
//! "ours". P-256K is refused for what the vault makes, because the library that writes certificates has no such signatures;
//! an imported certificate may have it.

use std::fmt;

use credstore_protocol::key_vault::certificates::{
    AlternativeNames, BasicConstraints, CertificateAction, CertificateForm, CertificatePolicy, ISSUER_UNKNOWN,
    IssuerParameters, KeyProperties, KeyUsage, LifetimeAction, LifetimeActionType, LifetimeTrigger, SecretForm,
    X509Properties,
};
use credstore_protocol::key_vault::keys::{Curve, KeyType};

use super::{CertificateError, name};
use crate::keys::{KeyShape, RsaSize};

/// Months of validity when none are given. Source: contract section 8.
const VALIDITY_MONTHS: i64 = 12;
/// Most months of validity. Ours: a hundred years.
pub(super) const VALIDITY_MONTHS_MAX: i64 = 1200;
/// Percentage of a lifetime action. Source: specification, `Trigger.lifetime_percentage`: between 1 and 99.
const PERCENTAGES: std::ops::RangeInclusive<i64> = 1..=99;
/// Percentage when no action is given. Source: contract section 8.
const PERCENTAGE: i64 = 80;
/// Days of a lifetime action, for each month of validity. Source: specification, `Trigger.days_before_expiry`.
const DAYS_A_MONTH: i64 = 27;
/// Most extended key usages, and most alternative names of all kinds. Ours: public CAs stop at 100 names.
pub(super) const NAMES_MAX: usize = 100;
/// Longest alternative name in bytes. Ours: a domain name has 253, an e-mail address 254.
pub(super) const NAME_TEXT_MAX: usize = 512;
/// serverAuth and clientAuth. Source: contract section 8, defaults.
const EKUS: [&str; 2] = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];

/// What is wrong about a value of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRefusal {
    /// The subject is no distinguished name.
    Name,
    /// Neither subject nor alternative name.
    Nameless,
    /// An alternative name is not of its kind, too long, or one too many.
    AlternativeName,
    /// An extended key usage is no object identifier, or one too many.
    Usage,
    /// The months are not between 1 and the most.
    Months,
    /// The key is one that a vault does not make certificates for.
    Key,
    /// The content type is none of the two.
    Form,
    /// The trigger is not exactly one of the two measures, or outside of its range.
    Trigger,
}

impl fmt::Display for ValueRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("Invalid X.500 distinguished name"),
            Self::Nameless => f.write_str("Either a subject or a subject alternative name is required"),
            Self::AlternativeName => f.write_str("Invalid subject alternative name"),
            Self::Usage => f.write_str("Invalid extended key usage"),
            Self::Months => write!(f, "validity_months is not between 1 and {VALIDITY_MONTHS_MAX}"),
            Self::Key => f.write_str("The key type, size or curve is not supported for certificates"),
            Self::Form => f.write_str("contentType is neither application/x-pkcs12 nor application/x-pem-file"),
            Self::Trigger => f.write_str("The trigger of a lifetime action is not valid"),
        }
    }
}

/// A complete, checked policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The key to make.
    pub shape: KeyShape,
    /// Whether the secret carries the private key.
    pub exportable: bool,
    /// Whether the next version keeps the key.
    pub reuse_key: bool,
    /// Form of the secret.
    pub form: CertificateForm,
    /// Distinguished name, as it was written.
    pub subject: String,
    /// Other names.
    pub names: AlternativeNames,
    /// Extended key usages, dotted.
    pub ekus: Vec<String>,
    /// Key usages.
    pub key_usage: Vec<KeyUsage>,
    /// Months of validity.
    pub months: i64,
    /// What happens towards the end: at most one action.
    pub actions: Vec<LifetimeAction>,
    /// Name of the issuer.
    pub issuer: String,
    /// The rest of what was said about the issuer.
    pub issuer_words: IssuerParameters,
}

impl Policy {
    /// The policy that a creation asks for, with the defaults of what it leaves out. An issuer that is not named is
    /// unknown: the caller brings the certificate. Source: Key Vault, "Monitor and manage certificate creation".
    ///
    /// # Errors
    /// [`CertificateError::Value`], [`CertificateError::Actions`].
    pub fn checked(asked: &CertificatePolicy) -> Result<Self, CertificateError> {
        let key = asked.key_props.clone().unwrap_or_default();
        let x509 = asked.x509_props.clone().unwrap_or_default();
        let words = asked.issuer.clone().unwrap_or_default();
        let issuer = words.name.clone().unwrap_or_else(|| ISSUER_UNKNOWN.to_owned());
        let months = x509.validity_months.unwrap_or(VALIDITY_MONTHS);
        if !(1..=VALIDITY_MONTHS_MAX).contains(&months) {
            return Err(refused("x509_props", ValueRefusal::Months));
        }
        let subject = x509.subject.unwrap_or_default();
        if name::distinguished(&subject).is_none() {
            return Err(refused("x509_props", ValueRefusal::Name));
        }
        let names = x509.sans.unwrap_or_default();
        let written = alternative_names(&names)?;
        if subject.trim().is_empty() && written == 0 {
            return Err(refused("x509_props", ValueRefusal::Nameless));
        }
        let ekus = x509.ekus.unwrap_or_else(|| EKUS.map(str::to_owned).to_vec());
        if ekus.len() > NAMES_MAX || ekus.iter().any(|eku| name::object_identifier(eku).is_none()) {
            return Err(refused("x509_props", ValueRefusal::Usage));
        }
        let usages = || vec![KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment];
        let action =
            if issuer == ISSUER_UNKNOWN { CertificateAction::EmailContacts } else { CertificateAction::AutoRenew };
        Ok(Self {
            shape: shape(&key)?,
            exportable: key.exportable.unwrap_or(true),
            reuse_key: key.reuse_key.unwrap_or(false),
            form: form(asked.secret_props.as_ref())?.unwrap_or(CertificateForm::Pkcs12),
            subject,
            names,
            ekus,
            key_usage: x509.key_usage.unwrap_or_else(usages),
            months,
            actions: actions(asked.lifetime_actions.as_deref(), months)?
                .unwrap_or_else(|| vec![default_action(action)]),
            issuer,
            issuer_words: words,
        })
    }

    /// `whole` with the members that `change` has in place of its own, each as a whole.
    ///
    /// # Errors
    /// Those of [`checked`](Self::checked).
    pub fn changed(whole: CertificatePolicy, change: &CertificatePolicy) -> Result<Self, CertificateError> {
        Self::checked(&CertificatePolicy {
            id: None,
            key_props: change.key_props.clone().or(whole.key_props),
            secret_props: change.secret_props.clone().or(whole.secret_props),
            x509_props: change.x509_props.clone().or(whole.x509_props),
            lifetime_actions: change.lifetime_actions.clone().or(whole.lifetime_actions),
            issuer: change.issuer.clone().or(whole.issuer),
            attributes: None,
        })
    }

    /// The policy as answers show it, without its identifier and its times.
    pub fn to_wire(&self) -> CertificatePolicy {
        let (key_size, crv) = match self.shape {
            KeyShape::Rsa(size) => (size.bits(), None),
            KeyShape::Ec(curve) => (curve_bits(curve), Some(curve)),
        };
        CertificatePolicy {
            id: None,
            key_props: Some(KeyProperties {
                exportable: Some(self.exportable),
                kty: Some(self.shape.key_type()),
                key_size: Some(key_size),
                reuse_key: Some(self.reuse_key),
                crv,
            }),
            secret_props: Some(SecretForm { content_type: Some(self.form.as_str().to_owned()) }),
            x509_props: Some(X509Properties {
                subject: Some(self.subject.clone()),
                sans: (self.names != AlternativeNames::default()).then(|| self.names.clone()),
                ekus: Some(self.ekus.clone()),
                key_usage: Some(self.key_usage.clone()),
                validity_months: Some(self.months),
                basic_constraints: Some(BasicConstraints { ca: false }),
            }),
            lifetime_actions: Some(self.actions.clone()),
            issuer: Some(IssuerParameters { name: Some(self.issuer.clone()), ..self.issuer_words.clone() }),
            attributes: None,
        }
    }
}

fn refused(property: &'static str, refusal: ValueRefusal) -> CertificateError {
    CertificateError::Value { property, refusal }
}

pub(super) fn default_action(action: CertificateAction) -> LifetimeAction {
    LifetimeAction {
        trigger: LifetimeTrigger { lifetime_percentage: Some(PERCENTAGE), days_before_expiry: None },
        action: LifetimeActionType { action_type: action },
    }
}

const fn curve_bits(curve: Curve) -> u32 {
    match curve {
        Curve::P256 | Curve::P256K => 256,
        Curve::P384 => 384,
        Curve::P521 => 521,
    }
}

fn shape(key: &KeyProperties) -> Result<KeyShape, CertificateError> {
    let refusal = refused("key_props", ValueRefusal::Key);
    match key.kty.unwrap_or(KeyType::Rsa) {
        KeyType::Rsa if key.crv.is_some() => Err(refusal),
        KeyType::Rsa => {
            let bits = key.key_size.unwrap_or(2048) as usize;
            RsaSize::of_bits(bits).map(KeyShape::Rsa).map_err(|_| refusal)
        }
        KeyType::Ec => {
            let curve = match (key.crv, key.key_size) {
                (Some(Curve::P256K), _) => return Err(refusal),
                (Some(curve), None) => curve,
                (Some(curve), Some(bits)) if bits == curve_bits(curve) => curve,
                (None, None | Some(256)) => Curve::P256,
                (None, Some(384)) => Curve::P384,
                (None, Some(521)) => Curve::P521,
                (_, Some(_)) => return Err(refusal),
            };
            Ok(KeyShape::Ec(curve))
        }
        KeyType::RsaHsm | KeyType::EcHsm | KeyType::Oct | KeyType::OctHsm => Err(refusal),
    }
}

/// The form that was asked for, if any.
pub(super) fn form(asked: Option<&SecretForm>) -> Result<Option<CertificateForm>, CertificateError> {
    let Some(text) = asked.and_then(|form| form.content_type.as_deref()) else { return Ok(None) };
    let form = CertificateForm::ALL.iter().find(|form| form.as_str() == text);
    form.copied().map(Some).ok_or(refused("secret_props", ValueRefusal::Form))
}

/// The one action of a policy. `None` when it says nothing about actions.
pub(super) fn actions(
    asked: Option<&[LifetimeAction]>,
    months: i64,
) -> Result<Option<Vec<LifetimeAction>>, CertificateError> {
    let Some(asked) = asked else { return Ok(None) };
    if asked.len() > 1 {
        return Err(CertificateError::Actions);
    }
    for LifetimeAction { trigger, .. } in asked {
        let fits = match (trigger.lifetime_percentage, trigger.days_before_expiry) {
            (Some(percentage), None) => PERCENTAGES.contains(&percentage),
            (None, Some(days)) => (1..=months * DAYS_A_MONTH).contains(&days),
            (Some(_), Some(_)) | (None, None) => false,
        };
        if !fits {
            return Err(refused("lifetime_actions", ValueRefusal::Trigger));
        }
    }
    Ok(Some(asked.to_vec()))
}

/// How many alternative names there are. What each kind has to look like is for the library that writes them to say.
fn alternative_names(names: &AlternativeNames) -> Result<usize, CertificateError> {
    let kinds = [&names.emails, &names.dns_names, &names.upns, &names.uris, &names.ip_addresses];
    let all = || kinds.into_iter().flatten().flatten();
    let count = all().count();
    if count > NAMES_MAX || all().any(|name| name.is_empty() || name.len() > NAME_TEXT_MAX) {
        return Err(refused("x509_props", ValueRefusal::AlternativeName));
    }
    super::issue::alternative_names(names)?;
    Ok(count)
}
