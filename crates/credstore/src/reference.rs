//! A reference: the place and form in which an identifier stands, and what each store allows as an identifier.

use std::ops::Range;

use credstore_protocol::{Identifier, InvalidName, SecretName};

use crate::Diagnosis;
use crate::codes::identifiers;
use crate::diagnosis::{Edit, Place};

/// An identifier that stands somewhere instead of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What to resolve.
    pub identifier: Identifier,
    /// Where it stands; the span covers the identifier as it is written, quotes or braces included.
    pub place: Place,
    /// In which form.
    pub form: Form,
    /// Byte range of the whole form, which a password would replace: the object `{"credential": "…"}`, or the pair
    /// from its keyword to its value.
    pub whole: Range<usize>,
}

/// The form of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `{"credential": "…"}` in Server Settings, at this path: `MailSettings.password`.
    Setting {
        /// Members joined by dots, elements as `[0]`.
        pointer: String,
    },
    /// `mv-credential-<Keyword>=…` in a connection string.
    ConnectionString {
        /// The keyword without the prefix, as it was written: `Pass`.
        keyword: String,
    },
}

/// The store an identifier is meant for, as far as its rules for identifiers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierRules {
    /// Any key of a JSON object; what is not portable is worth a warning.
    File,
    /// A secret's name in a Key Vault.
    KeyVault,
}

/// What is wrong with `identifier` in a store with these `rules`, found without asking the store. `span` is the place
/// of the identifier in a JSON text, when the corrected name may be offered as an edit there.
///
/// Source: product behaviour 2.5 (allowed identifiers) and 9.13 (no version).
pub fn check_identifier(
    identifier: &Identifier,
    rules: IdentifierRules,
    span: Option<Range<usize>>,
) -> Option<Diagnosis> {
    match rules {
        IdentifierRules::KeyVault => check_secret_name(identifier, span),
        IdentifierRules::File if !identifier.is_portable() => {
            let warning = Diagnosis::warning(
                &identifiers::NOT_PORTABLE,
                format!("the identifier {identifier} cannot be moved to a vault"),
            )
            .cause("a Key Vault allows letters A to Z, digits and hyphens only, 127 at most");
            Some(match suggested_name(identifier.as_str()) {
                Some(name) => warning.fix(format!("use {name}, in the file and in every reference")),
                None => warning,
            })
        }
        IdentifierRules::File => None,
    }
}

fn check_secret_name(identifier: &Identifier, span: Option<Range<usize>>) -> Option<Diagnosis> {
    let cause = match identifier.as_str().parse::<SecretName>() {
        Ok(_) => return None,
        Err(InvalidName::Length(length)) => format!("it has {length} characters; 1 to 127 are allowed"),
        Err(InvalidName::Character { at }) => {
            let character = identifier.as_str()[at..].chars().next().unwrap_or_default();
            let position = identifier.as_str()[..at].chars().count() + 1;
            format!("character {position} is {}; letters A to Z, digits and hyphens are allowed", named(character))
        }
        Err(InvalidName::Ends | InvalidName::DoubleHyphen) => "it is not a secret's name".to_owned(),
    };
    if let Some(name) = name_before_version(identifier.as_str()) {
        let error = Diagnosis::error(
            &identifiers::IDENTIFIER_WITH_VERSION,
            format!("the identifier {identifier} has a version"),
        )
        .cause("an identifier is the bare name of a secret; its current version is used")
        .fix(format!("write {name}"));
        return Some(with_name_edit(error, span, name));
    }
    let error = Diagnosis::error(
        &identifiers::NOT_A_SECRET_NAME,
        format!("a Key Vault cannot hold the identifier {identifier}"),
    )
    .cause(cause);
    Some(match suggested_name(identifier.as_str()) {
        Some(name) => error.fix(format!("use {name}, if the secret has that name in the vault")),
        None => error.fix("use the name that the secret has in the vault"),
    })
}

fn with_name_edit(error: Diagnosis, span: Option<Range<usize>>, name: &str) -> Diagnosis {
    match span {
        Some(span) => error.edit(Edit { span, text: format!("\"{name}\""), label: format!("write {name}") }),
        None => error,
    }
}

/// The name in `name/version`, when what follows the slash looks like a version: 32 hexadecimal digits.
fn name_before_version(text: &str) -> Option<&str> {
    let (name, version) = text.split_once('/')?;
    let is_version = version.len() == 32 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_version && name.parse::<SecretName>().is_ok()).then_some(name)
}

/// A name that both stores allow and that reads like `text`: other characters become hyphens. `None` when nothing
/// recognisable would be left.
pub fn suggested_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for character in text.chars() {
        match character {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_matches('-');
    let usable = name.parse::<Identifier>().is_ok_and(|name| name.is_portable());
    (usable && name.len() * 2 >= text.len()).then(|| name.to_owned())
}

/// A character as a message shows it: those that cannot be seen by their name or number.
pub(crate) fn named(character: char) -> String {
    match character {
        ' ' => "a blank".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' | '\r' => "a newline".to_owned(),
        c if c.is_control() || c.is_whitespace() || !c.is_alphanumeric() && !c.is_ascii() => {
            format!("U+{:04X}", u32::from(c))
        }
        c => format!("{c}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_vault(text: &str) -> Option<Diagnosis> {
        check_identifier(&text.parse().unwrap(), IdentifierRules::KeyVault, Some(0..text.len()))
    }

    #[test]
    fn a_vault_refuses_what_cannot_be_a_secret_name_and_suggests_one() {
        assert!(in_vault("SmtpRelay").is_none());
        assert!(in_vault(&"x".repeat(127)).is_none());
        assert_eq!(in_vault(&"x".repeat(128)).unwrap().code.id, "CS2001");
        let error = in_vault("smtp_relay").unwrap();
        assert_eq!(error.code.id, "CS2001");
        assert_eq!(error.cause.unwrap(), "character 5 is _; letters A to Z, digits and hyphens are allowed");
        assert_eq!(error.fix, ["use smtp-relay, if the secret has that name in the vault"]);
        assert!(error.edit.is_none(), "another name is a guess, not a repair");
    }

    #[test]
    fn a_version_after_the_name_is_refused_with_the_bare_name() {
        let error = in_vault("SmtpRelay/8c01f70000000000000000000000abcd").unwrap();
        assert_eq!(error.code.id, "CS2007");
        assert_eq!(error.edit.unwrap().text, "\"SmtpRelay\"");
        assert_eq!(in_vault("folder/SmtpRelay").unwrap().code.id, "CS2001");
    }

    #[test]
    fn a_file_takes_every_identifier_and_warns_about_those_that_cannot_move() {
        let check = |text: &str| check_identifier(&text.parse().unwrap(), IdentifierRules::File, None);
        assert!(check("SmtpRelay").is_none());
        for text in ["smtp_relay", "1relay", "a b", "grün"] {
            let warning = check(text).unwrap();
            assert_eq!((warning.code.id, warning.severity), ("CS2002", crate::diagnosis::Severity::Warning), "{text}");
        }
    }

    #[test]
    fn a_suggested_name_is_recognisable_or_not_made() {
        assert_eq!(suggested_name("db.pass word").as_deref(), Some("db-pass-word"));
        assert_eq!(suggested_name("__x__").as_deref(), None);
        assert_eq!(suggested_name("日本語").as_deref(), None);
        assert_eq!(suggested_name("1password").as_deref(), None);
    }
}
