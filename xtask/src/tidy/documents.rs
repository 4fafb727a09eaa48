//! Documents that must tell the same story as the code: exit codes, links between documents, the lint for public items.

use super::{File, Finding};

const EXIT_CODES: &str = "docs/exit-codes.md";
const LIMITS: &str = "docs/limits.md";
const EXIT_ENUM: &str = "crates/credstore/src/codes/mod.rs";

/// Rooms whose every public item is documented.
const DOCUMENTED: &[&str] = &["crates/credstore-protocol/", "crates/credstore/"];

/// Documents that the repository has.
const PRESENT: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    EXIT_CODES,
    "docs/data-folder.md",
    LIMITS,
];

/// Findings about documents.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = |path: &str| files.iter().find(|file| file.path == path);
    findings
        .extend(PRESENT.iter().filter(|path| named(path).is_none()).map(|path| Finding::new(*path, "is not there")));
    if let (Some(document), Some(code)) = (named(EXIT_CODES), named(EXIT_ENUM)) {
        findings.extend(exit_codes(&document.text, &code.text));
    }
    if let Some(document) = named(LIMITS) {
        findings.extend(files.iter().filter(|file| file.is_product()).flat_map(|file| limits(&document.text, file)));
    }
    for file in files {
        if file.path.ends_with(".md") {
            findings.extend(links(file, files));
        }
        if DOCUMENTED.iter().any(|room| file.path.starts_with(room)) && file.text.contains("allow(missing_docs)") {
            findings.push(Finding::new(&file.path, "every public item here is documented"));
        }
    }
    findings
}

/// Every exit code of the enum is a row of the table.
fn exit_codes(document: &str, code: &str) -> Vec<Finding> {
    let variants =
        code.lines().skip_while(|line| !line.contains("enum Exit")).take_while(|line| !line.starts_with('}'));
    variants
        .filter_map(|line| line.trim().trim_end_matches(',').split_once(" = "))
        .filter(|(_, number)| !document.lines().any(|line| line.starts_with(&format!("| {number} |"))))
        .map(|(name, number)| Finding::new(EXIT_CODES, format!("has no row for {number} ({name})")))
        .collect()
}

/// Every public limit, a constant whose name ends in `_MAX`, is in the document.
fn limits(document: &str, file: &File) -> Vec<Finding> {
    let source = file.rust();
    let declared = source.production().filter_map(|(number, line)| {
        let name = line.trim().strip_prefix("pub const ")?.split(':').next()?;
        name.ends_with("_MAX").then(|| (number, name.to_owned()))
    });
    declared
        .filter(|(_, name)| !document.contains(&format!("`{name}`")))
        .map(|(number, name)| Finding::new(format!("{}:{number}", file.path), format!("{LIMITS} does not name {name}")))
        .collect()
}

/// Every relative link leads to a file of the repository.
fn links(file: &File, files: &[File]) -> Vec<Finding> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = resolved(folder, target);
            let leads = files.iter().any(|file| file.path == path || file.path.starts_with(&format!("{path}/")));
            if !leads && !path.ends_with(".png") {
                findings.push(Finding::new(
                    format!("{}:{}", file.path, at + 1),
                    format!("the link {target} leads nowhere"),
                ));
            }
        }
    }
    findings
}

fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn a_document_that_is_missing_is_found() {
        let missing = check(&[file("README.md", "")]);
        assert_eq!(missing.len(), PRESENT.len() - 1);
    }

    #[test]
    fn an_exit_code_without_a_row_is_found() {
        let code = "pub enum Exit {\n    /// Wrong usage.\n    Usage = 2,\n    NotFound = 6,\n}\n";
        assert_eq!(exit_codes("| 2 | usage |\n| 6 | not found |\n", code), []);
        assert_eq!(exit_codes("| 2 | usage |\n", code).len(), 1);
    }

    #[test]
    fn a_limit_that_no_document_names_is_found() {
        let code =
            file("crates/credstore/src/a.rs", "/// Ours.\npub const NAME_MAX: usize = 1;\nconst OURS_MAX: u8 = 2;\n");
        assert_eq!(limits("| name | 1 | `NAME_MAX` |", &code), []);
        assert_eq!(limits("| name | 1 | `LONG_NAME_MAX` |", &code).len(), 1);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let there = file("docs/limits.md", "");
        assert_eq!(links(&file("README.md", "[limits](docs/limits.md#size)"), std::slice::from_ref(&there)), []);
        assert_eq!(links(&file("docs/a.md", "[limits](limits.md) [up](../docs/limits.md)"), &[there]), []);
        assert_eq!(links(&file("README.md", "[limits](docs/limit.md)"), &[]).len(), 1);
    }

    #[test]
    fn silencing_the_lint_for_documentation_is_found() {
        let planted = file("crates/credstore/src/a.rs", "#![allow(missing_docs)]");
        assert!(check(&[planted]).iter().any(|finding| finding.place == "crates/credstore/src/a.rs"));
    }
}
