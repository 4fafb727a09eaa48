//! Who may do what in a vault: permissions, and the permission each operation needs.
//!
//! A vault decides by [access policies](AccessPolicy) or by [roles](Role). Every operation of a vault is checked before
//! anything else.
//! Default is to deny. Which HTTP request is which operation is the server's route table.
//! Source: contract section 10 (azure-mgmt-keyvault enumerations).

mod built_in;
mod operation;
mod policies;
mod roles;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use credstore_protocol::{ClientId, ObjectId, TenantId};
use serde::{Deserialize, Serialize};

pub use operation::{ObjectKind, ObjectOperation, Operation};
pub use policies::{AccessPolicy, allows};
pub(crate) use roles::{Grant, permits};
pub use roles::{Role, RoleAssignment, RoleDefinition, Scope, VaultScope};

/// Who asks, after the server has verified the access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Tenant that issued the token (`tid`).
    pub tenant: TenantId,
    /// Object id of the service principal (`oid`). Access policies name this one.
    pub object_id: ObjectId,
    /// Client id of the application (`appid`). For messages and the audit; it grants nothing.
    pub app_id: ClientId,
}

/// The text is no permission of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no permission on {kind}")]
pub struct UnknownPermission {
    /// What was written.
    pub text: String,
    /// `keys`, `secrets`, `certificates` or `storage`.
    pub kind: &'static str,
}

/// One kind of permission, as an enumeration of at most 32 values.
pub trait PermissionKind: Copy + fmt::Debug + 'static {
    /// `keys`, `secrets`, `certificates` or `storage`.
    const KIND: &'static str;
    /// Stands for every value of the kind.
    const ALL: Self;
    /// Every value, `all` first.
    const VALUES: &'static [Self];
    /// The spelling of the wire.
    fn as_str(self) -> &'static str;
    /// The place of the value in [`Self::VALUES`].
    fn index(self) -> u32;
}

macro_rules! permissions {
    ($(#[$doc:meta])* $name:ident, $kind:literal, { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant),+
        }

        impl PermissionKind for $name {
            const KIND: &'static str = $kind;
            const ALL: Self = Self::All;
            const VALUES: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            fn index(self) -> u32 {
                self as u32
            }
        }

        impl FromStr for $name {
            type Err = UnknownPermission;

            fn from_str(text: &str) -> Result<Self, UnknownPermission> {
                let known = Self::VALUES.iter().find(|value| value.as_str().eq_ignore_ascii_case(text));
                known.copied().ok_or_else(|| UnknownPermission { text: text.to_owned(), kind: $kind })
            }
        }
    };
}

permissions! {
    /// A permission on keys.
    KeyPermission, "keys", {
        All = "all", Encrypt = "encrypt", Decrypt = "decrypt", WrapKey = "wrapKey", UnwrapKey = "unwrapKey",
        Sign = "sign", Verify = "verify", Get = "get", List = "list", Create = "create", Update = "update",
        Import = "import", Delete = "delete", Backup = "backup", Restore = "restore", Recover = "recover",
        Purge = "purge", Release = "release", Rotate = "rotate", GetRotationPolicy = "getrotationpolicy",
        SetRotationPolicy = "setrotationpolicy",
    }
}

permissions! {
    /// A permission on secrets.
    SecretPermission, "secrets", {
        All = "all", Get = "get", List = "list", Set = "set", Delete = "delete", Backup = "backup",
        Restore = "restore", Recover = "recover", Purge = "purge",
    }
}

permissions! {
    /// A permission on certificates.
    CertificatePermission, "certificates", {
        All = "all", Get = "get", List = "list", Delete = "delete", Create = "create", Import = "import",
        Update = "update", ManageContacts = "managecontacts", GetIssuers = "getissuers",
        ListIssuers = "listissuers", SetIssuers = "setissuers", DeleteIssuers = "deleteissuers",
        ManageIssuers = "manageissuers", Recover = "recover", Purge = "purge", Backup = "backup",
        Restore = "restore",
    }
}

permissions! {
    /// A permission on managed storage accounts. Kept and given back; there are no such accounts here.
    StoragePermission, "storage", {
        All = "all", Get = "get", List = "list", Delete = "delete", Set = "set", Update = "update",
        RegenerateKey = "regeneratekey", Recover = "recover", Purge = "purge", Backup = "backup",
        Restore = "restore", SetSas = "setsas", ListSas = "listsas", GetSas = "getsas", DeleteSas = "deletesas",
    }
}

/// A set of permissions of one kind. On the wire it is a list of names; unknown names are refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Granted<P>(u32, PhantomData<P>);

impl<P: PermissionKind> Granted<P> {
    /// The empty set.
    pub const fn none() -> Self {
        Self(0, PhantomData)
    }

    /// The set of these permissions.
    pub fn of(permissions: &[P]) -> Self {
        let bits = permissions.iter().fold(0, |bits, permission| bits | 1 << permission.index());
        Self(bits, PhantomData)
    }

    /// Whether `permission` is granted, by its own name or by `all`.
    pub fn allows(self, permission: P) -> bool {
        self.0 & (1 << permission.index() | 1 << P::ALL.index()) != 0
    }

    /// The permissions as they were given, in the order of the contract; `all` is not spelled out.
    pub fn iter(self) -> impl Iterator<Item = P> {
        P::VALUES.iter().copied().filter(move |permission| self.0 & 1 << permission.index() != 0)
    }

    /// Whether nothing is granted.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0, PhantomData)
    }
}

impl<P: PermissionKind> Default for Granted<P> {
    fn default() -> Self {
        Self::none()
    }
}

impl<P: PermissionKind> fmt::Debug for Granted<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<P: PermissionKind> Serialize for Granted<P> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(P::as_str))
    }
}

impl<'de, P: PermissionKind + FromStr<Err = UnknownPermission>> Deserialize<'de> for Granted<P> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::from_names(&names).map_err(serde::de::Error::custom)
    }
}

impl<P: PermissionKind + FromStr<Err = UnknownPermission>> Granted<P> {
    /// Reads the names of the wire, in any case.
    ///
    /// # Errors
    /// The first name that is no permission of this kind.
    pub fn from_names(names: &[String]) -> Result<Self, UnknownPermission> {
        let permissions: Result<Vec<P>, _> = names.iter().map(|name| name.parse()).collect();
        permissions.map(|permissions| Self::of(&permissions))
    }

    /// The names of the wire.
    pub fn to_names(self) -> Vec<String> {
        self.iter().map(|permission| permission.as_str().to_owned()).collect()
    }
}

/// What one access policy grants, by kind of object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PermissionSet {
    /// On keys.
    pub keys: Granted<KeyPermission>,
    /// On secrets.
    pub secrets: Granted<SecretPermission>,
    /// On certificates.
    pub certificates: Granted<CertificatePermission>,
    /// On managed storage accounts.
    pub storage: Granted<StoragePermission>,
}

impl PermissionSet {
    /// `all` of every kind, as the creator of a vault gets.
    pub fn all() -> Self {
        Self {
            keys: Granted::of(&[KeyPermission::All]),
            secrets: Granted::of(&[SecretPermission::All]),
            certificates: Granted::of(&[CertificatePermission::All]),
            storage: Granted::of(&[StoragePermission::All]),
        }
    }

    /// Whether `permission` is granted.
    pub fn allows(&self, permission: Permission) -> bool {
        match permission {
            Permission::Key(permission) => self.keys.allows(permission),
            Permission::Secret(permission) => self.secrets.allows(permission),
            Permission::Certificate(permission) => {
                let managed =
                    is_about_issuers(permission) && self.certificates.allows(CertificatePermission::ManageIssuers);
                managed || self.certificates.allows(permission)
            }
            Permission::Storage(permission) => self.storage.allows(permission),
        }
    }

    /// Both sets together.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            keys: self.keys.union(other.keys),
            secrets: self.secrets.union(other.secrets),
            certificates: self.certificates.union(other.certificates),
            storage: self.storage.union(other.storage),
        }
    }
}

/// A permission of any kind. It prints as Azure's denial names it, for example `secrets get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// On keys.
    Key(KeyPermission),
    /// On secrets.
    Secret(SecretPermission),
    /// On certificates.
    Certificate(CertificatePermission),
    /// On managed storage accounts.
    Storage(StoragePermission),
}

impl Permission {
    /// The spelling of the wire, without the kind.
    pub fn name(self) -> &'static str {
        self.kind_and_name().1
    }

    fn kind_and_name(self) -> (&'static str, &'static str) {
        match self {
            Self::Key(permission) => (KeyPermission::KIND, permission.as_str()),
            Self::Secret(permission) => (SecretPermission::KIND, permission.as_str()),
            Self::Certificate(permission) => (CertificatePermission::KIND, permission.as_str()),
            Self::Storage(permission) => (StoragePermission::KIND, permission.as_str()),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.kind_and_name();
        write!(f, "{kind} {name}")
    }
}

/// What `manageissuers` allows too. Source: Key Vault data plane, descriptions of the operations on issuers.
const fn is_about_issuers(permission: CertificatePermission) -> bool {
    matches!(
        permission,
        CertificatePermission::GetIssuers
            | CertificatePermission::ListIssuers
            | CertificatePermission::SetIssuers
            | CertificatePermission::DeleteIssuers
    )
}

/// Which way a vault decides. Azure's texts for a denial differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionModel {
    /// By access policies.
    AccessPolicies,
    /// By roles, assigned on the vault or around it.
    Roles,
}
