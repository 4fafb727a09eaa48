//! Server Settings: a file in `testing/vectors/settings` is a test. Its header says what is found, where, with which
//! severity and whether a certain repair is offered; which store results; and which references.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use credstore::Diagnosis;
use credstore::diagnosis::Severity;
use credstore::reference::{Form, Reference};
use credstore::settings::{
    self, Cloud, DiffLine, Parsed, StoreEntry, StoreSettings, fix_all, set_store_entry, set_store_text, store_text,
};
use proptest::prelude::*;

const SETTINGS: &str = "/srv/pm/server-settings.json";
const TENANT: &str = "3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44";
const CLIENT: &str = "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1";

fn parse(text: &str) -> Parsed {
    settings::parse(text, Path::new(SETTINGS))
}

fn vectors() -> Vec<(PathBuf, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/settings");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = files.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let (header, input) = text.split_once("\n\n").expect("a blank line ends the header");
        (path.clone(), header.to_owned(), input.to_owned())
    });
    let vectors: Vec<_> = read.collect();
    assert!(vectors.len() >= 80, "only {} vectors found: wrong folder?", vectors.len());
    vectors
}

fn outcome(finding: &Diagnosis) -> String {
    let place = finding.place.as_ref().expect("every finding about the text has a place");
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let fix = if finding.edit.is_some() { " fix" } else { "" };
    format!("expect: {} {severity} {}:{}{fix}\n", finding.code.id, place.line.unwrap(), place.column.unwrap())
}

fn store_name(parsed: &Parsed) -> &'static str {
    match parsed.settings.as_ref().and_then(|settings| settings.store.as_ref()) {
        None => "none",
        Some(StoreSettings::File(_)) => "File",
        Some(StoreSettings::EncryptedFile(_)) => "EncryptedFile",
        Some(StoreSettings::AzureKeyVault(_)) => "AzureKeyVault",
    }
}

fn described(reference: &Reference) -> String {
    match &reference.form {
        Form::Setting { pointer } => format!("{}={pointer}", reference.identifier),
        Form::ConnectionString { .. } => panic!("settings hold no connection strings"),
    }
}

#[test]
fn every_settings_vector_has_the_findings_it_expects() {
    let mut wrong = String::new();
    for (path, header, input) in vectors() {
        let parsed = parse(&input);
        let found: String = parsed.findings.iter().map(outcome).collect();
        let references: Vec<_> =
            parsed.settings.iter().flat_map(|settings| &settings.references).map(described).collect();
        let expected: String =
            header.lines().filter(|line| line.starts_with("expect:")).map(|line| format!("{line}\n")).collect();
        let line = |name: &str| header.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let (store, named) = (store_name(&parsed), references.join(" "));
        if found != expected || store != line("store: ") || named != line("references: ") {
            writeln!(wrong, "{}\n{found}store: {store}\nreferences: {named}\n", path.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "found instead:\n{wrong}");
}

#[test]
fn after_the_certain_repairs_only_what_needs_a_person_is_left() {
    for (path, _, input) in vectors() {
        let mut text = input.clone();
        let mut rounds = 0;
        let left = loop {
            let findings = parse(&text).findings;
            if findings.iter().all(|finding| finding.edit.is_none()) {
                break findings;
            }
            text = fix_all(&text, &findings);
            rounds += 1;
            assert!(rounds < 5, "{} is never done:\n{text}", path.display());
        };
        let before = parse(&input).findings;
        for finding in left {
            let known = before.iter().any(|one| one.code.id == finding.code.id && one.edit.is_none());
            // Repairing a key or a type lets the checks behind it run for the first time.
            let behind = ["CS1117", "CS2001"].contains(&finding.code.id) || before.iter().any(|one| one.edit.is_some());
            assert!(known || behind, "{}: {finding}", path.display());
        }
    }
}

#[test]
fn the_documented_mistake_is_repaired_by_exactly_one_character() {
    let (_, _, input) = vectors().into_iter().find(|(path, _, _)| path.ends_with("sample-3.txt")).unwrap();
    let parsed = parse(&input);
    let [finding] = parsed.findings.as_slice() else { panic!("{:?}", parsed.findings) };
    assert_eq!((finding.code.id, finding.message.as_str()), ("CS1003", "a comma is missing"));
    let edit = finding.edit.as_ref().unwrap();
    assert_eq!((edit.text.as_str(), edit.label.as_str(), edit.span.len()), (",", "add , here", 0));
    let fixed = fix_all(&input, &parsed.findings);
    assert_eq!(fixed, input.replace("\"acme-pm-kv\"\n", "\"acme-pm-kv\",\n"));
    assert!(parse(&fixed).findings.is_empty());
}

#[test]
fn a_finding_has_the_path_in_the_document_and_the_file() {
    let text = "{\"ExternalAuthenticationProviders\": {\"ldap\": {\"bindCredentials\": \"planted\"}}}";
    let parsed = parse(text);
    let place = parsed.findings[0].place.as_ref().unwrap();
    assert_eq!(place.pointer.as_deref(), Some("ExternalAuthenticationProviders.ldap.bindCredentials"));
    assert_eq!(place.file.as_deref(), Some(Path::new(SETTINGS)));
    assert_eq!(place.span, None, "the line holds the password and must not be shown");
}

#[test]
fn no_finding_tells_a_value() {
    let broken = [
        "{\"MailSettings\": {\"password\": \"planted\"}}",
        "{\"password\": planted}",
        "{\"password\": \"x\" planted}",
        "{\"password\": \"a\"planted\"}",
        "{\"password\": planted.planted}",
        "{\"password\": \"planted",
        "{\"password\": \"\\planted\"}",
        "{\"password\": ‘planted",
        "{\"password\": 0planted}",
        "{\"password\": \"x\", /* planted */ \"b\": 1}",
    ];
    for text in broken {
        let parsed = parse(text);
        assert!(!parsed.findings.is_empty(), "{text}");
        for mut finding in parsed.findings {
            finding.edit = None;
            assert!(!format!("{finding:?}").contains("planted"), "{text}: {finding:?}");
        }
    }
}

#[test]
fn paths_begin_at_the_folder_of_the_settings_file() {
    for (written, expected) in [
        ("my-certificate.pem", "/srv/pm/my-certificate.pem"),
        ("keys/my-certificate.pem", "/srv/pm/keys/my-certificate.pem"),
        ("/etc/my-certificate.pem", "/etc/my-certificate.pem"),
    ] {
        let entry = azure_entry(written);
        let text = set_store_entry("{}", &entry).unwrap().text;
        let parsed = parse(&text).usable().unwrap().0;
        let Some(StoreSettings::AzureKeyVault(store)) = parsed.store else { panic!("{text}") };
        assert_eq!(store.certificate_file, Path::new(expected));
        assert_eq!((store.tenant.as_str(), store.client_id.as_str()), (TENANT, CLIENT));
        assert_eq!(store.places.certificate_file.pointer.as_deref(), Some("CredentialStore.CertificateFile"));
    }
    let parsed = parse("{\"CredentialStore\": {\"Type\": \"File\"}}");
    let Some(StoreSettings::File(store)) = parsed.settings.unwrap().store else { panic!() };
    assert_eq!(store.path, Path::new("/srv/pm/credential_store.json"));
}

#[test]
fn settings_with_an_error_are_not_usable_and_warnings_come_along() {
    let error = parse("{\"CredentialStore\": {\"Type\": \"file\"}}").usable().unwrap_err();
    assert_eq!(error.code.id, "CS1103");
    let (_, warnings) = parse("{\"AutomationHubAppToken\": \"t\"}").usable().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(parse("{").usable().is_err());
}

#[test]
fn a_byte_order_mark_is_a_warning_and_moves_no_column() {
    let parsed = parse("\u{FEFF}{\"a\": 1,}");
    let found: String = parsed.findings.iter().map(outcome).collect();
    assert_eq!(found, "expect: CS1009 warning 1:1 fix\nexpect: CS1004 error 1:8 fix\n");
    assert_eq!(fix_all("\u{FEFF}{\"a\": 1,}", &parsed.findings), "{\"a\": 1}");
}

#[test]
fn windows_newlines_count_once_and_stay() {
    let text = "{\r\n  \"a\": \"x\"\r\n  \"b\": 1\r\n}\r\n";
    let parsed = parse(text);
    let found: String = parsed.findings.iter().map(outcome).collect();
    assert_eq!(found, "expect: CS1003 error 2:11 fix\n");
    assert_eq!(fix_all(text, &parsed.findings), text.replace("\"x\"", "\"x\","));
}

#[test]
fn what_is_not_utf8_is_said_with_its_place() {
    let file = Path::new(SETTINGS);
    assert_eq!(settings::decode("{}".as_bytes(), file).unwrap().as_str(), "{}");
    let error = settings::decode(b"{\n\"a\": \"gr\xFCn\"}", file).unwrap_err();
    let place = error.place.unwrap();
    assert_eq!((error.code.id, place.line, place.column), ("CS1014", Some(2), Some(9)));
    let utf16 = settings::decode(b"\xFF\xFE{\0}\0", file).unwrap_err();
    assert!(utf16.cause.unwrap().contains("UTF-16"));
}

fn azure_entry(certificate_file: &str) -> StoreEntry {
    StoreEntry::AzureKeyVault {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        vault_name: "acme-pm-kv".to_owned(),
        certificate_file: certificate_file.to_owned(),
        cloud: Cloud::AzurePublic,
        ca_file: None,
    }
}

#[test]
fn the_entry_is_replaced_as_the_sample_shows_and_nothing_else_changes() {
    let text = "{\n  \"First\" : 1,\n  \"CredentialStore\": {\n    \"Type\": \"File\"\n  },\n  \"Last\":[ ]\n}";
    let edited = set_store_entry(text, &azure_entry("my-certificate.pem")).unwrap();
    let diff: Vec<_> = edited.diff.iter().map(ToString::to_string).collect();
    assert_eq!(
        diff,
        [
            "  \"CredentialStore\": {",
            "-   \"Type\": \"File\"",
            "+   \"Type\": \"AzureKeyVault\",",
            "+   \"TenantId\": \"3f0d6c1e-52aa-4b1c-9a56-0c8b7e2d1f44\",",
            "+   \"ClientId\": \"5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1\",",
            "+   \"VaultName\": \"acme-pm-kv\",",
            "+   \"CertificateFile\": \"my-certificate.pem\"",
            "  }",
        ]
    );
    assert!(
        edited.text.starts_with("{\n  \"First\" : 1,\n  \"CredentialStore\": {\n    \"Type\": \"AzureKeyVault\",\n")
    );
    assert!(edited.text.ends_with("\"my-certificate.pem\"\n  },\n  \"Last\":[ ]\n}"));
    let again = set_store_entry(&edited.text, &azure_entry("my-certificate.pem")).unwrap();
    assert_eq!((again.text, again.diff), (edited.text, Vec::new()), "doing it twice changes nothing");
}

#[test]
fn with_the_same_keys_only_the_value_changes_and_the_layout_stays() {
    let text = format!(
        "{{ \"CredentialStore\" : {{\r\n\t\"VaultName\"      : \"acme-pm-kv\",\r\n\t\"Type\"           : \"AzureKeyVault\",\r\n\
         \t\"TenantId\"       : \"{TENANT}\",\r\n\t\"ClientId\": \"{CLIENT}\",\"CertificateFile\": \"old.pem\" }} }}"
    );
    let edited = set_store_entry(&text, &azure_entry("new.pem")).unwrap();
    assert_eq!(edited.text, text.replace("old.pem", "new.pem"));
}

#[test]
fn the_entry_is_added_in_every_layout() {
    for (text, expected) in [
        ("", "{\n  \"CredentialStore\": {\n    \"Type\": \"File\"\n  }\n}\n"),
        ("{}", "{\n  \"CredentialStore\": {\n    \"Type\": \"File\"\n  }\n}"),
        ("{ }\n", "{\n  \"CredentialStore\": {\n    \"Type\": \"File\"\n  }\n}\n"),
        ("{\"a\": 1}", "{\"a\": 1, \"CredentialStore\": {\"Type\": \"File\"}}"),
        (
            "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n",
            "{\n\t\"a\": {\n\t\t\"b\": 1\n\t},\n\t\"CredentialStore\": {\n\t\t\"Type\": \"File\"\n\t}\n}\n",
        ),
        (
            "{\r\n    \"a\": 1\r\n}",
            "{\r\n    \"a\": 1,\r\n    \"CredentialStore\": {\r\n        \"Type\": \"File\"\r\n    }\r\n}",
        ),
    ] {
        let edited = set_store_entry(text, &StoreEntry::File).unwrap();
        assert_eq!(edited.text, expected, "{text:?}");
        assert!(edited.diff.iter().all(|line| line.to_string().starts_with("+ ")), "{:?}", edited.diff);
        assert!(parse(&edited.text).findings.is_empty());
    }
}

#[test]
fn a_broken_file_is_not_written_over() {
    let error = set_store_entry("{\"a\": 1,}", &StoreEntry::File).unwrap_err();
    assert_eq!(error.code.id, "CS1004");
    assert_eq!(set_store_entry("[]", &StoreEntry::File).unwrap_err().code.id, "CS1020");
}

#[test]
fn a_ca_file_that_is_not_there_is_an_error() {
    let text = set_store_entry("", &azure_entry("/dev/null/x")).unwrap().text;
    let text = text.replace("\"VaultName\"", "\"CaFile\": \"/nowhere/ca.pem\", \"VaultName\"");
    let settings = parse(&text).settings.unwrap();
    let found: Vec<_> = settings::check_files(&settings).iter().map(|finding| finding.code.id).collect();
    assert_eq!(found, ["CS1210", "CS1215"]);
}

#[test]
fn files_that_the_settings_name_are_checked() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("credstore-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("server-settings.json");
    let text = set_store_entry("", &azure_entry("my-certificate.pem")).unwrap().text;
    std::fs::write(&file, &text).unwrap();
    let check = || {
        let text = settings::read(&file).unwrap();
        let parsed = settings::parse(&text, &file).settings.unwrap();
        settings::check_files(&parsed)
    };
    let [missing] = check().try_into().unwrap();
    assert_eq!(missing.code.id, "CS1201");
    assert_eq!(missing.place.unwrap().pointer.unwrap(), "CredentialStore.CertificateFile");
    let certificate = folder.join("my-certificate.pem");
    std::fs::write(&certificate, "-----BEGIN").unwrap();
    std::fs::set_permissions(&certificate, std::fs::Permissions::from_mode(0o644)).unwrap();
    let [readable] = check().try_into().unwrap();
    assert_eq!(readable.message, "my-certificate.pem holds the private key and others can read it (mode 0644)");
    assert_eq!(
        (readable.code.id, readable.fix.as_slice()),
        ("CS1207", ["chmod 600 my-certificate.pem".to_owned()].as_slice())
    );
    std::fs::set_permissions(&certificate, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(check().is_empty());
    std::fs::remove_file(&certificate).unwrap();
    std::fs::create_dir(&certificate).unwrap();
    assert_eq!(check()[0].code.id, "CS1210");
    assert_eq!(settings::read(&folder.join("absent.json")).unwrap_err().code.id, "CS1001");
    assert_eq!(settings::read(&folder).unwrap_err().code.id, "CS1002");
    let large = folder.join("large.json");
    std::fs::File::create(&large).unwrap().set_len(settings::SETTINGS_MAX).unwrap();
    assert!(settings::read(&large).is_ok());
    std::fs::File::create(&large).unwrap().set_len(settings::SETTINGS_MAX + 1).unwrap();
    assert_eq!(settings::read(&large).unwrap_err().code.id, "CS1023");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Text made of the pieces that JSON and its mistakes are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("“".to_owned()),
        Just("”".to_owned()),
        Just("\n".to_owned()),
        Just(" ".to_owned()),
        Just("\\".to_owned()),
        Just("//".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just("<".to_owned()),
        Just(">".to_owned()),
        Just("\u{A0}".to_owned()),
        Just("\t".to_owned()),
        Just("\"CredentialStore\"".to_owned()),
        Just("\"Type\"".to_owned()),
        Just("\"File\"".to_owned()),
        Just("\"credential\"".to_owned()),
        Just("tru".to_owned()),
        Just("true".to_owned()),
        Just("01".to_owned()),
        Just("-1.5e3".to_owned()),
        "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_repair_within_a_repair_is_left_to_the_author() {
    let text = "\"\u{201C}]\t\u{201C}";
    assert!(!parse(text).findings.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_has_findings_or_is_json(text in pieces()) {
        let parsed = parse(&text);
        let strict = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|value| value.is_object());
        let syntax_error = parsed.findings.iter()
            .any(|finding| finding.severity == Severity::Error && finding.code.id.starts_with("CS10"));
        let duplicate = parsed.findings.iter().any(|finding| finding.code.id == "CS1012");
        prop_assert_eq!(strict, !syntax_error || duplicate, "{:?} {:?}", text, parsed.findings);
        for finding in &parsed.findings {
            if let Some(span) = finding.place.as_ref().and_then(|place| place.span.clone()) {
                prop_assert!(text.get(span).is_some());
            }
        }
        let _ = fix_all(&text, &parsed.findings);
    }

    #[test]
    fn an_entry_that_was_written_is_read_back(
        vault in "[a-z][a-z0-9]{2,23}", certificate in "[ -~]{1,40}", before in "[ \t\r\n]{0,5}", number in 0..1000,
    ) {
        prop_assume!(!certificate.trim().is_empty() && !certificate.starts_with('/'));
        prop_assume!(!(certificate.trim().starts_with('<') && certificate.trim().ends_with('>')));
        let mut entry = azure_entry(&certificate);
        if let StoreEntry::AzureKeyVault { vault_name, .. } = &mut entry { vault.clone_into(vault_name) }
        let text = format!("{before}{{{before}\"n\":{number}{before}}}");
        let edited = set_store_entry(&text, &entry).unwrap();
        let kept = format!("\"n\":{number}");
        prop_assert!(edited.text.contains(&kept));
        let (settings, _) = parse(&edited.text).usable().unwrap();
        let Some(StoreSettings::AzureKeyVault(store)) = settings.store else { panic!() };
        prop_assert_eq!(store.vault_name.as_str(), vault);
        prop_assert_eq!(store.certificate_file, Path::new("/srv/pm").join(certificate));
    }
}

#[test]
fn one_text_of_the_entry_changes_and_no_other_byte() {
    let text = "\u{FEFF}{\r\n\t\"CertificateFile\": \"not.this\",\r\n\t\"CredentialStore\" : {\"Type\":\"AzureKeyVault\" ,\r\n\
                \t\t\"CertificateFile\": \"certs\\/old.pem\"},\r\n\t\"x\": [1, {\"CertificateFile\": \"nor.this\"}]\r\n}";
    assert_eq!(store_text(text, "CertificateFile").unwrap().as_deref(), Some("certs/old.pem"));
    let edited = set_store_text(text, "CertificateFile", "certs/\"new\".pem").unwrap();
    assert_eq!(edited.text, text.replace("\"certs\\/old.pem\"", "\"certs/\\\"new\\\".pem\""));
    let removed = edited.diff.iter().filter(|line| matches!(line, DiffLine::Removed(_))).count();
    let added = edited.diff.iter().filter(|line| matches!(line, DiffLine::Added(_))).count();
    assert_eq!((removed, added), (1, 1), "{:?}", edited.diff);
    for absent in ["{}", "{\"CredentialStore\": 1}", "{\"CredentialStore\": {\"CertificateFile\": 1}}"] {
        assert_eq!(set_store_text(absent, "CertificateFile", "new.pem").unwrap().text, absent);
        assert_eq!(store_text(absent, "CertificateFile").unwrap(), None);
    }
    assert!(set_store_text("{", "CertificateFile", "new.pem").is_err(), "a broken file is not written over");
}
