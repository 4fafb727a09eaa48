//! Certificate files that were edited, cut, joined or pasted: what still means the same is read, all else is refused.

use std::path::Path;

use credstore::azure::certificate::{SigningAlgorithm, SigningCertificate, export_public, public_certificate};
use proptest::prelude::*;

use crate::azure_support::generated;

fn original() -> &'static str {
    generated().pem.expose_secret()
}

/// The file's blocks: key, certificate.
fn blocks() -> (String, String) {
    let at = original().find("-----BEGIN CERTIFICATE-----").unwrap();
    let (key, certificate) = original().split_at(at);
    (key.to_owned(), certificate.to_owned())
}

fn is_ours(text: &str) -> bool {
    SigningCertificate::load(text.as_bytes(), None).is_ok_and(|read| *read.public() == generated().public)
}

#[test]
fn edits_that_change_no_meaning_are_read() {
    let (key, certificate) = blocks();
    for (what, text) in [
        ("other order", format!("{certificate}{key}")),
        ("certificate twice", format!("{key}{certificate}{certificate}")),
        ("blank lines", original().replace("-----\n", "-----\n\n")),
        ("blanks at line ends", original().replace('\n', " \n")),
        ("old Mac newlines", original().replace('\n', "\r")),
        ("text before, between and after", format!("subject=CN\n{key}issuer: x\n{certificate}end\n")),
        ("other line length", wrapped(76)),
        ("one long line", wrapped(100_000)),
        ("short lines", wrapped(4)),
        ("base64url", original().replace('+', "-").replace('/', "_")),
    ] {
        assert!(is_ours(&text), "{what}: {:?}", SigningCertificate::load(text.as_bytes(), None).map(|_| ()));
    }
}

/// The blocks with lines of another length. Source: RFC 7468 section 2: parsers may be lax.
fn wrapped(length: usize) -> String {
    let wrap = |block: &str| {
        let mut lines: Vec<&str> = block.lines().collect();
        let (last, first) = (lines.pop().unwrap(), lines.remove(0));
        let content = lines.concat();
        let parts: Vec<&str> =
            content.as_bytes().chunks(length).map(|part| std::str::from_utf8(part).unwrap()).collect();
        format!("{first}\n{}\n{last}\n", parts.join("\n"))
    };
    let (key, certificate) = blocks();
    wrap(&key) + &wrap(&certificate)
}

#[test]
fn edits_that_destroy_it_are_refused_with_a_fix_and_without_its_text() {
    let (key, certificate) = blocks();
    let secret = key.lines().nth(5).unwrap().to_owned();
    for (what, text) in [
        ("no dashes", original().replace("-----", "")),
        ("four dashes", original().replace("-----", "----")),
        ("labels in lower case", original().replace("PRIVATE KEY", "private key")),
        ("labels exchanged", format!("{}{certificate}", key.replace("PRIVATE KEY", "CERTIFICATE"))),
        ("a line gone", key.replacen(&format!("{secret}\n"), "", 1) + &certificate),
        ("a line twice", key.replacen(&secret, &format!("{secret}\n{secret}"), 1) + &certificate),
        ("two lines exchanged", exchanged(&key) + &certificate),
        ("key twice, no certificate", format!("{key}{key}")),
        ("padding in the middle", key.replacen(&secret[..1], "=", 1) + &certificate),
        ("quoted mail", original().lines().map(|line| format!("> {line}\n")).collect()),
        ("HTML", original().replace('+', "&#43;").replace('\n', "<br>\n")),
        ("JSON", serde_json::to_string(original()).unwrap()),
    ] {
        let Err(error) = SigningCertificate::load(text.as_bytes(), None) else {
            panic!("{what} was accepted");
        };
        let diagnosis = error.diagnosis(Some(Path::new("my.pem")), None);
        assert!(diagnosis.code.id.starts_with("CS12") && diagnosis.fix.len() == 1, "{what}: {diagnosis:?}");
        assert!(!format!("{diagnosis:?} {error:?}").contains(&secret[..16]), "{what}");
    }
}

fn exchanged(block: &str) -> String {
    let mut lines: Vec<&str> = block.lines().collect();
    lines.swap(3, 7);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_that_was_cut_anywhere_is_refused_or_whole(cut in 0..5000usize) {
        let cut = cut % original().len();
        let text = &original()[..cut];
        // The last newline and no more may be missing.
        prop_assert_eq!(is_ours(text), cut + 1 >= original().len());
        prop_assert!(is_ours(original()));
    }

    #[test]
    fn blanks_and_newlines_between_blocks_never_matter(
        before in "[ \t\r\n]{0,9}", between in "[ \t\r\n]{0,9}", after in "[ \t\r\n]{0,9}", crlf: bool,
    ) {
        let (key, certificate) = blocks();
        let text = format!("{before}\n{key}{between}\n{certificate}{after}");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        prop_assert!(is_ours(&text));
    }

    #[test]
    fn what_is_exported_never_holds_the_key(noise in "[ -~\n]{0,60}") {
        let (key, certificate) = blocks();
        let text = format!("{noise}\n{key}{certificate}");
        if let Ok(public) = export_public(text.as_bytes(), None) {
            prop_assert_eq!(&public.der, &generated().public.der);
        }
        prop_assert!(public_certificate(text.as_bytes()).is_err(), "a file with a key is not for upload");
        prop_assert_eq!(public_certificate(certificate.as_bytes()).unwrap(), generated().public.clone());
    }

    #[test]
    fn a_changed_key_is_never_used_to_sign_as_another(line in 1..25usize, at in 0..60usize, to in "[A-Za-z0-9+/]") {
        let (key, certificate) = blocks();
        let mut lines: Vec<String> = key.lines().map(str::to_owned).collect();
        prop_assume!(line + 1 < lines.len() && at < lines[line].len());
        lines[line].replace_range(at..=at, &to);
        let text = lines.join("\n") + "\n" + &certificate;
        if let Ok(read) = SigningCertificate::load(text.as_bytes(), None) {
            let signature = read.sign(SigningAlgorithm::Rs256, b"message");
            let honest = SigningCertificate::load(original().as_bytes(), None).unwrap();
            // PKCS#1 v1.5 is deterministic: the same key gives the same signature.
            prop_assert_eq!(signature, honest.sign(SigningAlgorithm::Rs256, b"message"));
        }
    }
}
