//! Paths, queries and forms, decoded once.
//!
//! A path is split at its slashes first and decoded after, so an encoded slash stays inside its segment, where no
//! name accepts it. Empty segments vanish: `/secrets/{n}/` and `//secrets/{n}` are sent by real clients
//! (contract section 4). Dot segments mean nothing here and are refused as names.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::limits::{PARAMETERS_MAX, SEGMENTS_MAX};

/// The segments of a path, decoded, without the empty ones. `None`: too many, or not UTF-8.
pub(crate) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut segments = Vec::with_capacity(4);
    for raw in path.split('/').filter(|raw| !raw.is_empty()) {
        if segments.len() == SEGMENTS_MAX {
            return None;
        }
        segments.push(percent_decode_str(raw).decode_utf8().ok()?);
    }
    Some(segments)
}

/// Parameters of a query or an `application/x-www-form-urlencoded` body. Wiped when dropped: a form holds an assertion.
#[derive(Default)]
pub(crate) struct Parameters(Vec<(String, Zeroizing<String>)>);

/// A query or form is broken, too long, or says a thing twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadParameters;

fn decode(text: &str) -> Result<Zeroizing<String>, BadParameters> {
    if !text.contains(['+', '%']) {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let spaced = Zeroizing::new(text.replace('+', " "));
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| BadParameters)?;
    Ok(Zeroizing::new(decoded.into_owned()))
}

impl Parameters {
    pub(crate) fn parse(text: &str) -> Result<Self, BadParameters> {
        let mut pairs: Vec<(String, Zeroizing<String>)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            let twice = pairs.iter().any(|(known, _)| *known == *name);
            if twice || pairs.len() == PARAMETERS_MAX {
                return Err(BadParameters);
            }
            pairs.push((name.as_str().to_owned(), decode(value)?));
        }
        Ok(Self(pairs))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value, when it is the only parameter there is.
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        if self.0.len() == 1 { self.get(name) } else { None }
    }

    /// The value, unless it is absent or empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_segments_vanish_and_an_encoded_slash_stays_inside() {
        for (path, expected) in [
            ("/secrets/db/", vec!["secrets", "db"]),
            ("//secrets///db", vec!["secrets", "db"]),
            ("/secrets/a%2Fb", vec!["secrets", "a/b"]),
            ("/secrets/..", vec!["secrets", ".."]),
            ("/secrets/%252e", vec!["secrets", "%2e"]),
            ("/", vec![]),
        ] {
            assert_eq!(segments(path).unwrap(), expected, "{path}");
        }
        assert_eq!(segments("/%ff"), None);
    }

    #[test]
    fn a_path_has_at_most_the_segments_that_the_limit_names() {
        assert!(segments(&"/a".repeat(SEGMENTS_MAX)).is_some());
        assert!(segments(&"/a".repeat(SEGMENTS_MAX + 1)).is_none());
    }

    #[test]
    fn a_parameter_is_decoded_once_and_given_once() {
        let query = Parameters::parse("api-version=7.4&%24skiptoken=a%2Bb+c&x").ok().unwrap();
        assert_eq!(query.get("api-version"), Some("7.4"));
        assert_eq!(query.get("$skiptoken"), Some("a+b c"));
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.given("x"), None);
        for bad in ["a=1&a=2", "a=1&%61=2", "a=%ff"] {
            assert!(Parameters::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_counted() {
        let query = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert!(Parameters::parse(&query(PARAMETERS_MAX)).is_ok());
        assert!(Parameters::parse(&query(PARAMETERS_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_split_without_a_panic(text in "\\PC{0,60}") {
            let _ = segments(&text);
            let _ = Parameters::parse(&text);
        }
    }
}
