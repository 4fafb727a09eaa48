//! TLS of the listener: versions, suites, and a certificate that is replaced while it is served.
//!
//! The leaf's key lives in memory only; a restart makes a new one. Only AEAD suites with ephemeral elliptic-curve
//! key exchange are spoken, which is all that rustls has. Source: reliability goal 1.3.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use credstore_protocol::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::app::App;

use super::ServeError;

/// Where the listener's certificate comes from.
pub enum Tls {
    /// The installation's own CA issues it, and again at two thirds of its life.
    OwnAuthority,
    /// The operator gives certificate chain and key, PEM.
    Given {
        /// The leaf first, then what leads to the root.
        chain_pem: Vec<u8>,
        /// PKCS#8, PKCS#1 or SEC 1.
        key_pem: Zeroizing<Vec<u8>>,
    },
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnAuthority => "OwnAuthority",
            Self::Given { .. } => "Given",
        })
    }
}

/// The certificate that is served now.
pub(super) struct Certificate {
    served: RwLock<Arc<CertifiedKey>>,
    renew_at: RwLock<Option<Timestamp>>,
    provider: CryptoProvider,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

fn unusable(reason: impl fmt::Display) -> ServeError {
    ServeError::Certificate { reason: reason.to_string() }
}

impl Certificate {
    pub(super) fn new(app: &App, tls: Tls) -> Result<Self, ServeError> {
        let provider = aws_lc_rs::default_provider();
        let (key, renew_at) = match tls {
            Tls::OwnAuthority => {
                let (key, renew_at) = issue(app, &provider)?;
                (key, Some(renew_at))
            }
            Tls::Given { chain_pem, key_pem } => (given(&chain_pem, &key_pem, &provider)?, None),
        };
        Ok(Self { served: RwLock::new(Arc::new(key)), renew_at: RwLock::new(renew_at), provider })
    }

    /// Replaces the certificate when two thirds of its life have passed. Connections that are open keep theirs.
    pub(super) fn renew_when_due(&self, app: &App) {
        let due = *self.renew_at.read().unwrap_or_else(PoisonError::into_inner);
        if due.is_none_or(|due| app.real_now() < due) {
            return;
        }
        match issue(app, &self.provider) {
            Ok((key, renew_at)) => {
                *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                *self.renew_at.write().unwrap_or_else(PoisonError::into_inner) = Some(renew_at);
                tracing::info!("the listener has a new certificate");
            }
            // It is tried again at the next turn; a third of the old one's life is left for that.
            Err(error) => tracing::error!(%error, "the listener's certificate could not be renewed"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn issue(app: &App, provider: &CryptoProvider) -> Result<(CertifiedKey, Timestamp), ServeError> {
    let now = app.real_now();
    let names = app.site().certificate_names();
    let leaf = app.installation().authority().issue_leaf(&names, now).map_err(ServeError::Authority)?;
    let chain = leaf.chain_der.into_iter().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf.key_der.as_slice()));
    let key = CertifiedKey::from_der(chain, key.clone_key(), provider).map_err(unusable)?;
    let life = leaf.not_after.seconds_since(now);
    Ok((key, Timestamp(now.0.saturating_add(life / 3 * 2))))
}

fn given(chain_pem: &[u8], key_pem: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, ServeError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem).collect();
    let chain = chain.map_err(|_| unusable("the chain is not PEM"))?;
    if chain.is_empty() {
        return Err(unusable("there is no PEM certificate in the chain"));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| unusable("there is no PEM private key"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => unusable("the key does not belong to the certificate"),
        other => unusable(other),
    })
}

/// TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1.
pub(super) fn configuration(certificate: Arc<Certificate>) -> Result<Arc<ServerConfig>, ServeError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(unusable)?;
    let mut configuration = builder.with_no_client_auth().with_cert_resolver(certificate);
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(configuration))
}
