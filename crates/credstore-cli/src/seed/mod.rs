//! A seed: what an installation holds before it answers anybody, for development and tests.
//!
//! `serve --seed FILE` reads the file, looks up every value that stands elsewhere, and then asks the installation for
//! what is missing, in process and as its operator, through the same requests as every other command. What is there is
//! left alone, so that a seed may be applied again and again; nothing is ever taken away.

mod apply;
mod document;

use std::path::{Path, PathBuf};

use credstore::codes::server as codes;
use credstore::diagnosis::{Diagnosis, Place};
use credstore::platform;
use credstore::store::file::password_in;
use credstore_protocol::{Secret, SecretName};
use zeroize::Zeroizing;

use crate::credential_file;
use crate::errors::CliError;
use crate::files;
use crate::names;
use crate::world::World;

use document::{Document, Kept, Source, Vault};

/// A seed that was read, with every value at hand.
pub(crate) struct Seed {
    document: Document,
    /// The folder that relative paths begin at.
    folder: PathBuf,
    /// The values of the secrets, vault by vault, in the order of the document.
    values: Vec<Vec<Secret>>,
}

/// How much a seed changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Things that were made or changed.
    pub(crate) made: usize,
    /// Things that were as the seed says.
    pub(crate) kept: usize,
}

impl Applied {
    fn count(&mut self, made: bool) {
        if made {
            self.made += 1;
        } else {
            self.kept += 1;
        }
    }
}

impl Seed {
    /// Reads the file and every value that it names.
    ///
    /// # Errors
    /// CS6030 when it is not a seed, CS6031 when others can read the values in it, CS6032 when a variable is not set,
    /// CS0106 when a file cannot be read.
    pub(crate) fn read(file: &Path, world: &World) -> Result<Self, CliError> {
        let (bytes, metadata) = files::read_with_metadata(file)?;
        let text = files::text(file, bytes)?;
        let mut document = Document::parse(&text, file)?;
        if document.holds_values()
            && let Some(mode) = platform::others_may_read(&metadata)
        {
            return Err(readable(file, mode).into());
        }
        let folder = files::folder_of(file);
        let value = |kept: &mut Kept| match &mut kept.value {
            Source::Text(value) => Ok(std::mem::replace(value, Secret::from(String::new()))),
            Source::File(path) => Ok(Secret::from(files::read_text(&folder.join(path))?)),
            Source::Env(name) => variable(name, file, world),
            Source::Sealed(path) => sealed(&folder.join(path), &kept.name, world),
        };
        let of_vault = |vault: &mut Vault| vault.secrets.iter_mut().map(value).collect();
        let values = document.vaults.iter_mut().map(of_vault).collect::<Result<_, CliError>>()?;
        Ok(Self { document, folder, values })
    }
}

fn readable(file: &Path, mode: u32) -> Diagnosis {
    let name = file.display().to_string();
    Diagnosis::error(&codes::SEED_READABLE, format!("{name} holds passwords and others can read it (mode {mode:04o})"))
        .fix(platform::private_command(&name))
        .fix("or keep the values elsewhere: {\"sealed\": \"path\"}, {\"file\": \"path\"} or {\"env\": \"NAME\"}")
        .at(Place { file: Some(file.to_owned()), ..Place::default() })
}

/// The password that an encrypted file has behind the name of the secret.
fn sealed(path: &Path, name: &SecretName, world: &World) -> Result<Secret, CliError> {
    let text = credential_file::opened(world, path)?;
    let value = password_in(&text, path, &names::identifier(name.as_str())?)?;
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let message = format!("{} has no password {name}", path.display());
        Diagnosis::error(&codes::SEED_VALUE_MISSING, message)
            .cause("a sealed value lies behind the name of its secret")
            .fix("put it there: credstore file set --name NAME")
            .into()
    })
}

fn variable(name: &str, file: &Path, world: &World) -> Result<Secret, CliError> {
    let value = world.environment.text(name).map(|value| Secret::from(Zeroizing::new(value.to_owned())));
    value.ok_or_else(|| {
        let message = format!("the variable {} is not set", crate::output::plain(name));
        Diagnosis::error(&codes::SEED_VALUE_MISSING, message)
            .cause(format!("{} takes a value from it", file.display()))
            .fix("set it for credstore serve; an empty value counts as none")
            .into()
    })
}
