//! Names given on the command line: checked before anything is sent, with a corrected one offered.

use std::collections::BTreeMap;

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::{Identifier, InvalidName, SecretName, VaultName};

use crate::errors::CliError;

/// Parses a vault's name.
pub(crate) fn vault(text: &str) -> Result<VaultName, CliError> {
    text.parse().map_err(|reason| {
        refused("a vault", text, &reason, "3 to 24 of 0-9 a-z A-Z -, from a letter to a letter or digit")
    })
}

/// Parses a secret's name.
pub(crate) fn secret(text: &str) -> Result<SecretName, CliError> {
    text.parse().map_err(|reason| refused("a secret", text, &reason, "1 to 127 of 0-9 a-z A-Z -"))
}

/// Parses an identifier.
pub(crate) fn identifier(text: &str) -> Result<Identifier, CliError> {
    text.parse()
        .map_err(|reason| refused("an identifier", text, &reason, "1 to 1,024 characters without control characters"))
}

/// Parses a GUID; `what` is its name for people.
pub(crate) fn guid<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, CliError> {
    text.parse().map_err(|_| {
        Diagnosis::error(&usage::NAME, format!("{} is not {what}", crate::output::plain(text)))
            .cause("it has the form 5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1")
            .into()
    })
}

/// Parses `k=v` tags.
pub(crate) fn tags(texts: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let parse = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Diagnosis::error(&usage::NAME, format!("{} is no tag", crate::output::plain(text)))
            .cause("a tag is name=value")
            .fix("--tags owner=finance description='Order to cash'")
            .into()),
    };
    texts.iter().map(parse).collect()
}

/// CS0110 for what is not a version of a `kind`.
pub(crate) fn no_version(kind: &str, text: &str) -> CliError {
    let shown = crate::output::plain(text);
    Diagnosis::error(&usage::NAME, format!("{shown} is no version"))
        .cause("a version has 32 hexadecimal digits")
        .fix(format!("credstore vault {kind} list-versions --vault-name V --name N   lists them"))
        .into()
}

fn refused(kind: &str, text: &str, reason: &InvalidName, allowed: &str) -> CliError {
    let shown = crate::output::plain(text);
    let found = match reason {
        InvalidName::Character { at } => match text.get(*at..).and_then(|rest| rest.chars().next()) {
            Some(c) if !c.is_control() => format!("{c} is not allowed"),
            _ => reason.to_string(),
        },
        other => other.to_string(),
    };
    let diagnosis = Diagnosis::error(&usage::NAME, format!("{shown} is no name of {kind}"))
        .cause(format!("{found}; allowed: {allowed}"));
    match corrected(text) {
        Some(better) => diagnosis.fix(format!("for example {better}")).into(),
        None => diagnosis.into(),
    }
}

/// The name with what is not allowed made a hyphen, when that is a name of both kinds.
fn corrected(text: &str) -> Option<String> {
    let mut better = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => better.push(c),
            _ if better.ends_with('-') || better.is_empty() => {}
            _ => better.push('-'),
        }
    }
    let better = better.trim_end_matches('-').to_owned();
    (better != text && better.parse::<VaultName>().is_ok()).then_some(better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_refused_with_the_character_and_a_better_name() {
        let error = secret("my_secret").unwrap_err();
        assert_eq!(error.exit(), 2);
        let CliError::Diagnosed { diagnosis, .. } = error else { panic!("not a diagnosis") };
        assert!(diagnosis.cause.as_deref().is_some_and(|cause| cause.starts_with("_ is not allowed")), "{diagnosis:?}");
        assert_eq!(diagnosis.fix, ["for example my-secret"]);
    }

    #[test]
    fn nothing_is_suggested_where_nothing_fits() {
        assert_eq!(corrected("__"), None);
        assert_eq!(corrected("fine"), None);
    }
}
