//! A certificate file that is read when it is needed, and again when it changed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credstore_protocol::{Secret, Timestamp};
use zeroize::Zeroizing;

use super::super::error::day;
use super::read::FILE_MAX;
use super::{CertificateError, SigningCertificate};
use crate::codes::settings as codes;
use crate::diagnosis::{Diagnosis, Place};
use crate::platform::{Fingerprint, others_may_read, private_command};

/// From how many days before its end on a certificate is worth a warning. Source: requirement of the product,
/// first of 60, 30 and 7 days.
pub const EXPIRY_WARNED_DAYS: i64 = 60;

/// `CertificateFile` of the settings.
pub struct CertificateFile {
    path: PathBuf,
    password: Option<Secret>,
    kept: Mutex<Option<(Fingerprint, Arc<SigningCertificate>)>>,
}

impl CertificateFile {
    /// The file at `path`; nothing is read yet. `password` is for PFX.
    pub fn new(path: impl Into<PathBuf>, password: Option<Secret>) -> Self {
        Self { path: path.into(), password, kept: Mutex::new(None) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn kept(&self) -> MutexGuard<'_, Option<(Fingerprint, Arc<SigningCertificate>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificate in the file; read again when time, size or identity of the file changed.
    ///
    /// A file that became unusable is an error at once. Whether the certificate before it may still sign is decided where
    /// the tokens are.
    pub fn current(&self) -> Result<Arc<SigningCertificate>, CertificateError> {
        let metadata = std::fs::metadata(&self.path).map_err(|error| of_io(&error))?;
        if let Some((fingerprint, certificate)) = self.kept().as_ref()
            && *fingerprint == Fingerprint::of(&metadata)
        {
            return Ok(certificate.clone());
        }
        self.reload()
    }

    /// Reads the file whether it changed or not.
    pub fn reload(&self) -> Result<Arc<SigningCertificate>, CertificateError> {
        let (fingerprint, bytes) = read(&self.path)?;
        let certificate = Arc::new(SigningCertificate::load(&bytes, self.password.as_ref())?);
        *self.kept() = Some((fingerprint, certificate.clone()));
        Ok(certificate)
    }

    /// What is wrong with the content at `now`: it cannot be used, has expired, is not valid yet, or ends soon.
    /// Whether others can read the file is told by [`Self::exposure`].
    pub fn findings(&self, now: Timestamp) -> Vec<Diagnosis> {
        let certificate = match self.reload() {
            Ok(certificate) => certificate,
            Err(error) => return vec![error.diagnosis(Some(&self.path), None)],
        };
        let public = certificate.public();
        let name = self.path.display();
        let found = |diagnosis: Diagnosis, fix: &str| {
            let place = Place { file: Some(self.path.clone()), ..Place::default() };
            vec![diagnosis.at(place).fix(fix)]
        };
        let days = public.seconds_left(now) / 86_400;
        if now < public.not_before {
            let message = format!("{name} is not valid before {}", day(public.not_before));
            found(Diagnosis::error(&codes::CERTIFICATE_EXPIRY, message), "check the clock of this machine")
        } else if public.not_after < now {
            let message = format!("{name} expired on {}", day(public.not_after));
            found(Diagnosis::error(&codes::CERTIFICATE_EXPIRY, message), "credstore cert renew")
        } else if days < EXPIRY_WARNED_DAYS {
            let unit = if days == 1 { "day" } else { "days" };
            let message = format!("{name} expires in {days} {unit} ({})", day(public.not_after));
            found(Diagnosis::warning(&codes::CERTIFICATE_EXPIRY, message), "credstore cert renew")
        } else {
            Vec::new()
        }
    }

    /// A warning when other users of the machine may read the file.
    pub fn exposure(&self) -> Option<Diagnosis> {
        let mode = others_may_read(&std::fs::metadata(&self.path).ok()?)?;
        let name = self.path.display();
        let message = format!("{name} holds the private key and others can read it (mode {mode:04o})");
        Some(
            Diagnosis::warning(&codes::CERTIFICATE_READABLE, message)
                .at(Place { file: Some(self.path.clone()), ..Place::default() })
                .fix(private_command(&name.to_string())),
        )
    }
}

/// Reads fingerprint and content through one handle, so that they belong together.
fn read(path: &Path) -> Result<(Fingerprint, Zeroizing<Vec<u8>>), CertificateError> {
    let file = std::fs::File::open(path).map_err(|error| of_io(&error))?;
    let metadata = file.metadata().map_err(|error| of_io(&error))?;
    if !metadata.is_file() {
        return Err(CertificateError::NotReadable("it is not a file".to_owned()));
    }
    // One byte more than allowed: enough to see that it is too much, and never a second, unwiped buffer.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_MAX + 1));
    file.take(FILE_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| of_io(&error))?;
    if bytes.len() > FILE_MAX { Err(CertificateError::TooLarge) } else { Ok((Fingerprint::of(&metadata), bytes)) }
}

fn of_io(error: &std::io::Error) -> CertificateError {
    match error.kind() {
        std::io::ErrorKind::NotFound => CertificateError::NotFound,
        std::io::ErrorKind::PermissionDenied => CertificateError::NotReadable("permission denied".to_owned()),
        kind => CertificateError::NotReadable(kind.to_string()),
    }
}
