//! Every code of the library is reached from real input, and those that are not are listed here with their owner.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use credstore::Diagnosis;
use credstore::azure::certificate::{SigningCertificate, generate, public_certificate};
use credstore::azure::key_form::private_key;
use credstore::codes::{self, Code};
use credstore::{connection_string, settings};

use crate::azure_support::{NOW, generated};

/// Codes that other tests of the library reach, which need files, a clock or a cloud: the test that does.
const ELSEWHERE: &[(&str, &str)] = &[
    ("CS1001", "settings"),
    ("CS1002", "settings"),
    ("CS1009", "settings"),
    ("CS1014", "settings"),
    ("CS1023", "settings"),
    ("CS1201", "settings, azure_token"),
    ("CS1204", "azure_certificate_dates"),
    ("CS1207", "settings"),
    ("CS1209", "azure_certificate_dates"),
    ("CS1210", "settings"),
    ("CS1212", "azure_certificate"),
    ("CS1215", "settings"),
    ("CS1217", "renewal, of the command line"),
    ("CS1218", "renewal, of the command line"),
    ("CS1219", "credential_files, of the command line"),
];

/// The text of a vector, without its header.
fn inputs(folder: &str) -> Vec<String> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    files.map(|text| text.split_once("\n\n").unwrap().1.to_owned()).collect()
}

fn found() -> Vec<Diagnosis> {
    let mut found = Vec::new();
    for text in inputs("settings") {
        found.extend(settings::parse(&text, Path::new("server-settings.json")).findings);
    }
    for text in inputs("connection-string") {
        let text = text.strip_suffix('\n').unwrap_or(&text);
        match connection_string::parse(text) {
            Ok(string) => found.extend(string.plain_text_passwords()),
            Err(error) => found.push(error.into()),
        }
    }
    found.extend(about_certificates());
    found
}

fn about_certificates() -> Vec<Diagnosis> {
    let ours = generated().pem.expose_secret();
    let (key, certificate) = ours.split_at(ours.find("-----BEGIN CERTIFICATE").unwrap());
    let other = generate("CN=other", 2048, 1, NOW).unwrap();
    let other = other.pem.expose_secret();
    let foreign = &other[other.find("-----BEGIN CERTIFICATE").unwrap()..];
    let labelled = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n{certificate}");
    let files = [
        key.to_owned(),
        certificate.to_owned(),
        format!("{key}{foreign}"),
        labelled("ENCRYPTED PRIVATE KEY"),
        labelled("EC PRIVATE KEY"),
    ];
    let errors = files.map(|file| SigningCertificate::load(file.as_bytes(), None).unwrap_err());
    let exposed = public_certificate(ours.as_bytes()).unwrap_err();
    let mut found: Vec<_> =
        errors.into_iter().chain([exposed]).map(|error| error.diagnosis(Some(Path::new("my.pem")), None)).collect();
    found.push(generate("CN=a", 1024, 1, NOW).err().unwrap().into());
    found.push(private_key("no key", None).unwrap_err().diagnosis(Path::new("my.pem")));
    found
}

#[test]
fn every_code_about_settings_is_reached_by_a_vector_or_by_a_test_that_is_named() {
    let reached: BTreeSet<&str> = found().iter().map(|finding| finding.code.id).collect();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(code, _)| *code).collect();
    let wanted = |code: &&&'static Code| code.id < "CS1300";
    let missing: Vec<_> = codes::settings::ALL
        .iter()
        .filter(wanted)
        .map(|code| code.id)
        .filter(|id| !reached.contains(id) && !elsewhere.contains(id))
        .collect();
    assert!(missing.is_empty(), "no test reaches {missing:?}");
    let stale: Vec<_> = elsewhere.intersection(&reached).filter(|code| !["CS1009"].contains(code)).collect();
    assert!(stale.is_empty(), "vectors reach {stale:?} by now");
}

#[test]
fn every_finding_of_a_vector_says_what_to_do_and_where() {
    let mut without: BTreeSet<&str> = BTreeSet::new();
    for finding in found() {
        assert!(!finding.message.is_empty() && !finding.message.ends_with('.'), "{finding:?}");
        if finding.fix.is_empty() && finding.edit.is_none() {
            without.insert(finding.code.id);
        }
        let in_text = finding.code.id < "CS1200" || finding.code.id > "CS2000";
        if in_text && finding.code.id != "CS2023" {
            assert!(finding.place.is_some_and(|place| place.line.is_some()), "{}", finding.code.id);
        }
    }
    assert!(without.is_empty(), "no fix: {without:?}");
}
