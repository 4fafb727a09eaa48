//! Which vault, and which object in it: the options that the verbs on secrets and certificates have in common.

use std::path::Path;

use clap::Args;
use credstore::azure::KeyVaultClient;
use credstore::codes::{usage, vault as codes};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::{ObjectName, ObjectVersion, Secret, Timestamp};
use zeroize::Zeroizing;

use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::names;
use crate::output::Output;
use crate::site::{self, Absent};
use crate::time_text::parse;
use crate::world::World;

/// Which vault.
#[derive(Args, Debug)]
pub(super) struct InVault {
    /// Name of the vault; may be left out when there is one only
    #[arg(long, value_name = "VAULT")]
    vault_name: Option<String>,
}

impl InVault {
    pub(super) async fn open(&self, world: &World) -> Result<KeyVaultClient, CliError> {
        let named = self.vault_name.as_deref().map(names::vault).transpose()?;
        let connection = site::connect(world, Absent::Refuse).await?;
        if let Some(name) = named {
            return connection.vault(&name);
        }
        let vaults = connection.arm()?.vaults(site::when(world)).await?;
        match vaults.as_slice() {
            [only] => connection.vault(&names::vault(&only.name)?),
            several => Err(Diagnosis::error(&usage::COMMAND_LINE, "--vault-name is needed")
                .cause(format!("there are {} vaults", several.len()))
                .fix("credstore vault list")
                .into()),
        }
    }
}

/// Which object.
#[derive(Args, Debug)]
pub(super) struct Named {
    #[command(flatten)]
    pub(super) vault: InVault,
    /// Its name
    #[arg(long, short, value_name = "NAME")]
    pub(super) name: String,
}

impl Named {
    pub(super) async fn open(&self, world: &World) -> Result<(KeyVaultClient, ObjectName), CliError> {
        let name = names::secret(&self.name)?;
        Ok((self.vault.open(world).await?, name))
    }
}

/// The version in `--version` of a `kind`.
pub(super) fn version(kind: &str, text: Option<&String>) -> Result<Option<ObjectVersion>, CliError> {
    text.map(|text| text.parse().map_err(|_| names::no_version(kind, text))).transpose()
}

/// A time of the command line.
pub(super) fn moment(text: Option<&String>) -> Result<Option<Timestamp>, CliError> {
    let parsed = |text: &String| {
        parse(text).ok_or_else(|| {
            CliError::from(
                Diagnosis::error(&usage::COMMAND_LINE, format!("{} is no time", crate::output::plain(text)))
                    .fix("2027-06-01 or 2027-06-01T00:00:00Z"),
            )
        })
    };
    text.map(parsed).transpose()
}

/// Writes a file that must not be there already, unless `--yes` was said.
pub(super) fn write(file: &Path, bytes: &[u8], mode: u32, world: &World) -> Result<(), CliError> {
    let existing = if world.globals.yes { Existing::Replace } else { Existing::Keep };
    files::write(file, bytes, mode, existing)
}

/// Writes bytes to a file as [`write()`] does, or to standard output when the file is `-`. Answers whether it
/// was a file.
pub(super) fn write_or_print(
    (file, bytes): (&Path, &[u8]),
    mode: u32,
    world: &World,
    out: &mut Output,
) -> Result<bool, CliError> {
    if file == Path::new("-") {
        out.secret(bytes);
        return Ok(false);
    }
    write(file, bytes, mode, world)?;
    Ok(true)
}

/// The password in a file; one final newline is dropped.
pub(super) fn password_in(file: &Path) -> Result<Secret, CliError> {
    let text = files::read_text(file)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::from(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned())))
}

/// CS0102 for `--password` and its like.
pub(super) fn password_refused(instead: String) -> CliError {
    Diagnosis::error(&usage::VALUE_ON_COMMAND_LINE, "a password is not accepted on the command line")
        .cause("other users see it in the process list, and the shell keeps it in its history")
        .fix(instead)
        .note("the password you typed is now in your shell history: remove it there, and choose another")
        .into()
}

/// What an answer has to have: an empty file in its place would pass for a result.
pub(super) fn there<T>(part: Option<T>) -> Result<T, CliError> {
    part.ok_or_else(|| Diagnosis::error(&codes::ANSWER_UNUSABLE, "the vault's answer lacks what was asked for").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_what_was_asked_for_is_an_error_and_an_empty_value_is_not() {
        let lacking = there(None::<&str>).unwrap_err();
        assert_eq!(lacking.code().map(|code| code.id), Some(codes::ANSWER_UNUSABLE.id));
        assert_eq!(there(Some("")).unwrap(), "");
    }
}
