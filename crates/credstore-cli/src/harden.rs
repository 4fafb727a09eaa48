//! The first thing `main` does: no core dumps, no tracing by the same user, private files.
//!
//! Unix only, behind neutral names. Source: threat model, section 5 point 4. A command started by
//! `credstore run` gets the limit back that we were given; `exec` itself resets the rest.

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

/// Undoes [`process`] for the command that replaces this process.
pub(crate) fn undo(before: &Before) {
    let _ = setrlimit(Resource::Core, before.core);
    umask(before.mask);
}
