//! `credstore cert`: the key pair that signs in: made and checked without any server, and renewed.

mod registration;
mod renew;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use credstore::azure::certificate::{self, CertificateError, PublicCertificate, SigningCertificate};
use credstore::codes::settings as codes;
use credstore::diagnosis::{Diagnosis, Severity};
use credstore_protocol::encoding::hex_upper;
use credstore_protocol::{Secret, Timestamp};
use serde_json::{Value, json};

use crate::cli::Change;
use crate::errors::{self, CliError};
use crate::files::{self, Existing};
use crate::output::{Output, pairs};
use crate::time_text::{date, rfc3339};
use crate::world::World;

use renew::Renew;

/// From here on an expiry is worth a warning, in seconds. Source: user experience, section 1.1: 30 days.
pub(crate) const EXPIRY_WARNING: i64 = 30 * 86_400;

/// Certificate and private key for signing in
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore cert new --out my-certificate.pem"
)]
pub(crate) struct Cert {
    #[command(subcommand)]
    command: CertCommand,
}

#[derive(Subcommand, Debug)]
enum CertCommand {
    New(New),
    Show(Show),
    Renew(Renew),
    Verify(Verify),
    ExportPublic(ExportPublic),
}

/// Make a private key and its certificate in one PEM file, mode 0600
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore cert new --out my-certificate.pem --days 365")]
struct New {
    /// File to write; it holds the private key
    #[arg(long, value_name = "FILE", default_value = "my-certificate.pem")]
    out: PathBuf,
    /// Days that it is valid
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Name in the certificate
    #[arg(long, default_value = "CN=credstore")]
    subject: String,
    /// Size of the RSA key: 2048, 3072 or 4096
    #[arg(long, default_value_t = 2048)]
    bits: u32,
    #[command(flatten)]
    change: Change,
}

/// Show subject, dates and thumbprints
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore cert show my-certificate.pem")]
struct Show {
    /// PEM, PFX or CER file
    file: PathBuf,
    #[command(flatten)]
    password: PfxPassword,
}

/// Check that private key and certificate belong together and are valid now
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore cert verify my-certificate.pem")]
struct Verify {
    /// PEM or PFX file
    file: PathBuf,
    /// Warnings count too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    password: PfxPassword,
}

/// Write the public certificate, the file to upload
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore cert export-public my-certificate.pem --out azure-cert.cer")]
struct ExportPublic {
    /// PEM or PFX file with the private key
    file: PathBuf,
    /// File to write, DER as the portal takes it; PEM when it ends in .pem
    #[arg(long, value_name = "FILE", default_value = "azure-cert.cer")]
    out: PathBuf,
    #[command(flatten)]
    password: PfxPassword,
    #[command(flatten)]
    change: Change,
}

/// Password of a PFX file, from a file.
#[derive(Args, Debug)]
struct PfxPassword {
    /// File with the password of a PFX file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PfxPassword {
    fn read(&self) -> Result<Option<Secret>, CliError> {
        let Some(file) = &self.password_file else { return Ok(None) };
        let text = files::read_text(file)?;
        let one_line = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
        Ok(Some(Secret::from(zeroize::Zeroizing::new(one_line.to_owned()))))
    }
}

impl Cert {
    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            CertCommand::New(command) => command.run(world, out),
            CertCommand::Show(command) => command.run(world, out),
            CertCommand::Renew(command) => command.run(world, out).await,
            CertCommand::Verify(command) => command.run(world, out),
            CertCommand::ExportPublic(command) => command.run(world, out),
        }
    }
}

impl New {
    fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        if self.change.only_said(&format!("write a new private key to {}", self.out.display()), out)? {
            return Ok(());
        }
        let made = new_key_pair(&self.out, &self.subject, self.bits, self.days, world.globals.yes, world.now())?;
        let name = self.out.display();
        let mut object = describe(&made, world.now());
        object["file"] = json!(name.to_string());
        out.result(object, || {
            let size = made.key_bits.unwrap_or_default();
            let mut text = format!("New key pair  {name}   RSA {size}, until {}   mode 0600\n", date(made.not_after));
            text.push_str(&format!("Thumbprint    {}\n", made.thumbprint()));
            text.push_str(&format!("SHA-256       {}\n", hex_upper(&made.thumbprint_sha256)));
            text.push_str(&format!("\n{name} holds the private key: it stays here. Upload the public certificate:\n"));
            text.push_str(&format!("  credstore cert export-public {name} --out azure-cert.cer\n"));
            text
        })
    }
}

/// Makes a key pair and writes it; the file is there as a whole or not at all.
pub(crate) fn new_key_pair(
    file: &Path,
    subject: &str,
    bits: u32,
    days: u32,
    replace: bool,
    now: Timestamp,
) -> Result<PublicCertificate, CliError> {
    let existing = if replace { Existing::Replace } else { Existing::Keep };
    if existing == Existing::Keep && file.symlink_metadata().is_ok() {
        // Asked before the work of making a key; the write asks again.
        files::write(file, b"", 0o600, Existing::Keep)?;
    }
    let made = certificate::generate(subject, bits, days, now).map_err(Diagnosis::from)?;
    files::write(file, made.pem.expose_secret().as_bytes(), 0o600, existing)?;
    Ok(made.public)
}

fn describe(certificate: &PublicCertificate, now: Timestamp) -> Value {
    json!({
        "subject": certificate.subject,
        "notBefore": rfc3339(certificate.not_before),
        "notAfter": rfc3339(certificate.not_after),
        "valid": certificate.is_valid_at(now),
        "keyBits": certificate.key_bits,
        "thumbprint": certificate.thumbprint(),
        "thumbprintSha256": hex_upper(&certificate.thumbprint_sha256),
    })
}

impl Show {
    fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let password = self.password.read()?;
        let bytes = files::read(&self.file)?;
        let (certificate, private) = match SigningCertificate::load(&bytes, password.as_ref()) {
            Ok(pair) => (pair.public().clone(), true),
            Err(CertificateError::OnlyCertificate | CertificateError::DerCertificate) => {
                (public_of(&bytes, None, &self.file)?, false)
            }
            Err(error) => return Err(error.diagnosis(Some(&self.file), None).into()),
        };
        let mut object = describe(&certificate, world.now());
        object["privateKey"] = json!(private);
        out.result(object, || {
            pairs([
                ("Subject", certificate.subject.clone()),
                ("Valid from", rfc3339(certificate.not_before)),
                ("Valid until", rfc3339(certificate.not_after)),
                ("Key", certificate.key_bits.map_or("not RSA".to_owned(), |bits| format!("RSA {bits}"))),
                ("Thumbprint", certificate.thumbprint()),
                ("SHA-256", hex_upper(&certificate.thumbprint_sha256)),
                (
                    "Private key",
                    if private { "in this file: it stays here" } else { "not in this file: it may be uploaded" }
                        .to_owned(),
                ),
            ])
        })
    }
}

impl Verify {
    fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let password = self.password.read()?;
        let bytes = files::read(&self.file)?;
        let pair = SigningCertificate::load(&bytes, password.as_ref())
            .map_err(|error| error.diagnosis(Some(&self.file), None))?;
        let mut findings = validity(pair.public(), &self.file, world.now());
        findings.extend(certificate::CertificateFile::new(&self.file, None).exposure());
        for finding in &findings {
            out.warn(finding);
        }
        let counts = |finding: &Diagnosis| finding.severity == Severity::Error || self.strict;
        if findings.iter().any(counts) {
            return Err(CliError::Printed(credstore::codes::Exit::Findings as u8));
        }
        let mut object = describe(pair.public(), world.now());
        object["warnings"] = findings.iter().map(|finding| errors::object(finding, 0)).collect();
        out.result(object, || {
            let (name, until) = (self.file.display(), date(pair.public().not_after));
            format!("{name}  key and certificate belong together, until {until}\n")
        })
    }
}

/// What the dates of a certificate are worth saying, `file` being its name for people.
pub(crate) fn validity(certificate: &PublicCertificate, file: &Path, now: Timestamp) -> Vec<Diagnosis> {
    let name = file.display();
    if now < certificate.not_before {
        let message = format!("{name} is not valid before {}", rfc3339(certificate.not_before));
        return vec![
            Diagnosis::error(&codes::CERTIFICATE_EXPIRY, message)
                .cause(format!("now it is {}", rfc3339(now)))
                .fix("set the clock of this machine"),
        ];
    }
    let left = certificate.seconds_left(now);
    let fix = "credstore cert renew";
    if left < 0 {
        let message = format!("{name} expired on {}", date(certificate.not_after));
        return vec![Diagnosis::error(&codes::CERTIFICATE_EXPIRY, message).fix(fix)];
    }
    if left < EXPIRY_WARNING {
        let message = format!("{name} expires in {}", days_left(left));
        return vec![Diagnosis::warning(&codes::CERTIFICATE_EXPIRY, message).fix(fix)];
    }
    Vec::new()
}

/// `23 days`, `1 day`, `less than a day`.
pub(crate) fn days_left(seconds: i64) -> String {
    match seconds / 86_400 {
        ..1 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

impl ExportPublic {
    fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        if self.change.only_said(&format!("write the public certificate to {}", self.out.display()), out)? {
            return Ok(());
        }
        let password = self.password.read()?;
        let certificate = public_of(&files::read(&self.file)?, password.as_ref(), &self.file)?;
        let existing = if world.globals.yes { Existing::Replace } else { Existing::Keep };
        let pem = self.out.extension().is_some_and(|end| end.eq_ignore_ascii_case("pem"));
        let bytes = match pem {
            true => certificate::make::certificate_pem(&certificate).into_bytes(),
            false => certificate.der.clone(),
        };
        files::write(&self.out, &bytes, 0o644, existing)?;
        let mut object = describe(&certificate, world.now());
        object["file"] = json!(self.out.display().to_string());
        out.result(object, || {
            let (file, thumbprint) = (self.out.display(), certificate.thumbprint());
            format!("Public key    {file}   thumbprint {thumbprint}\n\n{file} holds no private key: this is the file to upload.\n")
        })
    }
}

fn public_of(bytes: &[u8], password: Option<&Secret>, file: &Path) -> Result<PublicCertificate, CliError> {
    certificate::export_public(bytes, password).map_err(|error| error.diagnosis(Some(file), None).into())
}
