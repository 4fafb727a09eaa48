//! `credstore vault key import` and `download`: a key out of a file of another program, and its public half into one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use credstore::azure::Keys;
use credstore::azure::key_form::{private_key, public_der};
use credstore_protocol::key_vault::keys::{JsonWebKey, UpdateKey};
use credstore_protocol::pem;
use serde_json::json;

use super::at::{Named, password_in, password_refused, there, version, write_or_print};
use super::key::{Properties, said};
use crate::cli::Change;
use crate::errors::CliError;
use crate::files;
use crate::names;
use crate::output::Output;
use crate::site;
use crate::world::World;

/// Import a private key from a PEM file: RSA from 2048 bits, or EC
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key import --vault-name acme-pm-kv --name signing --pem-file signing.pem"
)]
pub(super) struct Import {
    #[command(flatten)]
    at: Named,
    /// The file: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC); - is standard input
    #[arg(long, value_name = "FILE")]
    pem_file: PathBuf,
    /// File with the password of an encrypted key (PKCS#8 with PBES2); one final newline is dropped
    #[arg(long, value_name = "FILE")]
    pem_password_file: Option<PathBuf>,
    /// Refused: a password is not accepted on the command line
    #[arg(long, hide = true, allow_hyphen_values = true, num_args = 0..=1, default_missing_value = "", value_name = "X")]
    pem_password: Option<String>,
    #[command(flatten)]
    properties: Properties,
    /// The version cannot be used until it is enabled
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    change: Change,
}

impl Import {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let name = names::secret(&self.at.name)?;
        if self.pem_password.is_some() {
            let instead = format!("credstore vault key import -n {name} --pem-file FILE --pem-password-file FILE");
            return Err(password_refused(instead));
        }
        let text = files::text(&self.pem_file, files::read_or_stdin(&self.pem_file)?)?;
        let password = self.pem_password_file.as_deref().map(password_in).transpose()?;
        let key = private_key(&text, password.as_ref()).map_err(|error| error.diagnosis(&self.pem_file))?;
        let properties: UpdateKey = self.properties.update(self.disabled.then_some(false))?;
        if self.change.only_said(&format!("import the key {name}"), out)? {
            return Ok(());
        }
        let (vault, name) = self.at.open(world).await?;
        let imported = vault.import_key(&name, &key, &properties, site::when(world)).await;
        said(&imported?, "imported", world, out)
    }
}

/// Form of a public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Encoding {
    /// PEM text
    Pem,
    /// DER
    Der,
    /// JSON Web Key (RFC 7517)
    Jwk,
}

impl Encoding {
    /// The public half in this form; `None` when the key has none.
    fn of(self, key: &JsonWebKey) -> Option<Vec<u8>> {
        let der = public_der(key)?;
        match self {
            Self::Pem => {
                let mut text = String::new();
                pem::push_block(&mut text, "PUBLIC KEY", &der);
                Some(text.into_bytes())
            }
            Self::Der => Some(der),
            Self::Jwk => serde_json::to_vec_pretty(key).ok().map(|text| [&text, b"\n".as_slice()].concat()),
        }
    }
}

/// Write the public half of a key to a file
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key download --vault-name acme-pm-kv --name signing --file signing.pub"
)]
pub(super) struct Download {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// File to write; - is standard output
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Form of the public half
    #[arg(long, short, value_name = "FORM", value_enum, ignore_case = true, default_value_t = Encoding::Pem)]
    encoding: Encoding,
}

impl Download {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let (vault, name) = self.at.open(world).await?;
        let bundle = vault.object::<Keys>(&name, version.as_ref(), site::when(world)).await?;
        let public = there(self.encoding.of(&bundle.key))?;
        if !write_or_print((&self.file, &public), 0o644, world, out)? {
            return Ok(());
        }
        let file = self.file.display().to_string();
        out.result(json!({ "name": name.as_str(), "file": file, "kid": bundle.key.kid }), || {
            format!("{name}  public half in {file}\n")
        })
    }
}
