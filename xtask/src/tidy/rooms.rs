//! Which room may use what: the table of ARCHITECTURE.md, "Rooms".
//!
//! Dependencies are read from `cargo metadata`; calls that a room must not make are looked for in its code.

use serde_json::Value;

use super::{File, Finding};

/// The room that only tests may use.
pub(crate) const TESTING: &str = "crates/credstore-testing/";

struct Room {
    package: &'static str,
    /// Rooms that it may depend on.
    rooms: &'static [&'static str],
    /// Packages from outside: those it may use, or those it must not.
    outside: Outside,
    /// What its code must not contain, each with the reason.
    never: &'static [(&'static str, &'static str)],
}

enum Outside {
    Only(&'static [&'static str]),
    Not(&'static [&'static str]),
}

const PRINTING: &[(&str, &str)] = &[
    ("println!", "this room does not print"),
    ("print!", "this room does not print"),
    ("eprintln!", "this room does not print"),
    ("std::env", "only the binary reads the environment"),
    ("SystemTime::now", "take `now` as an argument"),
    ("OffsetDateTime::now_utc", "take `now` as an argument"),
];

const PURE: &[(&str, &str)] = &[
    ("async ", "nothing in the protocol waits"),
    ("std::fs", "the protocol touches no file"),
    ("std::net", "the protocol touches no socket"),
    ("std::process", "the protocol starts no process"),
    ("std::thread", "the protocol starts no thread"),
    ("Instant::now", "the protocol reads no clock"),
];

const SEALED: &[(&str, &str)] = &[
    ("expose_secret", "storage sees sealed records only"),
    ("SecretName", "storage sees keys and bytes, no names"),
    ("VaultName", "storage sees keys and bytes, no names"),
    ("Secret", "storage sees sealed records only"),
];

const ROOMS: &[Room] = &[
    Room {
        package: "credstore-protocol",
        rooms: &[],
        outside: Outside::Only(&["base64", "serde", "serde_json", "subtle", "thiserror", "zeroize"]),
        never: PURE,
    },
    Room {
        package: "credstore",
        rooms: &["credstore-protocol"],
        outside: Outside::Not(&["axum", "hyper", "rusqlite", "redb", "clap", "dialoguer"]),
        never: &[],
    },
    Room {
        package: "credstore-vault",
        rooms: &["credstore-protocol"],
        outside: Outside::Not(&[
            "axum",
            "hyper",
            "hyper-util",
            "http",
            "http-body-util",
            "reqwest",
            "tower",
            "tokio",
            "clap",
        ]),
        never: &[],
    },
    Room {
        package: "credstore-server",
        rooms: &["credstore-protocol", "credstore-vault", "credstore"],
        outside: Outside::Not(&["clap", "dialoguer", "rusqlite", "reqwest"]),
        never: &[],
    },
    Room {
        package: "credstore-cli",
        rooms: &["credstore-protocol", "credstore", "credstore-vault", "credstore-server"],
        outside: Outside::Not(&["axum", "hyper", "rusqlite", "aws-lc-rs"]),
        never: &[],
    },
];

/// Findings about dependencies and about calls.
pub(crate) fn check(metadata: &Value, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in ROOMS {
        findings.extend(dependencies(room, metadata));
        let folder = format!("crates/{}/src/", room.package);
        for file in files.iter().filter(|file| file.is_product() && file.path.starts_with(&folder)) {
            findings.extend(calls(room.never, file));
            if room.package != "credstore-cli" {
                findings.extend(calls(PRINTING, file));
            }
        }
    }
    let storage =
        files.iter().filter(|file| file.is_product() && file.path.starts_with("crates/credstore-vault/src/storage"));
    findings.extend(storage.flat_map(|file| calls(SEALED, file)));
    findings
}

fn dependencies(room: &Room, metadata: &Value) -> Vec<Finding> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(package) = packages.iter().find(|package| package["name"] == room.package) else {
        return vec![Finding::new("Cargo.toml", format!("there is no package {}", room.package))];
    };
    let place = format!("crates/{}/Cargo.toml", room.package);
    let listed = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    listed
        .iter()
        // A test may use what it likes: kind is null for what ships, "build" for what builds it.
        .filter(|dependency| dependency["kind"] != "dev")
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|name| !allowed(room, name))
        .map(|name| Finding::new(&place, format!("{} may not depend on {name}", room.package)))
        .collect()
}

fn allowed(room: &Room, name: &str) -> bool {
    if name == "credstore" || name.starts_with("credstore-") {
        return room.rooms.contains(&name);
    }
    match room.outside {
        Outside::Only(names) => names.contains(&name),
        Outside::Not(names) => !names.contains(&name),
    }
}

fn calls(never: &[(&str, &str)], file: &File) -> Vec<Finding> {
    let source = file.rust();
    let mut findings = Vec::new();
    for (number, line) in source.production() {
        for (call, reason) in never {
            if has_word(line, call) {
                findings.push(Finding::new(format!("{}:{number}", file.path), format!("{}: {reason}", call.trim())));
            }
        }
    }
    findings
}

/// Does `call` stand in `line` as a whole word?
fn has_word(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(at, _)| {
        let after = line[at + call.len()..].chars().next();
        let ends = !call.ends_with(char::is_alphanumeric) || !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
        ends && super::rust_source::starts_word(line, at)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn metadata(package: &str, dependency: &str, kind: Value) -> Value {
        let packages: Vec<_> = ROOMS
            .iter()
            .map(|room| {
                let listed = (room.package == package).then(|| serde_json::json!({"name": dependency, "kind": kind}));
                serde_json::json!({"name": room.package, "dependencies": Vec::from_iter(listed)})
            })
            .collect();
        serde_json::json!({ "packages": packages })
    }

    #[test]
    fn a_dependency_that_a_room_may_not_have_is_found() {
        let planted = [
            ("credstore-protocol", "tokio"),
            ("credstore-protocol", "credstore"),
            ("credstore", "credstore-vault"),
            ("credstore", "axum"),
            ("credstore-vault", "http"),
            ("credstore-server", "clap"),
            ("credstore-server", "credstore-testing"),
            ("credstore-cli", "rusqlite"),
        ];
        for (package, dependency) in planted {
            let findings = check(&metadata(package, dependency, Value::Null), &[]);
            assert_eq!(findings.len(), 1, "{package} -> {dependency}: {findings:?}");
            assert!(check(&metadata(package, dependency, "dev".into()), &[]).is_empty(), "a test may use it");
        }
    }

    #[test]
    fn a_call_that_a_room_must_not_make_is_found_outside_tests_and_comments() {
        let planted = [
            ("crates/credstore/src/a.rs", "fn a() { println!(\"x\") }"),
            ("crates/credstore-vault/src/a.rs", "fn a() { std::env::var(\"X\"); }"),
            ("crates/credstore-protocol/src/a.rs", "pub async fn a() {}"),
            ("crates/credstore-server/src/a.rs", "fn a() { SystemTime::now(); }"),
            ("crates/credstore-vault/src/storage/sqlite.rs", "fn a(name: &SecretName) {}"),
        ];
        let fine = metadata("credstore", "tokio", Value::Null);
        for (path, text) in planted {
            assert_eq!(check(&fine, &[file(path, text)]).len(), 1, "{path}");
            let in_test = format!("#[cfg(test)]\nmod tests {{ {text} }}\n// {text}");
            assert_eq!(check(&fine, &[file(path, &in_test)]), [], "{path}");
        }
    }

    #[test]
    fn a_longer_word_is_another_word() {
        assert!(has_word("let x: Secret = y;", "Secret"));
        assert!(!has_word("let x: SecretKeeper = y;", "Secret"));
        assert!(!has_word("eprintln!()", "println!"));
    }
}
