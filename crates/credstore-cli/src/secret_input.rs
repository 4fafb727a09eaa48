//! Secrets in: hidden prompt twice, standard input, or a file. Never an argument, never a variable.

use std::io::{Read, Write};
use std::path::PathBuf;

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::Secret;
use credstore_protocol::key_vault::SECRET_VALUE_MAX;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::errors::CliError;
use crate::files;
use crate::output::Output;
use crate::world::World;

/// Most bytes that are read from standard input for a value. Above the vault's own limit, which answers with its text.
const STDIN_MAX: u64 = 1 << 20;

/// Longest entry at the prompt, in bytes: one more than a vault takes, so that the vault says what is too long.
const ENTRY_MAX: usize = SECRET_VALUE_MAX + 1;

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
        asked_twice("Value (hidden): ")
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
    let Some(mut bytes) = files::read_stream(stdin, STDIN_MAX)? else {
        return Err(Diagnosis::error(&usage::INPUT_NEEDED, "standard input is larger than any secret")
            .cause("a secret of Key Vault has at most 25,600 bytes")
            .into());
    };
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

/// Asks twice, hidden, until both entries are the same.
///
/// # Errors
/// CS0103 when the terminal cannot be read, CS0111 when it is cancelled.
pub(crate) fn asked_twice(question: &str) -> Result<Secret, CliError> {
    prompt(|read, stderr| entered(question, read, stderr))
}

/// Asks once, hidden: for what is checked by its use.
///
/// # Errors
/// As [`asked_twice`].
pub(crate) fn asked_once(question: &str) -> Result<Secret, CliError> {
    prompt(|read, stderr| Ok(asked(question, read, stderr)?.map(text)))
}

/// What the terminal's bytes are read with.
type Bytes<'a> = &'a mut dyn FnMut(&mut u8) -> std::io::Result<usize>;
/// What came of a question; `None` when it is cancelled.
type Answer = std::io::Result<Option<Result<Secret, CliError>>>;

/// The terminal gives bytes as they are typed: its own lines end at 4,095 bytes, and a Ctrl+C that ends the process
/// would leave it without an echo.
fn prompt(ask: impl FnOnce(Bytes<'_>, &mut dyn Write) -> Answer) -> Result<Secret, CliError> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).map_err(|error| no_terminal(error.into()))?;
    let mut silent = before.clone();
    silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
    // Before the first question, so that nothing typed in answer to it is shown or lost.
    tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(|error| no_terminal(error.into()))?;
    let mut read = |byte: &mut u8| Ok(rustix::io::read(&stdin, std::slice::from_mut(byte))?);
    let entered = ask(&mut read, &mut std::io::stderr());
    let restored = tcsetattr(&stdin, OptionalActions::Flush, &before);
    restored.map_err(|error| no_terminal(error.into()))?;
    entered.map_err(no_terminal)?.ok_or_else(|| Diagnosis::error(&usage::DECLINED, "cancelled"))?
}

type Entry = Zeroizing<Vec<u8>>;

/// One entry.
fn asked(question: &str, read: Bytes<'_>, stderr: &mut dyn Write) -> std::io::Result<Option<Entry>> {
    write!(stderr, "{question}")?;
    stderr.flush()?;
    let entry = entry(read);
    writeln!(stderr)?;
    entry
}

/// The value, entered twice.
fn entered(question: &str, read: Bytes<'_>, stderr: &mut dyn Write) -> Answer {
    let mut first = question.to_owned();
    loop {
        let Some(value) = asked(&first, &mut *read, stderr)? else { return Ok(None) };
        let Some(again) = asked("Again: ", &mut *read, stderr)? else { return Ok(None) };
        if *value == *again {
            return Ok(Some(text(value)));
        }
        first = format!("The two entries differ. {question}");
    }
}

fn no_terminal(error: std::io::Error) -> CliError {
    Diagnosis::error(&usage::INPUT_NEEDED, "the terminal cannot be read").cause(error.to_string()).into()
}

/// Bytes up to Enter, with the keys that mend a line; `None` when it is cancelled.
fn entry(read: Bytes<'_>) -> std::io::Result<Option<Entry>> {
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const CTRL_U: u8 = 0x15;
    const DELETE: u8 = 0x7f;
    // All the room at once: a vector that grows leaves copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(ENTRY_MAX));
    let mut byte = 0;
    loop {
        if read(&mut byte)? == 0 {
            return Ok(None);
        }
        match byte {
            b'\r' | b'\n' => return Ok(Some(line)),
            CTRL_C | CTRL_D => return Ok(None),
            CTRL_U => line.clear(),
            BACKSPACE | DELETE => {
                // A character of several bytes goes as a whole.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            _ if line.len() == ENTRY_MAX => {
                return Err(std::io::Error::other("the entry is longer than any secret"));
            }
            _ => line.push(byte),
        }
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

    fn typed(keys: &[u8]) -> Option<String> {
        let mut keys = keys.iter();
        let entry = entry(&mut |byte: &mut u8| {
            Ok(keys.next().map_or(0, |key| {
                *byte = *key;
                1
            }))
        });
        entry.unwrap().map(|line| String::from_utf8(line.to_vec()).unwrap())
    }

    #[test]
    fn an_entry_ends_with_enter_and_can_be_mended() {
        for (keys, expected) in [
            ("abc\r", Some("abc")),
            ("abc\n", Some("abc")),
            ("\r", Some("")),
            ("abd\x7fc\r", Some("abc")),
            ("a\x08\x08b\r", Some("b")),
            ("aü\x7fb\r", Some("ab")),
            ("wrong\x15right\r", Some("right")),
            ("a\tb\r", Some("a\tb")),
            ("ab\x03", None),
            ("ab\x04", None),
            ("ab", None),
        ] {
            assert_eq!(typed(keys.as_bytes()).as_deref(), expected, "{keys:?}");
        }
    }

    #[test]
    fn an_entry_has_room_for_one_byte_more_than_a_vault_takes() {
        let mut keys = vec![b'x'; ENTRY_MAX];
        keys.push(b'\r');
        assert_eq!(typed(&keys).map(|line| line.len()), Some(25_601));
        let mut left = ENTRY_MAX + 1;
        let endless = entry(&mut |byte: &mut u8| {
            *byte = b'x';
            left -= 1;
            Ok(1)
        });
        assert!(endless.is_err() && left == 0);
    }
}
