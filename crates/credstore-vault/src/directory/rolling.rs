//! An application exchanges its own keys: it needs no permission, but the proof that it holds one of them.
//!
//! Source: Microsoft Graph, `application: addKey`, `application: removeKey` and "Generate proof-of-possession tokens
//! for rolling keys".

use credstore_protocol::{ObjectId, Timestamp};

use super::state::Registered;
use super::tokens::{Statement, cut};
use super::{Directory, KeyCredential, KeyCredentialChange, NewKeyCredential, changed_keys};
use crate::access::Caller;
use crate::error::{DirectoryError, SignInError};
use crate::storage::Expected;

/// Whom a proof is for: the directory's own API, or Graph. Source: the page on proofs, which has named either.
const PROOF_AUDIENCES: [&str; 2] = ["00000002-0000-0000-c000-000000000000", "00000003-0000-0000-c000-000000000000"];
/// Longest life of a proof in seconds. Source: the same page, 10 minutes.
pub const PROOF_LIFETIME_MAX: u32 = 600;

impl Directory {
    /// Adds a key to those of an application, for itself or the operator.
    ///
    /// `proof` is a JWT that one of the application's valid keys signed: `iss` is the application's object id, `aud`
    /// one of two well-known ids, and it lives at most [`PROOF_LIFETIME_MAX`].
    ///
    /// # Errors
    /// [`DirectoryError::Denied`] for another caller, [`DirectoryError::NotFound`], [`DirectoryError::Protected`] for
    /// the operator's own, [`DirectoryError::Unproven`], [`DirectoryError::BadCertificate`],
    /// [`DirectoryError::BadParameter`].
    pub fn add_key(
        &self,
        caller: &Caller,
        id: &ObjectId,
        new: NewKeyCredential,
        proof: &str,
        now: Timestamp,
    ) -> Result<KeyCredential, DirectoryError> {
        let mut added = None;
        self.roll(caller, id, proof, now, |registered| {
            let mut keys = kept(registered, |_| true);
            keys.push(KeyCredentialChange::Add(new));
            let keys = changed_keys(&registered.keys, keys)?;
            added = keys.last().map(|key| key.credential.clone());
            Ok(keys)
        })?;
        added.ok_or(DirectoryError::NotFound)
    }

    /// Takes one of its keys from an application, for itself or the operator; it may be the one that signed `proof`.
    ///
    /// # Errors
    /// As [`add_key`](Self::add_key); [`DirectoryError::BadParameter`] when it has no such key.
    pub fn remove_key(
        &self,
        caller: &Caller,
        id: &ObjectId,
        key_id: &str,
        proof: &str,
        now: Timestamp,
    ) -> Result<(), DirectoryError> {
        self.roll(caller, id, proof, now, |registered| {
            let keys = kept(registered, |known| !known.eq_ignore_ascii_case(key_id));
            if keys.len() == registered.keys.len() {
                return Err(super::bad("No key credential of the application has this keyId."));
            }
            changed_keys(&registered.keys, keys)
        })
    }

    /// Whether the caller may exchange keys of this application at all: the operator, and the application itself.
    ///
    /// # Errors
    /// [`DirectoryError::Denied`], also when there is no such application: who asks learns nothing about others.
    pub fn may_roll_keys(&self, caller: &Caller, id: &ObjectId) -> Result<(), DirectoryError> {
        let is_own = self.state().of_client(&caller.app_id).is_some_and(|registered| registered.id == *id);
        if is_own { Ok(()) } else { self.require_operator(caller) }
    }

    fn roll(
        &self,
        caller: &Caller,
        id: &ObjectId,
        proof: &str,
        now: Timestamp,
        change: impl FnOnce(&Registered) -> Result<Vec<super::RegisteredKey>, DirectoryError>,
    ) -> Result<(), DirectoryError> {
        self.may_roll_keys(caller, id)?;
        let _changing = self.changing();
        let mut registered = self.changeable(id)?;
        check_proof(&registered, proof, now).map_err(DirectoryError::Unproven)?;
        registered.keys = change(&registered)?;
        self.write(registered, Expected::Present)
    }
}

fn kept(registered: &Registered, stays: impl Fn(&str) -> bool) -> Vec<KeyCredentialChange> {
    let ids = registered.keys.iter().map(|key| &key.credential.key_id);
    ids.filter(|id| stays(id)).cloned().map(KeyCredentialChange::Keep).collect()
}

fn check_proof(registered: &Registered, proof: &str, now: Timestamp) -> Result<(), SignInError> {
    let proof = Statement::parse(proof)?;
    proof.check_signature(registered, now)?;
    if !proof.claim("iss")?.is_some_and(|issuer| issuer.eq_ignore_ascii_case(registered.id.as_str())) {
        return Err(SignInError::SubjectMismatch);
    }
    let audience = proof.claim("aud")?.unwrap_or_default();
    if !PROOF_AUDIENCES.contains(&audience) {
        return Err(SignInError::AudienceWrong { found: cut(audience) });
    }
    let span = proof.check_time(now)?;
    if !span.seconds().is_some_and(|seconds| seconds <= f64::from(PROOF_LIFETIME_MAX)) {
        return Err(SignInError::Malformed { reason: "a proof has nbf or iat, and lives at most 10 minutes" });
    }
    Ok(())
}
