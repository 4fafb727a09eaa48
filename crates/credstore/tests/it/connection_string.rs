//! Connection strings: a file in `testing/vectors/connection-string` is a test, and the laws that hold for all secrets.

use std::path::Path;

use credstore::Diagnosis;
use credstore::connection_string::{self, ExpandError, LENGTH_MAX, Style};
use credstore::protocol::{Identifier, Secret};
use credstore::reference::Form;
use proptest::prelude::*;

/// What every identifier of the vectors resolves to.
const PASSWORD: &str = "p;w}d=1";

fn expanded(text: &str, secret: &Secret) -> String {
    let string = connection_string::parse(text).unwrap();
    string.expand(|_| Some(secret)).unwrap().as_str().to_owned()
}

fn diagnosis(text: &str) -> Diagnosis {
    connection_string::parse(text).unwrap_err().into()
}

#[test]
fn every_connection_string_vector_has_the_outcome_it_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/connection-string");
    let secret = Secret::from(PASSWORD.to_owned());
    let mut ran = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (header, input) = text.split_once("\n\n").expect("a blank line ends the header");
        let input = input.strip_suffix('\n').unwrap_or(input);
        let line = |name: &str| header.lines().find_map(|line| line.strip_prefix(name));
        match connection_string::parse(input) {
            Ok(string) => {
                assert_eq!(line("expect: "), Some("ok"), "{}", path.display());
                assert_eq!(line("masked: "), Some(string.masked().as_str()), "{}", path.display());
                assert_eq!(line("expanded: "), Some(expanded(input, &secret).as_str()), "{}", path.display());
            }
            Err(error) => {
                let diagnosis = Diagnosis::from(error.clone());
                let found = format!("{} {}:{}", diagnosis.code.id, error.line, error.column);
                assert_eq!(line("expect: "), Some(found.as_str()), "{}: {error}", path.display());
                assert!(input.get(error.span).is_some(), "{}", path.display());
            }
        }
        ran += 1;
    }
    assert!(ran >= 40, "only {ran} vectors found: wrong folder?");
}

#[test]
fn a_keyword_given_twice_is_told_as_the_sample_shows() {
    let error = diagnosis("DSN=P2P; Pass=hunter2; mv-credential-Pass=SqlServerP2P;");
    assert_eq!(error.message, "the keyword Pass is given twice");
    assert_eq!(error.cause.as_deref(), Some("once as Pass and once as mv-credential-Pass"));
    assert_eq!(error.fix, ["remove Pass=…; it also puts a password into your shell history"]);
    assert_eq!(error.code.exit as u8, 3);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_misspelt_prefix_comes_with_the_right_one() {
    for (written, meant) in [
        ("mv-credentials-Pass", "mv-credential-Pass"),
        ("mv_credential-PWD", "mv-credential-PWD"),
        ("mvcredential-Pass", "mv-credential-Pass"),
        ("mvcredentialPass", "mv-credential-Pass"),
        ("MV-CREDENTIALS-Pass", "mv-credential-Pass"),
        ("mv.credential.Pass", "mv-credential-Pass"),
    ] {
        let text = format!("{written}=X");
        let error = diagnosis(&text);
        let edit = error.edit.expect("a certain repair");
        assert_eq!((edit.text.as_str(), edit.span), (meant, 0..written.len()));
    }
}

#[test]
fn ordinary_keywords_are_not_taken_for_a_misspelt_prefix() {
    for keyword in ["User Id", "Trusted_Connection", "credentials", "mv-enable", "Persist Security Info", "mv-cred"] {
        let text = format!("{keyword}=x");
        assert!(connection_string::parse(&text).is_ok(), "{keyword}");
    }
}

#[test]
fn text_without_an_equals_sign_is_not_shown_since_it_may_be_a_password() {
    let error = diagnosis("Pass=abc;planted;DSN=x");
    assert_eq!(error.code.id, "CS2017");
    assert!(!format!("{error:?} {error}").contains("planted"));
}

#[test]
fn references_have_their_place_in_the_text_that_was_given() {
    let text = " 'DSN=a;\n mv-credential-Pass = {X} '";
    let string = connection_string::parse(text).unwrap();
    let [reference] = string.references().try_into().unwrap();
    assert_eq!(reference.identifier.as_str(), "X");
    assert_eq!(reference.form, Form::ConnectionString { keyword: "Pass".to_owned() });
    assert_eq!((reference.place.line, reference.place.column), (Some(2), Some(23)));
    assert_eq!(&text[reference.place.span.unwrap()], "{X}");
    assert_eq!(&text[reference.whole], "mv-credential-Pass = {X}");
}

#[test]
fn a_disabled_string_asks_for_nothing() {
    let string = connection_string::parse("mv-enable={False};mv-credential-Pass=X").unwrap();
    assert!(!string.enabled());
    assert!(string.references().is_empty());
    assert_eq!(string.written_references().len(), 1);
    string.expand(|_| panic!("nothing is looked up")).unwrap();
}

#[test]
fn what_cannot_be_used_is_refused_and_nothing_half_made_is_given() {
    let string = connection_string::parse("a=b;mv-credential-Pass=X").unwrap();
    let identifier: Identifier = "X".parse().unwrap();
    let empty = Secret::from(String::new());
    let nul = Secret::from("plan\0ted".to_owned());
    assert_eq!(string.expand(|_| None), Err(ExpandError::NotResolved(identifier.clone())));
    assert_eq!(string.expand(|_| Some(&empty)), Err(ExpandError::Empty(identifier.clone())));
    assert_eq!(string.expand(|_| Some(&nul)), Err(ExpandError::Nul(identifier)));
    let ids = [ExpandError::Nul("X".parse().unwrap())].map(|error| Diagnosis::from(error).code.id);
    assert_eq!(ids, ["CS2008"]);
}

#[test]
fn the_uri_style_encodes_the_value_and_leaves_the_rest() {
    let string = connection_string::parse("host=h i;mv-credential-password=X").unwrap();
    let secret = Secret::from("p;w}d 1/ü".to_owned());
    let expanded = string.expand_with(Style::Uri, |_| Some(&secret)).unwrap();
    assert_eq!(expanded.as_str(), "host=h i;password=p%3Bw%7Dd%201%2F%C3%BC");
}

#[test]
fn the_length_is_limited_and_nul_is_refused() {
    let longest = format!("a={}", "x".repeat(LENGTH_MAX - 2));
    assert!(connection_string::parse(&longest).is_ok());
    assert_eq!(diagnosis(&format!("{longest}x")).code.id, "CS2022");
    assert_eq!(diagnosis("a=b\0;c=d").code.id, "CS2024");
}

#[test]
fn many_pairs_are_read_in_one_pass() {
    let text: String = (0..10_000).map(|number| format!("mv-credential-{number}=X;")).collect();
    assert_eq!(connection_string::parse(&text).unwrap().references().len(), 10_000);
}

#[test]
fn debug_shows_no_password() {
    let string = connection_string::parse("DSN=a;Pass=planted;pwd={planted};url=ftp://u:planted@h").unwrap();
    let shown = format!("{string:?} {:?}", string.pairs().collect::<Vec<_>>());
    assert!(!shown.contains("planted"), "{shown}");
    let [first, second] = string.plain_text_passwords().try_into().unwrap();
    assert_eq!((first.code.id, second.code.id), ("CS2023", "CS2023"));
    assert!(!format!("{first:?}{second:?}").contains("planted"));
}

#[test]
fn the_mask_has_the_same_length_for_every_value() {
    for password in ["a", "a much longer password"] {
        let string = connection_string::parse(&format!("Pass={password}")).map(|string| string.masked());
        assert_eq!(string.unwrap(), "Pass=********");
    }
}

/// Any text without NUL, from one character to the limit of a vault, with much of what is special.
fn secrets() -> impl Strategy<Value = String> {
    let special = prop_oneof![
        Just("}".to_owned()),
        Just("{".to_owned()),
        Just(";".to_owned()),
        Just("=".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("%3B".to_owned()),
        Just("}}".to_owned()),
        Just(";Pass=x".to_owned()),
        Just("};DSN=evil;".to_owned()),
        Just("‘".to_owned()),
        "[^\\x00]{1,8}",
    ];
    prop_oneof![
        proptest::collection::vec(special, 1..20).prop_map(|parts| parts.concat()),
        "[a-zA-Z0-9_.-]{1,40}",
        Just("}".repeat(25_600)),
        Just("ü;".repeat(8_533)),
    ]
}

fn strings() -> impl Strategy<Value = String> {
    let pair = prop_oneof![
        "[A-Za-z][A-Za-z0-9_ ]{0,8}=[a-z0-9 ={]{0,6}",
        "[A-Za-z][A-Za-z0-9]{0,8} ?= ?\\{[a-z;=' ]{0,6}(\\}\\})?[a-z]{0,3}\\} ?",
        Just(" ".to_owned()),
    ];
    (proptest::collection::vec(pair.clone(), 0..4), proptest::collection::vec(pair, 0..4)).prop_map(
        |(before, after)| {
            let reference = vec!["mv-credential-SecretKeyword=Name".to_owned()];
            [before, reference, after].concat().join(";")
        },
    )
}

/// Keywords and values as they are understood.
fn understood(text: &str) -> Vec<(String, String)> {
    let string = connection_string::parse(text).unwrap();
    string.pairs().map(|pair| (pair.keyword().to_owned(), pair.value().as_str().to_owned())).collect()
}

proptest! {
    #[test]
    fn a_secret_is_the_value_of_its_keyword_and_changes_nothing_else(text in strings(), value in secrets()) {
        prop_assume!(connection_string::parse(&text).is_ok());
        let mut expected = understood(&text);
        for (keyword, written) in &mut expected {
            if keyword == "mv-credential-SecretKeyword" {
                "SecretKeyword".clone_into(keyword);
                value.clone_into(written);
            }
        }
        prop_assert_eq!(understood(&expanded(&text, &Secret::from(value))), expected);
    }

    #[test]
    fn masking_never_shows_the_secret_and_parses(text in strings()) {
        if let Ok(string) = connection_string::parse(&text) {
            let keywords = |text: &str| understood(text).into_iter().map(|(keyword, _)| keyword).collect::<Vec<_>>();
            let masked = string.masked();
            let expected: Vec<_> =
                keywords(&text).iter().map(|keyword| keyword.replace("mv-credential-", "")).collect();
            prop_assert_eq!(keywords(&masked), expected);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "([{}=;' \n‘”a-c]|mv-credential-|mv-enable|\\PC){0,40}") {
        match connection_string::parse(&text) {
            Ok(string) => {
                let secret = Secret::from("x".to_owned());
                string.expand(|_| Some(&secret)).unwrap();
                string.masked();
                prop_assert_eq!(string.pairs().map(|pair| pair.value().len()).filter(|len| *len > text.len()).count(), 0);
            }
            Err(error) => prop_assert!(text.get(error.span).is_some()),
        }
    }
}
