//! `credstore vault certificate`: certificates with their keys, as `az keyvault certificate`.
//!
//! The private key is in the secret of the same name: `download --with-key` writes it to a file, mode 0600, and nothing
//! prints it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use credstore::azure::{Certificates, KeyVaultClient};
use credstore::codes::{usage, vault as codes};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::encoding::{base64_any, base64_standard};
use credstore_protocol::key_vault::certificates::{
    AlternativeNames, CertificateAttributes, CertificateBundle, CertificateForm, CertificatePolicy, CreateCertificate,
    ISSUER_SELF, IssuerParameters, KeyProperties, MergeCertificate, OperationStatus, SecretForm, UpdateCertificate,
    X509Properties,
};
use credstore_protocol::key_vault::keys::{Curve, KeyType};
use credstore_protocol::{ObjectName, Secret, pem};
use serde_json::json;
use zeroize::Zeroizing;

use super::at::{Named, password_in, password_refused, there, version, write};
use super::certificate_contact::Contact;
use super::certificate_issuer::Issuer;
use super::certificate_text::{self as shown, pem_of};
use super::object::{self, Shown, name_and_version};
use crate::cli::Change;
use crate::errors::CliError;
use crate::files;
use crate::names;
use crate::output::Output;
use crate::site;
use crate::world::World;

/// Certificates of a vault, with their keys
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault certificate create --vault-name acme-pm-kv --name process-mining --content-type pem"
)]
pub(super) struct Certificate {
    #[command(subcommand)]
    command: CertificateCommand,
}

#[derive(Subcommand, Debug)]
enum CertificateCommand {
    Create(Create),
    Merge(Merge),
    Import(Import),
    Show(Show),
    /// List the certificates of a vault
    #[command(before_help = "Example\n  credstore vault certificate list --vault-name acme-pm-kv")]
    List(object::List),
    /// List the versions of a certificate
    #[command(
        before_help = "Example\n  credstore vault certificate list-versions --vault-name acme-pm-kv --name portal"
    )]
    ListVersions(object::ListVersions),
    SetAttributes(SetAttributes),
    Download(Download),
    /// Delete a certificate with its key and secret; it can be recovered until it is purged
    #[command(
        before_help = "Example\n  credstore vault certificate delete --vault-name acme-pm-kv --name portal --yes"
    )]
    Delete(object::Delete),
    /// List deleted certificates
    #[command(before_help = "Example\n  credstore vault certificate list-deleted --vault-name acme-pm-kv")]
    ListDeleted(object::ListDeleted),
    /// Show a deleted certificate
    #[command(
        before_help = "Example\n  credstore vault certificate show-deleted --vault-name acme-pm-kv --name portal"
    )]
    ShowDeleted(object::ShowDeleted),
    /// Bring a deleted certificate back with all its versions
    #[command(before_help = "Example\n  credstore vault certificate recover --vault-name acme-pm-kv --name portal")]
    Recover(object::Recover),
    /// Destroy a deleted certificate with its key and secret for good
    #[command(before_help = "Example\n  credstore vault certificate purge --name portal --yes --confirm portal")]
    Purge(object::Purge),
    /// Write all versions of a certificate to a file that only this installation opens
    #[command(
        before_help = "Example\n  credstore vault certificate backup --vault-name acme-pm-kv --name portal --file portal.backup"
    )]
    Backup(object::Backup),
    /// Bring a certificate back from a backup file
    #[command(
        before_help = "Example\n  credstore vault certificate restore --vault-name acme-pm-kv --file portal.backup"
    )]
    Restore(object::Restore),
    Issuer(Issuer),
    Contact(Contact),
}

impl Certificate {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            CertificateCommand::Create(command) => command.run(world, out).await,
            CertificateCommand::Merge(command) => command.run(world, out).await,
            CertificateCommand::Import(command) => command.run(world, out).await,
            CertificateCommand::Show(command) => command.run(world, out).await,
            CertificateCommand::List(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::ListVersions(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::SetAttributes(command) => command.run(world, out).await,
            CertificateCommand::Download(command) => command.run(world, out).await,
            CertificateCommand::Delete(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::ListDeleted(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::ShowDeleted(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::Recover(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::Purge(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::Backup(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::Restore(command) => command.run::<Certificates>(world, out).await,
            CertificateCommand::Issuer(command) => command.run(world, out).await,
            CertificateCommand::Contact(command) => command.run(world, out).await,
        }
    }
}

/// Form of the secret that carries certificate and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ContentType {
    /// PEM text
    Pem,
    /// PFX (PKCS#12)
    Pfx,
}

impl ContentType {
    fn form(self) -> SecretForm {
        let form = match self {
            Self::Pem => CertificateForm::Pem,
            Self::Pfx => CertificateForm::Pkcs12,
        };
        SecretForm { content_type: Some(form.as_str().to_owned()) }
    }
}

/// Kind of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Key {
    /// RSA, 2048 bits
    Rsa,
    /// RSA, 3072 bits
    Rsa3072,
    /// RSA, 4096 bits
    Rsa4096,
    /// EC on P-256
    P256,
    /// EC on P-384
    P384,
    /// EC on P-521
    P521,
}

impl Key {
    fn properties(self, exportable: bool, reuse: bool) -> KeyProperties {
        let rsa = |bits| (KeyType::Rsa, Some(bits), None);
        let ec = |curve| (KeyType::Ec, None, Some(curve));
        let (kty, key_size, crv) = match self {
            Self::Rsa => rsa(2048),
            Self::Rsa3072 => rsa(3072),
            Self::Rsa4096 => rsa(4096),
            Self::P256 => ec(Curve::P256),
            Self::P384 => ec(Curve::P384),
            Self::P521 => ec(Curve::P521),
        };
        KeyProperties { exportable: Some(exportable), kty: Some(kty), key_size, reuse_key: Some(reuse), crv }
    }
}

/// Make a certificate, or a new version of it
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate create --vault-name acme-pm-kv --name process-mining --content-type pem"
)]
struct Create {
    #[command(flatten)]
    at: Named,
    /// Policy as JSON, as in `policy` of `certificate show -o json`; the options below are then not given
    #[arg(
        long,
        short,
        value_name = "FILE",
        conflicts_with_all = ["subject", "dns", "issuer", "validity", "content_type", "key", "not_exportable", "reuse_key"]
    )]
    policy: Option<PathBuf>,
    /// Distinguished name; CN= and the certificate's name when left out
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Domain names of the certificate
    #[arg(long, value_name = "DOMAIN", num_args = 1..)]
    dns: Vec<String>,
    /// Self, Unknown (somebody signs a request: see --csr), or an issuer of the vault
    #[arg(long, value_name = "ISSUER", default_value = ISSUER_SELF)]
    issuer: String,
    /// Months of validity
    #[arg(long, value_name = "MONTHS", default_value_t = 12)]
    validity: i64,
    /// Form of the secret with certificate and key
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ContentType::Pfx)]
    content_type: ContentType,
    /// Kind of the key
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Key::Rsa)]
    key: Key,
    /// The key never leaves the vault: the secret has the certificate alone
    #[arg(long)]
    not_exportable: bool,
    /// The next version keeps the key
    #[arg(long)]
    reuse_key: bool,
    /// Write the request that somebody signs to FILE, as PEM
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Tags
    #[arg(long, value_name = "K=V", num_args = 0..)]
    tags: Option<Vec<String>>,
    /// The version cannot be used until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    change: Change,
}

impl Create {
    fn policy(&self, name: &ObjectName) -> Result<CertificatePolicy, CliError> {
        if let Some(file) = &self.policy {
            let text = files::read_text(file)?;
            return serde_json::from_str(&text).map_err(|error| {
                Diagnosis::error(&usage::COMMAND_LINE, format!("{} is no policy of a certificate", file.display()))
                    .cause(format!("line {}, column {}", error.line(), error.column()))
                    .fix("credstore vault certificate show --name NAME -o json --query policy   shows one")
                    .into()
            });
        }
        let sans = AlternativeNames { dns_names: Some(self.dns.clone()), ..AlternativeNames::default() };
        Ok(CertificatePolicy {
            key_props: Some(self.key.properties(!self.not_exportable, self.reuse_key)),
            secret_props: Some(self.content_type.form()),
            x509_props: Some(X509Properties {
                subject: Some(self.subject.clone().unwrap_or_else(|| format!("CN={name}"))),
                sans: (!self.dns.is_empty()).then_some(sans),
                validity_months: Some(self.validity),
                ..X509Properties::default()
            }),
            issuer: Some(IssuerParameters { name: Some(self.issuer.clone()), ..IssuerParameters::default() }),
            ..CertificatePolicy::default()
        })
    }

    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        let create = CreateCertificate {
            policy: Some(self.policy(&name)?),
            attributes: attributes(self.disabled.then_some(false)),
            tags: self.tags.as_deref().map(names::tags).transpose()?,
            preserve_order: None,
        };
        if self.change.only_said(&format!("create the certificate {name}"), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let when = site::when(world);
        vault.create_certificate(&name, &create, when).await?;
        let operation = vault.certificate_operation(&name, when).await?;
        if let Some(file) = &self.csr {
            write(file, there(pem_of("CERTIFICATE REQUEST", operation.csr.as_deref()))?.as_bytes(), 0o644, world)?;
        }
        if operation.status == OperationStatus::Completed {
            return made(&vault, &name, "created", world, out).await;
        }
        out.result(shown::operation(name.as_str(), &operation), || {
            let request = self.csr.as_ref().map_or_else(
                || format!("write the request with --csr FILE: credstore vault certificate show -n {name} --csr FILE"),
                |file| format!("have {} signed", file.display()),
            );
            format!(
                "{name}  waits for a signature; {request}\n\
                 {:width$}  then: credstore vault certificate merge -n {name} --file SIGNED.pem\n",
                "",
                width = name.as_str().len()
            )
        })
    }
}

fn attributes(enabled: Option<bool>) -> Option<CertificateAttributes> {
    enabled.map(|enabled| CertificateAttributes { enabled: Some(enabled), ..CertificateAttributes::default() })
}

/// Says what became of a certificate.
async fn made(
    vault: &KeyVaultClient,
    name: &ObjectName,
    what: &str,
    world: &World,
    out: &mut Output,
) -> Result<(), CliError> {
    let bundle = vault.object::<Certificates>(name, None, site::when(world)).await;
    said(&bundle?, what, world, out)
}

fn said(bundle: &CertificateBundle, what: &str, world: &World, out: &mut Output) -> Result<(), CliError> {
    out.result(Certificates::bundle(bundle), || {
        let (name, version) = name_and_version::<Certificates>(&bundle.id);
        let version: String = version.unwrap_or_default().chars().take(6).collect();
        let thumbprint = shown::thumbprint(bundle.x5t.as_deref()).unwrap_or_default();
        let state = shown::state(&bundle.attributes, world.now());
        format!("{name}  {what}, version {version}…  {state}   thumbprint {thumbprint}\n")
    })
}

/// Complete a certificate with what an issuer outside signed on its request
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate merge --vault-name acme-pm-kv --name portal --file signed.pem"
)]
struct Merge {
    #[command(flatten)]
    at: Named,
    /// The signed certificate, then those above it: PEM, or one certificate in DER
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    change: Change,
}

impl Merge {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let x5c = certificates_in(&files::read(&self.file)?, &self.file)?;
        if self.change.only_said(&format!("complete the certificate {}", crate::output::plain(&self.at.name)), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let merge = MergeCertificate { x5c, ..MergeCertificate::default() };
        let merged = vault.merge_certificate(&name, &merge, site::when(world)).await;
        said(&merged?, "completed", world, out)
    }
}

/// The certificates of a file in standard base64.
fn certificates_in(bytes: &[u8], file: &std::path::Path) -> Result<Vec<String>, CliError> {
    // DER begins with the tag of a SEQUENCE, which no PEM text does.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![base64_standard(bytes)]);
    }
    let blocks = std::str::from_utf8(bytes).ok().and_then(|text| pem::blocks(text).ok()).unwrap_or_default();
    let certificates: Vec<_> = blocks.iter().filter(|block| block.label == "CERTIFICATE").collect();
    if certificates.is_empty() {
        return Err(Diagnosis::error(&usage::COMMAND_LINE, format!("{} holds no certificate", file.display()))
            .cause("it is neither PEM with CERTIFICATE blocks nor DER")
            .into());
    }
    Ok(certificates.into_iter().map(|block| base64_standard(&block.der)).collect())
}

/// Import a certificate with its key: PFX, or PEM with a PKCS#8 key
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate import --vault-name acme-pm-kv --name portal --file portal.pfx --password-file pfx-password.txt"
)]
struct Import {
    #[command(flatten)]
    at: Named,
    /// The file
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// File with the password of a PFX; one final newline is dropped
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Refused: a password is not accepted on the command line
    #[arg(long, hide = true, allow_hyphen_values = true, num_args = 0..=1, default_missing_value = "", value_name = "X")]
    password: Option<String>,
    /// Form of the secret with certificate and key; that of the file when left out
    #[arg(long, value_name = "FORM", value_enum)]
    content_type: Option<ContentType>,
    /// The key never leaves the vault again
    #[arg(long)]
    not_exportable: bool,
    /// Tags
    #[arg(long, value_name = "K=V", num_args = 0..)]
    tags: Option<Vec<String>>,
    /// The version cannot be used until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    change: Change,
}

impl Import {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        if self.password.is_some() {
            let instead = format!("credstore vault certificate import -n {name} --file FILE --password-file FILE");
            return Err(password_refused(instead));
        }
        let bytes = files::read(&self.file)?;
        let value = match std::str::from_utf8(&bytes) {
            Ok(text) if text.contains("-----BEGIN ") => Secret::from(Zeroizing::new(text.to_owned())),
            Ok(_) | Err(_) => Secret::from(Zeroizing::new(base64_standard(&bytes))),
        };
        let password = self.password_file.as_deref().map(password_in).transpose()?;
        let key = self.not_exportable.then(|| KeyProperties { exportable: Some(false), ..KeyProperties::default() });
        let policy = CertificatePolicy {
            key_props: key,
            secret_props: self.content_type.map(ContentType::form),
            ..CertificatePolicy::default()
        };
        let rest = CreateCertificate {
            policy: Some(policy),
            attributes: attributes(self.disabled.then_some(false)),
            tags: self.tags.as_deref().map(names::tags).transpose()?,
            preserve_order: None,
        };
        if self.change.only_said(&format!("import the certificate {name}"), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let given = (&value, password.as_ref());
        let imported = vault.import_certificate(&name, given, &rest, site::when(world)).await;
        said(&imported?, "imported", world, out)
    }
}

/// Show a certificate
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault certificate show --vault-name acme-pm-kv --name process-mining")]
struct Show {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Write the request of the last creation to FILE, as PEM
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("certificate", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let when = site::when(world);
        let bundle = vault.object::<Certificates>(&name, version.as_ref(), when).await?;
        if let Some(file) = &self.csr {
            let operation = vault.certificate_operation(&name, when).await?;
            write(file, there(pem_of("CERTIFICATE REQUEST", operation.csr.as_deref()))?.as_bytes(), 0o644, world)?;
        }
        out.result(Certificates::bundle(&bundle), || shown::text(&bundle, world.now()))
    }
}

/// Change tags or whether a certificate, its key and its secret may be used
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate set-attributes --vault-name acme-pm-kv --name portal --enabled false"
)]
struct SetAttributes {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// Whether it may be used
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// Tags; they replace those that are there
    #[arg(long, value_name = "K=V", num_args = 0..)]
    tags: Option<Vec<String>>,
    #[command(flatten)]
    change: Change,
}

impl SetAttributes {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let update = UpdateCertificate {
            attributes: attributes(self.enabled),
            tags: self.tags.as_deref().map(names::tags).transpose()?,
            policy: None,
        };
        let version = version("certificate", self.version.as_ref())?;
        if self.change.only_said(&format!("change the properties of {}", crate::output::plain(&self.at.name)), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let done = vault.update_certificate(&name, version.as_ref(), &update, site::when(world)).await?;
        out.result(Certificates::bundle(&done), || format!("{name}  {}\n", shown::state(&done.attributes, world.now())))
    }
}

/// Form of the public certificate in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// PEM text
    Pem,
    /// DER
    Der,
}

/// Write a certificate to a file: the public part, or all of it with the key
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault certificate download --vault-name acme-pm-kv --name process-mining --file azure-cert.cer\n  credstore vault certificate download --vault-name acme-pm-kv --name process-mining --with-key --file my-certificate.pem"
)]
struct Download {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// The certificate with its key, in the form of its policy, mode 0600
    #[arg(long, conflicts_with = "encoding")]
    with_key: bool,
    /// Form of the public certificate
    #[arg(long, short, value_name = "FORM", value_enum, default_value_t = Encoding::Pem)]
    encoding: Encoding,
}

impl Download {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("certificate", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let when = site::when(world);
        let file = self.file.display().to_string();
        if self.with_key {
            let secret = vault.secret(&name, version.as_ref(), when).await?;
            let value = there(secret.value.as_ref().map(Secret::expose_secret))?;
            let pfx = secret.content_type.as_deref() == Some(CertificateForm::Pkcs12.as_str());
            if pfx {
                write(&self.file, &there(base64_any(value).map(Zeroizing::new))?, 0o600, world)?;
            } else {
                write(&self.file, value.as_bytes(), 0o600, world)?;
            }
            let form = if pfx { "PFX without a password" } else { "PEM" };
            let object = json!({ "name": name.as_str(), "file": file, "contentType": secret.content_type });
            return out.result(object, || format!("{name}  certificate and key in {file}   {form}, mode 0600\n"));
        }
        let bundle = vault.object::<Certificates>(&name, version.as_ref(), when).await?;
        let Some(der) = bundle.cer.as_deref().and_then(base64_any) else {
            return Err(Diagnosis::error(&codes::UPSTREAM_SECRET_MISSING, format!("{name} is not signed yet"))
                .fix(format!("credstore vault certificate merge -n {name} --file SIGNED.pem"))
                .into());
        };
        match self.encoding {
            Encoding::Der => write(&self.file, &der, 0o644, world)?,
            Encoding::Pem => {
                write(&self.file, there(pem_of("CERTIFICATE", bundle.cer.as_deref()))?.as_bytes(), 0o644, world)?;
            }
        }
        let thumbprint = shown::thumbprint(bundle.x5t.as_deref());
        let object = json!({ "name": name.as_str(), "file": file, "x509Thumbprint": thumbprint });
        out.result(object, || format!("{name}  public certificate in {file}\n"))
    }
}
