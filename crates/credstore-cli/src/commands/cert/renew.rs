//! `credstore cert renew`: the next key pair beside the present one.
//!
//! The order makes it safe to stop anywhere: the pair is written, its public key is registered, the directory accepts it,
//! and only then does anything use it. A run that was cut short is taken up by the next, which finds the pair that is
//! there. The former key stays registered until somebody removes it: programs that have not followed yet sign in on.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::Args;
use credstore::azure::certificate::{PublicCertificate, SigningCertificate};
use credstore::codes::settings as codes;
use credstore::diagnosis::Diagnosis;
use credstore::settings::{Edited, set_store_text, store_text};
use credstore_protocol::encoding::base64_any;
use credstore_protocol::{ObjectId, SecretName};
use serde_json::json;
use zeroize::Zeroizing;

use super::registration::{self, Registered};
use super::{days_left, describe, public_of};
use crate::cli::Change;
use crate::confirm;
use crate::credentials::SettingsVault;
use crate::draft::Draft;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::output::Output;
use crate::setup::PUBLIC_FILE;
use crate::setup::folder::Turn;
use crate::time_text::{date, day};
use crate::world::World;

/// The key of `CredentialStore` that changes.
const CERTIFICATE_KEY: &str = "CertificateFile";
/// How a vault says that a certificate's secret is a PFX file in base64. Source: contract section 8.
const PFX_CONTENT_TYPE: &str = "application/x-pkcs12";
/// Smallest RSA key that is made, in bits.
const BITS_MIN: usize = 2048;

/// Make the next key pair, register it, test it, and switch to it
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore cert renew\n  credstore cert renew --at 30d --in-place --yes")]
pub(super) struct Renew {
    /// Only when fewer days are left, such as 30d; otherwise nothing is done
    #[arg(long, value_name = "DAYS", value_parser = days)]
    at: Option<i64>,
    /// Days that the new certificate is valid
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Take the pair from the vault's certificate NAME instead of making one; needs Secret Get
    #[arg(long, value_name = "NAME", conflicts_with = "days")]
    from_vault: Option<SecretName>,
    /// Object ID of the app registration: with it the app uploads its own key, without any permission
    #[arg(long, value_name = "ID")]
    app_object_id: Option<ObjectId>,
    /// Exchange the content of the file, so that running programs follow, and leave Server Settings as they are
    #[arg(long)]
    in_place: bool,
    /// Seconds to wait until the directory knows the new key
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
    #[command(flatten)]
    change: Change,
}

/// `30d` or `30`.
fn days(text: &str) -> Result<i64, String> {
    let number = text.strip_suffix('d').unwrap_or(text).parse::<u16>();
    number.map(i64::from).map_err(|_| "a number of days, such as 30d".to_owned())
}

/// A key pair in a file.
struct Pair {
    file: PathBuf,
    certificate: SigningCertificate,
}

impl Pair {
    fn load(file: &Path) -> Result<Self, CliError> {
        let certificate = SigningCertificate::load(&files::read(file)?, None);
        let certificate = certificate.map_err(|error| error.diagnosis(Some(file), None))?;
        Ok(Self { file: file.to_owned(), certificate })
    }

    fn public(&self) -> &PublicCertificate {
        self.certificate.public()
    }

    fn is_same_key(&self, other: &Self) -> bool {
        self.public().thumbprint_sha256 == other.public().thumbprint_sha256
    }
}

impl Renew {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let vault = SettingsVault::open(world).await?;
        let present = Pair::load(&vault.settings.certificate_file)?;
        let name = present.file.display().to_string();
        let left = present.public().seconds_left(world.now());
        if let Some(days) = self.at.filter(|days| left >= days * 86_400) {
            return unneeded(&present, &format!("{} left, more than {days} days", days_left(left)), out);
        }
        let with = match (&self.from_vault, self.in_place) {
            (Some(certificate), _) => format!("renew {name} with the certificate {certificate} of the vault"),
            (None, true) => format!("renew {name} in its place"),
            (None, false) => format!("renew {name} with a new key pair beside it"),
        };
        if self.change.dry_run {
            return self.change.only_said(&with, out).map(|_| ());
        }
        let public = present.file.with_file_name(format!("azure-cert.{}.cer", day(world.now())));
        let written = ["pem", "pfx"].map(|ending| next_file(&present.file, world, ending));
        let written = [present.file.clone(), public.clone()].into_iter().chain(written).collect::<Vec<_>>();
        let _turn = Turn::take(&files::folder_of(&present.file), &written)?;
        let Some(next) = self.next_pair(&vault, &present, world, out).await? else {
            return unneeded(&present, "the vault has no other version", out);
        };
        if self.in_place && is_pfx(&present.file) != is_pfx(&next.file) {
            return Err(other_kind(&present, &next));
        }
        let certificate = public_of(&files::read(&next.file)?, None, &next.file)?;
        files::write(&public, &certificate.der, 0o644, Existing::Replace)?;
        let key = registration::Key { present: &present.certificate, next: &next.file, public: &public, certificate };
        let registered = registration::ensure(&vault, &key, self.app_object_id.as_ref(), self.wait, world, out).await?;
        self.switch(&present, &next, registered, world, out)
    }

    /// The pair to change to: one that a run before has left, that of the vault, or a new one. `None` when the vault has no
    /// other than the present one.
    async fn next_pair(
        &self,
        vault: &SettingsVault,
        present: &Pair,
        world: &World,
        out: &mut Output,
    ) -> Result<Option<Pair>, CliError> {
        let newest = left_behind(present, world).into_iter().max_by_key(|pair| pair.public().not_before);
        let (next, how) = match (&self.from_vault, newest) {
            (Some(name), _) => match from_vault(vault, name, present, world).await? {
                Some(pair) => (pair, "from the vault"),
                None => return Ok(None),
            },
            (None, Some(pair)) => (pair, "found, goes on"),
            (None, None) => {
                let file = next_file(&present.file, world, "pem");
                let bits = present.public().key_bits.unwrap_or(BITS_MIN).max(BITS_MIN);
                let bits = u32::try_from(bits).unwrap_or(u32::MAX);
                let subject = &present.public().subject;
                super::new_key_pair(&file, subject, bits, self.days, false, world.now())?;
                (Pair::load(&file)?, "new")
            }
        };
        owned_like(&next.file, &present.file)?;
        let (bits, until) = (next.public().key_bits.unwrap_or_default(), date(next.public().not_after));
        let what = if how == "new" { String::new() } else { format!("   {how}") };
        said(format!("New key pair  {}   RSA {bits}, until {until}{what}", next.file.display()), world, out)?;
        Ok(Some(next))
    }

    fn switch(
        self,
        present: &Pair,
        next: &Pair,
        registered: Registered,
        world: &World,
        out: &mut Output,
    ) -> Result<(), CliError> {
        let until = date(present.public().not_after);
        let file = if self.in_place {
            confirm::yes(
                world,
                &format!("Exchange {}? The old key keeps working until {until}.", present.file.display()),
            )?;
            files::keep_old(&present.file)?;
            let bytes = files::read(&next.file)?;
            files::write(&present.file, &bytes, 0o600, Existing::Replace)?;
            owned_like(&present.file, &next.file)?;
            std::fs::remove_file(&next.file).map_err(|error| files::unwritable(&next.file, &error.to_string()))?;
            present.file.clone()
        } else {
            let question = format!("Switch Server Settings to the new file? The old key keeps working until {until}.");
            confirm::yes(world, &question)?;
            let name = next.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Draft::new(&world.settings(), |text| renamed(text, &present.file, &name))?.save()?;
            next.file.clone()
        };
        upload_file_follows(present, next)?;
        let mut object = describe(next.public(), world.now());
        object["file"] = json!(file.display().to_string());
        object["registered"] = json!(registered.by);
        object["formerThumbprint"] = json!(present.public().thumbprint());
        out.result(object, || {
            let switched = if self.in_place { "Exchanged." } else { "Switched." };
            let former = registered.former.as_deref().unwrap_or("KEYID");
            format!(
                "{switched} Remove the old public key after a day: credstore app credential delete --id {} --key-id {former}\n",
                registered.app
            )
        })
    }
}

/// A line that somebody at a terminal sees at once; others see it when everything was done.
pub(super) fn said(text: impl AsRef<str>, world: &World, out: &mut Output) -> Result<(), CliError> {
    out.line(text);
    if world.terminals.stdout { out.flush() } else { Ok(()) }
}

fn unneeded(present: &Pair, why: &str, out: &mut Output) -> Result<(), CliError> {
    let name = present.file.display().to_string();
    let value = json!({"file": name, "renewed": false, "why": why, "notAfter": crate::time_text::rfc3339(present.public().not_after)});
    out.result(value, || format!("{name}  {why}; nothing to do\n"))
}

fn is_pfx(file: &Path) -> bool {
    file.extension().is_some_and(|end| end.eq_ignore_ascii_case("pfx") || end.eq_ignore_ascii_case("p12"))
}

/// A file whose name says PFX does not get the content of a PEM file, nor the other way round.
fn other_kind(present: &Pair, next: &Pair) -> CliError {
    let message = format!("{} is not exchanged in its place", present.file.display());
    let kind = |pair: &Pair| if is_pfx(&pair.file) { "PFX" } else { "PEM" };
    Diagnosis::error(&codes::CERTIFICATE_PARAMETERS, message)
        .cause(format!("the new pair is {}, and the name says {}", kind(next), kind(present)))
        .fix("without --in-place the new file gets a name of its own, which Server Settings then have")
        .into()
}

/// Most renewals of one day. Ours; more means that something is wrong.
const RENEWALS_A_DAY_MAX: u32 = 100;

/// A file beside the present one that is not there: `my-certificate.2026-11-23.pem`, and `…-2.pem` for a second one of the
/// same day.
fn next_file(present: &Path, world: &World, ending: &str) -> PathBuf {
    let today = day(world.now());
    let file = |number: u32| present.with_file_name(next_name(present, &today, number, ending));
    let is_free = |number: &u32| file(*number).symlink_metadata().is_err();
    file((1..RENEWALS_A_DAY_MAX).find(is_free).unwrap_or(RENEWALS_A_DAY_MAX))
}

fn next_name(present: &Path, today: &str, number: u32, ending: &str) -> String {
    let again = if number == 1 { String::new() } else { format!("-{number}") };
    format!("{}.{today}{again}.{ending}", base_name(present))
}

/// The name without its ending and without the day that a renewal has put there.
fn base_name(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match stem.rsplit_once('.') {
        Some((base, day)) if is_day(day) && !base.is_empty() => base.to_owned(),
        _ => stem,
    }
}

/// `2026-11-23`, perhaps with `-2` behind it.
fn is_day(text: &str) -> bool {
    let form = |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    let (day, rest) = text.split_at_checked(10).unwrap_or(("", text));
    let again = rest.strip_prefix('-').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    !day.is_empty() && day.bytes().enumerate().all(form) && (rest.is_empty() || again)
}

/// The pairs that runs before have written and nothing uses: valid now, and neither made nor written before the present
/// one. A former pair, which may lie there too, was.
fn left_behind(present: &Pair, world: &World) -> Vec<Pair> {
    let base = base_name(&present.file);
    let names = std::fs::read_dir(files::folder_of(&present.file)).into_iter().flatten();
    let names = names.filter_map(|entry| Some(entry.ok()?.file_name()));
    let files = names.map(|name| present.file.with_file_name(name));
    let is_ours =
        |file: &PathBuf| base_name(file) == base && (is_pfx(file) || file.extension().is_some_and(|end| end == "pem"));
    let written = |file: &Path| file.metadata().and_then(|found| found.modified()).ok();
    let since = written(&present.file);
    let is_next = |pair: &Pair| {
        let (next, now) = (pair.public(), present.public());
        let is_later = next.not_before >= now.not_before && written(&pair.file) > since;
        !pair.is_same_key(present) && next.is_valid_at(world.now()) && is_later
    };
    files.filter(is_ours).filter_map(|file| Pair::load(&file).ok()).filter(is_next).collect()
}

/// The current version of a certificate in the vault, written to `file`; `None` when it is the present one.
async fn from_vault(
    vault: &SettingsVault,
    name: &SecretName,
    present: &Pair,
    world: &World,
) -> Result<Option<Pair>, CliError> {
    let bundle = vault.key_vault()?.secret(name, None, crate::site::when(world)).await?;
    let value = bundle.value.as_ref().map(|value| value.expose_secret()).unwrap_or_default();
    let (bytes, ending) = match base64_any(value).filter(|_| bundle.content_type.as_deref() == Some(PFX_CONTENT_TYPE)) {
        Some(pfx) => (Zeroizing::new(pfx), "pfx"),
        None => (Zeroizing::new(value.as_bytes().to_vec()), "pem"),
    };
    let certificate = SigningCertificate::load(&bytes, None).map_err(|error| {
        error.diagnosis(None, None).note(format!("it is what the certificate {name} of the vault holds"))
    })?;
    let is_it = |pair: &Pair| pair.public().thumbprint_sha256 == certificate.public().thumbprint_sha256;
    if is_it(present) {
        return Ok(None);
    }
    if let Some(pair) = left_behind(present, world).into_iter().find(is_it) {
        return Ok(Some(pair));
    }
    let file = next_file(&present.file, world, ending);
    files::write(&file, &bytes, 0o600, Existing::Keep)?;
    Pair::load(&file).map(Some)
}

/// Gives `file` owner and group of `like`, and its group's right to read: whoever reads the present file reads the next.
fn owned_like(file: &Path, like: &Path) -> Result<(), CliError> {
    let unwritable = |error: std::io::Error| files::unwritable(file, &error.to_string());
    let (ours, theirs) = (file.metadata().map_err(unwritable)?, like.metadata().map_err(unwritable)?);
    if (ours.uid(), ours.gid()) != (theirs.uid(), theirs.gid()) {
        std::os::unix::fs::chown(file, Some(theirs.uid()), Some(theirs.gid())).map_err(unwritable)?;
    }
    let mode = 0o600 | (theirs.mode() & 0o040);
    if ours.mode() & 0o777 != mode {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(file, permissions).map_err(unwritable)?;
    }
    Ok(())
}

/// `azure-cert.cer`, where the set-up has left it beside the pair, becomes that of the pair in use.
fn upload_file_follows(present: &Pair, next: &Pair) -> Result<(), CliError> {
    let file = present.file.with_file_name(PUBLIC_FILE);
    match files::read(&file) {
        Ok(bytes) if *bytes == present.public().der => {
            files::write(&file, &next.public().der, 0o644, Existing::Replace)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The settings with another name in `CertificateFile`; the folder in front of it stays as it is written.
fn renamed(text: &str, present: &Path, name: &str) -> Result<Edited, Box<Diagnosis>> {
    let former = present.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let written = store_text(text, CERTIFICATE_KEY)?.unwrap_or_default();
    let folder = written.strip_suffix(&former).unwrap_or_default().to_owned();
    set_store_text(text, CERTIFICATE_KEY, &format!("{folder}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_file_has_the_day_once() {
        for (present, number, expected) in [
            ("my-certificate.pem", 1, "my-certificate.2026-11-23.pem"),
            ("my-certificate.pem", 2, "my-certificate.2026-11-23-2.pem"),
            ("/etc/pm/my-certificate.2025-11-23.pem", 1, "my-certificate.2026-11-23.pem"),
            ("my-certificate.2026-11-23-2.pem", 3, "my-certificate.2026-11-23-3.pem"),
            ("pm.prod.pfx", 1, "pm.prod.2026-11-23.pem"),
            ("pm.2025-1-1.pem", 1, "pm.2025-1-1.2026-11-23.pem"),
            ("pm.2025-11-23x.pem", 1, "pm.2025-11-23x.2026-11-23.pem"),
            (".pem", 1, ".pem.2026-11-23.pem"),
        ] {
            assert_eq!(next_name(Path::new(present), "2026-11-23", number, "pem"), expected, "{present}");
        }
    }

    #[test]
    fn days_are_a_number_with_or_without_a_d() {
        assert_eq!((days("30d"), days("7")), (Ok(30), Ok(7)));
        for wrong in ["", "d", "-1", "30h", "30 d", "70000"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }
}
