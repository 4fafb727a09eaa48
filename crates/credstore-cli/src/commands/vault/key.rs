//! `credstore vault key`: keys of a vault and what is done with them, as `az keyvault key`.
//!
//! The private half never leaves the vault, so there is no verb that shows it. Files are in
//! [`key_file`](super::key_file), what is done with a key in [`key_use`](super::key_use).

use clap::{Args, Subcommand, ValueEnum};
use credstore::azure::{KeyCrypt, Keys};
use credstore_protocol::key_vault::keys::{
    CreateKey, Curve, KeyAttributes, KeyBundle, KeyOperation, KeyType, UpdateKey,
};

use super::at::{Named, moment, version};
use super::key_file::{Download, Import};
use super::key_policy::Policy;
use super::key_text as shown;
use super::key_use::{Crypt, Sign, Verify};
use super::object::{self, Shown, name_and_version};
use crate::cli::Change;
use crate::errors::CliError;
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
    Import(Import),
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
            KeyCommand::Import(command) => command.run(world, out).await,
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

/// Kind and size of a key, in one word or as `az` spells them.
#[derive(Args, Debug)]
struct Shape {
    /// Kind of the key; rsa when nothing else is said
    #[arg(long, value_name = "KIND", value_enum, ignore_case = true)]
    kind: Option<Kind>,
    /// RSA or EC, as az spells it: instead of --kind
    #[arg(long, value_name = "TYPE", value_parser = key_type, conflicts_with = "kind")]
    kty: Option<KeyType>,
    /// Bits of an RSA key, as az spells it: 2048, 3072 or 4096
    #[arg(long, value_name = "BITS", conflicts_with_all = ["kind", "curve"])]
    size: Option<u32>,
    /// Curve of an EC key, as az spells it: P-256, P-384, P-521 or P-256K
    #[arg(long, value_name = "CURVE", value_parser = curve, conflicts_with = "kind")]
    curve: Option<Curve>,
}

impl Shape {
    /// Whoever names a curve and no type wants EC. What does not fit together the vault refuses.
    fn parts(&self) -> (KeyType, Option<u32>, Option<Curve>) {
        match (self.kind, self.kty, self.curve) {
            (Some(kind), _, _) => kind.parts(),
            (None, Some(kty), curve) => (kty, self.size, curve),
            (None, None, Some(curve)) => (KeyType::Ec, self.size, Some(curve)),
            (None, None, None) => (KeyType::Rsa, self.size.or(Some(2048)), None),
        }
    }
}

/// What may be said about a key when it is made, and later.
#[derive(Args, Debug)]
pub(super) struct Properties {
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
    /// What changes, or is said of a key that is imported.
    pub(super) fn update(&self, enabled: Option<bool>) -> Result<UpdateKey, CliError> {
        Ok(UpdateKey {
            key_ops: self.ops.clone(),
            attributes: self.attributes(enabled)?,
            tags: self.tags.as_deref().map(names::tags).transpose()?,
            release_policy: None,
        })
    }

    fn attributes(&self, enabled: Option<bool>) -> Result<Option<KeyAttributes>, CliError> {
        let (exp, nbf) = (moment(self.expires.as_ref())?, moment(self.not_before.as_ref())?);
        let any = enabled.is_some() || exp.is_some() || nbf.is_some();
        Ok(any.then(|| KeyAttributes { enabled, exp, nbf, ..KeyAttributes::default() }))
    }
}

pub(super) fn one_of<T: Copy + std::fmt::Display>(all: &[T], text: &str) -> Result<T, String> {
    let found = all.iter().find(|one| one.to_string().eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let names: Vec<_> = all.iter().map(ToString::to_string).collect();
        format!("one of {}", names.join(", "))
    })
}

fn key_type(text: &str) -> Result<KeyType, String> {
    one_of(KeyType::ALL, text)
}

fn curve(text: &str) -> Result<Curve, String> {
    one_of(Curve::ALL, text)
}

fn operation(text: &str) -> Result<KeyOperation, String> {
    one_of(KeyOperation::ALL, text)
}

/// Make a key, or a new version of it
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore vault key create --vault-name acme-pm-kv --name signing --kind p256")]
struct Create {
    #[command(flatten)]
    at: Named,
    #[command(flatten)]
    shape: Shape,
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
        let (kty, key_size, crv) = self.shape.parts();
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
        said(&made?, "created", world, out)
    }
}

/// Says what became of a key.
pub(super) fn said(bundle: &KeyBundle, what: &str, world: &World, out: &mut Output) -> Result<(), CliError> {
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
        let bundle = vault.object::<Keys>(&name, version.as_ref(), site::when(world)).await?;
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
        let done = vault.update_key(&name, version.as_ref(), &update, site::when(world)).await?;
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
        said(&rotated?, "rotated", world, out)
    }
}
