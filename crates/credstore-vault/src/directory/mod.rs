//! The directory: one tenant, its applications, and tokens.

mod types;

use credstore_protocol::token::JsonWebKeySet;
use credstore_protocol::{ClientId, ObjectId, TenantId, Timestamp};

pub use types::{
    Application, IssuedToken, KeyCredential, KeyCredentialChange, NewKeyCredential, ServicePrincipal, SignIn,
    VerifiedToken,
};

use crate::access::Caller;
use crate::error::{DirectoryError, SignInError, TokenRejected};

/// The directory of one tenant.
pub struct Directory {
    tenant: TenantId,
}

impl Directory {
    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Registers an application.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] when the caller is not the operator.
    pub fn create_application(
        &self,
        _caller: &Caller,
        _display_name: &str,
        _keys: Vec<NewKeyCredential>,
        _now: Timestamp,
    ) -> Result<Application, DirectoryError> {
        unimplemented!()
    }

    /// Every application.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] when the caller is not the operator.
    pub fn applications(&self, _caller: &Caller) -> Result<Vec<Application>, DirectoryError> {
        unimplemented!()
    }

    /// One application, by its object id.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub fn application(&self, _caller: &Caller, _id: &ObjectId) -> Result<Application, DirectoryError> {
        unimplemented!()
    }

    /// Changes the name and replaces the whole list of keys.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn update_application(
        &self,
        _caller: &Caller,
        _id: &ObjectId,
        _display_name: Option<String>,
        _keys: Option<Vec<KeyCredentialChange>>,
        _now: Timestamp,
    ) -> Result<(), DirectoryError> {
        unimplemented!()
    }

    /// Deletes an application and its service principal.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn delete_application(&self, _caller: &Caller, _id: &ObjectId, _now: Timestamp) -> Result<(), DirectoryError> {
        unimplemented!()
    }

    /// Gives an application its identity in the tenant.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn create_service_principal(
        &self,
        _caller: &Caller,
        _app_id: &ClientId,
        _now: Timestamp,
    ) -> Result<ServicePrincipal, DirectoryError> {
        unimplemented!()
    }

    /// Every service principal.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] when the caller is not the operator.
    pub fn service_principals(&self, _caller: &Caller) -> Result<Vec<ServicePrincipal>, DirectoryError> {
        unimplemented!()
    }

    /// Checks a client assertion and issues an access token.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub fn sign_in(&self, _request: &SignIn<'_>, _now: Timestamp) -> Result<IssuedToken, SignInError> {
        unimplemented!()
    }

    /// Checks an access token of this directory.
    ///
    /// # Errors
    /// See [`TokenRejected`].
    pub fn verify_token(
        &self,
        _token: &str,
        _audiences: &[&str],
        _issuer: &str,
        _now: Timestamp,
    ) -> Result<VerifiedToken, TokenRejected> {
        unimplemented!()
    }

    /// The public keys that tokens are signed with.
    pub fn key_set(&self) -> JsonWebKeySet {
        unimplemented!()
    }
}
