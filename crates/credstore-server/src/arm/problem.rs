//! Errors of ARM: one table, no wildcard. Codes and texts are Azure's, contract section 15.

use credstore_vault::{Caller, GroupError, RoleAssignmentError, VaultError};
use http::{Response, StatusCode};
use serde_json::json;

use crate::body::Content;
use crate::outcome::{allow, json_answer};
use crate::store::{self, ToPeer};

/// Longest client-written text that an error repeats.
const ECHO_MAX: usize = 128;

/// Status, code and text.
type Row = (StatusCode, &'static str, String);

/// Why ARM does not do what it was asked.
#[derive(Debug)]
pub(super) enum Problem {
    Unauthenticated(&'static str),
    NotAuthorized { object: String, scope: String },
    Uri(UriProblem),
    Resource(ResourceProblem),
    Role(RoleProblem),
    BadRequest(String),
    Body(StatusCode),
    Internal,
    Vault(VaultError),
}

/// What is wrong with the request before anything is looked up.
#[derive(Debug)]
pub(super) enum UriProblem {
    NoRoute,
    OtherMethod(Vec<&'static str>),
    BadQuery,
    MissingApiVersion,
    InvalidApiVersion(String),
}

/// What the path names cannot be, is not there, or is somebody else's.
#[derive(Debug)]
pub(super) enum ResourceProblem {
    SubscriptionNotFound(String),
    GroupNameInvalid,
    VaultNameInvalid(String),
    VaultNotFound { name: String, group: String },
    DeletedVaultNotFound(String),
    VaultExists(String),
}

/// What is wrong with a role assignment that is asked for.
#[derive(Debug)]
pub(super) enum RoleProblem {
    BadId(String),
    NoDefinition(String),
    NoAssignment(String),
    NoPrincipal { id: String, tenant: String },
    OtherPrincipalType { id: String, kind: String },
}

impl From<RoleProblem> for Problem {
    fn from(problem: RoleProblem) -> Self {
        Self::Role(problem)
    }
}

impl From<UriProblem> for Problem {
    fn from(problem: UriProblem) -> Self {
        Self::Uri(problem)
    }
}

impl From<ResourceProblem> for Problem {
    fn from(problem: ResourceProblem) -> Self {
        Self::Resource(problem)
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

fn shown(text: &str) -> String {
    text.chars().take(ECHO_MAX).collect()
}

impl Problem {
    pub(super) fn unknown_filter() -> Self {
        Self::BadRequest("The $filter is not one that is known.".to_owned())
    }

    pub(super) fn not_authorized(caller: &Caller, scope: &str) -> Self {
        Self::NotAuthorized { object: caller.object_id.to_string(), scope: shown(scope) }
    }

    fn row(&self) -> Row {
        match self {
            Self::Unauthenticated(text) => (StatusCode::UNAUTHORIZED, "AuthenticationFailed", (*text).to_owned()),
            Self::NotAuthorized { object, scope } => (
                StatusCode::FORBIDDEN,
                "AuthorizationFailed",
                format!(
                    "The client '{object}' with object id '{object}' does not have authorization to perform action \
                     over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh \
                     your credentials."
                ),
            ),
            Self::Uri(problem) => problem.row(),
            Self::Resource(problem) => problem.row(),
            Self::Role(problem) => problem.row(),
            Self::BadRequest(text) => (StatusCode::BAD_REQUEST, "BadRequest", text.clone()),
            Self::Body(status) => (*status, "InvalidRequestContent", "The request body could not be read.".to_owned()),
            Self::Internal => internal(),
            Self::Vault(error) => vault_row(error),
        }
    }

    pub(super) fn into_answer(self) -> Response<Content> {
        let (status, code, message) = self.row();
        let mut response = json_answer(status, &json!({"error": {"code": code, "message": message}}));
        if let Self::Uri(UriProblem::OtherMethod(methods)) = self {
            response.headers_mut().extend([allow(&methods)]);
        }
        response
    }
}

impl UriProblem {
    fn row(&self) -> Row {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::NoRoute => (
                StatusCode::NOT_FOUND,
                "InvalidResourceType",
                "The request URI names no resource type that this installation has.".to_owned(),
            ),
            Self::OtherMethod(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "The method is not allowed for the request URI.".to_owned(),
            ),
            Self::BadQuery => (bad, "InvalidRequestUri", "The query of the request URI is not valid.".to_owned()),
            Self::MissingApiVersion => (
                bad,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.".to_owned(),
            ),
            Self::InvalidApiVersion(version) => (
                bad,
                "InvalidApiVersionParameter",
                format!(
                    "The api-version '{}' is invalid. The supported versions are '2026-02-01' and earlier.",
                    shown(version)
                ),
            ),
        }
    }
}

impl ResourceProblem {
    fn row(&self) -> Row {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::SubscriptionNotFound(id) => (
                StatusCode::NOT_FOUND,
                "SubscriptionNotFound",
                format!("The subscription '{}' could not be found.", shown(id)),
            ),
            Self::GroupNameInvalid => (
                bad,
                "InvalidResourceGroup",
                "The resource group name has 1 to 90 letters, digits, '-', '_', '.', '(' and ')', and does not end \
                 with '.'."
                    .to_owned(),
            ),
            Self::VaultNameInvalid(name) => (
                bad,
                "VaultNameNotValid",
                format!(
                    "The vault name '{}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The \
                     name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens.",
                    shown(name)
                ),
            ),
            Self::VaultNotFound { name, group } => (
                StatusCode::NOT_FOUND,
                "ResourceNotFound",
                format!(
                    "The Resource 'Microsoft.KeyVault/vaults/{}' under resource group '{}' was not found. For more \
                     details please go to https://aka.ms/ARMResourceNotFoundFix",
                    shown(name),
                    shown(group)
                ),
            ),
            Self::DeletedVaultNotFound(name) => (
                StatusCode::NOT_FOUND,
                "DeletedVaultNotFound",
                format!("The specified deleted vault '{}' does not exist.", shown(name)),
            ),
            Self::VaultExists(name) => (
                StatusCode::CONFLICT,
                "VaultAlreadyExists",
                format!(
                    "The vault name '{}' is already in use. Vault names are globaly unique so it is possible that the \
                     name is already taken.",
                    shown(name)
                ),
            ),
        }
    }
}

/// A GUID as the texts about roles write it: without hyphens.
fn bare(id: &str) -> String {
    shown(id).replace('-', "")
}

/// Source: learn.microsoft.com "Troubleshoot Azure RBAC", and the texts in issues of Azure's own tools.
impl RoleProblem {
    fn row(&self) -> Row {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::BadId(id) => (
                bad,
                "InvalidRoleAssignmentId",
                format!("The role assignment ID '{}' is not valid. The role assignment ID must be a GUID.", shown(id)),
            ),
            Self::NoDefinition(id) => (
                StatusCode::NOT_FOUND,
                "RoleDefinitionDoesNotExist",
                format!("The specified role definition with ID '{}' does not exist.", bare(id)),
            ),
            Self::NoAssignment(id) => (
                StatusCode::NOT_FOUND,
                "RoleAssignmentNotFound",
                format!("The role assignment '{}' is not found.", shown(id)),
            ),
            Self::NoPrincipal { id, tenant } => (
                bad,
                "PrincipalNotFound",
                format!(
                    "Principal {} does not exist in the directory {tenant}. Check that you have the correct principal \
                     ID.",
                    bare(id)
                ),
            ),
            Self::OtherPrincipalType { id, kind } => (
                bad,
                "UnmatchedPrincipalType",
                format!(
                    "The PrincipalId '{}' has type 'ServicePrincipal', which is different from specified PrincipalType \
                     '{}'.",
                    bare(id),
                    shown(kind)
                ),
            ),
        }
    }
}

fn internal() -> Row {
    let text = "The request could not be processed.".to_owned();
    (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", text)
}

fn unavailable() -> Row {
    let text = "No writes are taken at the moment.".to_owned();
    (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", text)
}

fn group_row(error: &GroupError) -> Row {
    match error {
        GroupError::NotFound(name) => (
            StatusCode::NOT_FOUND,
            "ResourceGroupNotFound",
            format!("Resource group '{}' could not be found.", shown(name)),
        ),
        GroupError::Elsewhere { location, wanted, .. } => (
            StatusCode::CONFLICT,
            "InvalidResourceGroupLocation",
            format!(
                "Invalid resource group location '{}'. The Resource group already exists in location '{}'.",
                shown(wanted),
                shown(location)
            ),
        ),
        GroupError::Limit => (
            StatusCode::CONFLICT,
            "ResourceGroupQuotaExceeded",
            "No more resource groups can be created in this subscription.".to_owned(),
        ),
    }
}

fn assignment_row(error: &RoleAssignmentError) -> Row {
    match error {
        RoleAssignmentError::Exists(id) => (
            StatusCode::CONFLICT,
            "RoleAssignmentExists",
            format!(
                "The role assignment already exists. The ID of the existing role assignment is {}.",
                bare(id.as_str())
            ),
        ),
        RoleAssignmentError::Fixed => (
            StatusCode::BAD_REQUEST,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.".to_owned(),
        ),
        RoleAssignmentError::Limit => (
            StatusCode::BAD_REQUEST,
            "RoleAssignmentLimitExceeded",
            "No more role assignments can be created.".to_owned(),
        ),
    }
}

fn vault_row(error: &VaultError) -> Row {
    match error {
        VaultError::VaultNotFound(name) => (
            StatusCode::NOT_FOUND,
            "ResourceNotFound",
            format!("The Resource 'Microsoft.KeyVault/vaults/{name}' was not found."),
        ),
        VaultError::VaultDeleted(_) => (
            StatusCode::CONFLICT,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing \
             key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft \
             delete."
                .to_owned(),
        ),
        VaultError::DeletedVaultNotFound(name) => (
            StatusCode::NOT_FOUND,
            "SoftDeletedVaultDoesNotExist",
            format!("A soft deleted vault with the name '{name}' does not exist."),
        ),
        VaultError::NotOperator | VaultError::Denied { .. } => (
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            "The client does not have authorization to perform this action.".to_owned(),
        ),
        VaultError::Group(error) => group_row(error),
        VaultError::RoleAssignment(error) => assignment_row(error),
        VaultError::PurgeProtected => (
            StatusCode::FORBIDDEN,
            "MethodNotAllowed",
            "Operation 'DeletedVaultPurge' is not allowed, because purge protection is enabled for this vault."
                .to_owned(),
        ),
        VaultError::BadParameter { message } => (StatusCode::BAD_REQUEST, "BadRequest", message.clone()),
        VaultError::Busy => (
            StatusCode::CONFLICT,
            "Conflict",
            "Another operation on this resource is going on. Try again later.".to_owned(),
        ),
        VaultError::Store(failure) => match store::report(failure) {
            ToPeer::NoWrites => unavailable(),
            ToPeer::Broken => internal(),
        },
        // Operations on objects do not pass here: if one does, that is a mistake of ours.
        VaultError::ObjectNotFound { .. }
        | VaultError::KeyRefused { .. }
        | VaultError::Key { .. }
        | VaultError::DeletedObjectNotFound { .. }
        | VaultError::SecretDisabled(_)
        | VaultError::DeletedButRecoverable { .. }
        | VaultError::RestoreConflict { .. }
        | VaultError::MalformedBackup
        | VaultError::Certificate(_)
        | VaultError::PendingNotFound(_)
        | VaultError::Pending(_)
        | VaultError::IssuerNotFound
        | VaultError::ContactsNotFound
        | VaultError::NameTaken { .. }
        | VaultError::Managed { .. } => internal(),
    }
}
