//! What every text of the repository keeps to: file headers, no machine's paths, no bare reminders, plain punctuation.

use super::{File, Finding};

/// Folders of a machine that a text must not name. Written apart, so that this file does not name them either.
const MACHINE_FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "plan")];
/// Marks of unfinished work. One with its reason in parentheses is fine.
const REMINDERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
const EM_DASH: char = '\u{2014}';

/// Not written by us, or written by a program.
const NOT_OURS: &[&str] = &["Cargo.lock", "package-lock.json", "LICENSE-APACHE", "LICENSE-MIT"];

/// Findings about texts.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        if file.is_rust() {
            findings.extend(header(file));
        }
        let ours = !NOT_OURS.iter().any(|name| file.path.ends_with(name)) && !file.path.starts_with("testing/vectors/");
        if ours {
            findings.extend(file.text.lines().enumerate().flat_map(|(at, line)| {
                line_rules(line).map(move |what| Finding::new(format!("{}:{}", file.path, at + 1), what))
            }));
        }
    }
    findings
}

fn header(file: &File) -> Option<Finding> {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    (!first.starts_with("//!"))
        .then(|| Finding::new(&file.path, "a file begins with //! and says what lives here and what does not"))
}

fn line_rules(line: &str) -> impl Iterator<Item = String> + use<'_> {
    let folders = MACHINE_FOLDERS
        .iter()
        .filter(|folder| line.match_indices(**folder).any(|(at, _)| begins_a_path(line, at)))
        .map(|folder| format!("names {folder}, a folder of one machine"));
    let reminders = REMINDERS
        .iter()
        .filter(|mark| line.match_indices(**mark).any(|(at, _)| !line[at + mark.len()..].starts_with('(')))
        .map(|mark| format!("{mark} without a reason in parentheses"));
    let dash = line.contains(EM_DASH).then(|| "an em dash; a colon, a comma or two sentences say it".to_owned());
    folders.chain(reminders).chain(dash)
}

fn begins_a_path(line: &str, at: usize) -> bool {
    !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_rust_file_without_a_header_is_found() {
        assert_eq!(check(&[file("crates/a/src/b.rs", "use x;\n")]).len(), 1);
        assert_eq!(check(&[file("crates/a/src/b.rs", "//! What lives here.\nuse x;\n")]), []);
    }

    #[test]
    fn a_folder_of_one_machine_is_found() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(check(&[file("README.md", &format!("see {folder}x"))]).len(), 1, "{folder}");
            assert_eq!(check(&[file("README.md", &format!("a/b{folder}x"))]), [], "{folder}");
        }
    }

    #[test]
    fn a_reminder_needs_a_reason() {
        for mark in REMINDERS {
            assert_eq!(check(&[file("test", &format!("# {mark} later"))]).len(), 1, "{mark}");
        }
        assert_eq!(check(&[file("test", &format!("# {}(needs the broker): later", REMINDERS[0]))]), []);
    }

    #[test]
    fn an_em_dash_is_found() {
        assert_eq!(check(&[file("docs/a.md", &format!("one {EM_DASH} two"))]).len(), 1);
    }
}
