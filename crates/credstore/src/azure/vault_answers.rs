//! What a vault's refusals mean: one table from status, code and inner code to cause and fix.
//!
//! Source: the vault table of the documentation, contract section 5. The table says which answers are which
//! [`VaultAnswer`]; everything else follows from that by exhaustive `match`.

use std::net::IpAddr;
use std::time::Duration;

use credstore_protocol::ClientId;

use super::error::Concern;
use super::objects::ObjectKind;
use crate::codes::{Code, identifiers, vault as codes};
use crate::diagnosis::{Diagnosis, Upstream};

/// What a refusal of a vault means. A variant is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultAnswer {
    /// No access policy gives the permission.
    DeniedByPolicy,
    /// The access policy has an authorized application, so it is for calls on behalf of a user.
    PolicyOnBehalfOf,
    /// No role gives the permission.
    DeniedByRole,
    /// The address is not allowed.
    DeniedByFirewall,
    /// Public access is off.
    DeniedByConnection,
    /// The version is disabled.
    SecretDisabled,
    /// The secret or key belongs to a certificate.
    ManagedSecret,
    /// Refused for another reason.
    Denied,
    /// No such secret.
    SecretMissing,
    /// No such vault.
    VaultMissing,
    /// No such object of another kind.
    Missing,
    /// No issuer of certificates of that name.
    IssuerMissing,
    /// The name belongs to a deleted secret.
    DeletedRecoverable,
    /// Deletion or recovery is under way.
    Busy,
    /// The name is in use.
    Conflict,
    /// The backup is not readable.
    BackupMalformed,
    /// Something in the request is wrong.
    BadRequest,
    /// Too many requests.
    Throttled,
    /// A fault of the vault's own.
    Fault,
}

/// One kind of answer; `None` matches everything.
#[derive(Debug)]
pub struct VaultRow {
    /// HTTP status.
    pub status: u16,
    /// `error.code`.
    pub code: Option<&'static str>,
    /// `error.innererror.code`.
    pub inner: Option<&'static str>,
    /// A part of the text, where only that tells two cases apart.
    pub text: Option<&'static str>,
    /// What it means.
    pub answer: VaultAnswer,
}

const fn row(status: u16, code: Option<&'static str>, inner: Option<&'static str>, answer: VaultAnswer) -> VaultRow {
    VaultRow { status, code, inner, text: None, answer }
}

/// Kinds of answers, the more special before the more general.
pub const ANSWERS: &[VaultRow] = &[
    row(400, Some("Malformed backup blob"), None, VaultAnswer::BackupMalformed),
    VaultRow {
        status: 403,
        code: None,
        inner: Some("ForbiddenByPolicy"),
        text: Some("on-behalf-of"),
        answer: VaultAnswer::PolicyOnBehalfOf,
    },
    row(403, None, Some("ForbiddenByPolicy"), VaultAnswer::DeniedByPolicy),
    row(403, None, Some("AccessDenied"), VaultAnswer::DeniedByPolicy),
    row(403, None, Some("ForbiddenByRbac"), VaultAnswer::DeniedByRole),
    row(403, None, Some("ForbiddenByFirewall"), VaultAnswer::DeniedByFirewall),
    row(403, None, Some("ForbiddenByConnection"), VaultAnswer::DeniedByConnection),
    row(403, None, Some("SecretDisabled"), VaultAnswer::SecretDisabled),
    row(403, None, Some("KeyDisabled"), VaultAnswer::SecretDisabled),
    row(403, None, Some("SecretManagedByKeyVault"), VaultAnswer::ManagedSecret),
    row(403, None, Some("KeyManagedByKeyVault"), VaultAnswer::ManagedSecret),
    row(403, None, None, VaultAnswer::Denied),
    row(404, Some("SecretNotFound"), None, VaultAnswer::SecretMissing),
    row(404, Some("VaultNotFound"), None, VaultAnswer::VaultMissing),
    row(404, Some("CertificateIssuerNotFound"), None, VaultAnswer::IssuerMissing),
    row(404, None, None, VaultAnswer::Missing),
    row(409, None, Some("ObjectIsDeletedButRecoverable"), VaultAnswer::DeletedRecoverable),
    row(409, None, Some("ObjectIsBeingDeleted"), VaultAnswer::Busy),
    row(409, None, Some("ObjectIsBeingRecovered"), VaultAnswer::Busy),
    row(409, None, None, VaultAnswer::Conflict),
    row(429, None, None, VaultAnswer::Throttled),
];

/// What was asked and what came back.
#[derive(Clone, Debug)]
pub struct VaultFacts {
    /// The vault.
    pub vault: String,
    /// The app that asked.
    pub client: ClientId,
    /// Name of the object, when it was about one.
    pub secret: Option<String>,
    /// The permission that the operation needs, as the portal writes it: `Get`.
    pub permission: &'static str,
    /// The kind of object that it was about.
    pub kind: ObjectKind,
    /// How long to wait, if the vault said so.
    pub retry_after: Option<Duration>,
    /// The address that the vault's firewall saw, if it said so.
    pub client_address: Option<IpAddr>,
    /// The vault's own words, as far as they may be shown.
    pub(super) words: String,
    pub(super) upstream: Upstream,
}

/// A refusal of a vault.
#[derive(Clone, Debug)]
pub struct VaultRefusal {
    /// What it means.
    pub answer: VaultAnswer,
    /// What was asked and what came back.
    pub facts: VaultFacts,
}

impl VaultAnswer {
    /// The meaning of an answer.
    pub(super) fn of(status: u16, code: &str, inner: &str, text: &str) -> Self {
        let matches = |row: &&VaultRow| {
            row.status == status
                && row.code.is_none_or(|known| known.eq_ignore_ascii_case(code))
                && row.inner.is_none_or(|known| known.eq_ignore_ascii_case(inner))
                && row.text.is_none_or(|part| text.contains(part))
        };
        match ANSWERS.iter().find(matches) {
            Some(row) => row.answer,
            None if status >= 500 || status == 408 => Self::Fault,
            None => Self::BadRequest,
        }
    }

    /// Our code for it.
    pub fn code(self) -> &'static Code {
        match self {
            Self::DeniedByPolicy | Self::PolicyOnBehalfOf => &codes::DENIED_BY_POLICY,
            Self::DeniedByRole => &codes::DENIED_BY_ROLE,
            Self::DeniedByFirewall => &codes::DENIED_BY_FIREWALL,
            Self::DeniedByConnection => &codes::DENIED_BY_CONNECTION,
            Self::SecretDisabled => &codes::SECRET_DISABLED,
            Self::ManagedSecret => &codes::MANAGED_SECRET,
            Self::Denied => &codes::DENIED,
            Self::SecretMissing => &identifiers::IDENTIFIER_UNKNOWN,
            Self::VaultMissing => &codes::VAULT_MISSING,
            Self::Missing | Self::IssuerMissing => &codes::UPSTREAM_SECRET_MISSING,
            Self::DeletedRecoverable => &codes::DELETED_RECOVERABLE,
            Self::Busy => &codes::OBJECT_BUSY,
            Self::Conflict => &codes::CONFLICT,
            Self::BackupMalformed => &codes::BACKUP_MALFORMED,
            Self::BadRequest => &codes::REQUEST_REFUSED,
            Self::Throttled => &codes::THROTTLED,
            Self::Fault => &codes::VAULT_FAULT,
        }
    }

    /// Whether the object that was asked for does not exist.
    pub(super) fn is_not_found(self) -> bool {
        matches!(self, Self::SecretMissing | Self::Missing | Self::IssuerMissing)
    }

    /// The setting that is most likely wrong.
    pub(super) fn concern(self) -> Option<Concern> {
        match self {
            Self::VaultMissing => Some(Concern::VaultName),
            Self::DeniedByPolicy
            | Self::PolicyOnBehalfOf
            | Self::DeniedByRole
            | Self::DeniedByFirewall
            | Self::DeniedByConnection
            | Self::SecretDisabled
            | Self::ManagedSecret
            | Self::Denied
            | Self::SecretMissing
            | Self::Missing
            | Self::IssuerMissing
            | Self::DeletedRecoverable
            | Self::Busy
            | Self::Conflict
            | Self::BackupMalformed
            | Self::BadRequest
            | Self::Throttled
            | Self::Fault => None,
        }
    }

    fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Fault | Self::Busy)
    }
}

impl VaultRefusal {
    fn secret(&self) -> &str {
        self.facts.secret.as_deref().unwrap_or("the object")
    }

    fn message(&self) -> String {
        let (secret, vault) = (self.secret(), &self.facts.vault);
        match self.answer {
            VaultAnswer::DeniedByPolicy
            | VaultAnswer::PolicyOnBehalfOf
            | VaultAnswer::DeniedByRole
            | VaultAnswer::Denied => format!("vault {vault} does not permit {}", self.facts.permission),
            VaultAnswer::DeniedByFirewall => format!("the firewall of vault {vault} does not allow this address"),
            VaultAnswer::DeniedByConnection => format!("vault {vault} is reachable by private endpoint only"),
            VaultAnswer::SecretDisabled => format!("{secret} is disabled"),
            VaultAnswer::ManagedSecret => format!("{secret} belongs to a certificate"),
            VaultAnswer::SecretMissing => format!("there is no identifier {secret}"),
            VaultAnswer::VaultMissing => format!("there is no vault {vault}"),
            VaultAnswer::Missing => format!("there is no {} {secret} in vault {vault}", self.facts.kind),
            VaultAnswer::IssuerMissing => format!("there is no issuer {secret} in vault {vault}"),
            VaultAnswer::DeletedRecoverable => format!("the name {secret} belongs to a deleted {}", self.facts.kind),
            VaultAnswer::Busy => format!("{secret} is being deleted or recovered"),
            VaultAnswer::Conflict => format!("the name {secret} is in use"),
            VaultAnswer::BackupMalformed => "the backup cannot be restored".to_owned(),
            VaultAnswer::BadRequest => format!("vault {vault} does not accept the request"),
            VaultAnswer::Throttled => format!("vault {vault} receives too many requests"),
            VaultAnswer::Fault => format!("vault {vault} reports a fault of its own"),
        }
    }

    fn cause(&self) -> String {
        let VaultFacts { vault, client, permission, kind, words, upstream, .. } = &self.facts;
        let cause = match self.answer {
            VaultAnswer::DeniedByPolicy => {
                format!("no access policy gives the app {client} the {kind} permission {permission}")
            }
            VaultAnswer::PolicyOnBehalfOf => {
                "the access policy names an authorized application: it is for calls on behalf of a user".to_owned()
            }
            VaultAnswer::DeniedByRole => {
                format!("the vault uses roles, and none gives the app {client} {permission} on {}", kind.collection())
            }
            VaultAnswer::DeniedByFirewall => match self.facts.client_address {
                Some(address) => format!("the vault saw the address {address}"),
                None => "the vault accepts connections from chosen networks only".to_owned(),
            },
            VaultAnswer::SecretDisabled => format!("its owner disabled this version in vault {vault}"),
            VaultAnswer::SecretMissing => {
                format!("not in vault {vault}; nearest names could be shown with the permission List")
            }
            VaultAnswer::DeletedRecoverable => format!("it can be recovered or purged in vault {vault}"),
            VaultAnswer::Throttled => match self.facts.retry_after {
                Some(wait) => format!("waited and tried again; the vault asks to wait {} s", wait.as_secs()),
                None => "waited and tried again".to_owned(),
            },
            VaultAnswer::DeniedByConnection
            | VaultAnswer::ManagedSecret
            | VaultAnswer::Denied
            | VaultAnswer::VaultMissing
            | VaultAnswer::Busy
            | VaultAnswer::Conflict
            | VaultAnswer::BackupMalformed
            | VaultAnswer::BadRequest
            | VaultAnswer::Fault => words.clone(),
            VaultAnswer::Missing => "no live one has this name and version; it may have been deleted".to_owned(),
            VaultAnswer::IssuerMissing => "none of the vault's issuers has this name".to_owned(),
        };
        format!("{cause} ({})", upstream.code)
    }

    fn fix(&self) -> Vec<String> {
        let (secret, VaultFacts { vault, client, permission, kind, .. }) = (self.secret(), &self.facts);
        let one = |text: String| vec![text];
        match self.answer {
            VaultAnswer::DeniedByPolicy => vec![
                format!(
                    "Access policies > Create > {} permissions: {permission}, for the app with client ID {client}",
                    portal(*kind)
                ),
                format!(
                    "or: credstore vault access-policy set --name {vault} --spn {client} --{kind}-permissions {}",
                    permission.to_ascii_lowercase()
                ),
            ],
            VaultAnswer::PolicyOnBehalfOf => {
                one(format!("create the access policy again for client ID {client}, without authorized application"))
            }
            VaultAnswer::DeniedByRole => vec![
                format!(
                    "Access control (IAM) > Add role assignment > {}, for client ID {client}",
                    role_for(*kind, permission)
                ),
                "or switch the vault: Settings > Access configuration > Vault access policy".to_owned(),
            ],
            VaultAnswer::DeniedByFirewall => {
                one("allow the address: Networking > Firewalls and virtual networks".to_owned())
            }
            VaultAnswer::DeniedByConnection => one("ask from a network with the vault's private endpoint".to_owned()),
            VaultAnswer::SecretDisabled => one(format!("enable it, or make a new version of {secret}")),
            VaultAnswer::ManagedSecret => one("change or delete the certificate of the same name".to_owned()),
            VaultAnswer::Denied => one(format!("ask the owner of vault {vault} and name the request ID")),
            VaultAnswer::SecretMissing => one("list all: credstore list".to_owned()),
            VaultAnswer::VaultMissing => one("check VaultName".to_owned()),
            VaultAnswer::Missing => vec![
                format!("list what is there: credstore vault {kind} list --vault-name {vault}"),
                format!("list what was deleted: credstore vault {kind} list-deleted --vault-name {vault}"),
            ],
            VaultAnswer::IssuerMissing => {
                one(format!("list what is there: credstore vault certificate issuer list --vault-name {vault}"))
            }
            VaultAnswer::DeletedRecoverable => one(format!(
                "credstore vault {kind} recover --vault-name {vault} --name {secret}, or purge to use the name again"
            )),
            VaultAnswer::Busy => one("try again in a few seconds".to_owned()),
            VaultAnswer::Conflict => one(format!("delete and purge {secret} first, or use another name")),
            VaultAnswer::BackupMalformed => one("take the backup again, from the same vault".to_owned()),
            VaultAnswer::BadRequest => one("change what the cause names".to_owned()),
            VaultAnswer::Throttled => one("ask less often, or turn the broker's cache on".to_owned()),
            VaultAnswer::Fault => one("try again later".to_owned()),
        }
    }

    pub(super) fn diagnosis(&self) -> Diagnosis {
        let mut diagnosis = Diagnosis::error(self.answer.code(), self.message())
            .cause(self.cause())
            .upstream(self.facts.upstream.clone());
        diagnosis.fix = self.fix();
        diagnosis.retryable = self.answer.is_retryable();
        diagnosis.retry_after = self.facts.retry_after;
        diagnosis
    }
}

/// The smallest built-in role with the permission. Source: Key Vault, "Azure built-in roles for data plane".
fn role_for(kind: ObjectKind, permission: &str) -> &'static str {
    match (kind, permission) {
        (ObjectKind::Secret, "Get") => "Key Vault Secrets User",
        (ObjectKind::Secret, _) => "Key Vault Secrets Officer",
        (ObjectKind::Key, "Get" | "List" | "Sign" | "Verify" | "Encrypt" | "Decrypt" | "WrapKey" | "UnwrapKey") => {
            "Key Vault Crypto User"
        }
        (ObjectKind::Key, _) => "Key Vault Crypto Officer",
        (ObjectKind::Certificate, "Get" | "List") => "Key Vault Certificate User",
        (ObjectKind::Certificate, _) => "Key Vault Certificates Officer",
    }
}

/// The kind as the portal heads its permissions.
const fn portal(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Secret => "Secret",
        ObjectKind::Key => "Key",
        ObjectKind::Certificate => "Certificate",
    }
}
