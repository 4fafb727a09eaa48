//! The repository's own rules, checked: which room may use what, sizes, headers, words, documents, packages.
//!
//! Each rule is a function of texts and answers findings, so that its test plants a violation and sees it found. Only
//! this file reads the repository.

mod documents;
mod packages;
mod rooms;
mod rust_source;
mod sizes;
mod text;
mod words;

use std::io::Write;
use std::path::PathBuf;

use rust_source::RustSource;

use crate::{Outcome, workspace};

/// Something that is against a rule, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// From the repository's root, with a line when there is one.
    place: String,
    /// What is so, and what the rule is.
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// A file under version control.
pub(crate) struct File {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Is it a Rust file of the product, and not of its tests?
    pub(crate) fn is_product(&self) -> bool {
        self.is_rust() && self.path.starts_with("crates/") && !self.is_test() && !self.path.starts_with(rooms::TESTING)
    }

    /// Is the whole file test code, by its place?
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.starts_with("testing/")
    }

    pub(crate) fn rust(&self) -> RustSource {
        RustSource::new(&self.text, self.is_test())
    }
}

/// Checks the repository, prints every finding and the sizes, and ends in an error when there is a finding.
pub(crate) fn run(out: &mut dyn Write) -> Outcome {
    let (findings, figures) = check()?;
    for finding in &findings {
        writeln!(out, "{}: {}", finding.place, finding.what)?;
    }
    writeln!(out, "{figures}")?;
    match findings.len() {
        0 => Ok(()),
        number => Err(format!("tidy: {number} findings").into()),
    }
}

fn check() -> Outcome<(Vec<Finding>, sizes::Figures)> {
    let files = tracked_files()?;
    let metadata = workspace::output_of(workspace::cargo().args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--offline",
        "--locked",
    ]))?;
    let figures = sizes::Figures::of(&files);
    let mut findings = Vec::new();
    findings.extend(rooms::check(&serde_json::from_str(&metadata)?, &files));
    findings.extend(sizes::check(&files, &figures));
    findings.extend(words::check(&files));
    findings.extend(text::check(&files));
    findings.extend(documents::check(&files));
    findings.extend(packages::check(&packages::counted(&files)?));
    findings.sort();
    Ok((findings, figures))
}

/// Every text file that is or is about to be under version control.
fn tracked_files() -> Outcome<Vec<File>> {
    let listed = workspace::output_of(
        std::process::Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(workspace::root()),
    )?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        let full: PathBuf = workspace::root().join(path);
        // A file that is deleted but not yet committed is listed; a picture is no text.
        let Ok(bytes) = std::fs::read(&full) else { continue };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file for the tests of the rules.
    pub(crate) fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_repository_keeps_its_rules() {
        let (findings, figures) = check().unwrap();
        assert!(findings.is_empty(), "{findings:#?}\n{figures}");
    }
}
