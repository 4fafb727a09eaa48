//! `credstore vault key sign`, `verify`, `encrypt`, `decrypt`, `wrap` and `unwrap`: what is done with a key.
//!
//! `-` is standard input and standard output. What is decrypted goes to a file of mode 0600 otherwise.

use std::path::{Path, PathBuf};

use clap::Args;
use credstore::azure::KeyCrypt;
use credstore::azure::keys::digest_for;
use credstore::codes::{usage, vault as codes};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::Secret;
use credstore_protocol::encoding::{base64_any, base64url, hex_any};
use credstore_protocol::key_vault::keys::{EncryptionAlgorithm, SignRequest, SignatureAlgorithm, VerifyRequest};
use serde_json::json;
use zeroize::Zeroizing;

use super::at::{Named, version, write_or_print};
use super::key::one_of;
use crate::errors::CliError;
use crate::files;
use crate::output::Output;
use crate::site;
use crate::world::World;

fn signature_algorithm(text: &str) -> Result<SignatureAlgorithm, String> {
    one_of(SignatureAlgorithm::ALL, text)
}

fn encryption_algorithm(text: &str) -> Result<EncryptionAlgorithm, String> {
    one_of(EncryptionAlgorithm::ALL, text)
}

/// What is signed: a file, or its digest.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Signed {
    /// The file, - for standard input; its digest is made here
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The digest itself, hexadecimal or base64
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
}

impl Signed {
    fn digest(&self, algorithm: SignatureAlgorithm) -> Result<String, CliError> {
        if let Some(text) = &self.digest {
            let bytes = hex_any(text)
                .or_else(|| base64_any(text))
                .ok_or_else(|| Diagnosis::error(&usage::COMMAND_LINE, "--digest is neither hexadecimal nor base64"))?;
            return Ok(base64url(&bytes));
        }
        // One of the two is there: clap has seen to it.
        let bytes = files::read_or_stdin(self.file.as_deref().unwrap_or(Path::new("")))?;
        let digest = digest_for(algorithm, &bytes).ok_or_else(|| {
            Diagnosis::error(&usage::COMMAND_LINE, "RSNULL signs what --digest gives")
                .cause("it names no hash for --file")
        })?;
        Ok(base64url(&digest))
    }
}

/// With which key what is signed, and how.
#[derive(Args, Debug)]
struct Signing {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// RS256, PS256, ES256 and so on
    #[arg(long, short, value_name = "ALGORITHM", value_parser = signature_algorithm)]
    algorithm: SignatureAlgorithm,
    #[command(flatten)]
    signed: Signed,
}

/// Sign a file, or a digest, with a key
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key sign --name signing --algorithm ES256 --file release.tar --out release.sig"
)]
pub(super) struct Sign {
    #[command(flatten)]
    signing: Signing,
    /// File for the signature, as its bytes are, - for standard output; without it base64url is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let Signing { at, version: wanted, algorithm, signed } = self.signing;
        let version = version("key", wanted.as_ref())?;
        let request = SignRequest { alg: algorithm, value: signed.digest(algorithm)? };
        let (vault, name) = at.open(world).await?;
        let signed = vault.sign(&name, version.as_ref(), &request, site::when(world)).await?;
        let signature = base64url(&signed.bytes);
        let object = json!({ "kid": signed.kid, "algorithm": algorithm, "signature": signature });
        let Some(file) = &self.out else { return out.result(object, || format!("{signature}\n")) };
        match write_or_print((file, &signed.bytes), 0o644, world, out)? {
            true => out.result(object, || format!("{name}  signature in {}\n", file.display())),
            false => Ok(()),
        }
    }
}

/// Verify a signature with a key; exit code 10 when it is wrong
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore vault key verify --name signing --algorithm ES256 --file release.tar --signature release.sig"
)]
pub(super) struct Verify {
    #[command(flatten)]
    signing: Signing,
    /// File with the signature, as `sign --out` writes it; - is standard input
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
}

impl Verify {
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let Signing { at, version: wanted, algorithm, signed } = self.signing;
        let version = version("key", wanted.as_ref())?;
        let both = [signed.file.as_deref(), Some(&self.signature)].map(|file| file == Some(Path::new("-")));
        if both == [true, true] {
            return Err(Diagnosis::error(&usage::COMMAND_LINE, "--file and --signature are both standard input").into());
        }
        let signature = base64url(&files::read_or_stdin(&self.signature)?);
        let digest = signed.digest(algorithm)?;
        let request = VerifyRequest { alg: algorithm, digest, value: signature };
        let (vault, name) = at.open(world).await?;
        let verified = vault.verify(&name, version.as_ref(), &request, site::when(world)).await?;
        if !verified.value {
            return Err(Diagnosis::error(&codes::SIGNATURE_WRONG, format!("the signature was not made with {name}"))
                .cause("the file, the signature, the algorithm or the version is another")
                .into());
        }
        out.result(json!({ "name": name.as_str(), "valid": true }), || format!("{name}  the signature is right\n"))
    }
}

#[derive(Args, Debug)]
pub(super) struct Crypt {
    #[command(flatten)]
    at: Named,
    /// This version instead of the current one
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// RSA-OAEP-256, RSA-OAEP or RSA1_5
    #[arg(long, short, value_name = "ALGORITHM", value_parser = encryption_algorithm)]
    algorithm: EncryptionAlgorithm,
    /// What goes in; - is standard input
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Where the bytes go that come out, mode 0600; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Crypt {
    pub(super) async fn run(self, crypt: KeyCrypt, world: &World, out: &mut Output) -> Result<(), CliError> {
        let version = version("key", self.version.as_ref())?;
        let value = Secret::from(Zeroizing::new(base64url(&files::read_or_stdin(&self.file)?)));
        let (vault, name) = self.at.open(world).await?;
        let request = (crypt, self.algorithm, &value);
        let done = vault.crypt(&name, version.as_ref(), request, site::when(world)).await?;
        if !write_or_print((&self.out, &done.bytes), 0o600, world, out)? {
            return Ok(());
        }
        let file = self.out.display().to_string();
        out.result(json!({ "kid": done.kid, "algorithm": self.algorithm, "file": file }), || {
            format!("{name}  {} bytes in {file}   mode 0600\n", done.bytes.len())
        })
    }
}
