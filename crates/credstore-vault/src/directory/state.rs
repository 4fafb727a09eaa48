//! The registrations as they lie in memory and in the storage.
//!
//! There are few and every sign-in needs one, so all are in memory; each is one sealed row with its keys and its
//! service principal, so that they come and go together.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credstore_protocol::{ClientId, ObjectId, Timestamp};
use serde::{Deserialize, Serialize};

use super::certificate;
use super::{Application, KeyCredential, ServicePrincipal};
use crate::error::{DirectoryError, StoreFailure};
use crate::seal::{DataKey, kind};

/// An application with everything that belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    pub(super) id: ObjectId,
    pub(super) app_id: ClientId,
    pub(super) display_name: String,
    pub(super) created: Timestamp,
    pub(super) keys: Vec<RegisteredKey>,
    pub(super) principal: Option<Principal>,
}

/// A key credential and the public key in it.
#[derive(Clone, Debug)]
pub(super) struct RegisteredKey {
    pub(super) credential: KeyCredential,
    /// PKCS#1 `RSAPublicKey`, DER.
    pub(super) public_key: Vec<u8>,
}

/// A service principal, as far as it is not its application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Principal {
    pub(super) id: ObjectId,
    pub(super) enabled: bool,
}

impl Registered {
    pub(super) fn application(&self) -> Application {
        Application {
            id: self.id.clone(),
            app_id: self.app_id.clone(),
            display_name: self.display_name.clone(),
            created: self.created,
            keys: self.keys.iter().map(|key| key.credential.clone()).collect(),
        }
    }

    pub(super) fn service_principal(&self) -> Option<ServicePrincipal> {
        self.principal.as_ref().map(|principal| ServicePrincipal {
            id: principal.id.clone(),
            app_id: self.app_id.clone(),
            display_name: self.display_name.clone(),
            enabled: principal.enabled,
        })
    }
}

/// Every registration, by client id. Replaced whole when one changes.
#[derive(Clone, Default)]
pub(super) struct State(HashMap<ClientId, Arc<Registered>>);

impl State {
    pub(super) fn of_client(&self, client: &ClientId) -> Option<&Registered> {
        self.0.get(client).map(|registered| &**registered)
    }

    pub(super) fn of_object(&self, id: &ObjectId) -> Option<&Registered> {
        self.every().find(|registered| registered.id == *id)
    }

    pub(super) fn every(&self) -> impl Iterator<Item = &Registered> {
        self.0.values().map(|registered| &**registered)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn with(&self, registered: Registered) -> Self {
        let mut state = self.clone();
        state.0.insert(registered.app_id.clone(), Arc::new(registered));
        state
    }

    pub(super) fn without(&self, client: &ClientId) -> Self {
        let mut state = self.clone();
        state.0.remove(client);
        state
    }

    /// Reads every registration.
    pub(super) fn load(system: &DataKey) -> Result<Self, DirectoryError> {
        let mut state = Self::default();
        for stored in system.every_record(kind::APPLICATION, WHAT)? {
            let registered = registered(stored)?;
            state.0.insert(registered.app_id.clone(), Arc::new(registered));
        }
        Ok(state)
    }
}

#[derive(Serialize, Deserialize)]
struct StoredApplication {
    id: ObjectId,
    app_id: ClientId,
    display_name: String,
    created: Timestamp,
    keys: Vec<StoredKey>,
    principal: Option<Principal>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    key_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    start: Timestamp,
    end: Timestamp,
    certificate: String,
}

pub(super) fn row_key(system: &DataKey, client: &ClientId) -> Vec<u8> {
    system.row_key(kind::APPLICATION, client.as_str())
}

const WHAT: &str = "an application";

fn damaged() -> DirectoryError {
    StoreFailure::damaged(WHAT).into()
}

pub(super) fn sealed(system: &DataKey, registered: &Registered) -> Result<Vec<u8>, DirectoryError> {
    let stored_key = |key: &RegisteredKey| StoredKey {
        key_id: key.credential.key_id.clone(),
        display_name: key.credential.display_name.clone(),
        start: key.credential.start,
        end: key.credential.end,
        certificate: STANDARD.encode(&key.credential.certificate_der),
    };
    let stored = StoredApplication {
        id: registered.id.clone(),
        app_id: registered.app_id.clone(),
        display_name: registered.display_name.clone(),
        created: registered.created,
        keys: registered.keys.iter().map(stored_key).collect(),
        principal: registered.principal.clone(),
    };
    Ok(system.sealed_record(&row_key(system, &registered.app_id), WHAT, &stored)?)
}

fn registered(stored: StoredApplication) -> Result<Registered, DirectoryError> {
    let registered_key = |key: StoredKey| {
        let certificate_der = STANDARD.decode(key.certificate).map_err(|_| damaged())?;
        let certificate = certificate::read(&certificate_der).map_err(|_| damaged())?;
        let credential = KeyCredential {
            key_id: key.key_id,
            thumbprint_sha1: certificate.thumbprint_sha1,
            thumbprint_sha256: certificate.thumbprint_sha256,
            display_name: key.display_name,
            start: key.start,
            end: key.end,
            certificate_der,
        };
        Ok(RegisteredKey { credential, public_key: certificate.public_key })
    };
    Ok(Registered {
        id: stored.id,
        app_id: stored.app_id,
        display_name: stored.display_name,
        created: stored.created,
        keys: stored.keys.into_iter().map(registered_key).collect::<Result<_, DirectoryError>>()?,
        principal: stored.principal,
    })
}
