//! `credstore directory`: the embedded directory's addresses, and the names that other programs must resolve.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Change;
use crate::errors::CliError;
use crate::files;
use crate::output::{Output, pairs};
use crate::site::{self, Absent};
use crate::world::World;

/// Addresses of the embedded directory
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore directory show"
)]
pub(crate) struct Directory {
    #[command(subcommand)]
    command: DirectoryCommand,
}

#[derive(Subcommand, Debug)]
enum DirectoryCommand {
    Show(Show),
    Hosts(Hosts),
}

impl Directory {
    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            DirectoryCommand::Show(command) => command.run(world, out).await,
            DirectoryCommand::Hosts(command) => command.run(world, out).await,
        }
    }
}

/// Show tenant ID, authority and the other addresses
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore directory show --query tenantId -o tsv")]
struct Show {}

impl Show {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let connection = site::connect(world, Absent::Refuse).await?;
        let (tenant, authority) = (connection.tenant.to_string(), connection.authority());
        let ca = world.data_folder().join(site::CA_FILE).display().to_string();
        let metadata = format!("{authority}/{tenant}/v2.0/.well-known/openid-configuration");
        let keys = format!("{authority}/{tenant}/discovery/v2.0/keys");
        let rows = [
            ("Tenant ID", "tenantId", tenant.clone()),
            ("Authority", "authority", format!("{authority}/{tenant}")),
            ("Metadata", "metadata", metadata),
            ("Signing keys", "signingKeys", keys),
            ("Key Vault", "vaultResource", connection.site.resource()),
            ("ARM", "resourceManager", format!("https://{}", connection.site.management_host())),
            ("Graph", "graph", format!("https://{}", connection.site.graph_host())),
            ("Authority of TLS", "caFile", ca),
            ("Running", "running", if connection.served { "yes" } else { "no" }.to_owned()),
        ];
        let mut object: serde_json::Map<_, _> =
            rows.iter().map(|(_, key, value)| ((*key).to_owned(), json!(value))).collect();
        object.insert("running".to_owned(), json!(connection.served));
        out.result(object.into(), || pairs(rows.iter().map(|(name, _, value)| (*name, value.clone()))))
    }
}

/// Print the hosts lines that other programs need to find the embedded vault, or write them
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore directory hosts --apply")]
struct Hosts {
    /// Write the lines into the hosts file, between two marks
    #[arg(long)]
    apply: bool,
    /// The hosts file
    #[arg(long, value_name = "FILE", default_value = "/etc/hosts")]
    file: PathBuf,
    #[command(flatten)]
    change: Change,
}

/// First line of our part of the hosts file.
const BEGIN: &str = "# begin credstore";
/// Last line of our part.
const END: &str = "# end credstore";

impl Hosts {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let connection = site::connect(world, Absent::Refuse).await?;
        let vaults = connection.arm()?.vaults(site::when(world)).await?;
        let zone = &connection.site.zone;
        let mut names: Vec<String> =
            ["login", "management", "graph", "vault"].iter().map(|name| format!("{name}.{zone}")).collect();
        let mut own: Vec<String> =
            vaults.iter().map(|vault| format!("{}.vault.{zone}", vault.name.to_ascii_lowercase())).collect();
        own.sort();
        names.extend(own);
        let lines: Vec<String> = names.iter().map(|name| format!("127.0.0.1 {name}")).collect();
        if !self.apply {
            let objects = names.iter().map(|name| json!({ "address": "127.0.0.1", "name": name })).collect();
            return out.result(objects, || lines.join("\n") + "\n");
        }
        let before = files::read_text(&self.file)?;
        let after = with_block(&before, &lines);
        let file = self.file.display().to_string();
        let changed = after != *before;
        if changed && !self.change.only_said(&format!("write {} names into {file}", names.len()), out)? {
            files::replace_keeping_mode(&self.file, after.as_bytes(), 0o644)?;
        } else if changed {
            return Ok(());
        }
        out.result(json!({ "file": file, "names": names, "changed": changed }), || match changed {
            true => format!("{} names written into {file}\n", names.len()),
            false => format!("{file} has the {} names already\n", names.len()),
        })
    }
}

/// The text with our block replaced, or added at the end. What others wrote stays as it is.
fn with_block(text: &str, lines: &[String]) -> String {
    let block = format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"));
    let begin = text.match_indices(BEGIN).map(|(at, _)| at).find(|&at| at == 0 || text[..at].ends_with('\n'));
    if let Some(begin) = begin
        && let Some(length) = text[begin..].find(END)
    {
        let end = begin + length + END.len();
        let rest = text[end..].strip_prefix('\n').unwrap_or(&text[end..]);
        return format!("{}{block}{rest}", &text[..begin]);
    }
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{separator}{block}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_added_once_and_replaced_afterwards() {
        let lines = ["127.0.0.1 login.localhost".to_owned()];
        let once = with_block("127.0.0.1 localhost", &lines);
        assert_eq!(once, "127.0.0.1 localhost\n# begin credstore\n127.0.0.1 login.localhost\n# end credstore\n");
        assert_eq!(with_block(&once, &lines), once);
        let other = ["127.0.0.1 x.vault.localhost".to_owned()];
        let longer = format!("{once}10.0.0.1 else\n");
        let replaced = with_block(&longer, &other);
        assert!(replaced.contains("x.vault") && !replaced.contains("login"), "{replaced}");
        assert!(replaced.starts_with("127.0.0.1 localhost\n") && replaced.ends_with("10.0.0.1 else\n"), "{replaced}");
    }
}
