//! AADSTS errors: one table, no wildcard.
//!
//! Codes, `error` and statuses are Entra's, contract section 13; our client and Microsoft's decide by them. A
//! wrong signature and an unknown certificate differ in their text only, as Entra's do.

use credstore_protocol::token::TokenErrorBody;
use credstore_protocol::{TenantId, Timestamp};
use credstore_vault::SignInError;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::body::Content;
use crate::names::Names;
use crate::outcome::{json_answer, unstored};
use crate::routes::LoginEndpoint;

/// `2026-01-02 03:04:05Z`, as Entra writes it.
const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");

/// Longest client-written text that an error repeats.
const ECHO_MAX: usize = 128;

/// Status, `error`, AADSTS code and text.
type Row = (StatusCode, &'static str, u64, String);

/// Why the directory does not do what it was asked.
#[derive(Debug)]
pub(super) enum Problem {
    Tenant(TenantProblem),
    Body(StatusCode),
    Form(FormProblem),
    NoCredential,
    WrongSecret,
    TooBusy,
    Internal,
    SignIn(SignInError),
}

/// What is wrong with the first segment of the path.
#[derive(Debug)]
pub(super) enum TenantProblem {
    Unknown { tenant: String, metadata: bool },
    Malformed { tenant: String },
}

/// What is wrong with the form, whoever sent it.
#[derive(Debug)]
pub(super) enum FormProblem {
    Malformed,
    MissingParameter(&'static str),
    UnsupportedGrant,
    Scope { scope: String },
    ResourceUnknown { resource: String },
}

impl From<FormProblem> for Problem {
    fn from(problem: FormProblem) -> Self {
        Self::Form(problem)
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        Self::SignIn(error)
    }
}

fn shown(text: &str) -> String {
    text.chars().take(ECHO_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Problem {
    /// A tenant that is not ours: unknown when it could be one, malformed otherwise.
    pub(super) fn tenant(tenant: &str) -> Self {
        let domain = tenant.contains('.') && tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
        let could_be = domain || tenant.parse::<credstore_protocol::TenantId>().is_ok();
        let any = super::ANY_TENANT.contains(&tenant);
        let tenant = shown(tenant);
        Self::Tenant(if could_be || any {
            TenantProblem::Unknown { tenant, metadata: false }
        } else {
            TenantProblem::Malformed { tenant }
        })
    }

    /// The same problem where metadata was asked for: Entra names it otherwise there.
    pub(super) fn at_metadata(self) -> Self {
        match self {
            Self::Tenant(TenantProblem::Unknown { tenant, .. }) => {
                Self::Tenant(TenantProblem::Unknown { tenant, metadata: true })
            }
            other => other,
        }
    }

    pub(super) fn scope(scope: &str) -> Self {
        FormProblem::Scope { scope: shown(scope) }.into()
    }

    pub(super) fn resource(resource: &str) -> Self {
        FormProblem::ResourceUnknown { resource: shown(resource) }.into()
    }

    fn row(&self, names: &Names) -> Row {
        match self {
            Self::Tenant(problem) => problem.row(),
            Self::Body(status) => (*status, "invalid_request", 90014, "The request body could not be read.".to_owned()),
            Self::Form(problem) => problem.row(&names.tenant),
            Self::NoCredential => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
                    .to_owned(),
            ),
            Self::WrongSecret => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_215,
                "Invalid client secret provided. Applications of this directory sign in with certificates.".to_owned(),
            ),
            Self::TooBusy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                90033,
                "A transient error has occurred. Please try again.".to_owned(),
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                90099,
                "The request could not be processed.".to_owned(),
            ),
            Self::SignIn(error) => sign_in_row(error, names),
        }
    }

    /// The answer, with a new trace id and the correlation id of the request.
    pub(super) fn into_answer(
        self,
        endpoint: LoginEndpoint,
        names: &Names,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Response<Content> {
        let (status, error, code, text) = self.row(names);
        let trace_id = uuid::Uuid::new_v4().to_string();
        let sent = headers.get("client-request-id").and_then(|id| uuid::Uuid::try_parse_ascii(id.as_bytes()).ok());
        let correlation_id = sent.unwrap_or_else(uuid::Uuid::new_v4).to_string();
        let timestamp = stamp(now);
        let between = between_ids(endpoint);
        let body = TokenErrorBody {
            error: error.to_owned(),
            error_description: format!(
                "AADSTS{code}: {text}{between}Trace ID: {trace_id}{between}Correlation ID: \
                 {correlation_id}{between}Timestamp: {timestamp}"
            ),
            error_codes: vec![code],
            error_uri: Some(format!("{}/error?code={code}", names.authority)),
            timestamp,
            trace_id,
            correlation_id,
        };
        let mut response = unstored(json_answer(status, &body));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What stands before each id and the time in a description.
fn between_ids(endpoint: LoginEndpoint) -> &'static str {
    match endpoint {
        LoginEndpoint::TokenV1 => "\r\n",
        LoginEndpoint::TokenV2
        | LoginEndpoint::InstanceDiscovery
        | LoginEndpoint::OpenIdConfiguration
        | LoginEndpoint::KeySet => " ",
    }
}

impl TenantProblem {
    fn row(&self) -> Row {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Unknown { tenant, metadata } => (
                bad,
                if *metadata { "invalid_tenant" } else { "invalid_request" },
                90002,
                format!(
                    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing \
                     into the correct cloud. Check with your subscription administrator, this may happen if there \
                     are no active subscriptions for the tenant."
                ),
            ),
            Self::Malformed { tenant } => (
                bad,
                "invalid_request",
                900_023,
                format!(
                    "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
                ),
            ),
        }
    }
}

impl FormProblem {
    fn row(&self, directory: &TenantId) -> Row {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Malformed => (bad, "invalid_request", 90014, "The request body is not a valid form.".to_owned()),
            Self::MissingParameter(name) => (
                bad,
                "invalid_request",
                900_144,
                format!("The request body must contain the following parameter: '{name}'."),
            ),
            Self::UnsupportedGrant => {
                (bad, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.".to_owned())
            }
            Self::Scope { scope } => (
                bad,
                "invalid_scope",
                1_002_012,
                format!(
                    "The provided value for scope {scope} is not valid. Client credential flows must have a scope \
                     value with /.default suffixed to the resource identifier (application ID URI)."
                ),
            ),
            Self::ResourceUnknown { resource } => (
                bad,
                "invalid_resource",
                500_011,
                format!(
                    "The resource principal named {resource} was not found in the tenant named {directory}. This can \
                     happen if the application has not been installed by the administrator of the tenant or \
                     consented to by any user in the tenant. You might have sent your authentication request to the \
                     wrong tenant."
                ),
            ),
        }
    }
}

/// `2026-01-02 03:04:05Z`; the number itself when it is in no calendar.
fn stamp(at: Timestamp) -> String {
    let formatted = OffsetDateTime::from_unix_timestamp(at.0).ok().and_then(|at| at.format(STAMP).ok());
    formatted.unwrap_or_else(|| at.0.to_string())
}

/// AADSTS700027 about a certificate that the application does not have.
fn not_registered(thumbprint: &str) -> String {
    format!(
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - \
         The key was not found., Thumbprint of key used by client: '{thumbprint}']"
    )
}

/// AADSTS700027 about a certificate that it has.
fn bad_signature(reason: &str, thumbprint: &str, found: &str) -> String {
    format!(
        "Client assertion contains an invalid signature. [Reason - {reason}, Thumbprint of key used by client: \
         '{thumbprint}'{found}]"
    )
}

fn sign_in_row(error: &SignInError, names: &Names) -> Row {
    let client = |code, text| (StatusCode::UNAUTHORIZED, "invalid_client", code, text);
    let directory = &names.tenant;
    match error {
        SignInError::ClientUnknown { client_id } => (
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
            format!(
                "Application with identifier '{}' was not found in the directory '{directory}'. This can happen if \
                 the application has not been installed by the administrator of the tenant or consented to by any \
                 user in the tenant. You may have sent your authentication request to the wrong tenant.",
                shown(client_id)
            ),
        ),
        SignInError::ClientDisabled { client_id } => (
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            7_000_112,
            format!("Application '{}' is disabled.", shown(client_id)),
        ),
        SignInError::CertificateNotRegistered { thumbprint } => client(700_027, not_registered(&shown(thumbprint))),
        SignInError::NoThumbprint => client(700_027, not_registered("")),
        SignInError::KeyExpired { thumbprint, start, end } => {
            let found = format!(", Found key 'Start={}, End={}'", stamp(*start), stamp(*end));
            client(700_027, bad_signature("The key used is expired.", thumbprint, &found))
        }
        SignInError::InvalidSignature { thumbprint } => {
            let reason = "The key was found, but use of the key to verify the signature failed.";
            client(700_027, bad_signature(reason, thumbprint, ""))
        }
        SignInError::OutsideTimeRange { now, from, until } => client(
            700_024,
            format!(
                "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, \
                 expiry time of assertion {}.",
                stamp(*now),
                from.map_or_else(|| "(not given)".to_owned(), stamp),
                stamp(*until)
            ),
        ),
        SignInError::SubjectMismatch => {
            client(700_021, "Client assertion application identifier doesn't match 'client_id' parameter.".to_owned())
        }
        SignInError::AudienceWrong { found } => client(
            700_023,
            format!(
                "Client assertion audience claim does not match Realm issuer. Audience found: '{}'. Expected: '{}/{}/v2.0' \
                 or the token endpoint.",
                shown(found),
                names.authority,
                names.tenant
            ),
        ),
        SignInError::Malformed { reason } => (
            StatusCode::BAD_REQUEST,
            "invalid_request",
            50027,
            format!("JWT token is invalid or malformed. [Reason - {reason}.]"),
        ),
        SignInError::Signing => {
            tracing::error!("a token could not be signed");
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", 90099, "The request could not be processed.".to_owned())
        }
    }
}
