//! Secrets in: hidden prompt twice, standard input, or a file. Never an argument, never a variable.

use std::io::Read;
use std::path::PathBuf;

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::Secret;
use zeroize::Zeroizing;

use crate::errors::CliError;
use crate::files;
use crate::output::Output;
use crate::world::World;

/// Most bytes that are read from standard input for a value. Above the vault's own limit, which answers with its text.
const STDIN_MAX: u64 = 1 << 20;

/// Where a value comes from.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct SecretSource {
    /// Read the value from standard input (by itself when that is not a terminal)
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Read the value from FILE, every byte of it
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "stdin")]
    pub(crate) file: Option<PathBuf>,
    /// Keep the final newline of standard input
    #[arg(long)]
    pub(crate) keep_newline: bool,
    /// Refused: a secret is not accepted on the command line
    #[arg(long, hide = true, allow_hyphen_values = true, num_args = 0..=1, default_missing_value = "", value_name = "X")]
    pub(crate) value: Option<String>,
}

impl SecretSource {
    /// Refuses `--value`, with the three safe ways for `command` (for example `credstore vault secret set -n X`).
    pub(crate) fn refuse_argument(&self, command: &str) -> Result<(), CliError> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(on_the_command_line(command).into()),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// CS0103 when nobody can be asked, CS0109 when it is not UTF-8, CS0116 when standard input is empty.
    pub(crate) fn read(&self, world: &World, out: &mut Output) -> Result<Secret, CliError> {
        if let Some(file) = &self.file {
            return text(files::read(file)?);
        }
        if self.stdin || !world.terminals.stdin {
            let (value, dropped) = from_stdin(&mut std::io::stdin().lock(), self.keep_newline)?;
            if dropped {
                out.note("one final newline was dropped; --keep-newline keeps it");
            }
            return Ok(value);
        }
        if !world.may_ask() {
            return Err(Diagnosis::error(&usage::INPUT_NEEDED, "a value is needed and --no-input forbids to ask")
                .fix("pipe it in: … < file, or --file FILE")
                .into());
        }
        prompt()
    }
}

/// CS0102 for `command`.
pub(crate) fn on_the_command_line(command: &str) -> Diagnosis {
    Diagnosis::error(&usage::VALUE_ON_COMMAND_LINE, "a secret is not accepted on the command line")
        .cause("other users see it in the process list, and the shell keeps it in its history")
        .fix(format!("one of   {command}            asks, hidden"))
        .fix(format!("         … {} --stdin < file      … {0} --file secret.bin", last_option(command)))
        .note("the value you typed is now in your shell history: remove it there, and choose another")
}

fn last_option(command: &str) -> &str {
    command.rfind(" -").map_or("", |at| command[at..].trim())
}

fn from_stdin(stdin: &mut dyn Read, keep_newline: bool) -> Result<(Secret, bool), CliError> {
    // All the room at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut piece = Zeroizing::new([0u8; 8192]);
    loop {
        let count = stdin.read(&mut piece[..]).map_err(|error| {
            Diagnosis::error(&usage::INPUT_NEEDED, "standard input cannot be read").cause(error.to_string())
        })?;
        if count == 0 {
            break;
        }
        if (bytes.len() + count) as u64 > STDIN_MAX {
            return Err(Diagnosis::error(&usage::INPUT_NEEDED, "standard input is larger than any secret")
                .cause("a secret of Key Vault has at most 25,600 bytes")
                .into());
        }
        if bytes.len() + count > bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * bytes.capacity()));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.extend_from_slice(&piece[..count]);
    }
    if bytes.is_empty() {
        return Err(Diagnosis::error(&usage::NOTHING_AT_STDIN, "nothing came from standard input")
            .cause("standard input is not a terminal, so the value was expected there")
            .fix("pipe the value in, or use --file FILE")
            .into());
    }
    let dropped = !keep_newline && drop_newline(&mut bytes);
    Ok((text(bytes)?, dropped))
}

/// Drops exactly one final newline, with the carriage return before it. Gives whether there was one.
fn drop_newline(bytes: &mut Vec<u8>) -> bool {
    let ends = bytes.last() == Some(&b'\n');
    if ends {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    ends
}

fn text(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, CliError> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Secret::from(Zeroizing::new(text.to_owned()))),
        Err(_) => Err(Diagnosis::error(&usage::VALUE_NOT_TEXT, "the value is not UTF-8 text")
            .cause("Key Vault keeps text")
            .fix("encode it first: base64 < secret.bin | credstore vault secret set …")
            .into()),
    }
}

fn prompt() -> Result<Secret, CliError> {
    let asked = dialoguer::Password::new()
        .with_prompt("Value (hidden)")
        .with_confirmation("Again", "the two entries differ")
        .interact();
    match asked {
        Ok(value) => Ok(Secret::from(value)),
        Err(_) => Err(Diagnosis::error(&usage::DECLINED, "cancelled").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stdin(mut bytes: &[u8], keep: bool) -> Result<Secret, CliError> {
        from_stdin(&mut bytes, keep).map(|(value, _)| value)
    }

    #[test]
    fn exactly_one_final_newline_is_dropped_unless_it_is_kept() {
        for (given, keep, expected) in [
            ("a\n", false, "a"),
            ("a\n\n", false, "a\n"),
            ("a\r\n", false, "a"),
            ("a\r", false, "a\r"),
            ("a", false, "a"),
            ("a\n", true, "a\n"),
            ("\n", false, ""),
            ("a\nb\n", false, "a\nb"),
        ] {
            assert_eq!(stdin(given.as_bytes(), keep).unwrap().expose_secret(), expected, "{given:?}");
        }
    }

    #[test]
    fn nothing_too_much_and_no_text_are_refused() {
        assert_eq!(stdin(b"", false).unwrap_err().code().unwrap().id, "CS0116");
        assert_eq!(stdin(b"\xff", false).unwrap_err().code().unwrap().id, "CS0109");
        let limit = usize::try_from(STDIN_MAX).unwrap();
        assert!(stdin(&vec![b'x'; limit], true).is_ok());
        assert_eq!(stdin(&vec![b'x'; limit + 1], true).unwrap_err().code().unwrap().id, "CS0103");
    }

    #[test]
    fn an_argument_is_refused_with_the_text_of_the_specification() {
        let text = crate::errors::human(&on_the_command_line("credstore vault secret set -n SnowflakeLoader"), false);
        assert_eq!(
            text,
            "error[CS0102]: a secret is not accepted on the command line\n  \
             cause  other users see it in the process list, and the shell keeps it in its history\n  \
             fix    one of   credstore vault secret set -n SnowflakeLoader            asks, hidden\n                  \
             … -n SnowflakeLoader --stdin < file      … -n SnowflakeLoader --file secret.bin\n  \
             note   the value you typed is now in your shell history: remove it there, and choose another\n"
        );
    }
}
