//! Step 2: private key and certificate in one file, and the public certificate beside it.
//!
//! A file that is there is never replaced unasked, and its old version is kept.

use std::path::Path;

use credstore::azure::certificate::{CertificateError, CertificateFile, PublicCertificate};
use credstore::diagnosis::{Diagnosis, Severity};
use credstore_protocol::Timestamp;

use super::{Ground, Row, Standing, Step, folder, shown};
use crate::commands::cert;
use crate::confirm;
use crate::errors::CliError;
use crate::files::{self, Existing};

/// Bits of a new RSA key. Source: the set-up guide, `rsa:2048`.
pub(crate) const KEY_BITS: u32 = 2048;

/// What the file is.
pub(super) enum Found {
    /// Nothing is there.
    Nothing,
    /// A pair that can be used now.
    Usable(Box<PublicCertificate>),
    /// It is there and of no use.
    Unusable(Box<Diagnosis>),
}

/// Reads and judges the file with private key and certificate.
pub(super) fn found(file: &Path, now: Timestamp) -> Found {
    let certificate = match CertificateFile::new(file, None).reload() {
        Ok(certificate) => certificate,
        Err(CertificateError::NotFound) => return Found::Nothing,
        Err(error) => return Found::Unusable(Box::new(error.diagnosis(Some(file), None))),
    };
    let dates = cert::validity(certificate.public(), file, now);
    match dates.into_iter().find(|finding| finding.severity == Severity::Error) {
        Some(error) => Found::Unusable(Box::new(error)),
        None => Found::Usable(Box::new(certificate.public().clone())),
    }
}

/// What is worth a warning about the file although it can be used: it expires soon, others can read it.
pub(crate) fn warnings(file: &Path, now: Timestamp) -> Vec<Diagnosis> {
    match found(file, now) {
        Found::Nothing | Found::Unusable(_) => Vec::new(),
        Found::Usable(public) => {
            let dates = cert::validity(&public, file, now).into_iter();
            dates.chain(CertificateFile::new(file, None).exposure()).collect()
        }
    }
}

/// Whether the public certificate beside it is that of the pair. `None`: there is no such file.
fn public_matches(file: &Path, certificate: &PublicCertificate) -> Result<Option<bool>, CliError> {
    match file.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Ok(_) | Err(_) => files::read(file).map(|bytes| Some(*bytes == certificate.der)),
    }
}

pub(super) fn look(ground: &Ground<'_>) -> Result<Row, CliError> {
    let (file, now) = (ground.job.certificate(), ground.world.now());
    let row = |standing, state: String| Ok(Row::new(Step::Certificate, "Certificate", shown(&file), standing, state));
    match found(&file, now) {
        Found::Nothing => row(Standing::Open, "not there".to_owned()),
        Found::Unusable(error) => row(Standing::Open, error.message.clone()),
        Found::Usable(public) => match public_matches(&ground.job.public(), &public)? {
            Some(true) => {
                row(Standing::Done, format!("already there, {} left", cert::days_left(public.seconds_left(now))))
            }
            Some(false) => row(Standing::Open, format!("{} is another certificate", shown(&ground.job.public()))),
            None => row(Standing::Open, format!("{} is not there", shown(&ground.job.public()))),
        },
    }
}

pub(super) async fn act(ground: &Ground<'_>) -> Result<Row, CliError> {
    let (job, now) = (ground.job, ground.world.now());
    let file = job.certificate();
    let row = |state: String| Row::new(Step::Certificate, "Certificate", shown(&file), Standing::Made, state);
    let (public, state) = match found(&file, now) {
        Found::Usable(public) => (*public, format!("{} written", shown(&job.public()))),
        Found::Nothing => new_pair(ground, false).await?,
        Found::Unusable(error) => {
            replaceable(ground, *error)?;
            files::keep_old(&file)?;
            new_pair(ground, true).await?
        }
    };
    write_public(ground, &public, state.starts_with("RSA"))?;
    Ok(row(state))
}

async fn new_pair(ground: &Ground<'_>, replace: bool) -> Result<(PublicCertificate, String), CliError> {
    let (file, subject, days) = (ground.job.certificate(), ground.job.subject.clone(), ground.job.days);
    let now = ground.world.now();
    // Making a key keeps a core busy for up to a second.
    let made = tokio::task::spawn_blocking(move || cert::new_key_pair(&file, &subject, KEY_BITS, days, replace, now));
    let public = made.await.map_err(|stopped| folder::stopped(&stopped))??;
    let days = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    Ok((public, format!("RSA {KEY_BITS}, {days}")))
}

/// Whether a file that is of no use may be replaced: `--yes`, or a yes on the terminal.
fn replaceable(ground: &Ground<'_>, error: Diagnosis) -> Result<(), CliError> {
    let name = shown(&ground.job.certificate());
    if !ground.world.globals.yes && !ground.world.may_ask() {
        let mut error = error;
        error.fix =
            vec![format!("put a good {name} there, or --yes: makes a new one and keeps the old file beside it")];
        return Err(error.into());
    }
    confirm::yes(ground.world, &format!("{}. Make a new one? The old file is kept beside it.", error.message))
}

/// Writes the public certificate. Another one that is there is replaced when it belonged to a replaced pair, or on yes.
fn write_public(ground: &Ground<'_>, public: &PublicCertificate, pair_is_new: bool) -> Result<(), CliError> {
    let file = ground.job.public();
    match public_matches(&file, public)? {
        Some(true) => return Ok(()),
        None => {}
        Some(false) => {
            if !pair_is_new {
                let name = shown(&file);
                confirm::yes(
                    ground.world,
                    &format!("{name} is another certificate. Replace it? The old file is kept beside it."),
                )?;
            }
            files::keep_old(&file)?;
        }
    }
    files::write(&file, &public.der, 0o644, Existing::Replace)
}
