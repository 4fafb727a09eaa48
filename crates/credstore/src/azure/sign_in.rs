//! What the directory's refusals mean: one table from AADSTS codes to cause, place and fix.
//!
//! Source: the sign-in table of the documentation, contract section 13. The table says which codes belong to
//! which [`SignInProblem`]; everything else follows from the problem by exhaustive `match`.

use std::path::PathBuf;
use std::time::Duration;

use credstore_protocol::token::TokenErrorBody;
use credstore_protocol::{ClientId, Timestamp};

use super::certificate::{CertificateError, PublicCertificate};
use super::error::{Concern, day, moment, short, shown, unreachable};
use super::retry;
use crate::codes::{Code, directory as codes, internal, vault};
use crate::diagnosis::{Diagnosis, Place, Upstream};
use crate::transport::TransportError;

/// Why the directory gives no token. A variant is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInProblem {
    /// The tenant does not exist.
    TenantUnknown,
    /// The tenant is neither a GUID nor a domain.
    TenantMalformed,
    /// The tenant is in another cloud.
    OtherCloud,
    /// The app is not in this directory.
    AppUnknown,
    /// The app is switched off.
    AppDisabled,
    /// The certificate is not on the app.
    CertificateNotRegistered,
    /// The certificate is on the app and has expired.
    RegisteredCertificateExpired,
    /// The signature is not of the registered key.
    SignatureRefused,
    /// The certificate is outside its validity.
    OutsideValidity,
    /// The time in the assertion is wrong.
    ClockSkewed,
    /// The certificate is revoked.
    Revoked,
    /// The app cannot sign in with a certificate.
    PublicClient,
    /// The app wants another subject.
    SubjectNotAuthorised,
    /// About client secrets, which we never send.
    ClientSecret,
    /// The assertion is not readable.
    AssertionMalformed,
    /// Issuer or audience of the assertion are wrong.
    AssertionMisdirected,
    /// The resource is unknown.
    ScopeInvalid,
    /// A policy refuses.
    ConditionalAccess,
    /// The directory cannot answer now.
    Temporary,
    /// A code without an entry here.
    Other,
}

/// AADSTS numbers by problem. A number without a row is [`SignInProblem::Other`].
pub const AADSTS: &[(&[u64], SignInProblem)] = &[
    (&[90002], SignInProblem::TenantUnknown),
    (&[900_023], SignInProblem::TenantMalformed),
    (&[900_382, 90038], SignInProblem::OtherCloud),
    (&[700_016], SignInProblem::AppUnknown),
    (&[70001], SignInProblem::AppDisabled),
    (&[700_027], SignInProblem::CertificateNotRegistered),
    (&[7_000_274], SignInProblem::SignatureRefused),
    (&[1_000_502], SignInProblem::OutsideValidity),
    (&[700_024], SignInProblem::ClockSkewed),
    (&[7_000_214, 7_000_277], SignInProblem::Revoked),
    (&[50027], SignInProblem::AssertionMalformed),
    (&[700_021, 700_023], SignInProblem::AssertionMisdirected),
    (&[700_025], SignInProblem::PublicClient),
    (&[700_030], SignInProblem::SubjectNotAuthorised),
    (&[7_000_215, 7_000_222], SignInProblem::ClientSecret),
    (&[70011, 1_002_012, 500_011], SignInProblem::ScopeInvalid),
    (&[53003], SignInProblem::ConditionalAccess),
    (&[90033, 90006, 90012], SignInProblem::Temporary),
];

impl SignInProblem {
    /// Our code for it.
    pub fn code(self) -> &'static Code {
        match self {
            Self::TenantUnknown => &codes::TENANT_UNKNOWN,
            Self::TenantMalformed => &codes::TENANT_MALFORMED,
            Self::OtherCloud => &codes::OTHER_CLOUD,
            Self::AppUnknown => &codes::APP_UNKNOWN,
            Self::AppDisabled => &codes::APP_DISABLED,
            Self::CertificateNotRegistered | Self::RegisteredCertificateExpired => &codes::CERTIFICATE_NOT_REGISTERED,
            Self::SignatureRefused => &codes::SIGNATURE_REFUSED,
            Self::OutsideValidity => &codes::CERTIFICATE_OUTSIDE_VALIDITY,
            Self::ClockSkewed => &codes::CLOCK_SKEWED,
            Self::Revoked => &codes::CERTIFICATE_REVOKED,
            Self::PublicClient => &codes::PUBLIC_CLIENT,
            Self::SubjectNotAuthorised => &codes::SUBJECT_NOT_AUTHORISED,
            Self::ClientSecret => &codes::CLIENT_SECRET,
            Self::AssertionMalformed => &codes::ASSERTION_MALFORMED,
            Self::AssertionMisdirected => &codes::ASSERTION_MISDIRECTED,
            Self::ScopeInvalid => &codes::SCOPE_INVALID,
            Self::ConditionalAccess => &codes::CONDITIONAL_ACCESS,
            Self::Temporary => &codes::DIRECTORY_BUSY,
            Self::Other => &codes::SIGN_IN_REFUSED,
        }
    }

    /// Whether to read the certificate file again and try once more: the file may have been exchanged.
    ///
    /// Source: the set of microsoft-identity-web: 700027, 7000274, 1000502, 700024, 7000214, 7000277.
    pub fn wants_reload(self) -> bool {
        match self {
            Self::CertificateNotRegistered
            | Self::RegisteredCertificateExpired
            | Self::SignatureRefused
            | Self::OutsideValidity
            | Self::ClockSkewed
            | Self::Revoked => true,
            Self::TenantUnknown
            | Self::TenantMalformed
            | Self::OtherCloud
            | Self::AppUnknown
            | Self::AppDisabled
            | Self::PublicClient
            | Self::SubjectNotAuthorised
            | Self::ClientSecret
            | Self::AssertionMalformed
            | Self::AssertionMisdirected
            | Self::ScopeInvalid
            | Self::ConditionalAccess
            | Self::Temporary
            | Self::Other => false,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_temporary(self) -> bool {
        self == Self::Temporary
    }

    /// Whether swapped TenantId and ClientId would look like this: with both swapped the tenant does not exist.
    pub(super) fn may_be_swapped_ids(self) -> bool {
        matches!(self, Self::TenantUnknown | Self::AppUnknown)
    }

    /// The setting that is most likely wrong.
    pub fn concern(self) -> Option<Concern> {
        match self {
            Self::TenantUnknown | Self::TenantMalformed => Some(Concern::TenantId),
            Self::AppUnknown | Self::AppDisabled | Self::PublicClient => Some(Concern::ClientId),
            Self::CertificateNotRegistered
            | Self::RegisteredCertificateExpired
            | Self::SignatureRefused
            | Self::OutsideValidity
            | Self::Revoked
            | Self::SubjectNotAuthorised => Some(Concern::CertificateFile),
            Self::OtherCloud | Self::AssertionMisdirected | Self::ScopeInvalid => Some(Concern::Cloud),
            Self::ClockSkewed
            | Self::ClientSecret
            | Self::AssertionMalformed
            | Self::ConditionalAccess
            | Self::Temporary
            | Self::Other => None,
        }
    }
}

/// The problem behind an answer of the token endpoint.
pub(super) fn problem_of(status: u16, body: &TokenErrorBody) -> SignInProblem {
    let number = number_of(body);
    let row = AADSTS.iter().find(|(numbers, _)| number.is_some_and(|number| numbers.contains(&number)));
    match row {
        Some((_, SignInProblem::CertificateNotRegistered)) => {
            // One number, three cases; the reason stands in the text (contract section 13).
            let text = body.error_description.to_ascii_lowercase();
            if text.contains("key used is expired") {
                SignInProblem::RegisteredCertificateExpired
            } else if text.contains("did not match the expected signature") || text.contains("the key was found, but") {
                SignInProblem::SignatureRefused
            } else {
                SignInProblem::CertificateNotRegistered
            }
        }
        Some((_, problem)) => *problem,
        None if retry::is_temporary(status) => SignInProblem::Temporary,
        None => SignInProblem::Other,
    }
}

/// The AADSTS number: from the list, or from the text when an old directory sends no list.
fn number_of(body: &TokenErrorBody) -> Option<u64> {
    let in_text = || {
        let (_, rest) = body.error_description.split_once("AADSTS")?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    body.error_codes.first().copied().or_else(in_text)
}

/// What is known around a refusal.
#[derive(Clone, Debug)]
pub struct SignInFacts {
    /// Host of the directory.
    pub host: String,
    /// TenantId as written.
    pub tenant: String,
    /// ClientId.
    pub client: ClientId,
    /// The certificate that signed.
    pub certificate: PublicCertificate,
    /// Its file.
    pub file: Option<PathBuf>,
    /// Our clock.
    pub now: Timestamp,
    /// The directory's clock.
    pub directory_clock: Option<Timestamp>,
    /// The directory knows our ClientId as a tenant.
    pub swapped: bool,
}

/// A refusal of the directory.
#[derive(Clone, Debug)]
pub struct SignInRefusal {
    /// What it means.
    pub problem: SignInProblem,
    /// What is known around it.
    pub facts: SignInFacts,
    /// How long to wait, if the directory said so.
    pub retry_after: Option<Duration>,
    /// The directory's own words, without ids and time.
    reason: String,
    upstream: Upstream,
}

/// A clock that is further off than this is worth a remark. Source: contract section 12, skew of 300 s.
const SKEW_WORTH_A_REMARK: i64 = 300;

impl SignInRefusal {
    pub(super) fn new(
        problem: SignInProblem,
        body: &TokenErrorBody,
        facts: SignInFacts,
        retry_after: Option<Duration>,
        correlation: String,
    ) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| shown(text));
        let code = number_of(body).map_or_else(|| shown(&body.error), |number| format!("AADSTS{number}"));
        let upstream = Upstream {
            system: "directory",
            code,
            trace_id: some(&body.trace_id),
            correlation_id: some(&body.correlation_id).or(Some(correlation)),
            timestamp: some(&body.timestamp),
        };
        let words = body.error_description.split("Trace ID:").next().unwrap_or_default();
        Self { problem, facts, retry_after, reason: shown(words), upstream }
    }

    fn clock_is_off(&self) -> Option<i64> {
        let off = self.facts.now.seconds_since(self.facts.directory_clock?);
        (off.abs() > SKEW_WORTH_A_REMARK).then_some(off)
    }

    fn clocks(&self) -> String {
        match self.facts.directory_clock {
            Some(theirs) => format!("this machine shows {}, the directory {}", moment(self.facts.now), moment(theirs)),
            None => format!("this machine shows {}", moment(self.facts.now)),
        }
    }

    fn cause(&self) -> String {
        let SignInFacts { tenant, client, certificate, .. } = &self.facts;
        match self.problem {
            SignInProblem::TenantUnknown | SignInProblem::AppUnknown if self.facts.swapped => {
                "TenantId and ClientId are swapped: the directory knows the ClientId as a tenant".to_owned()
            }
            SignInProblem::TenantUnknown => format!("{} knows no tenant {tenant}", self.facts.host),
            SignInProblem::TenantMalformed => format!("{tenant} is neither a GUID nor a domain"),
            SignInProblem::OtherCloud => format!("tenant {tenant} is not in the cloud of {}", self.facts.host),
            SignInProblem::AppUnknown => format!("no app with client ID {client} in tenant {tenant}"),
            SignInProblem::AppDisabled => format!("somebody disabled {client}"),
            SignInProblem::CertificateNotRegistered => {
                format!("its public key is not on app registration {}", short(client.as_str()))
            }
            SignInProblem::RegisteredCertificateExpired | SignInProblem::OutsideValidity => format!(
                "it is outside its validity: {} to {}, now {}",
                day(certificate.not_before),
                day(certificate.not_after),
                day(self.facts.now)
            ),
            SignInProblem::SignatureRefused => "private key and certificate do not belong together".to_owned(),
            SignInProblem::ClockSkewed => self.clocks(),
            SignInProblem::Revoked => format!("certificate {} was revoked", certificate.thumbprint()),
            SignInProblem::PublicClient => "it is registered as a mobile or desktop application".to_owned(),
            SignInProblem::SubjectNotAuthorised => {
                format!("the app does not accept the subject {}", shown(&certificate.subject))
            }
            SignInProblem::ClientSecret => {
                "credstore sends none; something else answers or changes the request".to_owned()
            }
            SignInProblem::AssertionMalformed => "a proxy changed it, or credstore has a defect".to_owned(),
            SignInProblem::AssertionMisdirected => {
                format!("{} takes itself for another directory; a proxy may rewrite the address", self.facts.host)
            }
            SignInProblem::ScopeInvalid => "the vault's address belongs to another cloud".to_owned(),
            SignInProblem::ConditionalAccess => {
                "a policy for workload identities refuses it, or this address".to_owned()
            }
            SignInProblem::Temporary => match self.retry_after {
                Some(wait) => format!("it was tried again in vain; the directory asks to wait {} s", wait.as_secs()),
                None => "it was tried again in vain".to_owned(),
            },
            SignInProblem::Other => self.reason.clone(),
        }
    }

    fn fix(&self) -> Vec<String> {
        let SignInFacts { tenant, client, certificate, .. } = &self.facts;
        let file = self.facts.file.as_ref().map_or_else(|| "FILE.pem".to_owned(), |file| file.display().to_string());
        let portal = format!("Azure portal > App registrations > {} > Certificates & secrets", short(client.as_str()));
        let one = |text: &str| vec![text.to_owned()];
        match self.problem {
            SignInProblem::TenantUnknown | SignInProblem::AppUnknown if self.facts.swapped => {
                vec![format!(r#"write "TenantId": "{client}", "ClientId": "{tenant}""#)]
            }
            SignInProblem::TenantUnknown => {
                one("copy the Directory (tenant) ID from the app's Overview page; for a sovereign cloud set Cloud")
            }
            SignInProblem::TenantMalformed => one("paste the Directory (tenant) ID, not the name"),
            SignInProblem::OtherCloud => one("set Cloud to AzureUSGovernment or AzureChina, or AuthorityHost"),
            SignInProblem::AppUnknown => one("copy the Application (client) ID from the app's Overview page"),
            SignInProblem::AppDisabled => {
                one("enable it: Enterprise applications > Properties > Enabled for users to sign in")
            }
            SignInProblem::CertificateNotRegistered => vec![
                format!(
                    "upload the public key: credstore cert export-public {file} --out azure-cert.cer, then {portal}"
                ),
                format!("compare the thumbprint there with {}", certificate.thumbprint()),
            ],
            SignInProblem::RegisteredCertificateExpired | SignInProblem::OutsideValidity => {
                if self.clock_is_off().is_some() || certificate.is_valid_at(self.facts.now) {
                    vec![format!("check the clock first ({}), then: credstore cert renew", self.clocks())]
                } else {
                    one("credstore cert renew")
                }
            }
            SignInProblem::SignatureRefused => vec![format!("credstore cert verify {file}")],
            SignInProblem::ClockSkewed => one("set the clock of this machine, best by NTP: timedatectl set-ntp true"),
            SignInProblem::Revoked => {
                vec![format!("make a new certificate and upload it: credstore cert new, then {portal}")]
            }
            SignInProblem::PublicClient => one("Authentication > Allow public client flows: No"),
            SignInProblem::SubjectNotAuthorised => {
                one("use a certificate with a subject that the app registration lists")
            }
            SignInProblem::ClientSecret => one("check which program and proxy answer as the directory"),
            SignInProblem::AssertionMalformed => one("report it with the trace ID: credstore explain CS3120"),
            SignInProblem::AssertionMisdirected => one("check AuthorityHost and the proxy"),
            SignInProblem::ScopeInvalid => one("check Cloud, or VaultDnsSuffix"),
            SignInProblem::ConditionalAccess => one("ask the administrator of the directory and name the trace ID"),
            SignInProblem::Temporary => one("try again later"),
            SignInProblem::Other => one("ask the administrator of the directory and name the trace ID"),
        }
    }

    fn diagnosis(&self) -> Diagnosis {
        let code = self.problem.code();
        let mut diagnosis = Diagnosis::error(code, code.title)
            .cause(format!("{} ({})", self.cause(), self.upstream.code))
            .upstream(self.upstream.clone());
        diagnosis.fix = self.fix();
        diagnosis.retryable = self.problem.is_temporary();
        diagnosis.retry_after = self.retry_after;
        diagnosis
    }
}

/// Why there is no access token.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The certificate file is not usable; nothing was sent.
    #[error("{error}")]
    Certificate {
        /// What is wrong.
        error: CertificateError,
        /// The file.
        file: Option<PathBuf>,
    },
    /// The TLS library did not sign; nothing was sent.
    #[error("the key does not sign")]
    NotSigned,
    /// The directory did not answer.
    #[error("{source}")]
    Unreachable {
        /// Why.
        source: TransportError,
    },
    /// Something answered that is no directory.
    #[error("the answer of {host} is not usable: {reason}")]
    Unusable {
        /// Host and port.
        host: String,
        /// What is wrong with it; never its content.
        reason: String,
    },
    /// The directory refused.
    #[error("{}", .0.problem.code().title)]
    Refused(Box<SignInRefusal>),
}

impl SignInError {
    /// Whether the same question may be answered later without anybody doing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Certificate { .. } | Self::NotSigned | Self::Unusable { .. } => false,
            Self::Unreachable { source } => super::error::is_worth_another_try(source),
            Self::Refused(refusal) => refusal.problem.is_temporary(),
        }
    }

    /// How long to wait, if the directory said so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            Self::Certificate { .. } | Self::NotSigned | Self::Unusable { .. } | Self::Unreachable { .. } => None,
        }
    }

    /// The setting that is most likely wrong.
    pub fn concern(&self) -> Option<Concern> {
        match self {
            Self::Certificate { .. } => Some(Concern::CertificateFile),
            Self::NotSigned => None,
            Self::Unreachable { .. } | Self::Unusable { .. } => Some(Concern::Cloud),
            Self::Refused(refusal) => refusal.problem.concern(),
        }
    }
}

impl From<&SignInError> for Diagnosis {
    fn from(error: &SignInError) -> Self {
        match error {
            SignInError::Certificate { error, file } => error.diagnosis(file.as_deref(), None),
            SignInError::NotSigned => Diagnosis::error(&internal::BUG, "the key does not sign"),
            SignInError::Unreachable { source } => unreachable(source, "the directory"),
            SignInError::Unusable { host, reason } => {
                Diagnosis::error(&vault::ANSWER_UNUSABLE, format!("the answer of {host} is not usable"))
                    .cause(format!("it is not a directory's: {reason}"))
                    .fix("check AuthorityHost and the proxy")
            }
            SignInError::Refused(refusal) => {
                let diagnosis = refusal.diagnosis();
                match (refusal.problem.concern(), &refusal.facts.file) {
                    (Some(Concern::CertificateFile), Some(file)) => {
                        diagnosis.at(Place { file: Some(file.clone()), ..Place::default() })
                    }
                    _ => diagnosis,
                }
            }
        }
    }
}
