//! How many packages from outside come along: ARCHITECTURE.md, "Sizes".

use std::collections::BTreeSet;

use super::{File, Finding};
use crate::{Outcome, workspace};

/// Packages from outside that someone who takes the library `credstore` compiles, on any system.
const LIBRARY: usize = 150;
/// Packages from outside in `Cargo.lock`.
const WHOLE: usize = 400;

/// What was counted.
pub(crate) struct Counted {
    library: usize,
    whole: usize,
}

/// Counts in `Cargo.lock` and in the tree of the library.
pub(crate) fn counted(files: &[File]) -> Outcome<Counted> {
    let lock = files.iter().find(|file| file.path == "Cargo.lock").ok_or("there is no Cargo.lock")?;
    let tree = workspace::output_of(workspace::cargo().args([
        "tree",
        "--package=credstore",
        "--edges=normal,build",
        "--prefix=none",
        "--format={p}",
        "--locked",
        "--offline",
    ]))?;
    Ok(Counted { library: from_outside(&tree), whole: lock.text.matches("\nsource = ").count() })
}

/// Different packages in the output of `cargo tree`; those of the workspace carry their folder.
fn from_outside(tree: &str) -> usize {
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)").trim_end_matches(" (proc-macro)"));
    lines.filter(|line| !line.is_empty() && !line.contains('(')).collect::<BTreeSet<_>>().len()
}

/// Findings about numbers of packages.
pub(crate) fn check(counted: &Counted) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (what, found, limit) in [("the library", counted.library, LIBRARY), ("everything", counted.whole, WHOLE)] {
        if found > limit {
            findings.push(Finding::new("Cargo.lock", format!("{what} brings {found} packages; at most {limit}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_once_and_our_own_are_not() {
        let tree = "credstore v0.1.0 (a folder)\nhttp v1.0.0\nserde_derive v1.0.0 (proc-macro)\nhttp v1.0.0 (*)\n";
        assert_eq!(from_outside(tree), 2);
    }

    #[test]
    fn one_package_more_than_the_limit_is_found() {
        assert_eq!(check(&Counted { library: LIBRARY, whole: WHOLE }), []);
        assert_eq!(check(&Counted { library: LIBRARY + 1, whole: WHOLE }).len(), 1);
        assert_eq!(check(&Counted { library: LIBRARY, whole: WHOLE + 1 }).len(), 1);
    }
}
