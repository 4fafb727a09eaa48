//! `azure_security_keyvault_secrets`: every operation on secrets.

use std::collections::HashMap;

use azure_core::http::StatusCode;
use azure_security_keyvault_secrets::models::{
    BackupSecretResult, RestoreSecretParameters, SecretClientGetSecretOptions, SetSecretParameters,
    UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{ResourceExt, SecretClient, SecretClientOptions};
use futures::TryStreamExt;

use crate::world::{Outcome, client_options, credential_of, given};

fn client_of(app: &str, key_of: &str) -> azure_core::Result<SecretClient> {
    let options = SecretClientOptions { client_options: client_options(), ..Default::default() };
    SecretClient::new(&given("VAULT_URL"), credential_of(app, key_of)?, Some(options))
}

/// The value of a secret, for the tests of what stands behind it.
pub async fn value_of(name: &str) -> azure_core::Result<String> {
    let secret = client_of("OWNER", "OWNER")?.get_secret(name, None).await?.into_model()?;
    Ok(secret.value.expect("a secret has a value"))
}

fn value(text: &str) -> SetSecretParameters {
    SetSecretParameters { value: Some(text.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn a_secret_is_set_read_and_its_older_version_stays() -> Outcome {
    let client = client_of("OWNER", "OWNER")?;
    let first = client.set_secret("RustLife", value("one").try_into()?, None).await?.into_model()?;
    client.set_secret("RustLife", value("two").try_into()?, None).await?;
    let current = client.get_secret("RustLife", None).await?.into_model()?;
    assert_eq!(current.value.as_deref(), Some("two"));
    let exactly = SecretClientGetSecretOptions { secret_version: first.resource_id()?.version, ..Default::default() };
    let old = client.get_secret("RustLife", Some(exactly)).await?.into_model()?;
    assert_eq!(old.value.as_deref(), Some("one"));
    let versions: Vec<_> = client.list_secret_properties_versions("RustLife", None)?.try_collect().await?;
    assert_eq!(versions.len(), 2);
    Ok(())
}

#[tokio::test]
async fn an_update_changes_tags_and_leaves_the_value() -> Outcome {
    let client = client_of("OWNER", "OWNER")?;
    client.set_secret("RustUpdated", value("kept").try_into()?, None).await?;
    let change = UpdateSecretPropertiesParameters {
        tags: Some(HashMap::from([("a".to_owned(), "b".to_owned())])),
        ..Default::default()
    };
    client.update_secret_properties("RustUpdated", change.try_into()?, None).await?;
    let read = client.get_secret("RustUpdated", None).await?.into_model()?;
    assert_eq!(read.value.as_deref(), Some("kept"));
    assert_eq!(read.tags.and_then(|tags| tags.get("a").cloned()).as_deref(), Some("b"));
    Ok(())
}

#[tokio::test]
async fn a_list_of_more_than_one_page_is_complete() -> Outcome {
    let client = client_of("OWNER", "OWNER")?;
    let names: Vec<_> = (0..30).map(|number| format!("rust-page-{number}")).collect();
    for name in &names {
        client.set_secret(name, value("x").try_into()?, None).await?;
    }
    let listed: Vec<_> = client.list_secret_properties(None)?.try_collect().await?;
    let listed: Vec<_> = listed.iter().map(|item| item.resource_id().map(|id| id.name)).collect::<Result<_, _>>()?;
    assert_eq!(names.iter().find(|name| !listed.contains(name)), None);
    Ok(())
}

#[tokio::test]
async fn delete_recover_purge_backup_and_restore() -> Outcome {
    let client = client_of("OWNER", "OWNER")?;
    client.set_secret("RustCircle", value("round").try_into()?, None).await?;
    let BackupSecretResult { value: blob, .. } = client.backup_secret("RustCircle", None).await?.into_model()?;
    client.delete_secret("RustCircle", None).await?;
    let missing = client.get_secret("RustCircle", None).await.expect_err("it is deleted");
    assert_eq!(missing.http_status(), Some(StatusCode::NotFound));
    let taken = client.set_secret("RustCircle", value("again").try_into()?, None).await.expect_err("it is reserved");
    assert_eq!(taken.http_status(), Some(StatusCode::Conflict));
    client.recover_deleted_secret("RustCircle", None).await?;
    let back = client.get_secret("RustCircle", None).await?.into_model()?;
    assert_eq!(back.value.as_deref(), Some("round"));
    client.delete_secret("RustCircle", None).await?;
    client.purge_deleted_secret("RustCircle", None).await?;
    let restore = RestoreSecretParameters { secret_backup: blob };
    client.restore_secret(restore.try_into()?, None).await?;
    let restored = client.get_secret("RustCircle", None).await?.into_model()?;
    assert_eq!(restored.value.as_deref(), Some("round"));
    Ok(())
}

#[tokio::test]
async fn get_alone_reads_and_does_nothing_else() -> Outcome {
    let client = client_of("READER", "READER")?;
    assert!(client.get_secret(&given("READABLE"), None).await?.into_model()?.value.is_some());
    let refused = client.set_secret("RustForbidden", value("x").try_into()?, None).await.expect_err("no permission");
    assert_eq!(refused.http_status(), Some(StatusCode::Forbidden));
    Ok(())
}

#[tokio::test]
async fn another_certificate_is_refused_with_entras_code() -> Outcome {
    let client = client_of("READER", "STRANGER")?;
    let refused = client.get_secret(&given("READABLE"), None).await.expect_err("it is not on the app");
    assert!(format!("{refused:?}").contains("AADSTS700027"), "{refused:?}");
    Ok(())
}
