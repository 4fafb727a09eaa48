//! An opened data folder.

use std::path::Path;

use credstore_protocol::{ClientId, ObjectId, Secret, TenantId, Timestamp};

use crate::{CertificateAuthority, Directory, OpenError, RootKeySource, Vaults};

/// An opened data folder, held under its lock until it is dropped.
pub struct Installation {
    directory: Directory,
    vaults: Vaults,
    authority: CertificateAuthority,
    operator: Operator,
}

/// The built-in application that may administer everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Client id of its application.
    pub client_id: ClientId,
    /// Object id of its service principal.
    pub object_id: ObjectId,
}

impl Installation {
    /// Opens the data folder, which must exist.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(_folder: &Path, _root_key: &RootKeySource, _now: Timestamp) -> Result<Installation, OpenError> {
        unimplemented!()
    }

    /// Opens the data folder, making it when it does not exist.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_or_create(
        _folder: &Path,
        _root_key: &RootKeySource,
        _now: Timestamp,
    ) -> Result<Installation, OpenError> {
        unimplemented!()
    }

    /// An installation without a folder, for tests and embedders.
    pub fn in_memory(_now: Timestamp) -> Installation {
        unimplemented!()
    }

    /// The one tenant.
    pub fn tenant(&self) -> &TenantId {
        self.directory.tenant()
    }

    /// Applications, service principals, tokens.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Vaults and their secrets.
    pub fn vaults(&self) -> &Vaults {
        &self.vaults
    }

    /// The local CA.
    pub fn authority(&self) -> &CertificateAuthority {
        &self.authority
    }

    /// The built-in application.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The operator's private key and certificate, PEM, as in `operator.pem`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn operator_pem(&self) -> Result<Secret, OpenError> {
        unimplemented!()
    }

    /// Why the store takes no writes, after a failed sync.
    pub fn read_only(&self) -> Option<String> {
        unimplemented!()
    }

    /// Writes the last-read times that were collected in memory.
    pub fn flush_usage(&self) {
        unimplemented!()
    }
}
