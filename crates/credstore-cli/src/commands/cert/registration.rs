//! How the public key of a new pair gets to the directory, and when the directory knows it.
//!
//! Somebody may have uploaded it already; the operator of an embedded vault on this machine may; the app itself may, with
//! the proof that it holds a key; otherwise a person has to, and is told what and where.

use std::path::Path;
use std::time::Duration;

use credstore::azure::certificate::{CertificateFile, PublicCertificate, SigningCertificate};
use credstore::azure::graph::ApplicationFilter;
use credstore::azure::{AzureError, CertificateSource, GraphClient, ServiceAddress, SignInError, assertion};
use credstore::codes::{directory, settings as codes};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::ObjectId;
use tokio::time::Instant;

use super::renew::said;
use crate::credentials::SettingsVault;
use crate::errors::CliError;
use crate::output::{Output, plain};
use crate::site::when;
use crate::world::World;

/// Pause between two looks whether the directory knows the key. Ours: Entra takes from seconds to a minute.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The key that is to be registered.
pub(super) struct Key<'a> {
    /// The certificate that signs in today.
    pub(super) present: &'a SigningCertificate,
    /// The file with the new pair.
    pub(super) next: &'a Path,
    /// The file with its public certificate.
    pub(super) public: &'a Path,
    /// The new public certificate.
    pub(super) certificate: PublicCertificate,
}

/// How it came to be registered.
pub(super) struct Registered {
    /// `already`, `operator` or `app`.
    pub(super) by: &'static str,
    /// The app, by its name or client id.
    pub(super) app: String,
    /// Key id of the former key, where we may know it.
    pub(super) former: Option<String>,
}

/// Registers the key unless it is, and waits until the directory accepts it.
///
/// # Errors
/// CS1217 when a person has to upload it; what the directory says otherwise.
pub(super) async fn ensure(
    vault: &SettingsVault,
    key: &Key<'_>,
    object_id: Option<&ObjectId>,
    wait: u64,
    world: &World,
    out: &mut Output,
) -> Result<Registered, CliError> {
    let public = key.public.display();
    let started = Instant::now();
    let is_there = signs_in(vault, key.next, world).await?;
    let (registered, how) = match (&vault.operator, is_there) {
        (Some(graph), _) => by_operator(graph, vault, key, is_there, world).await?,
        (None, true) => (unlisted("already", vault), "is registered".to_owned()),
        (None, false) => without_operator(vault, key, object_id, world).await?,
    };
    said(format!("Public key    {public}   {how}"), world, out)?;
    let deadline = started + Duration::from_secs(wait);
    let mut asked = Instant::now();
    while !signs_in(vault, key.next, world).await? {
        if Instant::now() >= deadline {
            return Err(Diagnosis::error(&codes::RENEWAL_WAITS, "the directory does not know the new key yet")
                .cause(format!(
                    "{public} was uploaded {} s ago; nothing uses the new pair yet",
                    started.elapsed().as_secs()
                ))
                .fix("run it again in a minute: it goes on where it is, or wait longer with --wait SECONDS")
                .retryable()
                .into());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        asked = Instant::now();
    }
    said(format!("Tested        signed in with the new key   {} ms", asked.elapsed().as_millis()), world, out)?;
    Ok(registered)
}

/// Whether the directory accepts the pair in `file`. Every other refusal than that of an unknown key is an error.
async fn signs_in(vault: &SettingsVault, file: &Path, world: &World) -> Result<bool, CliError> {
    let source = CertificateSource::File(CertificateFile::new(file, None));
    let tokens = vault.tokens_with(source)?;
    match tokens.token(&vault.settings.cloud.scope(), when(world)).await {
        Ok(_) => Ok(true),
        Err(error) if is_unknown_key(&error) => Ok(false),
        Err(error) => Err(AzureError::SignIn(error).into()),
    }
}

fn is_unknown_key(error: &SignInError) -> bool {
    matches!(error, SignInError::Refused(refusal) if refusal.problem.code().id == directory::CERTIFICATE_NOT_REGISTERED.id)
}

fn unlisted(by: &'static str, vault: &SettingsVault) -> Registered {
    Registered { by, app: vault.settings.client_id.to_string(), former: None }
}

async fn without_operator(
    vault: &SettingsVault,
    key: &Key<'_>,
    object_id: Option<&ObjectId>,
    world: &World,
) -> Result<(Registered, String), CliError> {
    match by_app(vault, key, object_id, world).await {
        Ok(Some(())) => Ok((unlisted("app", vault), "uploaded by the app itself".to_owned())),
        Ok(None) => Err(by_person(vault, key, "the app does not know its own object ID and may not look it up")),
        Err(error) => {
            let refusal = Diagnosis::from(&error);
            Err(by_person(
                vault,
                key,
                &format!("the app may not upload it itself: {} ({})", refusal.message, refusal.code.id),
            ))
        }
    }
}

async fn by_operator(
    graph: &GraphClient,
    vault: &SettingsVault,
    key: &Key<'_>,
    is_there: bool,
    world: &World,
) -> Result<(Registered, String), CliError> {
    let client = &vault.settings.client_id;
    let found = graph.applications(&ApplicationFilter::Client(client.clone()), when(world)).await?;
    let Some(app) = found.into_iter().next() else {
        let message = format!("there is no app registration {client}");
        return Err(Diagnosis::error(&directory::DIRECTORY_OBJECT_MISSING, message)
            .fix("credstore app list   shows the client IDs; ClientId in Server Settings has to be one of them")
            .into());
    };
    if !is_there {
        graph.add_key(&app.id, &key.certificate, None, when(world)).await?;
    }
    let keys = graph.keys(&app.id, when(world)).await?;
    let thumbprint = key.present.public().thumbprint();
    let is_former = |known: &str| known.eq_ignore_ascii_case(&thumbprint);
    let former = keys.iter().find(|key| key.custom_key_identifier.as_deref().is_some_and(is_former));
    let count = if keys.len() == 1 { "1 key now".to_owned() } else { format!("{} keys now", keys.len()) };
    let app = plain(&app.display_name);
    let (by, done) = if is_there { ("already", "is on") } else { ("operator", "uploaded to") };
    let how = format!("{done} {app} ({count})");
    Ok((Registered { by, app, former: former.and_then(|key| key.key_id.clone()) }, how))
}

/// As the app: `None` when its object id is not known.
async fn by_app(
    vault: &SettingsVault,
    key: &Key<'_>,
    object_id: Option<&ObjectId>,
    world: &World,
) -> Result<Option<()>, AzureError> {
    let Some(graph) = vault.graph_as_app() else { return Ok(None) };
    let id = match object_id {
        Some(id) => id.clone(),
        None => {
            let filter = ApplicationFilter::Client(vault.settings.client_id.clone());
            match graph.applications(&filter, when(world)).await.ok().and_then(|found| found.into_iter().next()) {
                Some(app) => app.id,
                None => return Ok(None),
            }
        }
    };
    let Ok(proof) = assertion::proof(key.present, &id, world.now()) else { return Ok(None) };
    graph.add_key_with_proof(&id, &key.certificate, &proof, when(world)).await.map(|_| Some(()))
}

fn by_person(vault: &SettingsVault, key: &Key<'_>, cause: &str) -> CliError {
    let (file, client) = (key.public.display(), &vault.settings.client_id);
    Diagnosis::error(&codes::RENEWAL_WAITS, "the public key of the new pair is not registered")
        .cause(cause)
        .fix(format!("upload {file}: App registrations > {client} > Certificates & secrets > Certificates"))
        .fix("then run it again: it goes on with the pair that is there")
        .fix("or let the app do it: --app-object-id with the Object ID that the page of the app shows")
        .note("nothing uses the new pair yet; the present one works on")
        .into()
}

impl SettingsVault {
    /// Graph, signed in as the app; `None` where the cloud has no Graph that we know.
    fn graph_as_app(&self) -> Option<GraphClient> {
        let address = ServiceAddress::new(&self.settings.cloud.graph_host()?).ok()?;
        Some(GraphClient::new(self.transport.clone(), self.tokens.clone(), address))
    }
}
