//! Signing in and reading with openssl and curl, so that the harness holds no product code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::load::private_file;
use crate::Outcome;

/// An app that signs in with its certificate.
pub(super) struct Client {
    pub(super) authority: String,
    pub(super) tenant: String,
    pub(super) client_id: String,
    /// PEM with key and certificate.
    pub(super) certificate: PathBuf,
    pub(super) resource: String,
    pub(super) ca: PathBuf,
}

impl Client {
    /// Where tokens are asked for.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.authority, self.tenant)
    }

    /// The body of a sign-in by client assertion: RS256 and `x5t` (RFC 7523; RFC 7515 section 4.1.7). The assertion is
    /// its end.
    pub(super) fn form(&self, scratch: &Path) -> Outcome<String> {
        let assertion = self.assertion(&self.endpoint(), scratch)?;
        let pairs = [
            ("client_id", self.client_id.as_str()),
            ("grant_type", "client_credentials"),
            ("scope", &format!("{}/.default", self.resource)),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        Ok(pairs.map(|(name, value)| format!("{name}={}", value.replace(':', "%3A"))).join("&"))
    }

    /// The access token that the server gives for `form`.
    pub(super) fn token(&self, form: &str, scratch: &Path) -> Outcome<String> {
        let file = scratch.join("token-form");
        private_file(&file, form)?;
        let data = format!("@{}", file.display());
        let answer = curl(&["--cacert", &self.ca.to_string_lossy(), "-d", &data, &self.endpoint()])?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let token = answer["access_token"].as_str();
        token.map(str::to_owned).ok_or_else(|| format!("no token: {}", answer["error_description"]).into())
    }

    fn assertion(&self, endpoint: &str, scratch: &Path) -> Outcome<String> {
        let pem = self.certificate.to_string_lossy();
        let der = openssl(&["x509", "-in", &pem, "-outform", "der"])?;
        let der_file = scratch.join("certificate.der");
        std::fs::write(&der_file, der)?;
        let thumbprint = openssl(&["dgst", "-sha1", "-binary", &der_file.to_string_lossy()])?;
        #[allow(
            clippy::disallowed_methods,
            reason = "an assertion needs the time, and this harness has no clock to inject"
        )]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "x5t": base64url(&thumbprint)});
        let claims = serde_json::json!({"aud": endpoint, "iss": self.client_id, "sub": self.client_id, "jti": now.to_string(),
            "nbf": now, "iat": now, "exp": now + 600});
        let signed =
            format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
        let to_sign = scratch.join("to-sign");
        private_file(&to_sign, &signed)?;
        let signature = openssl(&["dgst", "-sha256", "-sign", &pem, &to_sign.to_string_lossy()])?;
        Ok(format!("{signed}.{}", base64url(&signature)))
    }
}

/// GET with a token: the body, and the time that curl took for connection, TLS and answer.
pub(super) fn read(url: &str, token: &str, ca: &Path, scratch: &Path) -> Outcome<(String, Duration)> {
    let header = scratch.join("authorization");
    private_file(&header, &format!("Authorization: Bearer {token}\n"))?;
    let text = curl(&[
        "--cacert",
        &ca.to_string_lossy(),
        "-H",
        &format!("@{}", header.display()),
        "-w",
        "\n%{http_code} %{time_total}",
        url,
    ])?;
    let (body, figures) = text.rsplit_once('\n').ok_or("curl gave no figures")?;
    match figures.split_once(' ') {
        Some(("200", seconds)) => Ok((body.to_owned(), Duration::try_from_secs_f64(seconds.parse()?)?)),
        _ => Err(format!("the secret was not read: {figures}").into()),
    }
}

fn curl(arguments: &[&str]) -> Outcome<String> {
    let output = Command::new("curl").args(["-sS", "--noproxy", "*"]).args(arguments).output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("curl: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn openssl(arguments: &[&str]) -> Outcome<Vec<u8>> {
    let output = Command::new("openssl").args(arguments).output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("openssl: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |bits: u32, shift: u32| char::from(ALPHABET[(bits >> shift & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|at| text.push(digit(bits, 18 - 6 * at as u32)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_gives_the_vectors_of_rfc_4648_without_padding() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
    }
}
