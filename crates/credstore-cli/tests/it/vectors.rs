//! Server Settings through the binary: every file of `testing/vectors/settings`.
//!
//! The library's own test looks at places and repairs; here it is exit codes, and that the binary says the same codes.

use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, text};

/// Code and severity of what a vector's header expects, in order, and its text.
fn expected(vector: &str) -> (Vec<(String, String)>, &str) {
    let (header, body) = vector.split_once("\n\n").expect("a header and a text");
    let mut findings: Vec<_> = header
        .lines()
        .filter_map(|line| line.strip_prefix("expect: "))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect();
    findings.sort();
    (findings, body)
}

#[test]
fn check_says_of_every_vector_what_the_library_says() {
    let bench = Bench::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/settings");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(vector) = std::fs::read_to_string(&path) else { panic!("{name}") };
        let (expected, body) = expected(&vector);
        let done = bench.fed(&["check", "-", "-o", "json"], body.as_bytes());
        assert_eq!(text(&done.stderr), "", "{name}");
        let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
        let mut found: Vec<(String, String)> = answer["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| {
                (finding["code"].as_str().unwrap().to_owned(), finding["severity"].as_str().unwrap().to_owned())
            })
            // What is said about files, whose content is not part of a vector.
            .filter(|(code, _)| {
                !code.starts_with("CS12") && !code.starts_with("CS13") || expected.iter().any(|it| it.0 == *code)
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{name}");
        let errors = answer["errors"].as_u64().unwrap();
        assert_eq!(done.status.code(), Some(if errors > 0 { 10 } else { 0 }), "{name}");
        let strict = bench.fed(&["check", "-", "--strict", "-o", "none"], body.as_bytes());
        let any = errors + answer["warnings"].as_u64().unwrap() > 0;
        assert_eq!(strict.status.code(), Some(if any { 10 } else { 0 }), "{name}");
        seen += 1;
    }
    assert!(seen >= 90, "{seen} vectors");
}

#[test]
fn a_repair_leaves_a_file_that_needs_none() {
    let bench = Bench::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/vectors/settings");
    for name in ["comments.txt", "comma-too-many.txt"] {
        let vector = std::fs::read_to_string(folder.join(name)).unwrap();
        std::fs::write(bench.path("server-settings.json"), expected(&vector).1).unwrap();
        bench.ok(&["check", "--fix"]);
        let once = std::fs::read(bench.path("server-settings.json")).unwrap();
        assert!(serde_json::from_slice::<Value>(&once).is_ok(), "{name}");
        bench.ok(&["check", "--fix"]);
        assert_eq!(std::fs::read(bench.path("server-settings.json")).unwrap(), once, "{name}");
    }
}
