//! What the data plane answers when it does not do what it was asked: one table, no wildcard.
//!
//! Status, code, inner code and text are Azure's, contract section 5; tools decide by them. Reasons that only the
//! operator of the machine can act on are logged and not sent.

use std::borrow::Cow;

use credstore_protocol::ObjectName;
use credstore_protocol::key_vault::keys::{KeyOperation, KeyType};
use credstore_protocol::key_vault::{ErrorBody, ErrorDetail, InnerError};
use credstore_vault::access::{ObjectKind, Operation, PermissionModel};
use credstore_vault::certificates::CertificateError;
use credstore_vault::keys::KeyError;
use credstore_vault::{Caller, DeniedPlace, KeyRefusal, PendingRefusal, TokenRejected, VaultError};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::ids::Ids;
use crate::body::Content;
use crate::names::Names;
use crate::outcome::{allow, json_answer};
use crate::store::{self, ToPeer};
use crate::tokens::Unauthenticated;

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    inner: Option<&'static str>,
    message: Cow<'static, str>,
    /// Boxed: hardly any problem has one, and every result carries its size.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// What Azure's texts call one object of a kind.
struct Words {
    noun: &'static str,
    title: &'static str,
    not_found: &'static str,
}

const fn words(kind: ObjectKind) -> Words {
    match kind {
        ObjectKind::Secrets => Words { noun: "secret", title: "Secret", not_found: "SecretNotFound" },
        ObjectKind::Keys => Words { noun: "key", title: "Key", not_found: "KeyNotFound" },
        ObjectKind::Certificates => {
            Words { noun: "certificate", title: "Certificate", not_found: "CertificateNotFound" }
        }
    }
}

/// Azure's text for whatever needs a premium vault.
const HARDWARE: &str = "Hardware key operation not allowed on standard vault";

/// Longest part of a path that an error text repeats.
const ECHO_MAX: usize = 160;

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, inner: None, message: message.into(), header: None }
    }

    fn forbidden(inner: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { inner: Some(inner), ..Self::new(StatusCode::FORBIDDEN, "Forbidden", message) }
    }

    fn conflict(inner: Option<&'static str>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { inner, ..Self::new(StatusCode::CONFLICT, "Conflict", message) }
    }

    pub(super) fn bad_parameter(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadParameter", message)
    }

    pub(super) fn invalid_name(name: &str) -> Self {
        let shown: String = name.chars().take(ECHO_MAX).collect();
        Self::bad_parameter(format!("The request URI contains an invalid name: {shown}"))
    }

    pub(super) fn no_such_version(kind: ObjectKind, name: &ObjectName, version: &str) -> Self {
        let shown: String = version.chars().take(ECHO_MAX).collect();
        Self::object_not_found(kind, &format!("{name}/{shown}"))
    }

    fn object_not_found(kind: ObjectKind, id: &str) -> Self {
        let Words { noun, not_found, .. } = words(kind);
        let message = format!(
            "A {noun} with (name/id) {id} was not found in this key vault. If you recently deleted this {noun} you \
             may be able to recover it using the correct recovery command. For help resolving this issue, please \
             see https://go.microsoft.com/fwlink/?linkid=2125182"
        );
        Self::new(StatusCode::NOT_FOUND, not_found, message)
    }

    fn name_is_deleted(kind: ObjectKind, name: &ObjectName) -> Self {
        let title = words(kind).title;
        let message = format!(
            "{title} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this \
             state, the {} can only be recovered or purged.",
            words(kind).noun
        );
        Self::conflict(Some("ObjectIsDeletedButRecoverable"), message)
    }

    fn name_is_live(kind: ObjectKind, id: &str) -> Self {
        let noun = words(kind).noun;
        let message = format!(
            "There was a conflict restoring the {noun} '{id}'. This can happen if either: a second {noun} with the \
             same name was created after the first {noun} was deleted; thus trying to restore a {noun} whose name is \
             already in use."
        );
        Self::conflict(None, message)
    }

    /// Ours: no source has Azure's text.
    fn name_is_taken(kind: ObjectKind, name: &ObjectName) -> Self {
        let noun = words(kind).noun;
        let message = format!(
            "A {noun} named {name} is in this key vault already and belongs to no certificate. Use another name for the \
             certificate, or delete and purge the {noun} first."
        );
        Self::conflict(None, message)
    }

    fn throttled() -> Self {
        let message = "Request was not processed because too many requests were received. Reason: \
                       VaultRequestTypeLimitReached";
        let header = Some(Box::new((RETRY_AFTER, HeaderValue::from_static("1"))));
        Self { header, ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Throttled", message) }
    }

    /// A path that no operation has. What the vault does not do at all says so, lest "not found" be taken for "absent".
    pub(super) fn no_route(segments: &[Cow<'_, str>]) -> Self {
        if is_one_of(segments.first(), &["storage", "deletedstorage"]) {
            return Self::bad_parameter("This vault holds secrets, keys and certificates; it has no storage accounts.");
        }
        Self::new(StatusCode::NOT_FOUND, "NotFound", "The request URI names no operation of this vault.")
    }

    /// A path of operations that need hardware. Asked before the routes are: without a version it reads as that of a
    /// version called `attestation`. A key may have these names, so the last segment counts from the third on.
    pub(super) fn of_hardware(segments: &[Cow<'_, str>]) -> Option<Self> {
        let of_key = segments.len() > 2
            && is_one_of(segments.first(), &["keys"])
            && is_one_of(segments.last(), &["release", "attestation"]);
        (of_key || is_one_of(segments.first(), &["rng"])).then(|| Self::bad_parameter(HARDWARE))
    }

    pub(super) fn other_method(methods: Vec<&'static str>) -> Self {
        let message = "The method is not allowed for the request URI.";
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
        Self { header: Some(Box::new(allow(&methods))), ..problem }
    }

    /// A body that could not be read.
    pub(super) fn body(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("RequestEntityTooLarge", "The request body is too large."),
            StatusCode::REQUEST_TIMEOUT => ("RequestTimeout", "The request body did not arrive in time."),
            _ => ("BadParameter", "The request body is not complete."),
        };
        Self::new(status, code, message)
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The request could not be processed.")
    }

    fn unavailable() -> Self {
        let message = "The vault takes no writes at the moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// The table.
    pub(super) fn of(error: VaultError, names: &Names, ids: &Ids) -> Self {
        match error {
            VaultError::VaultNotFound(name)
            | VaultError::VaultDeleted(name)
            | VaultError::DeletedVaultNotFound(name) => {
                Self::new(StatusCode::NOT_FOUND, "VaultNotFound", format!("The vault {name} was not found."))
            }
            VaultError::ObjectNotFound { kind, name, version: None } => Self::object_not_found(kind, name.as_str()),
            VaultError::ObjectNotFound { kind, name, version: Some(version) } => {
                Self::object_not_found(kind, &format!("{name}/{version}"))
            }
            VaultError::DeletedObjectNotFound { kind, name } => {
                let Words { title, not_found, .. } = words(kind);
                Self::new(StatusCode::NOT_FOUND, not_found, format!("Deleted {title} not found: {name}"))
            }
            VaultError::SecretDisabled(_) => {
                Self::forbidden("SecretDisabled", "Operation get is not allowed on a disabled secret.")
            }
            VaultError::Denied { caller, operation, model: PermissionModel::AccessPolicies, .. } => {
                denied_by_policy(&caller, operation, names, ids)
            }
            VaultError::Denied { caller, operation, place, model: PermissionModel::Roles, .. } => {
                denied_by_role(&caller, operation, &place, names, ids)
            }
            VaultError::KeyRefused { operation, refusal } => refused(operation, refusal),
            VaultError::Certificate(error) => of_certificate(&error),
            VaultError::PendingNotFound(name) => Self::new(
                StatusCode::NOT_FOUND,
                "PendingCertificateNotFound",
                format!("Pending certificate not found: {name}"),
            ),
            VaultError::Pending(refusal) => of_pending(refusal),
            VaultError::IssuerNotFound => {
                Self::new(StatusCode::NOT_FOUND, "CertificateIssuerNotFound", "Issuer not found")
            }
            VaultError::ContactsNotFound => Self::new(StatusCode::NOT_FOUND, "ContactsNotFound", "Contacts not found"),
            VaultError::Managed { kind, operation } => managed(kind, operation),
            VaultError::NameTaken { kind, name } => Self::name_is_taken(kind, &name),
            VaultError::Key { name, version, error } => {
                let version = version.map(|version| ids.object(ObjectKind::Keys, &format!("{name}/{version}")));
                of_key(error, &version.unwrap_or_else(|| ids.object(ObjectKind::Keys, name.as_str())))
            }
            // Groups and roles are ARM's: these do not pass here.
            VaultError::Group(_) | VaultError::RoleAssignment(_) => Self::internal(),
            VaultError::NotOperator => {
                Self::forbidden("ForbiddenByPolicy", "Only the operator of this installation may do this.")
            }
            VaultError::DeletedButRecoverable { kind, name } => Self::name_is_deleted(kind, &name),
            VaultError::RestoreConflict { kind, name, version } => {
                Self::name_is_live(kind, &ids.object(kind, &format!("{name}/{version}")))
            }
            VaultError::PurgeProtected => Self::new(
                StatusCode::FORBIDDEN,
                "Forbidden",
                "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault \
                 service will automatically purge it after the retention period has passed.",
            ),
            VaultError::BadParameter { message } => Self::bad_parameter(message),
            VaultError::MalformedBackup => Self::new(
                StatusCode::BAD_REQUEST,
                "Malformed backup blob",
                "Backup blob contains invalid or corrupt version.",
            ),
            VaultError::Busy => Self::throttled(),
            VaultError::Store(failure) => match store::report(&failure) {
                ToPeer::NoWrites => Self::unavailable(),
                ToPeer::Broken => Self::internal(),
            },
        }
    }

    pub(super) fn into_answer(self) -> Response<Content> {
        let innererror = self.inner.map(|code| InnerError { code: code.to_owned() });
        let error = ErrorDetail { code: self.code.to_owned(), message: self.message.into_owned(), innererror };
        let mut response = json_answer(self.status, &ErrorBody { error });
        response.headers_mut().extend(self.header.map(|header| *header));
        response
    }
}

fn is_one_of(segment: Option<&Cow<'_, str>>, names: &[&str]) -> bool {
    segment.is_some_and(|segment| names.iter().any(|name| name.eq_ignore_ascii_case(segment)))
}

/// Azure's texts for disabled keys and for `key_ops`; those about dates are chosen alike, for want of a source.
fn refused(operation: KeyOperation, refusal: KeyRefusal) -> Problem {
    match refusal {
        KeyRefusal::Disabled => {
            Problem::forbidden("KeyDisabled", format!("Operation {operation} is not allowed on a disabled key."))
        }
        KeyRefusal::NotYetValid => Problem::forbidden(
            "KeyNotYetValid",
            format!("Operation {operation} is not allowed on a key that is not yet valid."),
        ),
        KeyRefusal::Expired => {
            Problem::forbidden("KeyExpired", format!("Operation {operation} is not allowed on an expired key."))
        }
        KeyRefusal::Operation => {
            Problem::forbidden("KeyOperationForbidden", format!("Operation {operation} is not permitted on this key."))
        }
    }
}

/// What is wrong with the key called `kid`, or with what was to be done with it. Azure's texts where they are known:
/// hardware, `kty`, JsonWebKey, length and curve.
fn of_key(error: KeyError, kid: &str) -> Problem {
    match error {
        KeyError::Kind(KeyType::Oct) => Problem {
            inner: Some("KeyTypeNotSupported"),
            ..Problem::bad_parameter(format!("Invalid kty value: {}", KeyType::Oct))
        },
        KeyError::Kind(_) => Problem::bad_parameter(HARDWARE),
        KeyError::Member { member } => Problem::bad_parameter(format!(
            "The property \"key\" must be a valid JsonWebKey object. Its member \"{member}\" is missing or not base64url."
        )),
        KeyError::Inconsistent(kty) => {
            Problem::bad_parameter(format!("{kty} key is not valid - cannot instantiate crypto service"))
        }
        KeyError::Size { bits } => Problem::bad_parameter(format!(
            "The key size {bits} is not supported: RSA keys have 2048, 3072 or 4096 bits."
        )),
        KeyError::AlgorithmOfOtherKind { algorithm, key_type } => Problem::bad_parameter(format!(
            "Key and algorithm are incompatible. Key {kid} is of type '{key_type}', which algorithm '{algorithm}' cannot be \
             used with."
        )),
        KeyError::AlgorithmOfOtherCurve { algorithm, curve, needs } => Problem::bad_parameter(format!(
            "Key and signing algorithm are incompatible. Key {kid} uses curve '{curve}', and algorithm '{algorithm}' can \
             only be used with curve '{needs}'."
        )),
        KeyError::DigestLength { algorithm, found, needed } => Problem::bad_parameter(format!(
            "Invalid length of 'value': {found} bytes. {algorithm} requires {needed} bytes, encoded with base64url."
        )),
        KeyError::DigestInfo => {
            Problem::bad_parameter("RSNULL signs a DigestInfo of SHA-256, SHA-384 or SHA-512, encoded with base64url.")
        }
        KeyError::TooLong { algorithm, found, most } => Problem::bad_parameter(format!(
            "Invalid length of 'value': {found} bytes. {algorithm} encrypts at most {most} bytes with this key."
        )),
        KeyError::Undecryptable { algorithm } => {
            Problem::bad_parameter(format!("The value was not encrypted for this key with {algorithm}."))
        }
        KeyError::Damaged | KeyError::Library => {
            tracing::error!(%error, key = kid, "a key could not be used");
            Problem::internal()
        }
    }
}

/// What is wrong with a certificate, or with what was to become one.
fn of_certificate(error: &CertificateError) -> Problem {
    match error {
        CertificateError::Library => {
            tracing::error!(%error, "a certificate could not be made");
            Problem::internal()
        }
        CertificateError::Value { .. }
        | CertificateError::Actions
        | CertificateError::Pfx
        | CertificateError::Pem
        | CertificateError::PemForm
        | CertificateError::TooLarge { .. }
        | CertificateError::Count(_)
        | CertificateError::Unreadable
        | CertificateError::KeyKind
        | CertificateError::OtherKey
        | CertificateError::Date => Problem::bad_parameter(error.to_string()),
    }
}

/// Azure's texts. Source: Key Vault, "Monitor and manage certificate creation"; azure-sdk-for-js issue 25758.
fn of_pending(refusal: PendingRefusal) -> Problem {
    match refusal {
        PendingRefusal::UnderWay => Problem::conflict(
            None,
            "A new key vault certificate can not be created or imported while a pending key vault certificate's status \
             is inProgress.",
        ),
        PendingRefusal::Ended => {
            Problem::new(StatusCode::FORBIDDEN, "Forbidden", "Pending status must be in progress to allow update.")
        }
        PendingRefusal::Merge { issuer } => Problem::new(
            StatusCode::FORBIDDEN,
            "Forbidden",
            format!("Merge is forbidden on pending object created with issuer : {issuer} after it was completed."),
        ),
    }
}

/// Source: contract section 5, SecretManagedByKeyVault and KeyManagedByKeyVault.
fn managed(kind: ObjectKind, operation: Operation) -> Problem {
    let inner = match kind {
        ObjectKind::Secrets => "SecretManagedByKeyVault",
        ObjectKind::Keys => "KeyManagedByKeyVault",
        ObjectKind::Certificates => "CertificateManagedByKeyVault",
    };
    let operation = operation.permission().name();
    let message =
        format!("Operation \"{operation}\" is not allowed as this object's lifetime is managed by Key Vault.");
    Problem::forbidden(inner, message)
}

fn denied_by_policy(caller: &Caller, operation: Operation, names: &Names, ids: &Ids) -> Problem {
    let (app, object, issuer) = (&caller.app_id, &caller.object_id, &names.issuer);
    let (vault, location) = (ids.vault(), ids.location());
    Problem::forbidden(
        "ForbiddenByPolicy",
        format!(
            "The user, group or application 'appid={app};oid={object};numgroups=0;iss={issuer}' does not have {} \
             permission on key vault '{vault};location={location}'. For help resolving this issue, please see \
             https://go.microsoft.com/fwlink/?linkid=2125287",
            operation.permission()
        ),
    )
}

/// The resource is in lower case, as in Azure's answers.
fn denied_by_role(caller: &Caller, operation: Operation, place: &DeniedPlace, names: &Names, ids: &Ids) -> Problem {
    let (app, object, issuer) = (&caller.app_id, &caller.object_id, &names.issuer);
    let (vault, location, group) = (ids.vault(), ids.location(), &place.group);
    let mut resource = format!("/subscriptions/{}/resourcegroups/{group}", names.tenant);
    resource += &format!("/providers/microsoft.keyvault/vaults/{vault}");
    if let Some(name) = &place.object {
        let name: String = name.chars().take(ECHO_MAX).collect();
        resource += &format!("/{}/{name}", operation.kind().as_str());
    }
    Problem::forbidden(
        "ForbiddenByRbac",
        format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
             definitions were changed recently, please observe propagation time.\r\nCaller: \
             appid={app};oid={object};iss={issuer}\r\nAction: '{}'\r\nResource: '{}'\r\nAssignment: (not \
             found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: \
             {vault};location={location}\r\n",
            operation.data_action(),
            resource.to_lowercase()
        ),
    )
}

/// 401 with the challenge that leads clients to the directory. The texts with a number are Azure's; where Azure's
/// is not known the code in brackets is ours.
pub(super) fn challenge(names: &Names, why: &Unauthenticated) -> Response<Content> {
    let message: Cow<'static, str> = match why {
        Unauthenticated::Missing => "AKV10000: Request is missing a Bearer or PoP token.".into(),
        Unauthenticated::Rejected(rejected) => match rejected {
            TokenRejected::Audience { found } => {
                format!("AKV10022: Invalid audience. Expected {}, found: {found}.", names.vault).into()
            }
            TokenRejected::Issuer { found } => {
                format!("AKV10032: Invalid issuer. Expected one of {}, found {found}.", names.issuer).into()
            }
            TokenRejected::Malformed(_) => "[BearerReadAccessTokenFailed] Error validating token.".into(),
            TokenRejected::UnknownKey => "AKV10046: Unable to resolve the key used for signature validation.".into(),
            TokenRejected::Signature => "[TokenInvalid] Error validating token.".into(),
            TokenRejected::Expired => "[TokenExpired] Error validating token.".into(),
            TokenRejected::NotYetValid => "[TokenNotYetValid] Error validating token.".into(),
            TokenRejected::PrincipalGone => "[TokenRevoked] Error validating token.".into(),
        },
    };
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized", message).into_answer();
    response.headers_mut().insert(WWW_AUTHENTICATE, names.challenge.clone());
    response
}
