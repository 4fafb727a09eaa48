//! Which certificate signs: the one in the file as soon as the directory accepts it, and until then the former.
//!
//! An administrator exchanges the file and uploads the new public certificate in either order, and in between one of the
//! two is of no use. The certificate that the directory accepted last is kept for that time. A file whose content is not
//! usable, half written as it may be, does not take it away; one that is gone, or that we may no longer read, does: its
//! owner has taken the key from us.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use credstore_protocol::Timestamp;

use super::certificate::{CertificateError, CertificateFile, SigningCertificate};

/// How often, at most, a file is looked at while a token is at hand. Ours: an exchange is seen in seconds.
pub const LOOKED_EVERY: Duration = Duration::from_secs(5);
/// How long a certificate that the directory refused is not tried again while the former works. Ours: an upload is seen
/// within a minute, and the directory's log gets one refusal a minute.
pub const REFUSED_FOR: Duration = Duration::from_secs(60);

/// Where the certificate comes from that signs.
pub enum CertificateSource {
    /// A file, read again when it changed or the directory refuses it.
    File(CertificateFile),
    /// One that is already there.
    Held(Arc<SigningCertificate>),
}

impl CertificateSource {
    pub(super) fn current(&self) -> Result<Arc<SigningCertificate>, CertificateError> {
        match self {
            Self::File(file) => file.current(),
            Self::Held(certificate) => Ok(certificate.clone()),
        }
    }

    /// The certificate read anew; `None` when there is nothing to read.
    fn reloaded(&self) -> Result<Option<Arc<SigningCertificate>>, CertificateError> {
        match self {
            Self::File(file) => file.reload().map(Some),
            Self::Held(_) => Ok(None),
        }
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(file) => Some(file.path().to_owned()),
            Self::Held(_) => None,
        }
    }
}

/// What the directory said about certificates so far.
#[derive(Default)]
struct State {
    /// The one that it accepted last.
    proven: Option<Arc<SigningCertificate>>,
    /// The one that it refused while another one worked, and when.
    refused: Option<(Thumbprint, Timestamp)>,
    /// When the file was looked at last.
    looked: Option<Timestamp>,
}

impl State {
    fn refused_lately(&self, certificate: &SigningCertificate, now: Timestamp) -> bool {
        self.refused.is_some_and(|(of, at)| of == thumbprint(certificate) && is_recent(at, REFUSED_FOR, now))
    }
}

type Thumbprint = [u8; 32];

fn thumbprint(certificate: &SigningCertificate) -> Thumbprint {
    certificate.public().thumbprint_sha256
}

/// Whether `at` lies less than `span` back. A wall clock that was set back does not make the future recent.
pub(super) fn is_recent(at: Timestamp, span: Duration, now: Timestamp) -> bool {
    at <= now && now < at + span
}

/// Chooses among the certificate of the source and the one that is known to work.
pub(super) struct Rotation {
    source: CertificateSource,
    state: Mutex<State>,
}

impl Rotation {
    pub(super) fn new(source: CertificateSource) -> Self {
        Self { source, state: Mutex::default() }
    }

    pub(super) fn source(&self) -> &CertificateSource {
        &self.source
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificate that the directory accepted last.
    pub(super) fn proven(&self) -> Option<Arc<SigningCertificate>> {
        self.state().proven.clone()
    }

    /// What to sign with: the certificate of the source, unless it is not usable or was refused a moment ago and another
    /// one works.
    pub(super) fn first(&self, now: Timestamp) -> Result<Arc<SigningCertificate>, CertificateError> {
        let current = self.source.current();
        let state = self.state();
        match (current, &state.proven) {
            (Ok(current), Some(proven)) => {
                Ok(if state.refused_lately(&current, now) { proven.clone() } else { current })
            }
            (Err(error), Some(proven)) if error.is_of_content() => {
                tracing::warn!(%error, former = proven.public().thumbprint(), "the former certificate signs on");
                Ok(proven.clone())
            }
            (current, _) => current,
        }
    }

    /// The certificate after `refused` was, read anew. `None` when there is nothing to read, or nothing that is worth a
    /// try before the one that works.
    pub(super) fn again(
        &self,
        refused: &SigningCertificate,
    ) -> Result<Option<Arc<SigningCertificate>>, CertificateError> {
        let others_work = self.proven().is_some_and(|proven| thumbprint(&proven) != thumbprint(refused));
        match self.source.reloaded() {
            Ok(Some(again)) if others_work && thumbprint(&again) == thumbprint(refused) => Ok(None),
            Err(error) if others_work && error.is_of_content() => Ok(None),
            outcome => outcome,
        }
    }

    /// The directory has accepted it.
    pub(super) fn accepted(&self, certificate: &Arc<SigningCertificate>) {
        let mut state = self.state();
        let before = state.proven.replace(certificate.clone());
        if let Some(before) = before.filter(|before| thumbprint(before) != thumbprint(certificate)) {
            let (before, now) = (before.public().thumbprint(), certificate.public().thumbprint());
            tracing::info!(before, now, "another certificate signs in");
        }
        if state.refused.is_some_and(|(of, _)| of == thumbprint(certificate)) {
            state.refused = None;
        }
    }

    /// The directory has refused it: what else there is that it accepted.
    pub(super) fn refused(&self, certificate: &SigningCertificate, now: Timestamp) -> Option<Arc<SigningCertificate>> {
        let mut state = self.state();
        if state.proven.as_ref().is_some_and(|proven| thumbprint(proven) == thumbprint(certificate)) {
            state.proven = None;
        }
        let former = state.proven.clone()?;
        state.refused = Some((thumbprint(certificate), now));
        Some(former)
    }

    /// Whether the source has another certificate than the one that works, which is worth a try. The file is looked at
    /// once in [`LOOKED_EVERY`].
    pub(super) fn is_exchanged(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        if state.proven.is_none() || state.looked.is_some_and(|at| is_recent(at, LOOKED_EVERY, now)) {
            return false;
        }
        state.looked = Some(now);
        drop(state);
        self.differs(now)
    }

    /// As [`is_exchanged`](Self::is_exchanged), however long ago the file was looked at.
    pub(super) fn differs(&self, now: Timestamp) -> bool {
        let Ok(current) = self.source.current() else { return false };
        let state = self.state();
        let is_another = state.proven.as_ref().is_some_and(|proven| thumbprint(proven) != thumbprint(&current));
        is_another && !state.refused_lately(&current, now)
    }
}
