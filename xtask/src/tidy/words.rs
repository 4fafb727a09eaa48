//! Words that no name in the product has, because they say nothing: ARCHITECTURE.md, "Words".

use super::rust_source::starts_word;
use super::{File, Finding};

/// Anywhere in a name.
const ANYWHERE: &[&str] = &["manager", "helper", "helpers", "util", "utils", "common", "misc"];
/// As a whole name, or the last word of one.
const AT_THE_END: &[&str] = &["handler", "data", "info", "core"];

/// Here a function is called as the contract calls the operation: "Get Secret" is `get_secret`.
const NAMED_BY_THE_WIRE: &str = "crates/credstore-server/";

/// What declares a name.
const DECLARATIONS: &[&str] = &["fn ", "struct ", "enum ", "trait ", "mod ", "type "];

/// Names that a trait of somebody else gives to what implements it.
const OF_OTHER_TRAITS: &[&str] = &["type Data = "];

/// Findings about names of files and of what they declare.
pub(crate) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_product()) {
        let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        findings.extend(empty_word(stem).map(|word| Finding::new(&file.path, format!("a file is not called {word}"))));
        findings.extend(names(file));
    }
    findings
}

fn names(file: &File) -> Vec<Finding> {
    let source = file.rust();
    let mut findings = Vec::new();
    let own = |line: &&str| !OF_OTHER_TRAITS.iter().any(|name| line.trim_start().starts_with(name));
    for (number, line) in source.production().filter(|(_, line)| own(line)) {
        for declaration in DECLARATIONS {
            let Some(at) = line.find(declaration).filter(|at| starts_word(line, *at)) else { continue };
            let name: String =
                line[at + declaration.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let place = format!("{}:{number}", file.path);
            if let Some(word) = empty_word(&name) {
                findings.push(Finding::new(&place, format!("{name}: the word {word} says nothing")));
            }
            if *declaration == "fn " && name.starts_with("get_") && !file.path.starts_with(NAMED_BY_THE_WIRE) {
                findings.push(Finding::new(&place, format!("{name}: a getter has no get_ prefix")));
            }
        }
    }
    findings
}

fn empty_word(name: &str) -> Option<&'static str> {
    let words = words_of(name);
    let anywhere = ANYWHERE.iter().find(|word| words.iter().any(|has| has == *word));
    anywhere.or_else(|| AT_THE_END.iter().find(|word| words.last().is_some_and(|last| last == *word))).copied()
}

/// The words of a name in either case: `SecretStore` and `secret_store` are the same two.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter == '-' || letter.is_uppercase() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().map(|word| word.extend(letter.to_lowercase())).unwrap_or_default();
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[file(path, text)]).len()
    }

    #[test]
    fn a_name_with_an_empty_word_is_found() {
        let path = "crates/credstore/src/a.rs";
        for planted in [
            "pub struct SecretManager;",
            "mod string_utils;",
            "fn common_part() {}",
            "struct RequestHandler {}",
            "struct SecretData {}",
            "fn get_name(&self) {}",
            "trait Core {}",
        ] {
            assert_eq!(found(path, planted), 1, "{planted}");
        }
        assert_eq!(found("crates/credstore/src/helpers.rs", ""), 1);
    }

    #[test]
    fn words_of_the_trade_are_fine() {
        let path = "crates/credstore-server/src/a.rs";
        for fine in
            ["struct DataKey;", "fn data_plane() {}", "fn commonplace() {}", "fn forget_me() {}", "let data = 1;"]
        {
            assert_eq!(found(path, fine), 0, "{fine}");
        }
        assert_eq!(found(path, "fn get_secret() {}"), 0, "an operation of the contract");
        assert_eq!(found(path, "    type Data = Bytes;"), 0, "hyper's name");
    }
}
