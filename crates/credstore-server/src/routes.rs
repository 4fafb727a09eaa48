//! Every route of the server, as data.
//!
//! The dispatch, the tests that try each route with each kind of token, and later the audit list all read this
//! table. Patterns match segment by segment, fixed segments in any case (ARM's clients send `resourcegroups` and
//! `resourceGroups`), and the first match wins, so a fixed segment stands before a parameter.
//! Source: contract sections 6, 9, 11, 14, 15 and 16.

use std::borrow::Cow;

use credstore_vault::access::{ObjectKind, ObjectOperation, Operation, Permission};

/// Which host name a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `{vault}.vault.…`: the Key Vault data plane.
    Vault,
    /// `login.…`: the directory.
    Login,
    /// `management.…`: ARM.
    Management,
    /// `graph.…`: Graph.
    Graph,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody: it tells nothing that is not public, or checks an assertion itself.
    Anyone,
    /// Whoever has a token for the surface.
    AnyToken,
    /// The operator of the installation, nobody else.
    Operator,
    /// An application about itself, or the operator, with a proof that the key of the application is there.
    Proof,
    /// Whom the vault's policies grant this.
    Permission(Permission),
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An operation of the data plane.
    Vault(Operation),
    /// A page or the token endpoint of the directory.
    Login(LoginEndpoint),
    /// A resource of ARM.
    Management(ManagementEndpoint),
    /// An object of Graph.
    Graph(GraphEndpoint),
}

/// What the directory answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the table below")]
pub enum LoginEndpoint {
    OpenIdConfiguration,
    InstanceDiscovery,
    KeySet,
    TokenV2,
    TokenV1,
}

/// What ARM answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the table below")]
pub enum ManagementEndpoint {
    CloudMetadata,
    ListSubscriptions,
    GetSubscription,
    ListGroups,
    GetGroup,
    CheckGroup,
    PutGroup,
    DeleteGroup,
    ListResources,
    ListVaults,
    ListGroupVaults,
    ListManagedHsms,
    GetVault,
    PutVault,
    PatchVault,
    DeleteVault,
    ChangePolicies,
    CheckName,
    ListDeletedVaults,
    GetDeletedVault,
    PurgeVault,
    ListRoles,
    GetRole,
    ListAssignments,
    GetAssignment,
    PutAssignment,
    DeleteAssignment,
    GetFaults,
    PutFaults,
    DeleteFaults,
}

/// What Graph answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the table below")]
pub enum GraphEndpoint {
    Me,
    ListApplications,
    CreateApplication,
    GetApplication,
    UpdateApplication,
    DeleteApplication,
    Password,
    AddKey,
    RemoveKey,
    ListServicePrincipals,
    CreateServicePrincipal,
    GetServicePrincipal,
    UpdateServicePrincipal,
    DeleteServicePrincipal,
    ObjectsByIds,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// On which host.
    pub surface: Surface,
    /// The HTTP method.
    pub method: &'static str,
    /// The pattern; `{…}` is a parameter of one segment.
    pub path: &'static str,
    /// What it does.
    pub endpoint: Endpoint,
    /// Who may.
    pub access: Access,
}

const fn vault(method: &'static str, path: &'static str, operation: Operation) -> Route {
    let access = Access::Permission(operation.permission());
    Route { surface: Surface::Vault, method, path, endpoint: Endpoint::Vault(operation), access }
}

const fn secrets(operation: ObjectOperation) -> Operation {
    Operation::Object(ObjectKind::Secrets, operation)
}

const fn keys(operation: ObjectOperation) -> Operation {
    Operation::Object(ObjectKind::Keys, operation)
}

const fn certificates(operation: ObjectOperation) -> Operation {
    Operation::Object(ObjectKind::Certificates, operation)
}

const fn login(method: &'static str, path: &'static str, endpoint: LoginEndpoint) -> Route {
    let endpoint = Endpoint::Login(endpoint);
    Route { surface: Surface::Login, method, path, endpoint, access: Access::Anyone }
}

const fn management(method: &'static str, path: &'static str, endpoint: ManagementEndpoint, access: Access) -> Route {
    Route { surface: Surface::Management, method, path, endpoint: Endpoint::Management(endpoint), access }
}

const fn graph(method: &'static str, path: &'static str, endpoint: GraphEndpoint, access: Access) -> Route {
    Route { surface: Surface::Graph, method, path, endpoint: Endpoint::Graph(endpoint), access }
}

use Access::{AnyToken, Anyone, Operator, Proof};
use GraphEndpoint as G;
use LoginEndpoint as L;
use ManagementEndpoint as M;
use ObjectOperation as O;

/// The table.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    vault("GET",    "/secrets/{name}",                     secrets(O::Get)),
    vault("GET",    "/secrets/{name}/versions",            secrets(O::ListVersions)),
    vault("GET",    "/secrets/{name}/{version}",           secrets(O::Get)),
    vault("GET",    "/secrets",                            secrets(O::List)),
    vault("PUT",    "/secrets/{name}",                     Operation::SetSecret),
    vault("PATCH",  "/secrets/{name}",                     secrets(O::Update)),
    vault("PATCH",  "/secrets/{name}/{version}",           secrets(O::Update)),
    vault("DELETE", "/secrets/{name}",                     secrets(O::Delete)),
    vault("POST",   "/secrets/restore",                    secrets(O::Restore)),
    vault("POST",   "/secrets/{name}/backup",              secrets(O::Backup)),
    vault("GET",    "/deletedsecrets",                     secrets(O::ListDeleted)),
    vault("GET",    "/deletedsecrets/{name}",              secrets(O::GetDeleted)),
    vault("DELETE", "/deletedsecrets/{name}",              secrets(O::Purge)),
    vault("POST",   "/deletedsecrets/{name}/recover",      secrets(O::Recover)),

    vault("GET",    "/keys/{name}",                         keys(O::Get)),
    vault("GET",    "/keys/{name}/versions",                keys(O::ListVersions)),
    vault("GET",    "/keys/{name}/rotationpolicy",          Operation::GetRotationPolicy),
    vault("PUT",    "/keys/{name}/rotationpolicy",          Operation::SetRotationPolicy),
    vault("GET",    "/keys/{name}/{version}",               keys(O::Get)),
    vault("GET",    "/keys",                                keys(O::List)),
    vault("PUT",    "/keys/{name}",                         Operation::ImportKey),
    vault("PATCH",  "/keys/{name}",                         keys(O::Update)),
    vault("PATCH",  "/keys/{name}/{version}",               keys(O::Update)),
    vault("DELETE", "/keys/{name}",                         keys(O::Delete)),
    vault("POST",   "/keys/restore",                        keys(O::Restore)),
    vault("POST",   "/keys/{name}/create",                  Operation::CreateKey),
    vault("POST",   "/keys/{name}/rotate",                  Operation::RotateKey),
    vault("POST",   "/keys/{name}/backup",                  keys(O::Backup)),
    vault("POST",   "/keys/{name}/encrypt",                 Operation::Encrypt),
    vault("POST",   "/keys/{name}/decrypt",                 Operation::Decrypt),
    vault("POST",   "/keys/{name}/wrapkey",                 Operation::WrapKey),
    vault("POST",   "/keys/{name}/unwrapkey",               Operation::UnwrapKey),
    vault("POST",   "/keys/{name}/sign",                    Operation::Sign),
    vault("POST",   "/keys/{name}/verify",                  Operation::Verify),
    vault("POST",   "/keys/{name}/{version}/encrypt",       Operation::Encrypt),
    vault("POST",   "/keys/{name}/{version}/decrypt",       Operation::Decrypt),
    vault("POST",   "/keys/{name}/{version}/wrapkey",       Operation::WrapKey),
    vault("POST",   "/keys/{name}/{version}/unwrapkey",     Operation::UnwrapKey),
    vault("POST",   "/keys/{name}/{version}/sign",          Operation::Sign),
    vault("POST",   "/keys/{name}/{version}/verify",        Operation::Verify),
    vault("GET",    "/deletedkeys",                         keys(O::ListDeleted)),
    vault("GET",    "/deletedkeys/{name}",                  keys(O::GetDeleted)),
    vault("DELETE", "/deletedkeys/{name}",                  keys(O::Purge)),
    vault("POST",   "/deletedkeys/{name}/recover",          keys(O::Recover)),

    vault("GET",    "/certificates",                        certificates(O::List)),
    vault("POST",   "/certificates/restore",                certificates(O::Restore)),
    vault("GET",    "/certificates/contacts",               Operation::GetContacts),
    vault("PUT",    "/certificates/contacts",               Operation::SetContacts),
    vault("DELETE", "/certificates/contacts",               Operation::DeleteContacts),
    vault("GET",    "/certificates/issuers",                Operation::ListIssuers),
    vault("GET",    "/certificates/issuers/{name}",         Operation::GetIssuer),
    vault("PUT",    "/certificates/issuers/{name}",         Operation::SetIssuer),
    vault("PATCH",  "/certificates/issuers/{name}",         Operation::UpdateIssuer),
    vault("DELETE", "/certificates/issuers/{name}",         Operation::DeleteIssuer),
    vault("GET",    "/certificates/{name}",                 certificates(O::Get)),
    vault("PATCH",  "/certificates/{name}",                 certificates(O::Update)),
    vault("DELETE", "/certificates/{name}",                 certificates(O::Delete)),
    vault("GET",    "/certificates/{name}/versions",        certificates(O::ListVersions)),
    vault("GET",    "/certificates/{name}/policy",          Operation::GetCertificatePolicy),
    vault("PATCH",  "/certificates/{name}/policy",          Operation::UpdateCertificatePolicy),
    vault("GET",    "/certificates/{name}/pending",         Operation::GetCertificateOperation),
    vault("PATCH",  "/certificates/{name}/pending",         Operation::UpdateCertificateOperation),
    vault("DELETE", "/certificates/{name}/pending",         Operation::DeleteCertificateOperation),
    vault("POST",   "/certificates/{name}/pending/merge",   Operation::MergeCertificate),
    vault("POST",   "/certificates/{name}/create",          Operation::CreateCertificate),
    vault("POST",   "/certificates/{name}/import",          Operation::ImportCertificate),
    vault("POST",   "/certificates/{name}/backup",          certificates(O::Backup)),
    vault("GET",    "/certificates/{name}/{version}",       certificates(O::Get)),
    vault("PATCH",  "/certificates/{name}/{version}",       certificates(O::Update)),
    vault("GET",    "/deletedcertificates",                 certificates(O::ListDeleted)),
    vault("GET",    "/deletedcertificates/{name}",          certificates(O::GetDeleted)),
    vault("DELETE", "/deletedcertificates/{name}",          certificates(O::Purge)),
    vault("POST",   "/deletedcertificates/{name}/recover",  certificates(O::Recover)),

    login("GET",  "/common/discovery/instance",                         L::InstanceDiscovery),
    login("GET",  "/{tenant}/v2.0/.well-known/openid-configuration",    L::OpenIdConfiguration),
    login("GET",  "/{tenant}/.well-known/openid-configuration",         L::OpenIdConfiguration),
    login("GET",  "/{tenant}/discovery/v2.0/keys",                      L::KeySet),
    login("GET",  "/{tenant}/discovery/keys",                           L::KeySet),
    login("POST", "/{tenant}/oauth2/v2.0/token",                        L::TokenV2),
    login("POST", "/{tenant}/oauth2/token",                             L::TokenV1),

    management("GET",    "/metadata/endpoints",                         M::CloudMetadata,     Anyone),
    management("GET",    "/subscriptions",                              M::ListSubscriptions, AnyToken),
    management("GET",    "/subscriptions/{s}",                          M::GetSubscription,   Operator),
    management("GET",    "/subscriptions/{s}/resources",                M::ListResources,     Operator),
    management("GET",    "/subscriptions/{s}/resourceGroups",           M::ListGroups,        Operator),
    management("PUT",    "/subscriptions/{s}/resourceGroups/{g}",       M::PutGroup,          Operator),
    management("GET",    "/subscriptions/{s}/resourceGroups/{g}",       M::GetGroup,          Operator),
    management("HEAD",   "/subscriptions/{s}/resourceGroups/{g}",       M::CheckGroup,        Operator),
    management("DELETE", "/subscriptions/{s}/resourceGroups/{g}",       M::DeleteGroup,       Operator),
    management("GET",    "/subscriptions/{s}/providers/Microsoft.KeyVault/vaults",                                M::ListVaults,        Operator),
    management("GET",    "/subscriptions/{s}/providers/Microsoft.KeyVault/managedHSMs",                           M::ListManagedHsms,   Operator),
    management("GET",    "/subscriptions/{s}/providers/Microsoft.KeyVault/deletedManagedHSMs",                    M::ListManagedHsms,   Operator),
    management("POST",   "/subscriptions/{s}/providers/Microsoft.KeyVault/checkNameAvailability",                 M::CheckName,         Operator),
    management("GET",    "/subscriptions/{s}/providers/Microsoft.KeyVault/deletedVaults",                         M::ListDeletedVaults, Operator),
    management("GET",    "/subscriptions/{s}/providers/Microsoft.KeyVault/locations/{l}/deletedVaults/{n}",       M::GetDeletedVault,   Operator),
    management("POST",   "/subscriptions/{s}/providers/Microsoft.KeyVault/locations/{l}/deletedVaults/{n}/purge", M::PurgeVault,        Operator),
    management("GET",    "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults",             M::ListGroupVaults,   Operator),
    management("GET",    "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/managedHSMs",        M::ListManagedHsms,   Operator),
    management("GET",    "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}",         M::GetVault,          Operator),
    management("PUT",    "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}",         M::PutVault,          Operator),
    management("PATCH",  "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}",         M::PatchVault,        Operator),
    management("DELETE", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}",         M::DeleteVault,       Operator),
    management("PUT",    "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/accessPolicies/{change}", M::ChangePolicies, Operator),

    management("GET", "/providers/Microsoft.Authorization/roleDefinitions", M::ListRoles, Operator),
    management("GET", "/providers/Microsoft.Authorization/roleDefinitions/{r}", M::GetRole, Operator),
    management("GET", "/subscriptions/{s}/providers/Microsoft.Authorization/roleDefinitions", M::ListRoles, Operator),
    management("GET", "/subscriptions/{s}/providers/Microsoft.Authorization/roleDefinitions/{r}", M::GetRole, Operator),
    management("GET", "/subscriptions/{s}/providers/Microsoft.Authorization/roleAssignments", M::ListAssignments, Operator),
    management("GET", "/subscriptions/{s}/providers/Microsoft.Authorization/roleAssignments/{a}", M::GetAssignment, Operator),
    management("PUT", "/subscriptions/{s}/providers/Microsoft.Authorization/roleAssignments/{a}", M::PutAssignment, Operator),
    management("DELETE", "/subscriptions/{s}/providers/Microsoft.Authorization/roleAssignments/{a}", M::DeleteAssignment, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Authorization/roleDefinitions", M::ListRoles, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Authorization/roleDefinitions/{r}", M::GetRole, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Authorization/roleAssignments", M::ListAssignments, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Authorization/roleAssignments/{a}", M::GetAssignment, Operator),
    management("PUT", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Authorization/roleAssignments/{a}", M::PutAssignment, Operator),
    management("DELETE", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Authorization/roleAssignments/{a}", M::DeleteAssignment, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/providers/Microsoft.Authorization/roleDefinitions", M::ListRoles, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/providers/Microsoft.Authorization/roleDefinitions/{r}", M::GetRole, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/providers/Microsoft.Authorization/roleAssignments", M::ListAssignments, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/providers/Microsoft.Authorization/roleAssignments/{a}", M::GetAssignment, Operator),
    management("PUT", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/providers/Microsoft.Authorization/roleAssignments/{a}", M::PutAssignment, Operator),
    management("DELETE", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/providers/Microsoft.Authorization/roleAssignments/{a}", M::DeleteAssignment, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/{kind}/{object}/providers/Microsoft.Authorization/roleDefinitions", M::ListRoles, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/{kind}/{object}/providers/Microsoft.Authorization/roleDefinitions/{r}", M::GetRole, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/{kind}/{object}/providers/Microsoft.Authorization/roleAssignments", M::ListAssignments, Operator),
    management("GET", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/{kind}/{object}/providers/Microsoft.Authorization/roleAssignments/{a}", M::GetAssignment, Operator),
    management("PUT", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/{kind}/{object}/providers/Microsoft.Authorization/roleAssignments/{a}", M::PutAssignment, Operator),
    management("DELETE", "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.KeyVault/vaults/{n}/{kind}/{object}/providers/Microsoft.Authorization/roleAssignments/{a}", M::DeleteAssignment, Operator),

    management("GET",    "/credstore/faults",                           M::GetFaults,         Operator),
    management("PUT",    "/credstore/faults",                           M::PutFaults,         Operator),
    management("DELETE", "/credstore/faults",                           M::DeleteFaults,      Operator),

    graph("GET",    "/v1.0/me",                                         G::Me,                     AnyToken),
    graph("GET",    "/v1.0/applications",                               G::ListApplications,       Operator),
    graph("POST",   "/v1.0/applications",                               G::CreateApplication,      Operator),
    graph("GET",    "/v1.0/applications/{id}",                          G::GetApplication,         Operator),
    graph("PATCH",  "/v1.0/applications/{id}",                          G::UpdateApplication,      Operator),
    graph("DELETE", "/v1.0/applications/{id}",                          G::DeleteApplication,      Operator),
    graph("POST",   "/v1.0/applications/{id}/addPassword",              G::Password,               Operator),
    graph("POST",   "/v1.0/applications/{id}/removePassword",           G::Password,               Operator),
    graph("POST",   "/v1.0/applications/{id}/addKey",                   G::AddKey,                 Proof),
    graph("POST",   "/v1.0/applications/{id}/removeKey",                G::RemoveKey,              Proof),
    graph("GET",    "/v1.0/servicePrincipals",                          G::ListServicePrincipals,  Operator),
    graph("POST",   "/v1.0/servicePrincipals",                          G::CreateServicePrincipal, Operator),
    graph("GET",    "/v1.0/servicePrincipals/{id}",                     G::GetServicePrincipal,    Operator),
    graph("PATCH",  "/v1.0/servicePrincipals/{id}",                     G::UpdateServicePrincipal, Operator),
    graph("DELETE", "/v1.0/servicePrincipals/{id}",                     G::DeleteServicePrincipal, Operator),
    graph("POST",   "/v1.0/directoryObjects/getByIds",                  G::ObjectsByIds,           Operator),
];

/// What the table says about a request.
pub(crate) enum Found<'a> {
    Route(&'static Route, Captures<'a>),
    /// The path is known, the method is not; these are.
    OtherMethods(Vec<&'static str>),
    Nothing,
}

/// The parameters of a path.
pub(crate) struct Captures<'a> {
    pattern: &'static str,
    segments: &'a [Cow<'a, str>],
}

fn pieces(pattern: &'static str) -> impl Iterator<Item = &'static str> {
    pattern.split('/').skip(1)
}

fn parameter(piece: &str) -> Option<&str> {
    piece.strip_prefix('{')?.strip_suffix('}')
}

fn matches(pattern: &'static str, segments: &[Cow<'_, str>]) -> bool {
    let mut given = segments.iter();
    let fits = |piece: &str, segment: &Cow<'_, str>| parameter(piece).is_some() || piece.eq_ignore_ascii_case(segment);
    pieces(pattern).all(|piece| given.next().is_some_and(|segment| fits(piece, segment))) && given.next().is_none()
}

impl Captures<'_> {
    /// The parameter `name`, or nothing when the pattern has none of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let at = pieces(self.pattern).position(|piece| parameter(piece) == Some(name))?;
        self.segments.get(at).map(|segment| &**segment)
    }

    /// The parameter `name`; empty, which is no name of anything, when the pattern has none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Looks a request up.
pub(crate) fn find<'a>(surface: Surface, method: &str, segments: &'a [Cow<'a, str>]) -> Found<'a> {
    let here = || ROUTES.iter().filter(|route| route.surface == surface);
    if let Some(route) = here().find(|route| route.method == method && matches(route.path, segments)) {
        return Found::Route(route, Captures { pattern: route.path, segments });
    }
    let mut methods: Vec<_> = here().filter(|route| matches(route.path, segments)).map(|route| route.method).collect();
    methods.dedup();
    if methods.is_empty() { Found::Nothing } else { Found::OtherMethods(methods) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::segments;

    fn found(surface: Surface, method: &str, path: &str) -> String {
        match find(surface, method, &segments(path).unwrap()) {
            Found::Route(route, captures) => {
                format!("{} {}", route.path, captures.get("name").or(captures.get("n")).unwrap_or("-"))
            }
            Found::OtherMethods(methods) => methods.join(","),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_path_finds_its_route_in_any_case_and_with_empty_segments() {
        for (surface, method, path, expected) in [
            (Surface::Vault, "GET", "/secrets/Db/", "/secrets/{name} Db"),
            (Surface::Vault, "GET", "//SECRETS/db", "/secrets/{name} db"),
            (Surface::Vault, "GET", "/secrets/db/versions", "/secrets/{name}/versions db"),
            (Surface::Vault, "POST", "/secrets/restore", "/secrets/restore -"),
            (Surface::Vault, "POST", "/secrets/db", "GET,PUT,PATCH,DELETE"),
            (Surface::Vault, "get", "/secrets", "GET"),
            (Surface::Vault, "GET", "/v1.0/applications", "nothing"),
            (Surface::Vault, "GET", "/", "nothing"),
            (
                Surface::Management,
                "PUT",
                "/subscriptions/s/resourcegroups/g",
                "/subscriptions/{s}/resourceGroups/{g} -",
            ),
            (Surface::Graph, "PUT", "/v1.0/me", "GET"),
        ] {
            assert_eq!(found(surface, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_operation_of_a_vault_has_a_route() {
        for operation in Operation::every() {
            assert!(ROUTES.iter().any(|route| route.endpoint == Endpoint::Vault(operation)), "{operation:?}");
        }
    }

    #[test]
    fn no_route_hides_behind_an_earlier_one() {
        for (at, route) in ROUTES.iter().enumerate() {
            let path = route.path.replace(['{', '}'], "");
            let segments = segments(&path).unwrap();
            let first = ROUTES.iter().position(|other| {
                other.surface == route.surface && other.method == route.method && matches(other.path, &segments)
            });
            assert_eq!(first, Some(at), "{} {}", route.method, route.path);
        }
    }
}
