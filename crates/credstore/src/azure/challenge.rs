//! `WWW-Authenticate` of a vault: read to explain a refusal and to guard against a false vault, never followed.
//!
//! Source: contract sections 2 and 3. The rule is that of Microsoft's SDKs with the port compared too: the
//! vault's host ends with a dot and the resource's host.

use url::Url;

use super::address::ServiceAddress;

/// What a challenge says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// Tenant in `authorization`.
    pub(super) tenant: Option<String>,
    /// `resource`, or `scope` without `/.default`.
    pub(super) resource: Option<String>,
    /// `claims`, base64 of JSON: what a new token must satisfy (continuous access evaluation).
    pub(super) claims: Option<String>,
    /// `error="insufficient_claims"`.
    pub(super) insufficient_claims: bool,
}

impl Challenge {
    /// Reads the header. `None` when it is no `Bearer` challenge.
    pub(super) fn read(header: &str) -> Option<Self> {
        let (scheme, parameters) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut challenge = Self::default();
        for (name, value) in parameters_of(parameters) {
            match name.to_ascii_lowercase().as_str() {
                // ARM writes authorization_uri.
                "authorization" | "authorization_uri" => challenge.tenant = first_segment(value),
                "resource" => challenge.resource = Some(value.to_owned()),
                "scope" if challenge.resource.is_none() => {
                    challenge.resource = Some(value.strip_suffix("/.default").unwrap_or(value).to_owned());
                }
                "claims" => challenge.claims = Some(value.to_owned()),
                "error" => challenge.insufficient_claims = value == "insufficient_claims",
                _ => {}
            }
        }
        Some(challenge)
    }

    /// Whether the vault at `address` belongs to the resource that the challenge names. A challenge without
    /// resource names no other.
    pub(super) fn belongs_to(&self, address: &ServiceAddress) -> bool {
        let Some(resource) = &self.resource else { return true };
        let (Ok(resource), Ok(vault)) = (Url::parse(resource), Url::parse(address.as_str())) else { return false };
        let (Some(resource_host), Some(vault_host)) = (resource.host_str(), vault.host_str()) else { return false };
        resource.scheme() == "https"
            && resource.username().is_empty()
            && resource.password().is_none()
            && resource.port_or_known_default() == vault.port_or_known_default()
            && vault_host.strip_suffix(resource_host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    }
}

fn first_segment(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.path_segments()?.next().filter(|segment| !segment.is_empty()).map(str::to_owned)
}

/// `name="value"` pairs between commas or blanks; a value without quotes ends at either.
fn parameters_of(text: &str) -> Vec<(&str, &str)> {
    let separator = |c: char| c == ',' || c.is_whitespace();
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(separator);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find(separator).unwrap_or(after.len())),
        };
        found.push((name.trim(), value));
        rest = after.trim_start_matches(separator);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_vault_belongs_to_a_resource_exactly_when_it_is_a_subdomain(
            vault in "[a-c]{1,2}(\\.[a-c]{1,2}){1,3}",
            resource in "[a-c]{1,2}(\\.[a-c]{1,2}){0,3}",
        ) {
            let address = ServiceAddress::new(&format!("https://{vault}")).unwrap();
            let challenge = Challenge { resource: Some(format!("https://{resource}")), ..Challenge::default() };
            let labels = |host: &str| host.split('.').rev().map(str::to_owned).collect::<Vec<_>>();
            let (inner, outer) = (labels(&vault), labels(&resource));
            prop_assert_eq!(challenge.belongs_to(&address), inner.len() > outer.len() && inner.starts_with(&outer));
        }

        #[test]
        fn a_written_challenge_is_read_back(tenant in "[a-z0-9-]{1,36}", host in "[a-z]{1,9}(\\.[a-z]{1,9}){1,2}") {
            let text = format!("Bearer authorization=\"https://login.example/{tenant}\", resource=\"https://{host}\"");
            let challenge = Challenge::read(&text).unwrap();
            prop_assert_eq!(challenge.tenant, Some(tenant));
            prop_assert_eq!(challenge.resource, Some(format!("https://{host}")));
        }

        #[test]
        fn no_header_is_too_strange_to_be_read(text in "\\PC{0,80}") {
            let _ = Challenge::read(&format!("Bearer {text}"));
        }
    }

    fn vault() -> ServiceAddress {
        ServiceAddress::new("https://acme-kv.vault.azure.net").unwrap()
    }

    #[test]
    fn the_challenge_of_azure_is_read() {
        // Contract section 2, as recorded.
        let text = r#"Bearer authorization="https://login.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47", resource="https://vault.azure.net""#;
        let challenge = Challenge::read(text).unwrap();
        assert_eq!(challenge.tenant.as_deref(), Some("72f988bf-86f1-41af-91ab-2d7cd011db47"));
        assert!(challenge.belongs_to(&vault()));
        assert_eq!(challenge.claims, None);
    }

    #[test]
    fn claims_of_continuous_access_evaluation_are_read() {
        let text = r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net", error="insufficient_claims", claims="eyJhIjoxfQ==""#;
        let challenge = Challenge::read(text).unwrap();
        assert_eq!(challenge.claims.as_deref(), Some("eyJhIjoxfQ=="));
        assert!(challenge.insufficient_claims);
    }

    #[test]
    fn other_spellings_are_read_too() {
        let text = "bearer authorization_uri=https://login.example/t resource=https://vault.azure.net";
        assert_eq!(Challenge::read(text).unwrap().tenant.as_deref(), Some("t"));
        let scope = Challenge::read(r#"Bearer scope="https://vault.azure.net/.default""#).unwrap();
        assert_eq!(scope.resource.as_deref(), Some("https://vault.azure.net"));
        assert_eq!(Challenge::read("Basic realm=x"), None);
        assert_eq!(Challenge::read(""), None);
    }

    #[test]
    fn a_resource_to_which_the_vault_does_not_belong_is_seen() {
        // Reliability goal N3.
        for resource in [
            "https://vault.azure.net.evil.example",
            "https://evilvault.azure.net",
            "https://ault.azure.net",
            "https://acme-kv.vault.azure.net",
            "http://vault.azure.net",
            "https://vault.azure.net:8443",
            "https://vault.azure.net@evil.example",
            "https://evil@vault.azure.net",
            "https://storage.azure.com",
            "https://management.azure.com",
            "vault.azure.net",
            "",
        ] {
            let challenge = Challenge { resource: Some(resource.to_owned()), ..Challenge::default() };
            assert!(!challenge.belongs_to(&vault()), "{resource}");
        }
    }

    #[test]
    fn the_port_of_the_resource_is_the_vaults() {
        let vault = ServiceAddress::new("https://kv.vault.localhost:8443").unwrap();
        let with = |resource: &str| Challenge { resource: Some(resource.to_owned()), ..Challenge::default() };
        assert!(with("https://vault.localhost:8443").belongs_to(&vault));
        assert!(!with("https://vault.localhost").belongs_to(&vault));
    }
}
