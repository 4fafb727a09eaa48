//! From a seed to the installation: look, and make what is missing.

use std::collections::BTreeMap;
use std::path::Path;

use credstore::azure::certificate::{PublicCertificate, export_public};
use credstore::azure::{AzureError, GraphClient};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::arm::{Permissions, VaultResource, VaultUpdate, VaultUpdateProperties};
use credstore_protocol::key_vault::SecretProperties;
use credstore_protocol::{ObjectId, Secret, VaultName};
use credstore_vault::access::{PermissionSet, Role};

use super::document::{Access, App, Assigned, Certificate, Kept, Vault};
use super::{Applied, Seed};
use crate::commands::vault::access_policy;
use crate::commands::{app, cert, vault};
use crate::errors::CliError;
use crate::files;
use crate::setup::certificate::KEY_BITS;
use crate::setup::folder::stopped;
use crate::setup::key_vault::RETENTION_DAYS;
use crate::site::{self, Connection};
use crate::world::World;

/// Days that a key pair of a seed is valid. Source: the set-up guide, `-days 365`.
const DAYS: u32 = 365;
/// What the operator needs in a vault with roles, to look at secrets and set them.
const OPERATOR_ROLE: Role = Role::SecretsOfficer;

impl Seed {
    /// Makes what is missing in the installation behind `connection`.
    ///
    /// # Errors
    /// What the installation refuses; what was made before stays, and the next run goes on from there.
    pub(crate) async fn apply(&self, connection: &Connection, world: &World) -> Result<Applied, CliError> {
        let mut work = Work { seed: self, connection, world, applied: Applied::default() };
        let graph = connection.graph()?;
        for app in &self.document.apps {
            work.app(&graph, app).await?;
        }
        for (vault, values) in self.document.vaults.iter().zip(&self.values) {
            work.vault(&graph, vault, values).await?;
        }
        Ok(work.applied)
    }
}

struct Work<'a> {
    seed: &'a Seed,
    connection: &'a Connection,
    world: &'a World,
    applied: Applied,
}

fn told(error: AzureError) -> CliError {
    Diagnosis::from(error).into()
}

impl Work<'_> {
    async fn app(&mut self, graph: &GraphClient, wanted: &App) -> Result<(), CliError> {
        // The file is looked at first: an app without its key would be of no use.
        let certificate = match &wanted.certificate {
            None => None,
            Some(certificate) => Some(self.certificate(certificate, &wanted.name).await?),
        };
        let (found, made) = app::ensure(graph, &wanted.name, self.world).await?;
        app::ensure_principal(graph, &found.app_id, self.world).await?;
        self.applied.count(made);
        let Some(certificate) = certificate else { return Ok(()) };
        let when = site::when(self.world);
        let thumbprint = certificate.thumbprint();
        let keys = graph.keys(&found.id, when).await.map_err(told)?;
        let known = |key: &Option<String>| key.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&thumbprint));
        let there = keys.iter().any(|key| known(&key.custom_key_identifier));
        if !there {
            graph.add_key(&found.id, &certificate, None, when).await.map_err(told)?;
        }
        self.applied.count(!there);
        Ok(())
    }

    async fn certificate(&self, wanted: &Certificate, app: &str) -> Result<PublicCertificate, CliError> {
        let (Certificate::File(path) | Certificate::Make(path)) = wanted;
        let file = self.seed.folder.join(path);
        if matches!(wanted, Certificate::Make(_)) && file.symlink_metadata().is_err() {
            let (subject, now) = (app.to_owned(), self.world.now());
            // Making a key keeps a core busy for up to a second.
            let made =
                tokio::task::spawn_blocking(move || cert::new_key_pair(&file, &subject, KEY_BITS, DAYS, false, now));
            return made.await.map_err(|error| stopped(&error))?;
        }
        public(&file)
    }

    async fn vault(&mut self, graph: &GraphClient, wanted: &Vault, values: &[Secret]) -> Result<(), CliError> {
        let found = self.connection.find_vault(&wanted.name, site::when(self.world)).await?;
        let is_new = found.is_none();
        self.applied.count(is_new);
        let resource = match found {
            Some((_, resource)) => resource,
            None => {
                vault::create(self.connection, &wanted.name, RETENTION_DAYS, false, BTreeMap::new(), self.world).await?
            }
        };
        let roles = match (&wanted.access, &wanted.roles) {
            (_, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => resource.properties.enable_rbac_authorization == Some(true),
        };
        // A new vault that is switched is one thing made.
        let switched = self.decided_by(roles, &wanted.name, &resource).await?;
        self.applied.made += usize::from(switched && !is_new);
        for access in wanted.access.iter().flatten() {
            self.access(graph, &wanted.name, &resource, access).await?;
        }
        for assigned in wanted.roles.iter().flatten() {
            let principal = self.principal(graph, &assigned.app).await?;
            self.role(&wanted.name, assigned, &principal).await?;
        }
        if roles && !wanted.secrets.is_empty() {
            self.operator_may_set(graph, &wanted.name).await?;
        }
        for (secret, value) in wanted.secrets.iter().zip(values) {
            self.secret(&wanted.name, secret, value).await?;
        }
        Ok(())
    }

    /// Switches between access policies and roles where the seed says the other one. Whether it had to.
    async fn decided_by(&self, roles: bool, name: &VaultName, is: &VaultResource) -> Result<bool, CliError> {
        if roles == (is.properties.enable_rbac_authorization == Some(true)) {
            return Ok(false);
        }
        let properties = VaultUpdateProperties { enable_rbac_authorization: Some(roles), ..Default::default() };
        let when = site::when(self.world);
        let (arm, _) = self.connection.located(name, when).await?;
        arm.update_vault(name, &VaultUpdate { tags: None, properties }, when).await.map_err(told)?;
        Ok(true)
    }

    async fn principal(&self, graph: &GraphClient, name: &str) -> Result<ObjectId, CliError> {
        let app = app::find(graph, name, self.world).await?;
        app::ensure_principal(graph, &app.app_id, self.world).await
    }

    async fn access(
        &mut self,
        graph: &GraphClient,
        name: &VaultName,
        is: &VaultResource,
        wanted: &Access,
    ) -> Result<(), CliError> {
        let principal = self.principal(graph, &wanted.app).await?;
        let existing = access_policy::existing(is, &principal);
        let names = Permissions {
            keys: wanted.keys.to_names(),
            secrets: wanted.secrets.to_names(),
            certificates: wanted.certificates.to_names(),
            storage: existing.as_ref().map(|is| is.storage.clone()).unwrap_or_default(),
        };
        // In the words of the domain, which know neither order nor case.
        let set =
            |names: &Permissions| serde_json::to_value(names).and_then(serde_json::from_value::<PermissionSet>).ok();
        let same = existing.is_some_and(|is| set(&is) == set(&names));
        if !same {
            access_policy::set(self.connection, name, &principal, names, self.world).await?;
        }
        self.applied.count(!same);
        Ok(())
    }

    async fn role(&mut self, name: &VaultName, wanted: &Assigned, principal: &ObjectId) -> Result<(), CliError> {
        let made = self.assigned(name, wanted.role, principal).await?;
        self.applied.count(made);
        Ok(())
    }

    /// Gives the role in the vault. Whether it had to be given.
    async fn assigned(&self, name: &VaultName, role: Role, principal: &ObjectId) -> Result<bool, CliError> {
        let when = site::when(self.world);
        let (arm, _) = self.connection.located(name, when).await?;
        let id = role.definition().id;
        let assignments = arm.role_assignments(name, principal, when).await.map_err(told)?;
        if assignments.iter().any(|one| one.properties.role().eq_ignore_ascii_case(id)) {
            return Ok(false);
        }
        arm.assign_role(name, id, principal, when).await.map_err(told)?;
        Ok(true)
    }

    async fn operator_may_set(&mut self, graph: &GraphClient, name: &VaultName) -> Result<(), CliError> {
        let operator = app::ensure_principal(graph, &self.connection.operator, self.world).await?;
        self.assigned(name, OPERATOR_ROLE, &operator).await?;
        Ok(())
    }

    /// Sets the secret when it is not there, or when its current version says something else.
    async fn secret(&mut self, vault: &VaultName, wanted: &Kept, value: &Secret) -> Result<(), CliError> {
        let (client, when) = (self.connection.vault(vault)?, site::when(self.world));
        let same = match client.secret(&wanted.name, None, when).await {
            Ok(is) => is.value.is_some_and(|is| is.matches(value)) && is.content_type == wanted.content_type,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(told(error)),
        };
        if !same {
            let properties = SecretProperties { content_type: wanted.content_type.clone(), ..Default::default() };
            client.set_secret(&wanted.name, value, &properties, when).await.map_err(told)?;
        }
        self.applied.count(!same);
        Ok(())
    }
}

fn public(file: &Path) -> Result<PublicCertificate, CliError> {
    let bytes = files::read(file)?;
    export_public(&bytes, None).map_err(|error| error.diagnosis(Some(file), None).into())
}
