//! The store `AzureKeyVault`: Microsoft's cloud or the embedded vault, through the same code.
//!
//! It asks for one secret by its name and needs the permission Get alone. The identifier is checked before
//! anything is sent. Attributes are judged here, because Key Vault returns expired secrets all the same.

use std::sync::Arc;

use credstore_protocol::key_vault::SecretBundle;
use credstore_protocol::{Identifier, InvalidName, SecretName, SecretVersion, Timestamp};

use crate::azure::address::{Authority, InvalidAddress, VaultAddress};
use crate::azure::error::{AzureError, Concern};
use crate::azure::https::{HttpsTransport, TransportOptions, Trust};
use crate::azure::vault_answers::VaultAnswer;
use crate::azure::{CertificateFile, CertificateSource, KeyVaultClient, TokenSource, When};
use crate::codes::{identifiers, vault as codes};
use crate::diagnosis::{Diagnosis, Place};
use crate::settings::{AzureKeyVaultPlaces, AzureKeyVaultSettings, Cloud};
use crate::store::{Fetched, Fetching, Store, StoreError, ends_with_newline};
use crate::transport::Transport;

/// Content types that Key Vault gives to the secrets behind its certificates. Source: contract section 8.
const CERTIFICATE_CONTENT_TYPES: [&str; 2] = ["application/x-pem-file", "application/x-pkcs12"];

/// What to do with a secret outside the dates that its owner set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dates {
    /// Use it and warn, as Key Vault does.
    #[default]
    Warn,
    /// Refuse it.
    Refuse,
}

/// The credential store in a Key Vault.
pub struct AzureKeyVaultStore {
    client: KeyVaultClient,
    places: AzureKeyVaultPlaces,
    dates: Dates,
}

/// The options for the transport that these settings want: a cloud of one's own with `CaFile` trusts that file
/// and nothing else, any other trusts the system's authorities and `CaFile` besides.
pub fn transport_options(settings: &AzureKeyVaultSettings, base: TransportOptions) -> TransportOptions {
    let trust = match (&settings.cloud, &settings.ca_file) {
        (_, None) => base.trust.clone(),
        (Cloud::Custom { .. }, Some(file)) => Trust::Only(file.clone()),
        (Cloud::AzurePublic | Cloud::AzureUSGovernment | Cloud::AzureChina, Some(file)) => match base.trust.clone() {
            Trust::System { instead, .. } => Trust::System { instead, also: Some(file.clone()) },
            only @ Trust::Only(_) => only,
        },
    };
    TransportOptions { trust, ..base }
}

fn at_cloud(error: InvalidAddress, settings: &AzureKeyVaultSettings) -> Box<Diagnosis> {
    Box::new(Diagnosis::from(error).at(settings.places.cloud.clone()))
}

/// The app of these settings, which signs in with its certificate. Nothing is read or sent yet.
///
/// # Errors
/// When the directory's address is not usable.
pub fn token_source(
    settings: &AzureKeyVaultSettings,
    transport: Arc<dyn Transport>,
) -> Result<Arc<TokenSource>, Box<Diagnosis>> {
    let authority = Authority::new(settings.cloud.authority_host(), &settings.tenant);
    let authority = authority.map_err(|error| at_cloud(error, settings))?;
    let certificate = CertificateSource::File(CertificateFile::new(&settings.certificate_file, None));
    Ok(Arc::new(TokenSource::new(transport, authority, settings.client_id.clone(), certificate)))
}

impl AzureKeyVaultStore {
    /// The store that the settings describe, over HTTPS. Nothing is sent yet; of files only `CaFile` is read.
    ///
    /// # Errors
    /// When an address or `CaFile` is not usable.
    pub fn connect(settings: &AzureKeyVaultSettings, base: TransportOptions) -> Result<Self, Box<Diagnosis>> {
        let transport = HttpsTransport::new(transport_options(settings, base)).map_err(|error| {
            let mut diagnosis = Diagnosis::from(error);
            diagnosis.place = settings.places.ca_file.clone().or(diagnosis.place);
            Box::new(diagnosis)
        })?;
        Self::new(settings, Arc::new(transport))
    }

    /// The store that the settings describe, over `transport`. Nothing is read or sent yet.
    ///
    /// # Errors
    /// When an address is not usable.
    pub fn new(settings: &AzureKeyVaultSettings, transport: Arc<dyn Transport>) -> Result<Self, Box<Diagnosis>> {
        let address = VaultAddress::new(&settings.vault_name, settings.cloud.vault_dns_suffix())
            .map_err(|error| at_cloud(error, settings))?;
        let tokens = token_source(settings, transport.clone())?;
        let client = KeyVaultClient::new(transport, tokens, address, settings.cloud.scope());
        Ok(Self { client, places: settings.places.clone(), dates: Dates::default() })
    }

    /// The same with another way to treat secrets outside their dates.
    pub fn with_dates(mut self, dates: Dates) -> Self {
        self.dates = dates;
        self
    }

    /// The vault itself, for whoever has more permissions than Get.
    pub fn client(&self) -> &KeyVaultClient {
        &self.client
    }

    async fn get(&self, identifier: &Identifier, now: Timestamp) -> Result<Fetched, StoreError> {
        let name = secret_name(identifier, &self.describe())?;
        let bundle =
            self.client.secret(&name, None, When::at(now)).await.map_err(|error| self.error(identifier, &error))?;
        self.judge(identifier, bundle, now)
    }

    fn error(&self, identifier: &Identifier, error: &AzureError) -> StoreError {
        if let AzureError::Vault(refusal) = error
            && refusal.answer == VaultAnswer::SecretMissing
        {
            let store = self.describe();
            return StoreError::NotFound { identifier: identifier.clone(), store, looked_at: None, nearest: None };
        }
        let mut diagnosis = Diagnosis::from(error);
        if let Some(place) = error.concern().and_then(|concern| self.place(concern)) {
            diagnosis.place = Some(place);
        }
        diagnosis.into()
    }

    fn place(&self, concern: Concern) -> Option<Place> {
        match concern {
            Concern::TenantId => Some(self.places.tenant_id.clone()),
            Concern::ClientId => Some(self.places.client_id.clone()),
            Concern::VaultName => Some(self.places.vault_name.clone()),
            Concern::CertificateFile => Some(self.places.certificate_file.clone()),
            Concern::Cloud => Some(self.places.cloud.clone()),
            Concern::CaFile => self.places.ca_file.clone(),
        }
    }

    fn judge(&self, identifier: &Identifier, bundle: SecretBundle, now: Timestamp) -> Result<Fetched, StoreError> {
        let store = self.describe();
        if backs_a_certificate(&bundle) {
            return Err(Diagnosis::error(&codes::BACKS_CERTIFICATE, format!("{identifier} is not a password"))
                .cause(format!("in {store} it holds the private key of the certificate of the same name"))
                .fix("use another identifier; if the certificate is no longer needed, delete and purge it")
                .into());
        }
        let Some(secret) = bundle.value.filter(|value| !value.is_empty()) else {
            return Err(StoreError::Empty { identifier: identifier.clone(), store });
        };
        let (expires, not_before) = (bundle.attributes.exp, bundle.attributes.nbf);
        let mut warnings = Vec::new();
        if let Some(mut finding) = outside_dates(identifier, &store, (not_before, expires), now) {
            match self.dates {
                Dates::Warn => warnings.push(finding),
                Dates::Refuse => {
                    finding.severity = crate::diagnosis::Severity::Error;
                    return Err(finding.into());
                }
            }
        }
        warnings.extend(ends_with_newline(identifier, &secret));
        let version = version_of(&bundle.id);
        Ok(Fetched { secret, version, content_type: bundle.content_type, expires, not_before, warnings })
    }
}

impl Store for AzureKeyVaultStore {
    fn fetch<'a>(&'a self, identifier: &'a Identifier, now: Timestamp) -> Fetching<'a> {
        Box::pin(self.get(identifier, now))
    }

    fn describe(&self) -> String {
        format!("vault {}", self.client.address().name())
    }
}

/// The name of the secret, or why a vault cannot hold such an identifier.
fn secret_name(identifier: &Identifier, store: &str) -> Result<SecretName, StoreError> {
    let error = match identifier.as_str().parse::<SecretName>() {
        Ok(name) => return Ok(name),
        Err(error) => error,
    };
    let text = identifier.as_str();
    if let Some((name, _)) = text.split_once('/') {
        return Err(Diagnosis::error(&identifiers::IDENTIFIER_WITH_VERSION, format!("{text} is not an identifier"))
            .cause("an identifier has no version and no path; the current version is used")
            .fix(format!("write {name}"))
            .into());
    }
    let cause = match error {
        InvalidName::Character { at } => {
            let character = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
            format!("the character {character} is not allowed in the name of a secret")
        }
        InvalidName::Length(length) => format!("the name of a secret has at most 127 characters, this has {length}"),
        InvalidName::Ends | InvalidName::DoubleHyphen => error.to_string(),
    };
    Err(Diagnosis::error(&identifiers::NOT_A_SECRET_NAME, format!("{store} cannot hold an identifier {text}"))
        .cause(cause)
        .fix("use letters A to Z, digits and hyphens")
        .into())
}

fn backs_a_certificate(bundle: &SecretBundle) -> bool {
    let typed = |content_type: &str| {
        CERTIFICATE_CONTENT_TYPES.iter().any(|known| content_type.trim().eq_ignore_ascii_case(known))
    };
    bundle.managed == Some(true) || bundle.kid.is_some() || bundle.content_type.as_deref().is_some_and(typed)
}

/// The version at the end of `https://…/secrets/{name}/{version}`.
fn version_of(id: &str) -> Option<SecretVersion> {
    id.rsplit('/').next()?.parse().ok()
}

/// What there is to say about the dates `nbf` and `exp`. Key Vault enforces neither (contract section 6).
fn outside_dates(
    identifier: &Identifier,
    store: &str,
    (not_before, expires): (Option<Timestamp>, Option<Timestamp>),
    now: Timestamp,
) -> Option<Diagnosis> {
    let set_by = |what: &str| format!("its owner set {what} in {store}; Key Vault returns it all the same");
    if let Some(expires) = expires.filter(|expires| *expires <= now) {
        let ago = in_words(now.seconds_since(expires));
        return Some(
            Diagnosis::warning(&codes::SECRET_EXPIRED, format!("{identifier} expired {ago} ago"))
                .cause(set_by("an expiry date"))
                .fix(format!("credstore vault secret set --name {identifier}, with a new date")),
        );
    }
    let not_before = not_before.filter(|not_before| now < *not_before)?;
    let in_time = in_words(not_before.seconds_since(now));
    Some(
        Diagnosis::warning(&codes::SECRET_NOT_YET_VALID, format!("{identifier} is not valid for another {in_time}"))
            .cause(set_by("a start date"))
            .fix("wait, or change the start date"),
    )
}

/// A span in its largest whole unit: `3 days`.
fn in_words(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    #[test]
    fn an_identifier_that_no_vault_can_hold_is_refused_before_anything_is_sent() {
        let code = |text: &str| Diagnosis::from(secret_name(&identifier(text), "vault kv").unwrap_err()).code.id;
        for text in ["smtp_relay", "a.b", "ä", "a b", &"a".repeat(128)] {
            assert_eq!(code(text), "CS2001", "{text}");
        }
        assert_eq!(code("SmtpRelay/4387e9f3d6e14c459867679a90fd0f79"), "CS2007");
        assert!(secret_name(&identifier(&"a".repeat(127)), "vault kv").is_ok());
    }

    #[test]
    fn the_secret_behind_a_certificate_is_known_by_any_of_its_marks() {
        let with = |content_type: Option<&str>, kid: Option<&str>, managed| SecretBundle {
            content_type: content_type.map(str::to_owned),
            kid: kid.map(str::to_owned),
            managed,
            ..SecretBundle::default()
        };
        assert!(backs_a_certificate(&with(Some("application/x-pem-file"), None, None)));
        assert!(backs_a_certificate(&with(Some("Application/X-PKCS12"), None, None)));
        assert!(backs_a_certificate(&with(None, Some("https://kv/keys/a/b"), None)));
        assert!(backs_a_certificate(&with(None, None, Some(true))));
        assert!(!backs_a_certificate(&with(Some("text/plain"), None, Some(false))));
    }

    #[test]
    fn dates_are_judged_to_the_second() {
        let now = Timestamp(1_000_000);
        let judge = |nbf, exp| outside_dates(&identifier("A"), "vault kv", (nbf, exp), now).map(|d| d.code.id);
        assert_eq!(judge(None, None), None);
        assert_eq!(judge(None, Some(now)), Some("CS4009"));
        assert_eq!(judge(None, Some(Timestamp(1_000_001))), None);
        assert_eq!(judge(Some(now), None), None);
        assert_eq!(judge(Some(Timestamp(1_000_001)), None), Some("CS4017"));
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        for (seconds, words) in [
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3_599, "59 minutes"),
            (7_200, "2 hours"),
            (86_400, "1 day"),
            (259_200, "3 days"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn the_version_is_the_last_part_of_the_id() {
        let version = "4387e9f3d6e14c459867679a90fd0f79";
        let id = format!("https://kv.vault.azure.net/secrets/db/{version}");
        assert_eq!(version_of(&id).unwrap().to_string(), version);
        assert!(version_of("https://kv.vault.azure.net/secrets/db").is_none());
    }
}
