//! Every error code of credstore: its number, exit code, title and explanation, written once.
//!
//! A code never changes its meaning. `credstore explain CODE` prints the explanation.

/// Exit code of the process. Source: the table in `docs/` "Exit codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Unexpected: a bug.
    Unexpected = 1,
    /// Wrong usage, or input needed but not allowed.
    Usage = 2,
    /// Settings or a file are invalid.
    Invalid = 3,
    /// Sign-in refused.
    SignIn = 4,
    /// No permission.
    Permission = 5,
    /// Not found.
    NotFound = 6,
    /// There, but not usable.
    NotUsable = 7,
    /// Cannot reach, or timed out.
    Unreachable = 8,
    /// Conflict.
    Conflict = 9,
    /// Checks found problems.
    Findings = 10,
    /// Declined or cancelled by the user.
    Declined = 11,
    /// Integrity.
    Integrity = 12,
}

/// One error code.
#[derive(Debug)]
pub struct Code {
    /// `CSnnnn`.
    pub id: &'static str,
    /// The exit code that goes with it.
    pub exit: Exit,
    /// What is so, in a few words.
    pub title: &'static str,
    /// What it means, what usually causes it, and what to do.
    pub about: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $exit:ident, $title:literal, $about:literal;)*) => {
        $(
            #[doc = concat!($id, ": ", $title, ".")]
            $(#[$doc])*
            pub static $name: $crate::codes::Code =
                $crate::codes::Code { id: $id, exit: $crate::codes::Exit::$exit, title: $title, about: $about };
        )*
        /// Every code of this family.
        pub static ALL: &[&$crate::codes::Code] = &[$(&$name),*];
    };
}

pub mod broker;
pub mod directory;
pub mod identifiers;
pub mod internal;
pub mod server;
pub mod settings;
pub mod usage;
pub mod vault;

/// The code of that number, for whoever reads it from an answer.
pub fn by_id(id: &str) -> Option<&'static Code> {
    all().find(|code| code.id == id)
}

/// Every code, in order of its number.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [usage::ALL, settings::ALL, identifiers::ALL, directory::ALL, vault::ALL, broker::ALL, server::ALL, internal::ALL]
        .into_iter()
        .flatten()
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ordered_and_explained() {
        let ids: Vec<_> = all().map(|code| code.id).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        for code in all() {
            assert!(code.id.len() == 6 && code.id.starts_with("CS"), "{}", code.id);
            assert!(code.about.len() > 40, "{} needs an explanation", code.id);
        }
    }
}
