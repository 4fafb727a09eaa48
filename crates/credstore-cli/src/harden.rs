//! The first thing `main` does: no core dumps, no tracing by the same user, private files.
//!
//! Unix only, behind neutral names. Source: threat model, section 5 point 4. A command started by
//! `credstore run` gets the limit back that we were given; `exec` itself resets the rest.

use std::io::Write;

use credstore::codes::internal;
use credstore::diagnosis::Diagnosis;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask};

/// What was so before, for a child that takes our place.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    core: Rlimit,
    mask: rustix::fs::Mode,
}

/// Takes away what a memory image could leave behind, and makes new files private.
pub(crate) fn process() -> Before {
    let core = getrlimit(Resource::Core);
    // The soft limit only, so that it can be given back. A refusal leaves the next line as protection.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: core.maximum });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let mask = umask(rustix::fs::Mode::from_raw_mode(0o077));
    Before { core, mask }
}

/// What a server needs besides: a place for every connection, and no way back to core dumps.
///
/// Refusals are ignored: the server then has fewer places and says so when they are used up.
pub(crate) fn server() {
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    // It never becomes another command, so the hard limit need not be given back.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// A panic says where it was and nothing of what it was about: its text may hold a value.
pub(crate) fn on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // Nobody is left to tell when standard error is closed.
        let _ = std::io::stderr().write_all(panicked(&place).as_bytes());
    }));
}

fn panicked(place: &str) -> String {
    let bug = Diagnosis::error(&internal::BUG, "credstore met something it does not expect")
        .cause(format!("at {place} of its source"))
        .fix("report this message: it holds no value");
    crate::errors::human(&bug, false)
}

/// Undoes [`process`] for the command that replaces this process.
pub(crate) fn undo(before: &Before) {
    let _ = setrlimit(Resource::Core, before.core);
    umask(before.mask);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_is_told_by_code_and_place() {
        let told = super::panicked("src/main.rs:1:2");
        assert!(told.starts_with("error[CS9001]: ") && told.contains("at src/main.rs:1:2 of its source"), "{told}");
    }
}
