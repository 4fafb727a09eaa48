//! Roles: Azure's built-in roles of the Key Vault data plane, what each allows, and where it may be assigned.
//!
//! Here is the decision over a list of grants; the assignments themselves are kept by
//! [`Vaults`](crate::Vaults). Roles say nothing about ARM and Graph, which the operator alone uses.
//! Source: learn.microsoft.com "Provide access to Key Vault with RBAC".

use credstore_protocol::{ObjectId, Timestamp, VaultName};
use serde::{Deserialize, Serialize};

use super::{Caller, ObjectKind, Operation, built_in};

/// A built-in role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Everything in the vault.
    Administrator,
    /// Everything on certificates.
    CertificatesOfficer,
    /// Reads certificates with their private keys.
    CertificateUser,
    /// Everything on keys.
    CryptoOfficer,
    /// Releases keys to attested enclaves.
    CryptoServiceReleaseUser,
    /// Wraps and unwraps with keys, as Azure's own services do.
    CryptoServiceEncryptionUser,
    /// Uses keys.
    CryptoUser,
    /// Reads what is no secret.
    Reader,
    /// Everything on secrets.
    SecretsOfficer,
    /// Reads secrets.
    SecretsUser,
}

/// A role as Azure describes it.
#[derive(Debug)]
pub struct RoleDefinition {
    /// The GUID that it has in every tenant.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it allows in the data plane; `*` stands for any text.
    pub data_actions: &'static [&'static str],
}

impl Role {
    /// Every role, in the order of their names.
    pub const EVERY: [Role; 10] = [
        Self::Administrator,
        Self::CertificateUser,
        Self::CertificatesOfficer,
        Self::CryptoOfficer,
        Self::CryptoServiceEncryptionUser,
        Self::CryptoServiceReleaseUser,
        Self::CryptoUser,
        Self::Reader,
        Self::SecretsOfficer,
        Self::SecretsUser,
    ];

    /// The role with this GUID, in any case.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|role| role.definition().id.eq_ignore_ascii_case(id))
    }

    /// What Azure says about it.
    pub const fn definition(self) -> &'static RoleDefinition {
        match self {
            Self::Administrator => &built_in::ADMINISTRATOR,
            Self::CertificateUser => &built_in::CERTIFICATE_USER,
            Self::CertificatesOfficer => &built_in::CERTIFICATES_OFFICER,
            Self::CryptoOfficer => &built_in::CRYPTO_OFFICER,
            Self::CryptoServiceEncryptionUser => &built_in::CRYPTO_SERVICE_ENCRYPTION_USER,
            Self::CryptoServiceReleaseUser => &built_in::CRYPTO_SERVICE_RELEASE_USER,
            Self::CryptoUser => &built_in::CRYPTO_USER,
            Self::Reader => &built_in::READER,
            Self::SecretsOfficer => &built_in::SECRETS_OFFICER,
            Self::SecretsUser => &built_in::SECRETS_USER,
        }
    }

    /// Whether the role allows `operation`.
    pub fn allows(self, operation: Operation) -> bool {
        let action = operation.data_action();
        self.definition().data_actions.iter().any(|pattern| stands_for(pattern, action))
    }
}

/// Whether `pattern`, with at most one `*`, stands for `action`.
fn stands_for(pattern: &str, action: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            action.len() >= start.len() + end.len() && action.starts_with(start) && action.ends_with(end)
        }
        None => pattern == action,
    }
}

/// Where a role is assigned: it holds there and below. Names compare in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The one subscription.
    Subscription,
    /// A resource group, by its name.
    Group(String),
    /// A vault.
    Vault(VaultScope),
    /// One object of a vault.
    Object(VaultScope, ObjectKind, String),
}

/// A vault in its resource group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultScope {
    /// The group's name.
    pub group: String,
    /// The vault's name.
    pub vault: String,
}

impl VaultScope {
    fn is(&self, group: &str, vault: &str) -> bool {
        self.group.eq_ignore_ascii_case(group) && self.vault.eq_ignore_ascii_case(vault)
    }
}

impl Scope {
    /// Whether both name the same place.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Subscription, Self::Subscription) => true,
            (Self::Group(one), Self::Group(other)) => one.eq_ignore_ascii_case(other),
            (Self::Vault(one), Self::Vault(other)) => one.is(&other.group, &other.vault),
            (Self::Object(one, kind, name), Self::Object(other, other_kind, other_name)) => {
                one.is(&other.group, &other.vault) && kind == other_kind && name.eq_ignore_ascii_case(other_name)
            }
            (Self::Subscription | Self::Group(_) | Self::Vault(_) | Self::Object(..), _) => false,
        }
    }

    /// The scope around this one; nothing is around the subscription.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Subscription => None,
            Self::Group(_) => Some(Self::Subscription),
            Self::Vault(vault) => Some(Self::Group(vault.group.clone())),
            Self::Object(vault, ..) => Some(Self::Vault(vault.clone())),
        }
    }

    /// Whether `other` is this scope or lies below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.same(other) || other.parent().is_some_and(|parent| self.contains(&parent))
    }

    /// Whether the scope is this vault or an object in it, and goes when the vault goes.
    pub(crate) fn is_of(&self, group: &str, vault: &VaultName) -> bool {
        match self {
            Self::Subscription | Self::Group(_) => false,
            Self::Vault(scope) | Self::Object(scope, ..) => scope.is(group, vault.as_str()),
        }
    }
}

/// One principal has one role at one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// The GUID that is its name.
    pub id: ObjectId,
    /// Where.
    pub scope: Scope,
    /// Which role.
    pub role: Role,
    /// Object id of the service principal.
    pub principal: ObjectId,
    /// What its maker says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When its description was written last.
    pub updated: Timestamp,
}

/// What an assignment means in one vault.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    principal: ObjectId,
    role: Role,
    object: Option<(ObjectKind, String)>,
}

impl Grant {
    /// The grants of `assignments` in the vault `name` of `group`.
    pub(crate) fn in_vault(assignments: &[RoleAssignment], group: &str, name: &VaultName) -> Vec<Self> {
        let grant = |assignment: &RoleAssignment| {
            let object = match &assignment.scope {
                Scope::Subscription => None,
                Scope::Group(scope) if scope.eq_ignore_ascii_case(group) => None,
                Scope::Vault(scope) if scope.is(group, name.as_str()) => None,
                Scope::Object(scope, kind, object) if scope.is(group, name.as_str()) => Some((*kind, object.clone())),
                Scope::Group(_) | Scope::Vault(_) | Scope::Object(..) => return None,
            };
            Some(Self { principal: assignment.principal.clone(), role: assignment.role, object })
        };
        assignments.iter().filter_map(grant).collect()
    }

    fn covers(&self, operation: Operation, object: Option<&str>) -> bool {
        match (&self.object, object) {
            (None, _) => true,
            (Some((kind, name)), Some(object)) => operation.kind() == *kind && name.eq_ignore_ascii_case(object),
            (Some(_), None) => false,
        }
    }
}

/// Whether `caller` may do `operation`, on the object of this name or in the vault as a whole. Nothing is allowed
/// that no grant gives. Allocates nothing: it is on the way of every read.
pub(crate) fn permits(grants: &[Grant], caller: &Caller, operation: Operation, object: Option<&str>) -> bool {
    grants.iter().any(|grant| {
        grant.principal == caller.object_id && grant.covers(operation, object) && grant.role.allows(operation)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_the_ends_do_not_overlap() {
        for (pattern, action, stands) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/b/c", true),
            ("a/*", "b/a/", false),
            ("a/*/read", "a/secrets/read", true),
            ("a/*/read", "a/secrets/readMetadata", false),
            ("a/*/read", "a/read", false),
        ] {
            assert_eq!(stands_for(pattern, action), stands, "{pattern} {action}");
        }
    }

    #[test]
    fn each_role_has_an_id_of_its_own_and_is_found_by_it() {
        for role in Role::EVERY {
            assert_eq!(Role::of_id(&role.definition().id.to_uppercase()), Some(role));
            assert_eq!(role.definition().id.parse::<ObjectId>().unwrap().as_str(), role.definition().id);
        }
        assert_eq!(Role::of_id("00000000-0000-4000-8000-000000000001"), None);
    }

    #[test]
    fn a_scope_contains_itself_in_any_case_and_what_is_below() {
        let vault = |group: &str| VaultScope { group: group.to_owned(), vault: "acme".to_owned() };
        let object = |group: &str| Scope::Object(vault(group), ObjectKind::Secrets, "db".to_owned());
        let chain = [Scope::Subscription, Scope::Group("g".to_owned()), Scope::Vault(vault("g")), object("G")];
        for (above, outer) in chain.iter().enumerate() {
            for (below, inner) in chain.iter().enumerate() {
                assert_eq!(outer.contains(inner), above <= below, "{outer:?} {inner:?}");
            }
        }
        assert!(!chain[1].contains(&object("other")));
        assert!(!Scope::Object(vault("g"), ObjectKind::Keys, "db".to_owned()).same(&chain[3]));
    }
}
