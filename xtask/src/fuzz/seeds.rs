//! What the fuzzer starts from: the test vectors, a request for every route, certificates that openssl made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, workspace};

/// The vectors of the encrypted file, without their keys and texts.
fn encrypted_files() -> Outcome<Vec<Vec<u8>>> {
    let folder = workspace::root().join("testing/vectors/encrypted-file");
    Ok(["key-file.sealed", "passphrase.sealed"]
        .map(|name| fs::read(folder.join(name)))
        .into_iter()
        .collect::<Result<_, _>>()?)
}

/// Writes the seeds of `target` into `folder`, beside what earlier runs have learned.
pub(super) fn write(target: &str, folder: &Path) -> Outcome {
    fs::create_dir_all(folder)?;
    let seeds = match target {
        "settings" => vectors("settings", "")?,
        "connection-string" => vectors("connection-string", "p;w}d=1\n")?,
        "credential-store" => texts(&["{\"SmtpRelay\": \"p;w}d=1\", \"a\": \"\\u00e9\"}", "{\"a\": 1, \"a\": \"b\"}"]),
        "encrypted-file" => encrypted_files()?,
        "names" => texts(&["SmtpRelay", "acme-pm-kv", "0123456789abcdef0123456789abcdef", "7.6-preview.2", "QUI-_w=="]),
        "certificate" | "import" => return certificates(folder),
        "merge" => texts(&["MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", "TUlJQklqQU5CZ2txaGtpRzl3\nMIIB"]),
        "assertion" => {
            lines("assertions.txt")?.iter().map(|line| line.replacen("} {", "}\n{", 1).into_bytes()).collect()
        }
        "request" => requests()?,
        "backup" => texts(&["{\"version\":1,\"parts\":[]}"]),
        other => return Err(format!("there are no seeds for {other}").into()),
    };
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed)?;
    }
    Ok(())
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The input of each vector, which follows its header and a blank line.
fn vectors(kind: &str, prefix: &str) -> Outcome<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for file in fs::read_dir(workspace::root().join("testing/vectors").join(kind))? {
        let text = fs::read(file?.path())?;
        let at = text.windows(2).position(|two| two == b"\n\n").ok_or("a vector without a header")?;
        seeds.push([prefix.as_bytes(), &text[at + 2..]].concat());
    }
    Ok(seeds)
}

fn lines(name: &str) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(workspace::root().join("testing/fuzz/seeds").join(name))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// One for each row of the reviewed route table, and one for each body where the method takes one.
fn requests() -> Outcome<Vec<Vec<u8>>> {
    let table = fs::read_to_string(workspace::root().join("crates/credstore-server/tests/it/access.txt"))?;
    let bodies = lines("bodies.txt")?;
    let mut seeds = Vec::new();
    for row in table.lines() {
        let (route, _) = row.split_once(" : ").ok_or("a row without an access")?;
        let words: Vec<&str> = route.splitn(3, ' ').collect();
        let [surface, method, path] = words[..] else { return Err(format!("not a route: {route}").into()) };
        let version = match surface {
            "Vault" => "?api-version=7.4",
            "Management" if path.contains("Microsoft.Authorization") => "?api-version=2022-04-01",
            "Management" => "?api-version=2023-07-01",
            _ => "",
        };
        let head = format!("{method} {} {}{version}\noperator\n", surface.to_ascii_lowercase(), filled(path));
        match method {
            "PUT" | "POST" | "PATCH" => {
                let form = path.contains("oauth2");
                let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
                let fitting = bodies.iter().filter(|body| body.starts_with('{') != form);
                seeds.extend(fitting.map(|body| format!("{head}content-type: {kind}\n\n{body}").into_bytes()));
            }
            _ => seeds.push(head.into_bytes()),
        }
    }
    Ok(seeds)
}

/// A path with something in the place of each `{part}`. The tenant is filled in when the request is sent.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{s}" | "{tenant}" => "{tenant}",
        "{name}" | "{object}" => "kept",
        "{version}" => "0123456789abcdef0123456789abcdef",
        "{g}" => "credstore",
        "{n}" => "acme",
        "{l}" => "local",
        "{kind}" => "secrets",
        "{change}" => "add",
        "{r}" => "4633458b-17de-408a-b874-0445c86b69e6",
        part if part.starts_with('{') => "9c1f2a7e-0000-4000-8000-000000000001",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Keys and certificates in the forms in which people have them. The keys are made here and sign nothing.
fn certificates(folder: &Path) -> Outcome {
    let at = |name: &str| -> PathBuf { folder.join(format!("seed-{name}")) };
    let (pem, ec) = (at("rsa.pem"), at("ec.pem"));
    if pem.exists() {
        return Ok(());
    }
    let openssl = |arguments: &[&str], paths: &[&Path]| {
        let mut words = arguments.iter();
        let mut command = Command::new("openssl");
        let mut paths = paths.iter();
        for word in words.by_ref() {
            match *word {
                "@" => command.arg(paths.next().ok_or("fewer paths than places")?),
                word => command.arg(word),
            };
        }
        workspace::output_of(&mut command).map(|_| ())
    };
    let new = ["req", "-x509", "-nodes", "-days", "365", "-subj", "/CN=seed", "-keyout", "@", "-out", "@", "-newkey"];
    let (key, certificate) = (at("rsa.key"), at("rsa.crt"));
    openssl(&[&new[..], &["rsa:2048"]].concat(), &[&key, &certificate])?;
    fs::write(&pem, [fs::read(&key)?, fs::read(&certificate)?].concat())?;
    let (ec_key, ec_certificate) = (at("ec.key"), at("ec.crt"));
    openssl(&[&new[..], &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]].concat(), &[&ec_key, &ec_certificate])?;
    fs::write(ec, [fs::read(&ec_key)?, fs::read(&ec_certificate)?].concat())?;
    openssl(&["x509", "-in", "@", "-outform", "der", "-out", "@"], &[&certificate, &at("rsa.cer")])?;
    let pfx = ["pkcs12", "-export", "-inkey", "@", "-in", "@", "-out", "@", "-passout"];
    openssl(&[&pfx[..], &["pass:password"]].concat(), &[&key, &certificate, &at("rsa.pfx")])?;
    openssl(&[&pfx[..], &["pass:", "-legacy"]].concat(), &[&key, &certificate, &at("legacy.pfx")])?;
    openssl(&["pkcs8", "-topk8", "-in", "@", "-out", "@", "-passout", "pass:password"], &[&key, &at("encrypted.key")])
}
