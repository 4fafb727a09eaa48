//! The texts that are made of the site and the tenant, made once.

use credstore_protocol::TenantId;
use http::HeaderValue;

use crate::site::Site;

/// Location of every vault: the machine itself. Azure names a region here.
pub(crate) const LOCATION: &str = "local";

/// What tokens are for. One of three, each in two spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Audience {
    Vault,
    Management,
    Graph,
}

/// Absolute URLs and the challenge of one installation at one site.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) tenant: TenantId,
    /// `https://login.…`, no slash at the end.
    pub(crate) authority: String,
    /// `https://vault.…`, `https://management.…`, `https://graph.…`, no slash at the end.
    pub(crate) vault: String,
    pub(crate) management: String,
    pub(crate) graph: String,
    /// `iss` of our access tokens, with a slash at the end as Entra's has.
    pub(crate) issuer: String,
    /// `WWW-Authenticate` of the data plane. Contract section 3: exactly this spelling passes every SDK.
    pub(crate) challenge: HeaderValue,
    /// `WWW-Authenticate` of ARM and Graph.
    pub(crate) plain_challenge: HeaderValue,
    /// What `aud` of a client assertion may be.
    pub(crate) assertion_audiences: Vec<String>,
}

impl Names {
    pub(crate) fn new(site: &Site, tenant: &TenantId) -> Self {
        let authority = format!("https://{}", site.authority_host());
        let vault = site.resource();
        let header = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"));
        Self {
            challenge: header(format!(r#"Bearer authorization="{authority}/{tenant}", resource="{vault}""#)),
            plain_challenge: header(format!(r#"Bearer authorization_uri="{authority}/{tenant}""#)),
            issuer: format!("{authority}/{tenant}/"),
            assertion_audiences: ["oauth2/v2.0/token", "oauth2/token", "v2.0", ""]
                .map(|path| format!("{authority}/{tenant}/{path}"))
                .to_vec(),
            management: format!("https://{}", site.management_host()),
            graph: format!("https://{}", site.graph_host()),
            tenant: tenant.clone(),
            vault,
            authority,
        }
    }

    fn resource(&self, audience: Audience) -> &str {
        match audience {
            Audience::Vault => &self.vault,
            Audience::Management => &self.management,
            Audience::Graph => &self.graph,
        }
    }

    /// Whether a token's `aud` is this resource, with or without the slash at the end.
    pub(crate) fn is_for(&self, audience: Audience, aud: &str) -> bool {
        aud.strip_suffix('/').unwrap_or(aud) == self.resource(audience)
    }

    /// Every `aud` that we issue; the surface then checks that it is the one meant.
    pub(crate) fn audiences(&self) -> [&str; 3] {
        [&self.vault, &self.management, &self.graph]
    }

    /// The spelling of `resource` that goes into a token, when it is one of ours.
    pub(crate) fn known_resource(&self, resource: &str) -> Option<String> {
        let bare = resource.strip_suffix('/').unwrap_or(resource);
        let known = self.audiences().into_iter().find(|own| own.eq_ignore_ascii_case(bare))?;
        Some(if bare.len() == resource.len() { known.to_owned() } else { format!("{known}/") })
    }
}
