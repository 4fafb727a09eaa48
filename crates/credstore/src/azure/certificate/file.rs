//! A certificate file that is read when it is needed, and again when it changed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credstore_protocol::Secret;
use zeroize::Zeroizing;

use super::read::FILE_MAX;
use super::{CertificateError, SigningCertificate};
use crate::codes::settings as codes;
use crate::diagnosis::{Diagnosis, Place};
use crate::platform::{Fingerprint, others_may_read, private_command};

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
    /// A file that became unusable is an error at once: signing in with a key that was taken away is wrong.
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
