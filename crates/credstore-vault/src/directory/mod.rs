//! The directory: one tenant, its app registrations and service principals, and tokens.
//!
//! Only the operator reads or changes registrations, and its own cannot be changed by request; an application that
//! proves to hold one of its keys exchanges them itself. Every change is durable before it is seen. Sign-in and tokens
//! are in [`tokens`]; which certificates may be registered is in [`certificate`]; nothing here knows HTTP or Graph.

pub mod certificate;
pub mod jwt;
mod rolling;
mod signing;
mod state;
pub mod tokens;
mod types;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use credstore_protocol::guid::NotAGuid;
use credstore_protocol::{ClientId, ObjectId, TenantId, Timestamp};
use zeroize::Zeroizing;

pub use rolling::PROOF_LIFETIME_MAX;
use signing::SigningKey;
use state::{Principal, Registered, RegisteredKey, State};
pub use types::{
    Application, IssuedToken, KeyCredential, KeyCredentialChange, NewKeyCredential, ServicePrincipal, SignIn,
    VerifiedToken,
};

use crate::access::Caller;
use crate::error::{CommitError, DirectoryError, OpenError, StoreFailure};
use crate::installation::Operator;
use crate::random;
use crate::seal::DataKey;
use crate::storage::{Batch, Expected};

/// Longest name of an application in characters. Source: Graph, `application.displayName`.
pub const DISPLAY_NAME_MAX: usize = 256;
/// Where the name of a key credential is cut. Source: Graph, `keyCredential.displayName`.
pub const KEY_NAME_MAX: usize = 90;
/// Most key credentials of one application. Ours.
pub const KEYS_MAX: usize = 32;
/// Most applications. Ours: all of them are in memory.
pub const APPLICATIONS_MAX: usize = 10_000;
/// Name of the built-in application.
pub const OPERATOR_NAME: &str = "credstore-operator";

/// The directory of one tenant.
pub struct Directory {
    tenant: TenantId,
    operator: Operator,
    system: Arc<DataKey>,
    signing: SigningKey,
    state: RwLock<Arc<State>>,
    /// Held by whoever changes a registration.
    changing: Mutex<()>,
}

/// A new token signing key as it is kept. Takes about 50 ms.
pub(crate) fn new_signing_key() -> Result<Zeroizing<Vec<u8>>, OpenError> {
    signing::generate().map_err(OpenError::KeyGeneration)
}

/// The sealed row of the operator's registration, for a new store.
pub(crate) fn operator_row(
    system: &DataKey,
    operator: &Operator,
    now: Timestamp,
) -> Result<(Vec<u8>, Vec<u8>), DirectoryError> {
    let registered = Registered {
        id: random::id(),
        app_id: operator.client_id.clone(),
        display_name: OPERATOR_NAME.to_owned(),
        created: now,
        keys: Vec::new(),
        principal: Some(Principal { id: operator.object_id.clone(), enabled: true }),
    };
    Ok((state::row_key(system, &registered.app_id), state::sealed(system, &registered)?))
}

impl Directory {
    pub(crate) fn open(
        tenant: TenantId,
        operator: Operator,
        system: Arc<DataKey>,
        signing_key: &[u8],
    ) -> Result<Self, DirectoryError> {
        let damaged = || StoreFailure::damaged("the token signing key");
        let signing = SigningKey::open(signing_key).ok_or_else(damaged)?;
        let state = RwLock::new(Arc::new(State::load(&system)?));
        Ok(Self { tenant, operator, system, signing, state, changing: Mutex::new(()) })
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Registers an application. It needs a service principal before it can sign in.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] when the caller is not the operator; [`DirectoryError::BadCertificate`],
    /// [`DirectoryError::BadParameter`].
    pub fn create_application(
        &self,
        caller: &Caller,
        display_name: &str,
        keys: Vec<NewKeyCredential>,
        now: Timestamp,
    ) -> Result<Application, DirectoryError> {
        self.require_operator(caller)?;
        check_display_name(display_name)?;
        let _changing = self.changing();
        if self.state().len() >= APPLICATIONS_MAX {
            return Err(bad(format!("There must not be more than {APPLICATIONS_MAX} applications.")));
        }
        let registered = Registered {
            id: random::id(),
            app_id: random::id(),
            display_name: display_name.to_owned(),
            created: now,
            keys: changed_keys(&[], keys.into_iter().map(KeyCredentialChange::Add).collect())?,
            principal: None,
        };
        let application = registered.application();
        self.write(registered, Expected::Absent)?;
        Ok(application)
    }

    /// Every application, oldest first.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] when the caller is not the operator.
    pub fn applications(&self, caller: &Caller) -> Result<Vec<Application>, DirectoryError> {
        self.require_operator(caller)?;
        let mut applications: Vec<_> = self.state().every().map(Registered::application).collect();
        applications.sort_by(|one, other| (one.created, &one.app_id).cmp(&(other.created, &other.app_id)));
        Ok(applications)
    }

    /// One application, by its object id.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Denied`].
    pub fn application(&self, caller: &Caller, id: &ObjectId) -> Result<Application, DirectoryError> {
        self.require_operator(caller)?;
        self.state().of_object(id).map(Registered::application).ok_or(DirectoryError::NotFound)
    }

    /// The object id of an application, for the operator and the application itself.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Denied`] for another caller.
    pub fn application_id(&self, caller: &Caller, client: &ClientId) -> Result<ObjectId, DirectoryError> {
        if caller.app_id != *client {
            self.require_operator(caller)?;
        }
        self.state().of_client(client).map(|registered| registered.id.clone()).ok_or(DirectoryError::NotFound)
    }

    /// Changes the name, and replaces the whole list of keys when one is given.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Protected`] for the operator's own,
    /// [`DirectoryError::BadCertificate`], [`DirectoryError::BadParameter`], [`DirectoryError::Denied`].
    pub fn update_application(
        &self,
        caller: &Caller,
        id: &ObjectId,
        display_name: Option<String>,
        keys: Option<Vec<KeyCredentialChange>>,
        _now: Timestamp,
    ) -> Result<(), DirectoryError> {
        self.require_operator(caller)?;
        let _changing = self.changing();
        let mut registered = self.changeable(id)?;
        if let Some(name) = display_name {
            check_display_name(&name)?;
            registered.display_name = name;
        }
        if let Some(keys) = keys {
            registered.keys = changed_keys(&registered.keys, keys)?;
        }
        self.write(registered, Expected::Present)
    }

    /// Deletes an application and its service principal. Its tokens are refused from then on.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Protected`] for the operator's own, [`DirectoryError::Denied`].
    pub fn delete_application(&self, caller: &Caller, id: &ObjectId, _now: Timestamp) -> Result<(), DirectoryError> {
        self.require_operator(caller)?;
        let _changing = self.changing();
        let registered = self.changeable(id)?;
        let mut batch = Batch::default();
        batch.delete(state::row_key(&self.system, &registered.app_id));
        self.commit(batch)?;
        self.set_state(self.state().without(&registered.app_id));
        Ok(())
    }

    /// Gives an application its identity in the tenant.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::ServicePrincipalExists`], [`DirectoryError::Denied`].
    pub fn create_service_principal(
        &self,
        caller: &Caller,
        app_id: &ClientId,
        _now: Timestamp,
    ) -> Result<ServicePrincipal, DirectoryError> {
        self.require_operator(caller)?;
        let _changing = self.changing();
        let mut registered = self.state().of_client(app_id).cloned().ok_or(DirectoryError::NotFound)?;
        if registered.principal.is_some() {
            return Err(DirectoryError::ServicePrincipalExists);
        }
        registered.principal = Some(Principal { id: random::id(), enabled: true });
        let principal = registered.service_principal().ok_or(DirectoryError::NotFound)?;
        self.write(registered, Expected::Present)?;
        Ok(principal)
    }

    /// Lets an application sign in, or not: while its service principal is disabled, its tokens are refused too.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Protected`] for the operator's own, [`DirectoryError::Denied`].
    pub fn enable_service_principal(
        &self,
        caller: &Caller,
        id: &ObjectId,
        enabled: bool,
        _now: Timestamp,
    ) -> Result<(), DirectoryError> {
        self.change_principal(caller, id, |principal| Some(Principal { enabled, ..principal }))
    }

    /// Takes an application its identity in the tenant, and leaves the application and its keys. Its tokens are
    /// refused from then on, and a new service principal has another id: what the old one was granted is over.
    ///
    /// # Errors
    /// As [`enable_service_principal`](Self::enable_service_principal).
    pub fn delete_service_principal(
        &self,
        caller: &Caller,
        id: &ObjectId,
        _now: Timestamp,
    ) -> Result<(), DirectoryError> {
        self.change_principal(caller, id, |_| None)
    }

    fn change_principal(
        &self,
        caller: &Caller,
        id: &ObjectId,
        change: impl FnOnce(Principal) -> Option<Principal>,
    ) -> Result<(), DirectoryError> {
        self.require_operator(caller)?;
        let _changing = self.changing();
        if *id == self.operator.object_id {
            return Err(DirectoryError::Protected);
        }
        let state = self.state();
        let found = state
            .every()
            .find_map(|registered| Some((registered, registered.principal.clone()?)).filter(|it| it.1.id == *id));
        let (registered, principal) = found.ok_or(DirectoryError::NotFound)?;
        self.write(Registered { principal: change(principal), ..registered.clone() }, Expected::Present)
    }

    /// Every service principal, in the order of their client ids.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] when the caller is not the operator.
    pub fn service_principals(&self, caller: &Caller) -> Result<Vec<ServicePrincipal>, DirectoryError> {
        self.require_operator(caller)?;
        let mut principals: Vec<_> = self.state().every().filter_map(Registered::service_principal).collect();
        principals.sort_by(|one, other| one.app_id.cmp(&other.app_id));
        Ok(principals)
    }

    /// Whether the operator has a key with this SHA-256 thumbprint that is valid until `end` or later.
    pub(crate) fn operator_has_key(&self, certificate_der: &[u8], end: Timestamp) -> bool {
        let state = self.state();
        let registered = state.of_client(&self.operator.client_id);
        registered.is_some_and(|registered| {
            let mut credentials = registered.keys.iter().map(|key| &key.credential);
            credentials.any(|key| key.certificate_der == certificate_der && key.end >= end)
        })
    }

    /// Makes `certificate_der` the operator's only key.
    pub(crate) fn set_operator_key(&self, certificate_der: Vec<u8>) -> Result<(), DirectoryError> {
        let _changing = self.changing();
        let registered = self.state().of_client(&self.operator.client_id).cloned();
        let mut registered = registered.ok_or(DirectoryError::NotFound)?;
        let key = NewKeyCredential { certificate_der, ..NewKeyCredential::default() };
        registered.keys = changed_keys(&[], vec![KeyCredentialChange::Add(key)])?;
        self.write(registered, Expected::Present)
    }

    fn require_operator(&self, caller: &Caller) -> Result<(), DirectoryError> {
        let is_operator = caller.object_id == self.operator.object_id && caller.tenant == self.tenant;
        if is_operator { Ok(()) } else { Err(DirectoryError::Denied) }
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_state(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    fn changeable(&self, id: &ObjectId) -> Result<Registered, DirectoryError> {
        let registered = self.state().of_object(id).cloned().ok_or(DirectoryError::NotFound)?;
        if registered.app_id == self.operator.client_id {
            return Err(DirectoryError::Protected);
        }
        Ok(registered)
    }

    /// Durable first, seen afterwards.
    fn write(&self, registered: Registered, expected: Expected) -> Result<(), DirectoryError> {
        let key = state::row_key(&self.system, &registered.app_id);
        let mut batch = Batch::default();
        batch.expect(key.clone(), expected);
        batch.put(key, state::sealed(&self.system, &registered)?);
        self.commit(batch)?;
        self.set_state(self.state().with(registered));
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<(), DirectoryError> {
        self.system.storage().commit(batch).map(|_| ()).map_err(|error| match error {
            // `changing` is held, so the storage is not what it was when it was loaded.
            CommitError::Conflict => StoreFailure::damaged("an application").into(),
            CommitError::Storage(error) => error.into(),
        })
    }
}

fn bad(message: impl Into<String>) -> DirectoryError {
    DirectoryError::BadParameter { message: message.into() }
}

fn check_display_name(name: &str) -> Result<(), DirectoryError> {
    let length = name.chars().count();
    if length == 0 || length > DISPLAY_NAME_MAX || name.chars().any(char::is_control) {
        return Err(bad(format!("displayName must have from 1 to {DISPLAY_NAME_MAX} characters.")));
    }
    Ok(())
}

fn changed_keys(
    known: &[RegisteredKey],
    changes: Vec<KeyCredentialChange>,
) -> Result<Vec<RegisteredKey>, DirectoryError> {
    if changes.len() > KEYS_MAX {
        return Err(bad(format!("There must not be more than {KEYS_MAX} keyCredentials.")));
    }
    let mut keys: Vec<RegisteredKey> = Vec::with_capacity(changes.len());
    for change in changes {
        let key = match change {
            KeyCredentialChange::Keep(key_id) => {
                let found = known.iter().find(|key| key.credential.key_id.eq_ignore_ascii_case(&key_id));
                found.cloned().ok_or_else(|| bad("keyCredentials names a keyId that is not registered."))?
            }
            KeyCredentialChange::Add(new) => new_key(new)?,
        };
        if keys.iter().any(|other| other.credential.key_id == key.credential.key_id) {
            return Err(bad("keyCredentials has the same keyId twice."));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn new_key(new: NewKeyCredential) -> Result<RegisteredKey, DirectoryError> {
    let certificate =
        certificate::read(&new.certificate_der).map_err(|reason| DirectoryError::BadCertificate { reason })?;
    let key_id = match new.key_id {
        Some(given) => {
            let checked: Result<ObjectId, NotAGuid> = given.parse();
            checked.map_err(|_| bad("keyId must be a GUID."))?.to_string()
        }
        None => random::guid(),
    };
    let start = new.start.map_or(certificate.not_before, |start| start.max(certificate.not_before));
    let end = new.end.map_or(certificate.not_after, |end| end.min(certificate.not_after));
    if start > end {
        return Err(bad("startDateTime must not be after endDateTime."));
    }
    let display_name = new.display_name.unwrap_or(certificate.subject);
    let credential = KeyCredential {
        key_id,
        thumbprint_sha1: certificate.thumbprint_sha1,
        thumbprint_sha256: certificate.thumbprint_sha256,
        display_name: Some(display_name.chars().take(KEY_NAME_MAX).collect()),
        start,
        end,
        certificate_der: new.certificate_der,
    };
    Ok(RegisteredKey { credential, public_key: certificate.public_key })
}
