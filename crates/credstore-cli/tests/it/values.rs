//! Values in and out: standard input, files, connection strings. Exactly the bytes, and nowhere else.

use std::os::unix::fs::symlink;

use crate::bench::{Bench, mode, text};

#[test]
fn exactly_one_final_newline_of_standard_input_is_dropped_and_said() {
    let bench = Bench::with_vault();
    let cases: [(&[u8], &[&str], &str, bool); 6] = [
        (b"a", &[], "a", false),
        (b"a\n", &[], "a", true),
        (b"a\r\n", &[], "a", true),
        (b"a\n\n", &[], "a\n", true),
        (b" a \n", &["--stdin"], " a ", true),
        (b"a\n", &["--keep-newline"], "a\n", false),
    ];
    for (given, flags, kept, said) in cases {
        let done = bench.fed(&[&["vault", "secret", "set", "-n", "A"], flags].concat(), given);
        assert!(done.status.success(), "{given:?}: {}", text(&done.stderr));
        let note = "one final newline was dropped; --keep-newline keeps it\n";
        assert_eq!(text(&done.stderr), if said { note } else { "" }, "{given:?}");
        let value = bench.ok(&["vault", "secret", "show", "-n", "A", "--reveal", "-o", "json", "--query", "value"]);
        assert_eq!(serde_json::from_str::<String>(&value).unwrap(), kept, "{given:?}");
    }
}

#[test]
fn a_file_is_kept_byte_for_byte() {
    let bench = Bench::with_vault();
    for value in ["a\n", "a\r\n\r\n", "\u{feff}a", "a\tb\u{1}"] {
        std::fs::write(bench.path("value"), value).unwrap();
        bench.ok(&["vault", "secret", "set", "-n", "A", "--file", "value"]);
        bench.ok(&["vault", "secret", "download", "-n", "A", "--file", "back"]);
        assert_eq!(std::fs::read_to_string(bench.path("back")).unwrap(), value);
        assert_eq!(mode(&bench.path("back")), 0o600);
        std::fs::remove_file(bench.path("back")).unwrap();
    }
}

#[test]
fn a_value_is_written_to_a_new_file_only() {
    let bench = Bench::with_vault();
    std::fs::write(bench.path("file"), "mine").unwrap();
    symlink(bench.path("file"), bench.path("link")).unwrap();
    symlink(bench.path("nowhere"), bench.path("dangling")).unwrap();
    let cases = [("file", 9, "CS0108"), ("link", 3, "CS0107"), ("dangling", 3, "CS0107")];
    for (target, exit, code) in cases {
        for command in
            [&["get", "SmtpRelay", "--out"][..], &["vault", "secret", "download", "-n", "SmtpRelay", "--file"]]
        {
            let errors = bench.fails(exit, &[command, &[target]].concat());
            assert!(errors.starts_with(&format!("error[{code}]: ")), "{target}: {errors}");
        }
    }
    assert_eq!(std::fs::read_to_string(bench.path("file")).unwrap(), "mine");
    assert!(!bench.path("nowhere").exists());
    bench.ok(&["get", "SmtpRelay", "--out", "new"]);
    assert_eq!(
        (mode(&bench.path("new")), std::fs::read_to_string(bench.path("new")).unwrap().as_str()),
        (0o600, "in;the{vault}")
    );
    // Nothing is left of the attempts.
    let left = std::fs::read_dir(bench.path("")).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        name.contains("tmp") || name.starts_with('.')
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn an_empty_value_is_refused_unless_it_is_wanted() {
    let bench = Bench::with_vault();
    std::fs::write(bench.path("empty"), "").unwrap();
    bench.ok(&["vault", "secret", "set", "-n", "Empty", "--file", "empty"]);
    assert!(bench.fails(7, &["get", "Empty"]).starts_with("error[CS2005]: "));
    assert_eq!(bench.ok(&["get", "Empty", "--allow-empty"]), "");
}

#[test]
fn a_connection_string_comes_from_an_argument_or_standard_input() {
    let bench = Bench::with_vault();
    let string = "DSN=P2P; mv-credential-Pass=SmtpRelay;";
    for (arguments, input, expected) in [
        (&["expand", string][..], "", "DSN=P2P; Pass=********;\n"),
        (&["expand", "-"], string, "DSN=P2P; Pass=********;\n"),
        (&["expand", "--reveal", "-"], string, "DSN=P2P; Pass={in;the{vault}}};"),
        (&["expand", "--reveal", "-"], "'DSN=P2P; mv-credential-Pass=SmtpRelay;'\n", "DSN=P2P; Pass={in;the{vault}}};"),
        (&["expand", "--reveal", "--keyword-style", "uri", "-"], string, "DSN=P2P; Pass=in%3Bthe%7Bvault%7D;"),
    ] {
        let done = bench.fed(arguments, input.as_bytes());
        let shown = text(&done.stdout).trim_matches('\'').replace("';", ";");
        assert_eq!(shown, expected, "{arguments:?} {input:?}: {}", text(&done.stderr));
    }
}

#[test]
fn a_connection_string_that_cannot_be_expanded_gives_nothing() {
    let bench = Bench::with_vault();
    for (string, exit, code) in [
        ("DSN=P2P; Pass=hunter2; mv-credential-Pass=SmtpRelay;", 3, "CS2011"),
        ("mv-credential-Pass=SmtpRelay; mv-credential-pass=SmtpRelay;", 3, "CS2012"),
        ("mv-credentials-Pass=SmtpRelay;", 3, "CS2013"),
        ("DSN={P2P; mv-credential-Pass=SmtpRelay;", 3, "CS2015"),
        ("DSN; mv-credential-Pass=SmtpRelay;", 3, "CS2017"),
        ("mv-credential-Pass=;", 3, "CS2019"),
        ("mv-credential-=SmtpRelay;", 3, "CS2020"),
        ("mv-credential-Pass=Nope;", 6, "CS2004"),
    ] {
        let errors = bench.fails(exit, &["expand", "--reveal", string]);
        assert!(errors.starts_with(&format!("error[{code}]: ")), "{string}: {errors}");
        assert!(!errors.contains("hunter2") && !errors.contains("the{vault}"), "{errors}");
    }
}

#[test]
fn a_file_as_store_resolves_without_any_vault() {
    let bench = Bench::new();
    std::fs::write(bench.path("credential_store.json"), r#"{"SmtpRelay": "from the file", "Other": "x"}"#).unwrap();
    use std::os::unix::fs::PermissionsExt;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(bench.path("credential_store.json"), private).unwrap();
    let settings = r#"{"CredentialStore": {"Type": "File"}}"#;
    std::fs::write(bench.path("server-settings.json"), settings).unwrap();
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "from the file");
    assert_eq!(bench.ok(&["list", "--query", "[].identifier", "-o", "tsv"]), "Other\nSmtpRelay\n");
    assert!(bench.fails(6, &["get", "SmtpRely"]).contains("did you mean SmtpRelay?"));
    let ran = bench.run(&["run", "--no-masking", "-e", "A=SmtpRelay", "--", "sh", "-c", "printf %s \"$A\""]);
    assert_eq!(text(&ran.stdout), "from the file");
    assert!(!bench.path("data").exists());
}
