//! Step 4: the public key on the app, the permission Get in the vault, and the secret: three looks, three acts, so that
//! a message names the one that is wrong. Afterwards the app itself signs in and reads.
//!
//! A secret that is there is left alone; its value is asked for only when there is none.

use credstore::azure::Secrets;
use credstore::azure::arm::AccessPolicyChange;
use credstore::azure::certificate::PublicCertificate;
use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::arm::{AccessPolicyEntry, Permissions};
use credstore_protocol::key_vault::{SecretItem, SecretProperties};
use credstore_protocol::{ObjectId, Secret, SecretName};

use super::app::{self, Registered};
use super::certificate::{self, Found};
use super::{Ground, Row, Standing, Step, Value, earlier, key_vault};
use crate::credentials::name_of;
use crate::errors::CliError;
use crate::output::{Output, plain};
use crate::site;

/// The three parts of the step, and how many secrets there are.
struct Parts {
    key: bool,
    permission: bool,
    secret: bool,
    count: usize,
}

impl Parts {
    fn missing(&self, ground: &Ground<'_>) -> Vec<String> {
        let secret = ground.job.secret.as_ref().map_or("a secret".to_owned(), |name| format!("secret {name}"));
        let parts = [(self.key, "public key".to_owned()), (self.permission, "Get".to_owned()), (self.secret, secret)];
        parts.into_iter().filter(|(there, _)| !there).map(|(_, name)| name).collect()
    }
}

pub(super) async fn look(ground: &Ground<'_>) -> Result<Row, CliError> {
    let parts = parts(ground).await?;
    let missing = parts.missing(ground);
    let name = format!("Get for {}", plain(&ground.job.app));
    if !missing.is_empty() {
        let state = format!("missing: {}", missing.join(", "));
        return Ok(Row::new(Step::Access, "Permission", name, Standing::Open, state));
    }
    let secrets = if parts.count == 1 { "1 secret".to_owned() } else { format!("{} secrets", parts.count) };
    Ok(Row::new(Step::Access, "Permission", name, Standing::Done, format!("already there, {secrets}")))
}

async fn parts(ground: &Ground<'_>) -> Result<Parts, CliError> {
    let registered = app::registered(ground).await?;
    let vault = key_vault::is_there(ground).await?;
    let public = match certificate::found(&ground.job.certificate(), ground.world.now()) {
        Found::Usable(public) => Some(public),
        Found::Nothing | Found::Unusable(_) => None,
    };
    let key = match (&registered, &public) {
        (Some(registered), Some(public)) => has_key(ground, registered, public).await?,
        _ => false,
    };
    let permission = match registered.and_then(|registered| registered.principal) {
        Some(principal) if vault => has_get(ground, &principal).await?,
        _ => false,
    };
    let secrets = if vault { secrets(ground).await? } else { Vec::new() };
    let secret = match &ground.job.secret {
        None => secrets.iter().any(is_readable),
        Some(name) => secrets.iter().any(|item| name_of(item).eq_ignore_ascii_case(name.as_str())),
    };
    Ok(Parts { key, permission, secret, count: secrets.len() })
}

async fn has_key(ground: &Ground<'_>, registered: &Registered, public: &PublicCertificate) -> Result<bool, CliError> {
    let (connection, _) = ground.there()?;
    let keys = connection.graph()?.keys(&registered.app.id, site::when(ground.world)).await;
    let thumbprint = public.thumbprint();
    let keys = keys?;
    Ok(keys
        .iter()
        .any(|key| key.custom_key_identifier.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(&thumbprint))))
}

async fn has_get(ground: &Ground<'_>, principal: &ObjectId) -> Result<bool, CliError> {
    let (connection, name) = ground.there()?;
    let properties = connection.located(name, site::when(ground.world)).await?.1.properties;
    // With roles the policies are kept and have no effect.
    let policies = properties.access_policies.iter().filter(|_| properties.enable_rbac_authorization != Some(true));
    let gets = |permission: &String| ["get", "all"].iter().any(|word| permission.eq_ignore_ascii_case(word));
    let mut own = policies.filter(|entry| {
        entry.object_id.eq_ignore_ascii_case(principal.as_str())
            && entry.tenant_id.eq_ignore_ascii_case(connection.tenant.as_str())
            && entry.application_id.is_none()
    });
    Ok(own.any(|entry| entry.permissions.secrets.iter().any(gets)))
}

async fn secrets(ground: &Ground<'_>) -> Result<Vec<SecretItem>, CliError> {
    let (connection, name) = ground.there()?;
    let listed = connection.vault(name)?.objects::<Secrets>(site::when(ground.world)).await;
    listed.map_err(CliError::from)
}

fn is_readable(item: &SecretItem) -> bool {
    item.attributes.enabled != Some(false) && item.managed != Some(true)
}

/// The first secret of the vault that can be read.
pub(super) async fn first_secret(ground: &Ground<'_>) -> Result<Option<SecretName>, CliError> {
    let secrets = if key_vault::is_there(ground).await? { secrets(ground).await? } else { Vec::new() };
    Ok(secrets.iter().find(|item| is_readable(item)).and_then(|item| name_of(item).parse().ok()))
}

/// Whether the secret's value will be asked for.
pub(crate) async fn needs_value(ground: &Ground<'_>) -> Result<bool, CliError> {
    match &ground.job.secret {
        None => Ok(false),
        Some(_) => Ok(!parts(ground).await?.secret),
    }
}

pub(super) async fn act(ground: &Ground<'_>, value: &mut Value<'_>, out: &mut Output) -> Result<Row, CliError> {
    if !key_vault::is_there(ground).await? {
        return Err(earlier(Step::Access, Step::Vault, "the vault is not there"));
    }
    let public = match certificate::found(&ground.job.certificate(), ground.world.now()) {
        Found::Usable(public) => public,
        Found::Unusable(error) => return Err(error.into()),
        Found::Nothing => return Err(earlier(Step::Access, Step::Certificate, "the certificate is not there")),
    };
    let registered = app::registered(ground).await?;
    let Some(Registered { app, principal: Some(principal) }) = registered else {
        return Err(earlier(Step::Access, Step::App, "the app is not registered"));
    };
    let (connection, _) = ground.there()?;
    let before = parts(ground).await?;
    if !before.key {
        let added = connection.graph()?.add_key(&app.id, &public, None, site::when(ground.world)).await;
        added?;
    }
    if !before.permission {
        grant(ground, &principal).await?;
    }
    let test = match (&ground.job.secret, before.secret) {
        (Some(name), false) => {
            set(ground, name, value, out).await?;
            Some(name.clone())
        }
        (Some(name), true) => Some(name.clone()),
        (None, _) => first_secret(ground).await?,
    };
    let Some(test) = test else {
        let message = "the vault has no secret yet, and none was named";
        return Err(Diagnosis::error(&usage::INPUT_NEEDED, message)
            .fix("--secret NAME; its value is read from standard input, or asked for")
            .into());
    };
    sign_in_and_read(ground, &app.app_id, &test).await?;
    Ok(made(ground, &before))
}

fn made(ground: &Ground<'_>, before: &Parts) -> Row {
    let app = plain(&ground.job.app);
    match &ground.job.secret {
        Some(name) if !before.secret || !before.permission => {
            Row::new(Step::Access, "Secret", name.as_str(), Standing::Made, format!("Get granted to {app}"))
        }
        _ => {
            let done = [(before.key, "public key uploaded"), (before.permission, "granted")];
            let done: Vec<_> = done.into_iter().filter(|(there, _)| !there).map(|(_, text)| text).collect();
            Row::new(Step::Access, "Permission", format!("Get for {app}"), Standing::Made, done.join(", "))
        }
    }
}

async fn grant(ground: &Ground<'_>, principal: &ObjectId) -> Result<(), CliError> {
    let (connection, name) = ground.there()?;
    let entry = AccessPolicyEntry {
        tenant_id: connection.tenant.to_string(),
        object_id: principal.to_string(),
        application_id: None,
        permissions: Permissions { secrets: vec!["get".to_owned()], ..Permissions::default() },
    };
    let (arm, _) = connection.located(name, site::when(ground.world)).await?;
    let done = arm.change_access_policy(name, AccessPolicyChange::Add, entry, site::when(ground.world)).await;
    done.map(|_| ()).map_err(CliError::from)
}

async fn set(ground: &Ground<'_>, name: &SecretName, value: &mut Value<'_>, out: &mut Output) -> Result<(), CliError> {
    let (connection, vault) = ground.there()?;
    let asked;
    let value: &Secret = match value {
        Value::Given(value) => value,
        Value::Ask(source) => {
            out.note(format!("Value of {name}:"));
            asked = source.read(ground.world, out)?;
            &asked
        }
    };
    let client = connection.vault(vault)?;
    let set = client.set_secret(name, value, &SecretProperties::default(), site::when(ground.world)).await;
    set.map(|_| ()).map_err(CliError::from)
}

/// The proof: the app signs in with its certificate and reads, with Get alone.
async fn sign_in_and_read(
    ground: &Ground<'_>,
    client: &credstore_protocol::ClientId,
    name: &SecretName,
) -> Result<(), CliError> {
    let (connection, vault) = ground.there()?;
    let tokens = connection.client(client.clone(), &ground.job.certificate())?;
    let read = connection.vault_as(vault, tokens)?.secret(name, None, site::when(ground.world)).await;
    read.map(|_| ()).map_err(CliError::from)
}
