//! Why a question to Azure has no answer: one enum for the vault, ARM and Graph, and its texts.
//!
//! What a sign-in refusal means is in [`super::sign_in`], what a vault's is in [`super::vault_answers`]; here
//! are the rest and the words that all of them share.

use std::sync::Arc;

use credstore_protocol::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::sign_in::SignInError;
use super::vault_answers::VaultRefusal;
use crate::codes::{Code, directory, vault};
use crate::diagnosis::{Diagnosis, Upstream};
use crate::transport::TransportError;

/// The setting that an error is about, so that its place can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// `TenantId`.
    TenantId,
    /// `ClientId`.
    ClientId,
    /// `VaultName`.
    VaultName,
    /// `CertificateFile`.
    CertificateFile,
    /// `Cloud`, `AuthorityHost` or `VaultDnsSuffix`.
    Cloud,
    /// `CaFile`.
    CaFile,
}

/// Which service was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A vault's data plane.
    Vault,
    /// Azure Resource Manager.
    ResourceManager,
    /// Microsoft Graph.
    Graph,
}

impl Service {
    /// For messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Vault => "the vault",
            Self::ResourceManager => "the resource manager",
            Self::Graph => "the directory",
        }
    }

    /// For [`Upstream::system`].
    pub(super) fn system(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::ResourceManager => "resource manager",
            Self::Graph => "directory",
        }
    }
}

/// A refusal of ARM or Graph.
#[derive(Clone, Debug)]
pub struct ServiceRefusal {
    /// Who refused.
    pub service: Service,
    /// What it means.
    pub answer: ServiceAnswer,
    /// What was asked for: `vault acme-pm-kv`.
    pub subject: String,
    /// The service's own words.
    pub(super) words: String,
    pub(super) upstream: Upstream,
}

/// What a refusal of ARM or Graph means. A variant is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAnswer {
    /// There is no such thing.
    Missing,
    /// The subscription or resource group is not there.
    GroupMissing,
    /// No deleted vault of that name.
    DeletedVaultMissing,
    /// The name is in use somewhere in the cloud.
    NameTaken,
    /// A deleted vault has the name.
    DeletedVault,
    /// The caller may not.
    Denied,
    /// Something in the request is wrong.
    BadRequest,
    /// The deleted vault is protected against purging.
    PurgeProtected,
    /// Somebody else changes it, or it exists.
    Conflict,
    /// Cannot answer now.
    Temporary,
}

/// ARM and Graph codes that say more than their status. Source: contract sections 15 and 16.
const SERVICE_CODES: &[(&str, ServiceAnswer)] = &[
    ("ResourceNotFound", ServiceAnswer::Missing),
    ("ResourceGroupNotFound", ServiceAnswer::GroupMissing),
    ("SubscriptionNotFound", ServiceAnswer::GroupMissing),
    ("InvalidSubscriptionId", ServiceAnswer::GroupMissing),
    ("VaultAlreadyExists", ServiceAnswer::NameTaken),
    ("ConflictError", ServiceAnswer::DeletedVault),
    ("SoftDeletedVaultDoesNotExist", ServiceAnswer::DeletedVaultMissing),
    ("DeletedVaultNotFound", ServiceAnswer::DeletedVaultMissing),
    // The one method of ours that a resource manager does not allow: purging what is protected.
    ("MethodNotAllowed", ServiceAnswer::PurgeProtected),
    ("VaultNameNotValid", ServiceAnswer::BadRequest),
    ("AuthorizationFailed", ServiceAnswer::Denied),
    ("Authorization_RequestDenied", ServiceAnswer::Denied),
    ("Request_ResourceNotFound", ServiceAnswer::Missing),
    ("Request_BadRequest", ServiceAnswer::BadRequest),
];

impl ServiceAnswer {
    /// The meaning of a status and an error code.
    pub(super) fn of(status: u16, code: &str) -> Self {
        if super::retry::is_temporary(status) {
            return Self::Temporary;
        }
        if let Some((_, answer)) = SERVICE_CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)) {
            return *answer;
        }
        match status {
            401 | 403 => Self::Denied,
            404 => Self::Missing,
            409 | 412 => Self::Conflict,
            _ => Self::BadRequest,
        }
    }

    /// Our code for it.
    pub fn code(self, service: Service) -> &'static Code {
        let graph = service == Service::Graph;
        match self {
            Self::Missing if graph => &directory::DIRECTORY_OBJECT_MISSING,
            Self::Denied if graph => &directory::DIRECTORY_DENIED,
            Self::BadRequest if graph => &directory::DIRECTORY_REQUEST,
            Self::Conflict if graph => &directory::DIRECTORY_CONFLICT,
            Self::Missing => &vault::RESOURCE_MISSING,
            Self::GroupMissing => &vault::GROUP_MISSING,
            Self::DeletedVaultMissing => &vault::DELETED_VAULT_MISSING,
            Self::NameTaken => &vault::VAULT_NAME_TAKEN,
            Self::DeletedVault => &vault::VAULT_DELETED,
            Self::PurgeProtected => &vault::PURGE_PROTECTED,
            Self::Denied => &vault::RESOURCE_DENIED,
            Self::BadRequest => &vault::RESOURCE_REQUEST,
            Self::Conflict => &vault::RESOURCE_CONFLICT,
            Self::Temporary => &vault::RESOURCE_BUSY,
        }
    }
}

impl ServiceRefusal {
    fn message(&self) -> String {
        let (who, subject) = (self.service.words(), &self.subject);
        match self.answer {
            ServiceAnswer::Missing => format!("there is no {subject}"),
            ServiceAnswer::DeletedVaultMissing => format!("there is no deleted {subject}"),
            ServiceAnswer::PurgeProtected => format!("{subject} is protected against purging"),
            ServiceAnswer::NameTaken => format!("the name of {subject} is taken"),
            ServiceAnswer::DeletedVault => format!("a deleted vault has the name of {subject}"),
            ServiceAnswer::Denied => format!("{who} does not permit this on {subject}"),
            ServiceAnswer::GroupMissing => self.answer.code(self.service).title.to_owned(),
            ServiceAnswer::BadRequest => format!("{who} does not accept the request about {subject}"),
            ServiceAnswer::Conflict => format!("{subject} exists already or is being changed"),
            ServiceAnswer::Temporary => format!("{who} cannot answer now"),
        }
    }

    fn fix(&self) -> &'static str {
        let graph = self.service == Service::Graph;
        match self.answer {
            ServiceAnswer::Missing if graph => "list what is there: credstore app list",
            ServiceAnswer::Denied if graph => "in Azure assign the role Application Administrator, or ask who has it",
            ServiceAnswer::Missing => "list what is there: credstore vault list",
            ServiceAnswer::GroupMissing => "create the resource group first, or name another subscription or group",
            ServiceAnswer::DeletedVaultMissing => "list what is there: credstore vault list-deleted",
            ServiceAnswer::PurgeProtected => "wait: credstore vault list-deleted shows when it goes by itself",
            ServiceAnswer::NameTaken => "choose another name; names of vaults are unique in a whole cloud",
            ServiceAnswer::DeletedVault => "credstore vault recover, credstore vault purge, or choose another name",
            ServiceAnswer::Denied => "sign in with an account that may do this, or ask the owner of the subscription",
            ServiceAnswer::BadRequest => "change what the cause names",
            ServiceAnswer::Conflict => "look at it and try again",
            ServiceAnswer::Temporary => "try again later",
        }
    }

    fn diagnosis(&self) -> Diagnosis {
        let mut diagnosis = Diagnosis::error(self.answer.code(self.service), self.message())
            .cause(format!("{} ({})", self.words, self.upstream.code))
            .fix(self.fix())
            .upstream(self.upstream.clone());
        diagnosis.retryable = matches!(self.answer, ServiceAnswer::Temporary | ServiceAnswer::Conflict);
        diagnosis
    }
}

/// A token that was refused although it was new.
#[derive(Clone, Debug)]
pub struct TokenRefusal {
    /// Who refused it.
    pub service: Service,
    /// Host and port.
    pub host: String,
    /// TenantId as the settings write it.
    pub tenant: String,
    /// The tenant that the challenge names.
    pub wanted_tenant: Option<String>,
    /// Whether it is for another audience or from another issuer.
    pub(super) misdirected: bool,
    pub(super) words: String,
    pub(super) upstream: Upstream,
}

/// Why a question has no answer. A variant is a decision.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// There is no access token.
    #[error("{0}")]
    SignIn(Arc<SignInError>),
    /// The service did not answer.
    #[error("{source}")]
    Unreachable {
        /// Who was asked.
        service: Service,
        /// Why.
        source: TransportError,
    },
    /// The vault refused.
    #[error("{}", .0.answer.code().title)]
    Vault(Box<VaultRefusal>),
    /// ARM or Graph refused.
    #[error("{}", .0.answer.code(.0.service).title)]
    Service(Box<ServiceRefusal>),
    /// The access token was refused although it was new.
    #[error("{} refused the access token", .0.service.words())]
    TokenRefused(Box<TokenRefusal>),
    /// The challenge names a resource to which the vault does not belong. Nothing more was sent.
    #[error("{host} asks for a token for {resource}")]
    ForeignChallenge {
        /// Host and port of the vault.
        host: String,
        /// What the challenge names.
        resource: String,
    },
    /// Something answered that is no such service.
    #[error("the answer of {host} is not usable: {reason}")]
    Unusable {
        /// Host and port.
        host: String,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// Access policies have no effect on a vault with roles.
    #[error("vault {vault} uses roles, not access policies")]
    VaultUsesRoles {
        /// The vault.
        vault: String,
    },
}

impl AzureError {
    /// Whether the object that was asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Vault(refusal) => refusal.answer.is_not_found(),
            Self::Service(refusal) => {
                use ServiceAnswer::{DeletedVaultMissing, GroupMissing, Missing};
                matches!(refusal.answer, Missing | GroupMissing | DeletedVaultMissing)
            }
            Self::SignIn(_)
            | Self::Unreachable { .. }
            | Self::TokenRefused(_)
            | Self::ForeignChallenge { .. }
            | Self::Unusable { .. }
            | Self::VaultUsesRoles { .. } => false,
        }
    }

    /// The setting that is most likely wrong.
    pub fn concern(&self) -> Option<Concern> {
        match self {
            Self::SignIn(error) => error.concern(),
            Self::Unreachable { source: TransportError::Tls { .. }, .. } => Some(Concern::CaFile),
            Self::Unreachable { .. } | Self::ForeignChallenge { .. } | Self::Unusable { .. } => {
                Some(Concern::VaultName)
            }
            Self::Vault(refusal) => refusal.answer.concern(),
            Self::TokenRefused(_) => Some(Concern::TenantId),
            Self::Service(_) | Self::VaultUsesRoles { .. } => None,
        }
    }
}

impl From<&AzureError> for Diagnosis {
    fn from(error: &AzureError) -> Self {
        match error {
            AzureError::SignIn(error) => error.as_ref().into(),
            AzureError::Unreachable { service, source } => unreachable(source, service.words()),
            AzureError::Vault(refusal) => refusal.diagnosis(),
            AzureError::Service(refusal) => refusal.diagnosis(),
            AzureError::TokenRefused(refusal) => token_refused(refusal),
            AzureError::ForeignChallenge { host, resource } => {
                Diagnosis::error(&vault::CHALLENGE_FOREIGN, "the server asks for a token for somebody else")
                    .cause(format!("{host} does not belong to {resource}; nothing more was sent"))
                    .fix("check VaultName and VaultDnsSuffix, and who answers under that name")
            }
            AzureError::Unusable { host, reason } => {
                Diagnosis::error(&vault::ANSWER_UNUSABLE, format!("the answer of {host} is not usable"))
                    .cause(reason.clone())
                    .fix("check the address and whether a proxy answers in its place")
            }
            AzureError::VaultUsesRoles { vault: name } => {
                Diagnosis::error(&vault::VAULT_USES_ROLES, format!("vault {name} uses roles, not access policies"))
                    .cause("an access policy would have no effect, so none was written")
                    .fix("Access control (IAM) > Add role assignment > Key Vault Secrets User")
                    .fix("or switch the vault: Settings > Access configuration > Vault access policy")
                    .fix(format!(
                        "embedded vault: credstore vault update --name {name} --enable-rbac-authorization false"
                    ))
            }
        }
    }
}

impl From<AzureError> for Diagnosis {
    fn from(error: AzureError) -> Self {
        Self::from(&error)
    }
}

fn token_refused(refusal: &TokenRefusal) -> Diagnosis {
    let TokenRefusal { service, host, tenant, wanted_tenant, misdirected, words, upstream } = refusal;
    let diagnosis = match wanted_tenant {
        Some(wanted) if !wanted.eq_ignore_ascii_case(tenant) && *service == Service::Vault => {
            Diagnosis::error(&vault::TOKEN_MISMATCH, "the vault belongs to another directory")
                .cause(format!("{host} accepts tokens of tenant {wanted}, TenantId is {tenant} ({})", upstream.code))
                .fix(format!(r#"write "TenantId": "{wanted}", if the app is registered there"#))
        }
        _ if *service == Service::Vault && *misdirected => {
            Diagnosis::error(&vault::TOKEN_MISMATCH, "the token is for another cloud or directory")
                .cause(format!("{words} ({})", upstream.code))
                .fix("check TenantId, and Cloud or VaultDnsSuffix")
        }
        _ => Diagnosis::error(&vault::TOKEN_REFUSED, format!("{} refused the access token", service.words()))
            .cause(format!("{words} ({})", upstream.code))
            .fix("check the clock of this machine and whether a proxy changes headers"),
    };
    diagnosis.upstream(upstream.clone())
}

/// Whether the same request may get through when sent again: the way may be open by then. A name that does
/// not exist and a certificate that is not trusted stay so.
pub(super) fn is_worth_another_try(error: &TransportError) -> bool {
    match error {
        TransportError::Connect { .. } | TransportError::TimedOut { .. } | TransportError::BadAnswer { .. } => true,
        TransportError::Resolve { .. } | TransportError::Tls { .. } => false,
    }
}

/// The way to `what` is blocked.
pub(super) fn unreachable(error: &TransportError, what: &str) -> Diagnosis {
    let mut diagnosis = match error {
        TransportError::Resolve { host } => {
            let fix = if what == "the directory" {
                "check AuthorityHost, and the DNS of this network"
            } else {
                "check VaultName; a private endpoint needs its private DNS zone on this network"
            };
            Diagnosis::error(&vault::NAME_NOT_RESOLVED, format!("the name {host} does not resolve"))
                .cause(format!(
                    "{what} is mistyped or gone, or this network cannot look it up; no proxy was used for it"
                ))
                .fix(fix)
        }
        TransportError::Connect { host, proxy, reason } => {
            let through = proxy.as_ref().map_or("without a proxy".to_owned(), |proxy| format!("through proxy {proxy}"));
            Diagnosis::error(&vault::NO_CONNECTION, format!("{host} does not accept connections"))
                .cause(format!("{} ({through})", shown(reason)))
                .fix("start the server, or open the firewall or proxy for it")
        }
        TransportError::Tls { host, reason } => {
            Diagnosis::error(&vault::TLS_NOT_TRUSTED, format!("the TLS certificate of {host} is not trusted"))
                .cause(shown(reason))
                .fix("behind a proxy that inspects TLS: set SSL_CERT_FILE to a file with its authority")
                .fix("for the embedded vault: set CaFile to the ca.pem of its data folder")
        }
        TransportError::TimedOut { host } => {
            Diagnosis::error(&vault::TIMED_OUT, format!("{host} did not answer in time"))
                .cause("the network, a firewall or a proxy drops the packets, or the server is overloaded")
                .fix("check the network and the proxy, and try again")
        }
        TransportError::BadAnswer { host, reason } => {
            Diagnosis::error(&vault::ANSWER_UNUSABLE, format!("the answer of {host} is not usable"))
                .cause(shown(reason))
                .fix("check whether a proxy answers in its place, and try again")
        }
    };
    diagnosis.retryable = is_worth_another_try(error);
    diagnosis
}

/// Most characters of foreign text in a message. Ours.
const SHOWN: usize = 300;

/// Foreign text in one line, without control characters and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// A GUID cut short for people: `5d0c2a8e…b7f1`.
pub(super) fn short(guid: &str) -> String {
    match (guid.get(..8), guid.len().checked_sub(4).and_then(|at| guid.get(at..))) {
        (Some(start), Some(end)) if guid.len() == 36 => format!("{start}…{end}"),
        _ => guid.to_owned(),
    }
}

/// `16 Dec 2025`, UTC.
pub(super) fn day(at: Timestamp) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year]");
    let text = OffsetDateTime::from_unix_timestamp(at.0).ok().and_then(|moment| moment.format(format).ok());
    text.unwrap_or_else(|| at.0.to_string())
}

/// `2026-11-23T10:42:07Z`.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = OffsetDateTime::from_unix_timestamp(at.0).ok().and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_else(|| at.0.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_short_line() {
        assert_eq!(shown("a\r\nb\t\u{1b}[31mc  d"), "a b [31mc d");
        assert_eq!(shown(&"x".repeat(SHOWN)).chars().count(), SHOWN);
        assert_eq!(shown(&"x".repeat(SHOWN + 1)).chars().count(), SHOWN + 1);
        assert!(shown(&"ä".repeat(SHOWN + 1)).ends_with("ä…"));
    }

    #[test]
    fn days_and_ids_are_written_for_people() {
        assert_eq!(day(Timestamp(1_765_843_200)), "16 Dec 2025");
        assert_eq!(moment(Timestamp(784_111_777)), "1994-11-06T08:49:37Z");
        assert_eq!(short("5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1"), "5d0c2a8e…b7f1");
        assert_eq!(short("contoso"), "contoso");
    }

    #[test]
    fn arm_and_graph_answers_are_told_apart_by_code_then_status() {
        // Contract sections 15 and 16.
        for (status, code, answer) in [
            (404, "ResourceNotFound", ServiceAnswer::Missing),
            (404, "ResourceGroupNotFound", ServiceAnswer::GroupMissing),
            (409, "VaultAlreadyExists", ServiceAnswer::NameTaken),
            (409, "ConflictError", ServiceAnswer::DeletedVault),
            (400, "VaultNameNotValid", ServiceAnswer::BadRequest),
            (400, "InvalidApiVersionParameter", ServiceAnswer::BadRequest),
            (404, "SoftDeletedVaultDoesNotExist", ServiceAnswer::DeletedVaultMissing),
            (403, "AuthorizationFailed", ServiceAnswer::Denied),
            (404, "Request_ResourceNotFound", ServiceAnswer::Missing),
            (403, "", ServiceAnswer::Denied),
            (409, "", ServiceAnswer::Conflict),
            (429, "TooManyRequests", ServiceAnswer::Temporary),
            (503, "", ServiceAnswer::Temporary),
        ] {
            assert_eq!(ServiceAnswer::of(status, code), answer, "{status} {code}");
        }
    }
}
