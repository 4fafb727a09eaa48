//! Questions before something is taken away or replaced, in three degrees.
//!
//! Source: command line specification, section 4.3: reversible and replacing acts take y/N or `--yes`; final ones
//! want the name typed, or `--yes --confirm NAME`.

use std::io::{BufRead, Write};

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;

use crate::errors::CliError;
use crate::world::World;

/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 1024;

/// Asks y/N. `question` names the way back or shows what changes.
///
/// # Errors
/// CS0104 when nobody can be asked and `--yes` is not there; CS0111 when the answer is no.
pub(crate) fn yes(world: &World, question: &str) -> Result<(), CliError> {
    if world.globals.yes {
        return Ok(());
    }
    if !world.may_ask() {
        return Err(Diagnosis::error(&usage::CONFIRMATION_NEEDED, "this needs a confirmation")
            .cause(format!("nobody can be asked: {question}"))
            .fix("--yes answers it")
            .into());
    }
    let answer = ask(&format!("{question} [y/N] "))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(declined()),
    }
}

/// Wants the name of what goes. `act` says what happens to it, and why that is no small matter.
///
/// # Errors
/// CS0104 when nobody can be asked and the flags are not both there; CS0111 when another name is typed.
pub(crate) fn named(world: &World, act: &str, name: &str, confirmed: Option<&str>) -> Result<(), CliError> {
    match confirmed {
        Some(confirmed) if world.globals.yes && confirmed == name => return Ok(()),
        Some(confirmed) if confirmed != name => {
            return Err(Diagnosis::error(
                &usage::CONFIRMATION_NEEDED,
                format!("--confirm names something else than {name}"),
            )
            .fix(format!("--yes --confirm {name}"))
            .into());
        }
        Some(_) | None => {}
    }
    if !world.may_ask() || world.globals.yes {
        return Err(Diagnosis::error(&usage::CONFIRMATION_NEEDED, act)
            .cause("it needs the name as a confirmation")
            .fix(format!("--yes --confirm {name}"))
            .into());
    }
    let answer = ask(&format!("{act}. Type its name: "))?;
    if answer.trim() == name { Ok(()) } else { Err(declined()) }
}

/// Asks a question on standard error and reads a line.
pub(crate) fn ask(question: &str) -> Result<String, CliError> {
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question}");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::Read::take(std::io::stdin().lock(), ANSWER_MAX).read_line(&mut answer);
    match read {
        Ok(0) | Err(_) => Err(declined()),
        Ok(_) => Ok(answer),
    }
}

fn declined() -> CliError {
    Diagnosis::error(&usage::DECLINED, "declined; nothing was changed").into()
}
