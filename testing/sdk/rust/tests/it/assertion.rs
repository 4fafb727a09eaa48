//! A client assertion as the Rust SDK's own certificate credential makes it: RS256, and `x5t` in standard base64.
//!
//! That credential needs OpenSSL and PKCS#12; this one reads the PEM file of the set-up guide.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{digest, rand, rsa, signature};
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// Signs one assertion per request.
#[derive(Debug)]
pub struct SignedAssertion {
    key: rsa::KeyPair,
    thumbprint: String,
    client_id: String,
    audience: String,
}

impl SignedAssertion {
    /// Reads key and certificate from one PEM file.
    pub fn new(file: &str, client_id: &str, audience: &str) -> Self {
        let pem = std::fs::read(file).expect("the certificate file is there");
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).expect("a PKCS#8 key");
        let certificate = CertificateDer::from_pem_slice(&pem).expect("a certificate");
        let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        Self {
            key: rsa::KeyPair::from_pkcs8(key.secret_pkcs8_der()).expect("an RSA key"),
            thumbprint: STANDARD.encode(thumbprint),
            client_id: client_id.to_owned(),
            audience: audience.to_owned(),
        }
    }

    fn signed(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","x5t":"{}"}}"#, self.thumbprint);
        let claims = format!(
            r#"{{"aud":"{}","iss":"{client}","sub":"{client}","nbf":{now},"exp":{},"jti":"{}"}}"#,
            self.audience,
            now + 600,
            self.random_id(),
            client = self.client_id,
        );
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&signature::RSA_PKCS1_SHA256, &rand::SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn random_id(&self) -> String {
        let mut id = [0; 16];
        rand::fill(&mut id).expect("randomness");
        URL_SAFE_NO_PAD.encode(id)
    }
}

#[async_trait::async_trait]
impl ClientAssertion for SignedAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.signed())
    }
}
