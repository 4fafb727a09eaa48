//! `credstore vault key`: keys of a vault and what is done with them, as `az keyvault key`.
//!
//! The private half never leaves the vault, so there is no verb that shows it. What is decrypted goes to a file of mode
//! 0600, or to standard output when it is asked for with `--out -`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use credstore::azure::keys::digest_for;
use credstore::azure::{KeyCrypt, Keys};
use credstore::codes::{usage, vault as codes};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::Secret;
use credstore_protocol::encoding::{base64_any, base64url, hex_any};
use credstore_protocol::key_vault::keys::{
    CreateKey, Curve, EncryptionAlgorithm, KeyAttributes, KeyBundle, KeyOperation, KeyType, RotationPolicy,
    SignRequest, SignatureAlgorithm, UpdateKey, VerifyRequest,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::at::{Named, moment, version, write};
use super::key_text::{self as shown, pem_of};
use super::object::{self, Shown, name_and_version};
use crate::cli::Change;
use crate::errors::CliError;
use crate::files;
use crate::names;
use crate::output::Output;
use crate::site;
use crate::world::World;

/// Keys of a vault, and what is signed and encrypted with them
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore vault key create --vault-name acme-pm-kv --name signing --kind p256"
)]
pub(super) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand, Debug)]
enum KeyCommand {
    Create(Create),
    Show(Show),
    /// List the keys of a vault
    #[command(before_help = "Example\n  credstore vault key list --vault-name acme-pm-kv")]
    List(object::List),
    /// List the versions of a key
    #[command(before_help = "Example\n  credstore vault key list-versions --vault-name acme-pm-kv --name signing")]
    ListVersions(object::ListVersions),
    SetAttributes(SetAttributes),
    Rotate(Rotate),
    RotationPolicy(Policy),
    Download(Download),
    Sign(Sign),
    Verify(Verify),
    /// Encrypt a file with a key
    #[command(
        before_help = "Example\n  credstore vault key encrypt --name wrapping --algorithm RSA-OAEP-256 --file text --out text.enc"
    )]
    Encrypt(Crypt),
    /// Decrypt a file with a key
    #[command(
        before_help = "Example\n  credstore vault key decrypt --name wrapping --algorithm RSA-OAEP-256 --file text.enc --out text"
    )]
    Decrypt(Crypt),
    /// Wrap a symmetric key with a key
    #[command(
        before_help = "Example\n  credstore vault key wrap --name wrapping --algorithm RSA-OAEP-256 --file aes.key --out aes.wrapped"
    )]
    Wrap(Crypt),
    /// Unwrap a symmetric key with a key
    #[command(
        before_help = "Example\n  credstore vault key unwrap --name wrapping --algorithm RSA-OAEP-256 --file aes.wrapped --out aes.key"
    )]
    Unwrap(Crypt),
    /// Delete a key; it can be recovered until it is purged
    #[command(before_help = "Example\n  credstore vault key delete --vault-name acme-pm-kv --name signing --yes")]
    Delete(object::Delete),
    /// List deleted keys
    #[command(before_help = "Example\n  credstore vault key list-deleted --vault-name acme-pm-kv")]
    ListDeleted(object::ListDeleted),
    /// Show a deleted key
    #[command(before_help = "Example\n  credstore vault key show-deleted --vault-name acme-pm-kv --name signing")]
    ShowDeleted(object::ShowDeleted),
    /// Bring a deleted key back with all its versions
    #[command(before_help = "Example\n  credstore vault key recover --vault-name acme-pm-kv --name signing")]
    Recover(object::Recover),
    /// Destroy a deleted key for good: what it encrypted cannot be read any more
    #[command(before_help = "Example\n  credstore vault key purge --name signing --yes --confirm signing")]
    Purge(object::Purge),
    /// Write all versions of a key to a file that only this installation opens
    #[command(
        before_help = "Example\n  credstore vault key backup --vault-name acme-pm-kv --name signing --file key.backup"
    )]
    Backup(object::Backup),
    /// Bring a key back from a backup file
    #[command(before_help = "Example\n  credstore vault key restore --vault-name acme-pm-kv --file key.backup")]
    Restore(object::Restore),
}

impl Key {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            KeyCommand::Create(command) => command.run(world, out).await,
            KeyCommand::Show(command) => command.run(world, out).await,
            KeyCommand::List(command) => command.run::<Keys>(world, out).await,
            KeyCommand::ListVersions(command) => command.run::<Keys>(world, out).await,
            KeyCommand::SetAttributes(command) => command.run(world, out).await,
            KeyCommand::Rotate(command) => command.run(world, out).await,
            KeyCommand::RotationPolicy(command) => command.run(world, out).await,
            KeyCommand::Download(command) => command.run(world, out).await,
            KeyCommand::Sign(command) => command.run(world, out).await,
            KeyCommand::Verify(command) => command.run(world, out).await,
            KeyCommand::Encrypt(command) => command.run(KeyCrypt::Encrypt, world, out).await,
            KeyCommand::Decrypt(command) => command.run(KeyCrypt::Decrypt, world, out).await,
            KeyCommand::Wrap(command) => command.run(KeyCrypt::WrapKey, world, out).await,
            KeyCommand::Unwrap(command) => command.run(KeyCrypt::UnwrapKey, world, out).await,
            KeyCommand::Delete(command) => command.run::<Keys>(world, out).await,
            KeyCommand::ListDeleted(command) => command.run::<Keys>(world, out).await,
            KeyCommand::ShowDeleted(command) => command.run::<Keys>(world, out).await,
            KeyCommand::Recover(command) => command.run::<Keys>(world, out).await,
            KeyCommand::Purge(command) => command.run::<Keys>(world, out).await,
            KeyCommand::Backup(command) => command.run::<Keys>(world, out).await,
            KeyCommand::Restore(command) => command.run::<Keys>(world, out).await,
        }
    }
}

/// Kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
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
    /// EC on P-256K (secp256k1)
    P256k,
}

impl Kind {
    const fn parts(self) -> (KeyType, Option<u32>, Option<Curve>) {
        match self {
            Self::Rsa => (KeyType::Rsa, Some(2048), None),
            Self::Rsa3072 => (KeyType::Rsa, Some(3072), None),
            Self::Rsa4096 => (KeyType::Rsa, Some(4096), None),
            Self::P256 => (KeyType::Ec, None, Some(Curve::P256)),
            Self::P384 => (KeyType::Ec, None, Some(Curve::P384)),
            Self::P521 => (KeyType::Ec, None, Some(Curve::P521)),
            Self::P256k => (KeyType::Ec, None, Some(Curve::P256K)),
        }
    }
}

/// What may be said about a key when it is made, and later.
#[derive(Args, Debug)]
struct Properties {
    /// Not to be used from this time on: 2027-06-01 or 2027-06-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Not to be used before this time
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// What it may be used for: sign, verify, encrypt, decrypt, wrapKey, unwrapKey
    #[arg(long, value_name = "OPERATION", num_args = 1.., value_parser = operation)]
    ops: Option<Vec<KeyOperation>>,
    /// Tags
    #[arg(long, value_name = "K=V", num_args = 0..)]
    tags: Option<Vec<String>>,
}

impl Properties {
    fn attributes(&self, enabled: Option<bool>) -> Result<Option<KeyAttributes>, CliError> {
        let (exp, nbf) = (moment(self.expires.as_ref())?, moment(self.not_before.as_ref())?);
        let any = enabled.is_some() || exp.is_some() || nbf.is_some();
        Ok(any.then(|| KeyAttributes { enabled, exp, nbf, ..KeyAttributes::default() }))
    }
}

fn one_of<T: Copy + std::fmt::Display>(all: &[T], text: &str) -> Result<T, String> {
    let found = all.iter().find(|one| one.to_string().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(ToString::to_string).collect();
        format!("one of {}", names.join(", "))
    })
}

fn operation(text: &str) -> Result<KeyOperation, String> {
    one_of(KeyOperation::ALL, text)
}

fn signature_algorithm(text: &str) -> Result<SignatureAlgorithm, String> {
    one_of(SignatureAlgorithm::ALL, text)
}

fn encryption_algorithm(text: &str) -> Result<EncryptionAlgorithm, String> {
    one_of(EncryptionAlgorithm::ALL, text)
}

/// Make a key, or a new version of it
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault key create --vault-name acme-pm-kv --name signing --kind p256")]
struct Create {
    #[command(flatten)]
    at: Named,
    /// Kind of the key
    #[arg(long, value_name = "KIND", value_enum, ignore_case = true, default_value_t = Kind::Rsa)]
    kind: Kind,
    #[command(flatten)]
    properties: Properties,
    /// The version cannot be used until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    change: Change,
}

impl Create {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let (kty, key_size, crv) = self.kind.parts();
        let create = CreateKey {
            kty,
            key_size,
            public_exponent: None,
            crv,
            key_ops: self.properties.ops.clone(),
            attributes: self.properties.attributes(self.disabled.then_some(false))?,
            tags: self.properties.tags.as_deref().map(names::tags).transpose()?,
            release_policy: None,
        };
        let name = names::secret(&self.at.name)?;
        if self.change.only_said(&format!("create the key {name}"), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let made = vault.create_key(&name, &create, site::when(world)).await;
        said(&made.map_err(|error| Diagnosis::from(&error))?, "created", world, out)
    }
}

/// Says what became of a key.
fn said(bundle: &KeyBundle, what: &str, world: &World, out: &mut Output) -> Result<(), CliError> {
    out.result(Keys::bundle(bundle), || {
        let (name, version) = name_and_version::<Keys>(Keys::id(bundle));
        let version: String = version.unwrap_or_default().chars().take(6).collect();
        let (kind, state) = (shown::kind(&bundle.key), shown::state(&bundle.attributes, world.now()));
        format!("{name}  {what}, version {version}…  {kind}   {state}\n")
    })
}

/// Show a key without its private half
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault key show --vault-name acme-pm-kv --name signing")]
struct Show {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let bundle = vault.object::<Keys>(&name, version.as_ref(), site::when(world)).await;
        let bundle = bundle.map_err(|error| Diagnosis::from(&error))?;
        out.result(Keys::bundle(&bundle), || shown::text(&bundle, world.now()))
    }
}

/// Change dates, operations, tags or whether a key may be used
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key set-attributes --vault-name acme-pm-kv --name signing --enabled false"
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
    #[command(flatten)]
    properties: Properties,
    #[command(flatten)]
    change: Change,
}

impl SetAttributes {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let update = UpdateKey {
            key_ops: self.properties.ops.clone(),
            attributes: self.properties.attributes(self.enabled)?,
            tags: self.properties.tags.as_deref().map(names::tags).transpose()?,
            release_policy: None,
        };
        let version = version("key", self.version.as_ref())?;
        if self.change.only_said(&format!("change the properties of {}", crate::output::plain(&self.at.name)), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let done = vault.update_key(&name, version.as_ref(), &update, site::when(world)).await;
        let done = done.map_err(|error| Diagnosis::from(&error))?;
        out.result(Keys::bundle(&done), || format!("{name}  {}\n", shown::state(&done.attributes, world.now())))
    }
}

/// Make a new version of a key like the current one
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault key rotate --vault-name acme-pm-kv --name signing")]
struct Rotate {
    #[command(flatten)]
    at: Named,
    #[command(flatten)]
    change: Change,
}

impl Rotate {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        if self.change.only_said(&format!("rotate the key {name}"), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let rotated = vault.rotate_key(&name, site::when(world)).await;
        said(&rotated.map_err(|error| Diagnosis::from(&error))?, "rotated", world, out)
    }
}

/// Show or replace the rotation policy of a key
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key rotation-policy --vault-name acme-pm-kv --name signing --set policy.json"
)]
struct Policy {
    #[command(flatten)]
    at: Named,
    /// Replace it by the one in FILE, as `rotation-policy -o json` shows it
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
    #[command(flatten)]
    change: Change,
}

impl Policy {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        let policy = match &self.set {
            None => {
                let (vault, name) = self.at.open(world).await?;
                vault.key_rotation_policy(&name, site::when(world)).await
            }
            Some(file) => {
                let policy = policy_in(file)?;
                if self.change.only_said(&format!("set the rotation policy of {name}"), out)? {
                    return Ok(());
                }
                let (vault, name) = self.at.open(world).await?;
                vault.set_key_rotation_policy(&name, &policy, site::when(world)).await
            }
        };
        let policy = policy.map_err(|error| Diagnosis::from(&error))?;
        // A message of ours always has a JSON form.
        out.result(serde_json::to_value(&policy).unwrap_or_default(), || {
            let mut text =
                format!("{name}  versions live {}\n", policy.attributes.expiry_time.as_deref().unwrap_or("on"));
            for action in &policy.lifetime_actions {
                let (after, before) = (&action.trigger.time_after_create, &action.trigger.time_before_expiry);
                let when = match (after, before) {
                    (Some(after), _) => format!("{after} after creation"),
                    (None, Some(before)) => format!("{before} before expiry"),
                    (None, None) => "never".to_owned(),
                };
                text += &format!("  {}  {when}\n", action.action.kind);
            }
            text
        })
    }
}

fn policy_in(file: &Path) -> Result<RotationPolicy, CliError> {
    let text = files::read_text(file)?;
    serde_json::from_str(&text).map_err(|error| {
        Diagnosis::error(&usage::COMMAND_LINE, format!("{} is no rotation policy", file.display()))
            .cause(format!("line {}, column {}", error.line(), error.column()))
            .fix("credstore vault key rotation-policy --name NAME -o json   shows one")
            .into()
    })
}

/// Write the public half of a key to a file, as PEM
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key download --vault-name acme-pm-kv --name signing --file signing.pub"
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
}

impl Download {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let bundle = vault.object::<Keys>(&name, version.as_ref(), site::when(world)).await;
        let bundle = bundle.map_err(|error| Diagnosis::from(&error))?;
        let Some(text) = pem_of(&bundle.key) else {
            return Err(Diagnosis::error(
                &codes::UPSTREAM_SECRET_MISSING,
                format!("{name} has no public half to write"),
            )
            .cause(format!("the vault answered a key of kind {}", bundle.key.kty))
            .into());
        };
        write(&self.file, text.as_bytes(), 0o644, world)?;
        let file = self.file.display().to_string();
        out.result(json!({ "name": name.as_str(), "file": file, "kid": bundle.key.kid }), || {
            format!("{name}  public half in {file}\n")
        })
    }
}

/// What is signed: a file, or its digest.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Signed {
    /// The file; its digest is made here
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The digest itself, hexadecimal or base64
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

impl Signed {
    fn digest(&self, algorithm: SignatureAlgorithm) -> Result<String, CliError> {
        if let Some(text) = &self.digest {
            let bytes = hex_any(text)
                .or_else(|| base64_any(text))
                .ok_or_else(|| Diagnosis::error(&usage::COMMAND_LINE, "--digest is neither hexadecimal nor base64"))?;
            return Ok(base64url(&bytes));
        }
        // One of the two is there: clap has seen to it.
        let bytes = files::read(self.file.as_deref().unwrap_or(Path::new("")))?;
        let digest = digest_for(algorithm, &bytes).ok_or_else(|| {
            Diagnosis::error(&usage::COMMAND_LINE, "RSNULL signs what --digest gives")
                .cause("it names no hash for --file")
        })?;
        Ok(base64url(&digest))
    }
}

/// Sign a file, or a digest, with a key
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key sign --name signing --algorithm ES256 --file release.tar --out release.sig"
)]
struct Sign {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// RS256, PS256, ES256 and so on
    #[arg(long, short, value_name = "ALGORITHM", value_parser = signature_algorithm)]
    algorithm: SignatureAlgorithm,
    #[command(flatten)]
    signed: Signed,
    /// File for the signature, as its bytes are; without it the signature is printed in base64url
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let request = SignRequest { alg: self.algorithm, value: self.signed.digest(self.algorithm)? };
        let (vault, name) = self.at.open(world).await?;
        let signed = vault.sign(&name, version.as_ref(), &request, site::when(world)).await;
        let signed = signed.map_err(|error| Diagnosis::from(&error))?;
        let signature = base64url(&signed.bytes);
        let object = json!({ "kid": signed.kid, "algorithm": self.algorithm, "signature": signature });
        let Some(file) = &self.out else { return out.result(object, || format!("{signature}\n")) };
        write(file, &signed.bytes, 0o644, world)?;
        out.result(object, || format!("{name}  signature in {}\n", file.display()))
    }
}

/// Verify a signature with a key; exit code 10 when it is wrong
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key verify --name signing --algorithm ES256 --file release.tar --signature release.sig"
)]
struct Verify {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// RS256, PS256, ES256 and so on
    #[arg(long, short, value_name = "ALGORITHM", value_parser = signature_algorithm)]
    algorithm: SignatureAlgorithm,
    #[command(flatten)]
    signed: Signed,
    /// File with the signature, as `sign --out` writes it
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
}

impl Verify {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let signature = base64url(&files::read(&self.signature)?);
        let digest = self.signed.digest(self.algorithm)?;
        let request = VerifyRequest { alg: self.algorithm, digest, value: signature };
        let (vault, name) = self.at.open(world).await?;
        let verified = vault.verify(&name, version.as_ref(), &request, site::when(world)).await;
        let verified = verified.map_err(|error| Diagnosis::from(&error))?;
        if !verified.value {
            return Err(Diagnosis::error(&codes::SIGNATURE_WRONG, format!("the signature was not made with {name}"))
                .cause("the file, the signature, the algorithm or the version is another")
                .into());
        }
        out.result(json!({ "name": name.as_str(), "valid": true }), || format!("{name}  the signature is right\n"))
    }
}

#[derive(Args, Debug)]
struct Crypt {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// RSA-OAEP-256, RSA-OAEP or RSA1_5
    #[arg(long, short, value_name = "ALGORITHM", value_parser = encryption_algorithm)]
    algorithm: EncryptionAlgorithm,
    /// What goes in
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Where the bytes go that come out, mode 0600; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Crypt {
    async fn run(self, crypt: KeyCrypt, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let value = Secret::from(Zeroizing::new(base64url(&files::read(&self.file)?)));
        let (vault, name) = self.at.open(world).await?;
        let request = (crypt, self.algorithm, &value);
        let done = vault.crypt(&name, version.as_ref(), request, site::when(world)).await;
        let done = done.map_err(|error| Diagnosis::from(&error))?;
        if self.out == Path::new("-") {
            out.secret(&done.bytes);
            return Ok(());
        }
        write(&self.out, &done.bytes, 0o600, world)?;
        let file = self.out.display().to_string();
        out.result(json!({ "kid": done.kid, "algorithm": self.algorithm, "file": file }), || {
            format!("{name}  {} bytes in {file}   mode 0600\n", done.bytes.len())
        })
    }
}
