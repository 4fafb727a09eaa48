//! Step 1: the vault.

use std::collections::BTreeMap;

use super::{Ground, Row, Standing, Step};
use crate::commands::vault;
use crate::errors::CliError;
use crate::site;

/// Days that deleted secrets are kept in a new vault. Source: Key Vault, default of `az keyvault create`.
pub(crate) const RETENTION_DAYS: u16 = 90;

pub(super) async fn look(ground: &Ground<'_>) -> Result<Row, CliError> {
    let row = |name: &str, standing, state: &str| Ok(Row::new(Step::Vault, "Key Vault", name, standing, state));
    let Some(name) = &ground.job.vault else { return row("-", Standing::Open, "not there") };
    match is_there(ground).await? {
        true => row(name.as_str(), Standing::Done, "already there"),
        false => row(name.as_str(), Standing::Open, "not there"),
    }
}

/// Whether the vault answers.
pub(super) async fn is_there(ground: &Ground<'_>) -> Result<bool, CliError> {
    let (Some(connection), Some(name)) = (ground.connection, &ground.job.vault) else { return Ok(false) };
    Ok(connection.find_vault(name, site::when(ground.world)).await?.is_some())
}

pub(super) async fn act(ground: &Ground<'_>) -> Result<Row, CliError> {
    let (connection, name) = ground.there()?;
    vault::create(connection, name, RETENTION_DAYS, false, BTreeMap::new(), ground.world).await?;
    Ok(Row::new(Step::Vault, "Key Vault", name.as_str(), Standing::Made, "created"))
}
