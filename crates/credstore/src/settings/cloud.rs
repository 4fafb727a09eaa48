//! Where to sign in and where the vault is.

use std::borrow::Cow;

/// A cloud: the host of its directory and the names of its vaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// Azure, worldwide.
    #[default]
    AzurePublic,
    /// Azure for the government of the United States.
    AzureUSGovernment,
    /// Azure in China, operated by 21Vianet.
    AzureChina,
    /// Any other, such as the embedded vault.
    Custom {
        /// An https origin without a final slash: `https://login.localhost:8443`.
        authority_host: String,
        /// What follows after the vault's name and a dot, possibly with a port: `vault.localhost:8443`.
        vault_dns_suffix: String,
    },
}

impl Cloud {
    /// Every cloud that has a name, with the value of `Cloud` for it.
    pub const NAMED: [(&'static str, Cloud); 3] = [
        ("AzurePublic", Cloud::AzurePublic),
        ("AzureUSGovernment", Cloud::AzureUSGovernment),
        ("AzureChina", Cloud::AzureChina),
    ];

    /// Origin of the directory, without a final slash.
    ///
    /// Source: Key Vault, "Access Azure Key Vault behind a firewall", table of endpoints.
    pub fn authority_host(&self) -> &str {
        match self {
            Cloud::AzurePublic => "https://login.microsoftonline.com",
            Cloud::AzureUSGovernment => "https://login.microsoftonline.us",
            Cloud::AzureChina => "https://login.chinacloudapi.cn",
            Cloud::Custom { authority_host, .. } => authority_host,
        }
    }

    /// Origin of Microsoft Graph, without a final slash. A cloud of one's own has it beside its directory, as the embedded
    /// vault does: `https://login.…` and `https://graph.…`; `None` when its directory is not called so.
    ///
    /// Source: Graph, "National cloud deployments", table of root endpoints.
    pub fn graph_host(&self) -> Option<Cow<'_, str>> {
        match self {
            Cloud::AzurePublic => Some("https://graph.microsoft.com".into()),
            Cloud::AzureUSGovernment => Some("https://graph.microsoft.us".into()),
            Cloud::AzureChina => Some("https://microsoftgraph.chinacloudapi.cn".into()),
            Cloud::Custom { authority_host, .. } => {
                authority_host.strip_prefix("https://login.").map(|rest| format!("https://graph.{rest}").into())
            }
        }
    }

    /// What follows after the vault's name and a dot.
    pub fn vault_dns_suffix(&self) -> &str {
        match self {
            Cloud::AzurePublic => "vault.azure.net",
            Cloud::AzureUSGovernment => "vault.usgovcloudapi.net",
            Cloud::AzureChina => "vault.azure.cn",
            Cloud::Custom { vault_dns_suffix, .. } => vault_dns_suffix,
        }
    }

    /// The scope of an access token for the vaults of this cloud.
    pub fn scope(&self) -> String {
        format!("https://{}/.default", self.vault_dns_suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_the_vaults_resource() {
        assert_eq!(Cloud::AzurePublic.scope(), "https://vault.azure.net/.default");
        let custom = Cloud::Custom {
            authority_host: "https://login.localhost:8443".to_owned(),
            vault_dns_suffix: "vault.localhost:8443".to_owned(),
        };
        assert_eq!(custom.scope(), "https://vault.localhost:8443/.default");
        assert_eq!(custom.graph_host().as_deref(), Some("https://graph.localhost:8443"));
        let other =
            Cloud::Custom { authority_host: "https://sts.corp.example".to_owned(), vault_dns_suffix: String::new() };
        assert_eq!(other.graph_host(), None, "nothing is guessed");
    }

    #[test]
    fn a_named_cloud_never_mixes_two_clouds() {
        for (name, cloud) in Cloud::NAMED {
            let (authority, suffix) = (cloud.authority_host(), cloud.vault_dns_suffix());
            let ending = match name {
                "AzurePublic" => (".com", ".net"),
                "AzureUSGovernment" => (".us", ".usgovcloudapi.net"),
                _ => (".cn", ".cn"),
            };
            assert!(authority.ends_with(ending.0) && suffix.ends_with(ending.1), "{name}");
        }
    }
}
