//! What can go wrong, one enumeration per door. A variant is a decision the caller can take.
//!
//! No text here is for the wire: the server has one table from these variants to status, code and message.
//! No variant carries a value, a key, a token or an assertion.

use std::io;
use std::path::PathBuf;

use credstore_protocol::key_vault::keys::KeyOperation;
use credstore_protocol::{ObjectId, ObjectName, ObjectVersion, SecretName, Timestamp, VaultName};

use crate::access::{Caller, ObjectKind, Operation, PermissionModel};
use crate::certificates::CertificateError;
use crate::keys::KeyError;
use crate::seal::SealError;

/// Why the storage did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no space left. Nothing was written; it may be tried again when there is.
    #[error("no space left for the store")]
    Full,
    /// An earlier write could not be made durable. Reads go on; writes are refused until a restart.
    #[error("the store is read-only: {0}")]
    ReadOnly(String),
    /// The storage engine found its own structure broken.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Reading or writing was refused by the system.
    #[error("the store cannot be used: {0}")]
    Io(String),
}

/// Why a batch was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold. Nothing of the batch was written.
    #[error("another write came first")]
    Conflict,
    /// The storage itself.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data folder is in use{}", pid.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse {
        /// That process, when it left its number.
        pid: Option<u32>,
    },
    /// There is no store in the folder, or no folder.
    #[error("there is no store in {}", .0.display())]
    Missing(PathBuf),
    /// The store is gone and a log of it is there, which may hold writes that were acknowledged. Nothing was made.
    #[error("{} is the log of a store that is not there", .0.display())]
    LogWithoutStore(PathBuf),
    /// Something that is not a folder has the folder's name.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A link, a pipe or something else that is no file has the name of a file of the store.
    #[error("{} is not a file of its own", .0.display())]
    NotAFile(PathBuf),
    /// The root key or passphrase is not the one the store was made with. A store whose id or passphrase parameters were
    /// changed looks the same: nothing of it opens with any key.
    #[error("the root key does not open this store")]
    WrongRootKey,
    /// The store exists and its root key file does not. A new key would not open it.
    #[error("the root key {} is missing", .0.display())]
    RootKeyMissing(PathBuf),
    /// The root key file holds something else.
    #[error("{} does not hold a root key", .0.display())]
    RootKeyMalformed(PathBuf),
    /// The store was made with a root key file and a passphrase was given, or the other way round.
    #[error("the store was made with {}", if *passphrase { "a passphrase" } else { "a root key file" })]
    OtherKeySource {
        /// What the store needs.
        passphrase: bool,
    },
    /// Others than the owner could reach it, or it belongs to somebody else.
    #[error("{} is accessible by others than its owner (mode {mode:03o})", path.display())]
    Permissions {
        /// The folder or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder or file belongs to another user.
    #[error("{} belongs to another user", .0.display())]
    ForeignOwner(PathBuf),
    /// A newer program made the store. Nothing was written.
    #[error("the store has format {found}, this program knows {known}")]
    NewerFormat {
        /// Format of the store.
        found: u32,
        /// Newest format of this program.
        known: u32,
    },
    /// Part of the store is not what was written.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// Which part.
        what: String,
    },
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The storage engine refused.
    #[error(transparent)]
    Storage(StorageError),
    /// A key or certificate could not be made. The system's random source or memory is at fault.
    #[error("cannot make a key: {0}")]
    KeyGeneration(&'static str),
}

/// Why the store did not do its part for a vault or the directory. The caller can mend none of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// An earlier write could not be made durable; writes are refused until a restart.
    #[error("the store is read-only: {0}")]
    ReadOnly(String),
    /// A record is not what was written. Only a backup of the data folder has it.
    #[error("damaged record: {what}")]
    Damaged {
        /// Which record, with the names of secret and vault where they are known. Never a value.
        what: String,
    },
    /// The value of one version is not what was written; the rest of its secret is. Setting the secret again mends it.
    #[error("damaged record: {what}")]
    DamagedValue {
        /// Which version of which secret and vault. Never the value.
        what: String,
    },
    /// The data key has sealed as many records as is safe.
    #[error("the data key is used up")]
    KeyUsedUp,
    /// The storage refused.
    #[error(transparent)]
    Storage(StorageError),
}

impl From<StorageError> for StoreFailure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::ReadOnly(reason) => Self::ReadOnly(reason),
            StorageError::Damaged(what) => Self::Damaged { what },
            StorageError::Full | StorageError::Io(_) => Self::Storage(error),
        }
    }
}

impl From<SealError> for StoreFailure {
    fn from(error: SealError) -> Self {
        match error {
            SealError::UsedUp => Self::KeyUsedUp,
            SealError::Storage(error) => error.into(),
        }
    }
}

impl StoreFailure {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

/// On what an operation was denied; Azure's text for roles names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedPlace {
    /// Resource group of the vault.
    pub group: String,
    /// The object as the request names it; none for the vault as a whole.
    pub object: Option<String>,
}

/// What is wrong about a resource group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// No resource group has this name.
    #[error("no resource group {0}")]
    NotFound(String),
    /// The resource group is at another location, where it stays.
    #[error("resource group {name} is at {location}")]
    Elsewhere {
        /// The group.
        name: String,
        /// Where it is.
        location: String,
        /// Where it was to be.
        wanted: String,
    },
    /// There are as many resource groups as may be.
    #[error("too many resource groups")]
    Limit,
}

/// What is wrong about a role assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleAssignmentError {
    /// Another id has the same role, principal and scope.
    #[error("role assignment {0} is the same")]
    Exists(ObjectId),
    /// The id names another assignment, and an assignment does not change.
    #[error("a role assignment cannot be changed")]
    Fixed,
    /// There are as many role assignments as may be.
    #[error("too many role assignments")]
    Limit,
}

/// Why a key may not be used for something. Source: contract section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The version is disabled.
    #[error("the key is disabled")]
    Disabled,
    /// `nbf` has not come.
    #[error("the key is not yet valid")]
    NotYetValid,
    /// `exp` has come.
    #[error("the key has expired")]
    Expired,
    /// `key_ops` does not have it.
    #[error("the key is not for that")]
    Operation,
}

/// What the state of a certificate's creation forbids. Source: Key Vault, "Monitor and manage certificate creation".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PendingRefusal {
    /// Another one is under way.
    #[error("a creation is under way")]
    UnderWay,
    /// It has ended and cannot be cancelled.
    #[error("the creation has ended")]
    Ended,
    /// It was completed by its issuer.
    #[error("the creation was completed by {issuer}")]
    Merge {
        /// Name of the issuer.
        issuer: String,
    },
}

/// Why an operation on a vault or what is in it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No vault has this name.
    #[error("no vault {0}")]
    VaultNotFound(VaultName),
    /// A deleted vault still has this name: recover or purge it.
    #[error("a deleted vault has the name {0}")]
    VaultDeleted(VaultName),
    /// No deleted vault has this name.
    #[error("no deleted vault {0}")]
    DeletedVaultNotFound(VaultName),
    /// No object of the kind has this name, or it has no such version.
    #[error("nothing is called {name} among the {}", kind.as_str())]
    ObjectNotFound {
        /// Secret, key or certificate.
        kind: ObjectKind,
        /// The name asked for.
        name: ObjectName,
        /// The version asked for.
        version: Option<ObjectVersion>,
    },
    /// No deleted object of the kind has this name.
    #[error("nothing is called {name} among the deleted {}", kind.as_str())]
    DeletedObjectNotFound {
        /// Secret, key or certificate.
        kind: ObjectKind,
        /// The name asked for.
        name: ObjectName,
    },
    /// The version is disabled. Enabling it gives the value back.
    #[error("secret {0} is disabled")]
    SecretDisabled(SecretName),
    /// The key may not be used for this now.
    #[error("{operation} is not allowed: {refusal}")]
    KeyRefused {
        /// What was asked of it.
        operation: KeyOperation,
        /// Why not.
        refusal: KeyRefusal,
    },
    /// The key, or what was to be done with it, is not possible.
    #[error("key {name}: {error}")]
    Key {
        /// Name of the key.
        name: ObjectName,
        /// The version that was used; none when one was to be made.
        version: Option<ObjectVersion>,
        /// Why.
        error: KeyError,
    },
    /// No access policy or role allows the operation.
    #[error("{} is not granted", operation.permission())]
    Denied {
        /// Who asked.
        caller: Caller,
        /// For what.
        operation: Operation,
        /// Where.
        vault: VaultName,
        /// On what in the vault. Boxed: every result carries the size of its error.
        place: Box<DeniedPlace>,
        /// What decided.
        model: PermissionModel,
    },
    /// Only the operator may do this.
    #[error("only the operator may do this")]
    NotOperator,
    /// Something is wrong about a resource group.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// Something is wrong about a role assignment.
    #[error(transparent)]
    RoleAssignment(#[from] RoleAssignmentError),
    /// It goes with a certificate: this is done to the certificate, and to what goes with it at the same time.
    #[error("{} cannot be done to the {} of a certificate", operation.permission(), kind.as_str())]
    Managed {
        /// Secret or key.
        kind: ObjectKind,
        /// What was asked.
        operation: Operation,
    },
    /// There is no certificate like that, or none can be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate has no creation, or another one than the request names.
    #[error("no creation of certificate {0}")]
    PendingNotFound(ObjectName),
    /// The creation of the certificate is in another state.
    #[error(transparent)]
    Pending(PendingRefusal),
    /// No issuer has this name.
    #[error("no such issuer")]
    IssuerNotFound,
    /// The vault has no contacts.
    #[error("no contacts")]
    ContactsNotFound,
    /// A certificate is to be made, and there is a key or a secret of this name that belongs to none.
    #[error("one of the {} is called {name} and belongs to no certificate", kind.as_str())]
    NameTaken {
        /// Secret or key.
        kind: ObjectKind,
        /// The name asked for.
        name: ObjectName,
    },
    /// A deleted object of the kind still has this name: recover or purge it.
    #[error("one of the deleted {} is called {name}", kind.as_str())]
    DeletedButRecoverable {
        /// Secret, key or certificate.
        kind: ObjectKind,
        /// The name asked for.
        name: ObjectName,
    },
    /// The name of a backup is in use.
    #[error("one of the {} is called {name} already", kind.as_str())]
    RestoreConflict {
        /// Secret, key or certificate.
        kind: ObjectKind,
        /// Name in the backup.
        name: ObjectName,
        /// Current version in the backup.
        version: ObjectVersion,
    },
    /// Purge protection forbids to purge before the retention has passed.
    #[error("purge protection is on")]
    PurgeProtected,
    /// The request asks for something that cannot be.
    #[error("{message}")]
    BadParameter {
        /// Which member and why; it never holds a value.
        message: String,
    },
    /// The text is no backup of this installation.
    #[error("the backup cannot be read")]
    MalformedBackup,
    /// Other writes to the same name kept coming first.
    #[error("too many writes to the same name at once")]
    Busy,
    /// The store under it did not do its part.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

impl From<StorageError> for VaultError {
    fn from(error: StorageError) -> Self {
        Self::Store(error.into())
    }
}

impl From<SealError> for VaultError {
    fn from(error: SealError) -> Self {
        Self::Store(error.into())
    }
}

/// Why the directory did not change or show a registration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// Only the operator may do this.
    #[error("only the operator may do this")]
    Denied,
    /// No such application or service principal.
    #[error("no such object in the directory")]
    NotFound,
    /// The application has its service principal already.
    #[error("the application has a service principal already")]
    ServicePrincipalExists,
    /// The built-in operator cannot be changed or deleted by request.
    #[error("the operator's registration cannot be changed")]
    Protected,
    /// The caller has not proven that it holds a key of the application.
    #[error("no proof of possession: {0}")]
    Unproven(SignInError),
    /// The certificate cannot be registered.
    #[error("the certificate cannot be registered: {reason}")]
    BadCertificate {
        /// Why.
        reason: &'static str,
    },
    /// The request asks for something that cannot be.
    #[error("{message}")]
    BadParameter {
        /// Which member and why.
        message: String,
    },
    /// The store under it did not do its part.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

impl From<StorageError> for DirectoryError {
    fn from(error: StorageError) -> Self {
        Self::Store(error.into())
    }
}

impl From<SealError> for DirectoryError {
    fn from(error: SealError) -> Self {
        Self::Store(error.into())
    }
}

/// Why a client did not get a token. Codes and statuses of the wire: contract section 13.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// No application with a service principal has this client id (AADSTS700016).
    #[error("no application has this client id")]
    ClientUnknown {
        /// The client id as it was sent, cut at 64 characters.
        client_id: String,
    },
    /// The service principal may not sign in (AADSTS7000112).
    #[error("the application is disabled")]
    ClientDisabled {
        /// The client id.
        client_id: String,
    },
    /// The assertion names a certificate that the application does not have (AADSTS700027).
    #[error("the certificate is not registered")]
    CertificateNotRegistered {
        /// What the assertion named, upper-case hexadecimal.
        thumbprint: String,
    },
    /// The registered certificate is not valid now (AADSTS700027, "The key used is expired").
    #[error("the registered certificate is outside its validity")]
    KeyExpired {
        /// SHA-1 of the certificate, upper-case hexadecimal.
        thumbprint: String,
        /// Valid from.
        start: Timestamp,
        /// Valid until.
        end: Timestamp,
    },
    /// The registered certificate's key did not make the signature (AADSTS700027).
    #[error("the signature is wrong")]
    InvalidSignature {
        /// SHA-1 of the certificate, upper-case hexadecimal.
        thumbprint: String,
    },
    /// The assertion is not valid now (AADSTS700024).
    #[error("the assertion is outside its time range")]
    OutsideTimeRange {
        /// The directory's time.
        now: Timestamp,
        /// Start of the assertion (`nbf`, else `iat`).
        from: Option<Timestamp>,
        /// End of the assertion.
        until: Timestamp,
    },
    /// `iss` or `sub` is not the client id (AADSTS700021).
    #[error("the assertion speaks of another client")]
    SubjectMismatch,
    /// `aud` is not this token endpoint (AADSTS700023).
    #[error("the assertion is for another audience")]
    AudienceWrong {
        /// What the assertion says, cut at 256 characters.
        found: String,
    },
    /// It is no JWT of the accepted kind (AADSTS50027).
    #[error("the assertion is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The header names no certificate (AADSTS700027).
    #[error("the assertion names no certificate")]
    NoThumbprint,
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Signing,
}

/// Why an access token is not accepted. The peer learns only that it is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejected {
    /// It is no token of ours.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// No key of ours has this id.
    #[error("unknown key")]
    UnknownKey,
    /// Our key did not sign it.
    #[error("wrong signature")]
    Signature,
    /// Another issuer or tenant.
    #[error("wrong issuer")]
    Issuer {
        /// Who issued it, cut at 256 characters.
        found: String,
    },
    /// It is for another resource.
    #[error("wrong audience")]
    Audience {
        /// The resource it is for.
        found: String,
    },
    /// It has expired.
    #[error("expired")]
    Expired,
    /// It is not valid yet.
    #[error("not valid yet")]
    NotYetValid,
    /// Its application or service principal was deleted or disabled since.
    #[error("the principal is gone")]
    PrincipalGone,
}

/// Why the local CA did not issue a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The CA's own certificate has expired.
    #[error("the CA expired at {}", .0.0)]
    Expired(Timestamp),
    /// The name is outside the zone that the CA is constrained to.
    #[error("{0} is outside the zone of the CA")]
    OutsideZone(String),
    /// No name was given.
    #[error("a certificate needs a name")]
    NoName,
    /// The key or certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Generation(String),
}
