//! `azure_security_keyvault_certificates`: every operation on certificates.
//!
//! rcgen makes what comes from outside, keys and authorities; x509-parser reads what the vault makes and verifies it.

use std::collections::HashMap;

use azure_core::http::StatusCode;
use azure_security_keyvault_certificates::models::{
    AdministratorContact, Certificate, CertificateAttributes, CertificateClientGetCertificateOptions,
    CertificateClientListCertificatePropertiesOptions, CertificateClientUpdateCertificatePropertiesOptions,
    CertificateOperation, CertificatePolicy, Contact, Contacts, CreateCertificateParameters, CurveName,
    ImportCertificateParameters, IssuerAttributes, IssuerCredentials, IssuerParameters, KeyProperties, KeyType,
    MergeCertificateParameters, OrganizationDetails, RestoreCertificateParameters, SecretProperties,
    SetIssuerParameters, SubjectAlternativeNames, UpdateCertificateOperationParameter,
    UpdateCertificatePropertiesParameters, UpdateIssuerParameters, X509CertificateProperties,
};
use azure_security_keyvault_certificates::{CertificateClient, CertificateClientOptions, ResourceExt};
use futures::TryStreamExt;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use crate::world::{Outcome, client_options, credential_of, given};
use crate::{keys, secrets};

fn client_of(app: &str) -> azure_core::Result<CertificateClient> {
    let options = CertificateClientOptions { client_options: client_options(), ..Default::default() };
    CertificateClient::new(&given("VAULT_URL"), credential_of(app, app)?, Some(options))
}

/// An EC key in a PEM: made at once, and read without a password.
fn policy(issuer: &str, subject: &str) -> CertificatePolicy {
    CertificatePolicy {
        issuer_parameters: Some(IssuerParameters { name: Some(issuer.to_owned()), ..Default::default() }),
        key_properties: Some(KeyProperties {
            key_type: Some(KeyType::Ec),
            curve: Some(CurveName::P256),
            exportable: Some(true),
            ..Default::default()
        }),
        secret_properties: Some(SecretProperties { content_type: Some("application/x-pem-file".to_owned()) }),
        x509_certificate_properties: Some(X509CertificateProperties {
            subject: Some(subject.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn asked(issuer: &str) -> CreateCertificateParameters {
    CreateCertificateParameters { certificate_policy: Some(policy(issuer, "CN=app")), ..Default::default() }
}

/// Begins a creation and takes its first answer, which the client gives ten seconds later, when it would look again.
async fn begun(
    client: &CertificateClient,
    name: &str,
    asked: CreateCertificateParameters,
) -> azure_core::Result<CertificateOperation> {
    let mut poller = client.begin_create_certificate(name, asked.try_into()?, None)?;
    poller.try_next().await?.expect("a creation has a status").into_model()
}

/// A key and its certificate as PEM text, to be kept as such.
fn import_of(key: &KeyPair, certificate: &str) -> ImportCertificateParameters {
    ImportCertificateParameters {
        base64_encoded_certificate: Some(format!("{}{certificate}", key.serialize_pem())),
        certificate_policy: Some(CertificatePolicy {
            secret_properties: Some(SecretProperties { content_type: Some("application/x-pem-file".to_owned()) }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A certificate for tests that are about something else: importing one is quicker than having one made.
async fn imported(client: &CertificateClient, name: &str) -> Result<Certificate, Box<dyn std::error::Error>> {
    let outside = authority("imported")?;
    let import = import_of(outside.key(), &outside.pem());
    Ok(client.import_certificate(name, import.try_into()?, None).await?.into_model()?)
}

fn version_of(certificate: &Certificate) -> Option<String> {
    certificate.resource_id().ok().and_then(|id| id.version)
}

fn der_of(certificate: &Certificate) -> &[u8] {
    certificate.cer.as_deref().expect("an answered certificate has its bytes")
}

fn read(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = parse_x509_certificate(der).expect("DER of a certificate");
    assert!(rest.is_empty());
    certificate
}

/// The certificates of a PEM text, the leaf first.
fn chain_of(text: &str) -> Vec<Vec<u8>> {
    let blocks: Result<Vec<_>, _> = x509_parser::pem::Pem::iter_from_buffer(text.as_bytes()).collect();
    let blocks = blocks.expect("PEM").into_iter();
    blocks.filter(|block| block.label == "CERTIFICATE").map(|block| block.contents).collect()
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

#[tokio::test]
async fn a_creation_is_polled_to_its_end() -> Outcome {
    let client = client_of("OWNER")?;
    let mut certificate_policy = policy("Self", "CN=app.corp.example");
    certificate_policy.x509_certificate_properties = Some(X509CertificateProperties {
        subject: Some("CN=app.corp.example".to_owned()),
        subject_alternative_names: Some(SubjectAlternativeNames {
            dns_names: Some(vec!["app.corp.example".to_owned()]),
            ..Default::default()
        }),
        validity_in_months: Some(3),
        ..Default::default()
    });
    let asked = CreateCertificateParameters {
        certificate_policy: Some(certificate_policy),
        tags: Some(HashMap::from([("owner".to_owned(), "erp".to_owned())])),
        ..Default::default()
    };
    let made = client.begin_create_certificate("RustPolled", asked.try_into()?, None)?.await?.into_model()?;
    let certificate = read(der_of(&made));
    certificate.verify_signature(None)?;
    assert_eq!(certificate.subject().to_string(), "CN=app.corp.example");
    let names = certificate.subject_alternative_name()?.expect("it has names");
    assert_eq!(
        names.value.general_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["DNSName(app.corp.example)"]
    );
    let expires = made.attributes.as_ref().and_then(|attributes| attributes.expires).map(|at| at.unix_timestamp());
    assert_eq!(expires, Some(certificate.validity().not_after.timestamp()));
    assert_eq!(made.tags.as_ref().and_then(|tags| tags.get("owner")).map(String::as_str), Some("erp"));
    let months =
        made.policy.as_ref().and_then(|policy| policy.x509_certificate_properties.as_ref()?.validity_in_months);
    assert_eq!(months, Some(3));

    let text = secrets::value_of("RustPolled").await?;
    assert_eq!(chain_of(&text), [made.cer.clone().unwrap_or_default()]);
    assert_eq!(KeyPair::from_pem(&text)?.public_key_raw(), certificate.public_key().subject_public_key.as_ref());
    let key = keys::client_of("OWNER")?.get_key("RustPolled", None).await?.into_model()?;
    assert_eq!((key.managed, key.key.and_then(|jwk| jwk.kid)), (Some(true), made.kid.clone()));
    let again = client.get_certificate_operation("RustPolled", None).await?.into_model()?;
    assert_eq!(again.status.as_deref(), Some("completed"));
    Ok(())
}

#[tokio::test]
async fn versions_properties_policies_and_lists() -> Outcome {
    let client = client_of("OWNER")?;
    let first = imported(&client, "RustCertVersions").await?;
    let second = imported(&client, "RustCertVersions").await?;
    assert_ne!(first.id, second.id);

    let change = UpdateCertificatePropertiesParameters {
        certificate_attributes: Some(CertificateAttributes { enabled: Some(false), ..Default::default() }),
        tags: Some(HashMap::from([("a".to_owned(), "b".to_owned())])),
        ..Default::default()
    };
    let exactly = CertificateClientUpdateCertificatePropertiesOptions {
        certificate_version: version_of(&first),
        ..Default::default()
    };
    client.update_certificate_properties("RustCertVersions", change.try_into()?, Some(exactly)).await?;
    let exactly =
        CertificateClientGetCertificateOptions { certificate_version: version_of(&first), ..Default::default() };
    let changed = client.get_certificate("RustCertVersions", Some(exactly)).await?.into_model()?;
    assert_eq!(changed.attributes.as_ref().and_then(|attributes| attributes.enabled), Some(false));
    assert_eq!(changed.tags.as_ref().and_then(|tags| tags.get("a")).map(String::as_str), Some("b"));
    assert_eq!(changed.cer, first.cer);
    let current = client.get_certificate("RustCertVersions", None).await?.into_model()?;
    assert_eq!(current.id, second.id);

    let kept = client.get_certificate_policy("RustCertVersions", None).await?.into_model()?;
    let subject = kept.x509_certificate_properties.and_then(|x509| x509.subject);
    assert_eq!(subject.as_deref(), Some("CN=imported"));
    let renamed = policy("Self", "CN=renamed");
    client.update_certificate_policy("RustCertVersions", renamed.try_into()?, None).await?;
    let kept = client.get_certificate_policy("RustCertVersions", None).await?.into_model()?;
    let asked = CreateCertificateParameters { certificate_policy: Some(kept), ..Default::default() };
    begun(&client, "RustCertVersions", asked).await?;
    let third = client.get_certificate("RustCertVersions", None).await?.into_model()?;
    assert_eq!(read(der_of(&third)).subject().to_string(), "CN=renamed");

    let listed: Vec<_> = client.list_certificate_properties_versions("RustCertVersions", None)?.try_collect().await?;
    let mut listed: Vec<_> = listed.into_iter().map(|item| item.id).collect();
    let mut expected = [first.id, second.id, third.id];
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    Ok(())
}

#[tokio::test]
async fn a_list_of_more_than_one_page_is_complete() -> Outcome {
    let client = client_of("OWNER")?;
    let names: Vec<_> = (0..27).map(|number| format!("rust-certificate-page-{number}")).collect();
    for name in &names {
        imported(&client, name).await?;
    }
    let listed: Vec<_> = client.list_certificate_properties(None)?.try_collect().await?;
    let listed: Vec<_> = listed.iter().map(|item| item.resource_id().map(|id| id.name)).collect::<Result<_, _>>()?;
    assert_eq!(names.iter().find(|name| !listed.contains(name)), None);
    Ok(())
}

#[tokio::test]
async fn what_an_authority_outside_signs_is_merged() -> Outcome {
    let client = client_of("OWNER")?;
    let pending = begun(&client, "RustMerged", asked("Unknown")).await?;
    assert_eq!(pending.status.as_deref(), Some("inProgress"));
    let listed = async |include_pending| {
        let options = CertificateClientListCertificatePropertiesOptions { include_pending, ..Default::default() };
        let items: Vec<_> = client.list_certificate_properties(Some(options))?.try_collect().await?;
        azure_core::Result::Ok(items.iter().any(|item| item.resource_id().is_ok_and(|id| id.name == "RustMerged")))
    };
    assert_eq!((listed(None).await?, listed(Some(true)).await?), (false, true));

    let request = CertificateSigningRequestParams::from_der(&pending.csr.expect("a pending one has a request").into())?;
    let authority = authority("authority outside")?;
    let chain = vec![request.signed_by(&authority)?.der().to_vec(), authority.der().to_vec()];
    let merge = MergeCertificateParameters { x509_certificates: Some(chain.clone()), ..Default::default() };
    let merged = client.merge_certificate("RustMerged", merge.try_into()?, None).await?.into_model()?;
    assert_eq!(der_of(&merged), chain[0]);
    assert_eq!(chain_of(&secrets::value_of("RustMerged").await?), chain);
    assert!(listed(None).await?);
    Ok(())
}

#[tokio::test]
async fn a_creation_is_cancelled_and_forgotten() -> Outcome {
    let client = client_of("OWNER")?;
    begun(&client, "RustCancelled", asked("Unknown")).await?;
    let cancel = || UpdateCertificateOperationParameter { cancellation_requested: Some(true) }.try_into();
    let told = client.update_certificate_operation("RustCancelled", cancel()?, None).await?.into_model()?;
    assert_eq!(told.cancellation_requested, Some(true));
    let after = client.get_certificate_operation("RustCancelled", None).await?.into_model()?;
    assert_eq!(after.status.as_deref(), Some("cancelled"));
    let again = client.update_certificate_operation("RustCancelled", cancel()?, None).await;
    assert_eq!(again.expect_err("it is cancelled").http_status(), Some(StatusCode::Forbidden));
    client.delete_certificate_operation("RustCancelled", None).await?;
    let missing = client.get_certificate_operation("RustCancelled", None).await.expect_err("it is forgotten");
    assert_eq!(missing.http_status(), Some(StatusCode::NotFound));
    Ok(())
}

#[tokio::test]
async fn a_certificate_from_elsewhere_is_imported_with_its_key() -> Outcome {
    let client = client_of("OWNER")?;
    let outside = authority("imported")?;
    let import = import_of(outside.key(), &outside.pem());
    let imported = client.import_certificate("RustImportedCert", import.try_into()?, None).await?.into_model()?;
    assert_eq!(der_of(&imported), &outside.der()[..]);
    let value = secrets::value_of("RustImportedCert").await?;
    assert_eq!(KeyPair::from_pem(&value)?.public_key_raw(), outside.key().public_key_raw());

    // The certificate of one key with another key.
    let import = import_of(&KeyPair::generate()?, &outside.pem());
    let refused = client.import_certificate("RustRefusedCert", import.try_into()?, None).await;
    assert_eq!(refused.expect_err("they do not belong together").http_status(), Some(StatusCode::BadRequest));
    Ok(())
}

#[tokio::test]
async fn delete_recover_purge_backup_and_restore() -> Outcome {
    let client = client_of("OWNER")?;
    let made = imported(&client, "RustCertCircle").await?;
    let value = secrets::value_of("RustCertCircle").await?;
    let blob = client.backup_certificate("RustCertCircle", None).await?.into_model()?.value;
    client.delete_certificate("RustCertCircle", None).await?;
    let missing = client.get_certificate("RustCertCircle", None).await.expect_err("it is deleted");
    assert_eq!(missing.http_status(), Some(StatusCode::NotFound));
    let taken = begun(&client, "RustCertCircle", asked("Self")).await.expect_err("it is reserved");
    assert_eq!(taken.http_status(), Some(StatusCode::Conflict));
    let deleted = client.get_deleted_certificate("RustCertCircle", None).await?.into_model()?;
    assert!(deleted.recovery_id.is_some_and(|id| id.ends_with("/deletedcertificates/RustCertCircle")));
    let listed: Vec<_> = client.list_deleted_certificate_properties(None)?.try_collect().await?;
    let ends = |id: &String| id.ends_with("/certificates/RustCertCircle");
    assert!(listed.iter().any(|item| item.id.as_ref().is_some_and(ends)));
    client.recover_deleted_certificate("RustCertCircle", None).await?;
    let back = client.get_certificate("RustCertCircle", None).await?.into_model()?;
    assert_eq!((&back.id, &back.cer), (&made.id, &made.cer));
    client.delete_certificate("RustCertCircle", None).await?;
    client.purge_deleted_certificate("RustCertCircle", None).await?;
    let gone = client.get_deleted_certificate("RustCertCircle", None).await.expect_err("it is purged");
    assert_eq!(gone.http_status(), Some(StatusCode::NotFound));
    let restore = RestoreCertificateParameters { certificate_backup: blob };
    let restored = client.restore_certificate(restore.try_into()?, None).await?.into_model()?;
    assert_eq!((&restored.id, &restored.cer), (&made.id, &made.cer));
    assert_eq!(secrets::value_of("RustCertCircle").await?, value);
    Ok(())
}

#[tokio::test]
async fn contacts() -> Outcome {
    let client = client_of("OWNER")?;
    let none = client.get_contacts(None).await.expect_err("nobody set any");
    assert_eq!(none.http_status(), Some(StatusCode::NotFound));
    let contact = |email: &str, name: Option<&str>| Contact {
        email: Some(email.to_owned()),
        name: name.map(str::to_owned),
        ..Default::default()
    };
    let contacts = vec![contact("a@corp.example", Some("A")), contact("b@corp.example", None)];
    let set = Contacts { contact_list: Some(contacts), ..Default::default() };
    client.set_contacts(set.try_into()?, None).await?;
    let kept = client.get_contacts(None).await?.into_model()?.contact_list.unwrap_or_default();
    let kept: Vec<_> = kept.iter().map(|one| (one.email.as_deref(), one.name.as_deref())).collect();
    assert_eq!(kept, [(Some("a@corp.example"), Some("A")), (Some("b@corp.example"), None)]);
    let deleted = client.delete_contacts(None).await?.into_model()?;
    assert_eq!(deleted.contact_list.map(|contacts| contacts.len()), Some(2));
    let none = client.get_contacts(None).await.expect_err("they are deleted");
    assert_eq!(none.http_status(), Some(StatusCode::NotFound));
    Ok(())
}

#[tokio::test]
async fn issuers_are_kept_and_one_inside_signs() -> Outcome {
    let client = client_of("OWNER")?;
    let set = SetIssuerParameters {
        provider: Some("DigiCert".to_owned()),
        credentials: Some(IssuerCredentials {
            account_id: Some("user".to_owned()),
            password: Some("planted".to_owned()),
        }),
        organization_details: Some(OrganizationDetails {
            id: Some("9".to_owned()),
            admin_contacts: Some(vec![AdministratorContact {
                email: Some("j@corp.example".to_owned()),
                ..Default::default()
            }]),
        }),
        ..Default::default()
    };
    client.set_issuer("RustDigicert", set.try_into()?, None).await?;
    let change = UpdateIssuerParameters {
        attributes: Some(IssuerAttributes { enabled: Some(false), ..Default::default() }),
        ..Default::default()
    };
    client.update_issuer("RustDigicert", change.try_into()?, None).await?;
    let kept = client.get_issuer("RustDigicert", None).await?.into_model()?;
    assert_eq!(kept.provider.as_deref(), Some("DigiCert"));
    assert_eq!(kept.attributes.and_then(|attributes| attributes.enabled), Some(false));
    let credentials = kept.credentials.expect("it has an account");
    assert_eq!((credentials.account_id.as_deref(), credentials.password), (Some("user"), None));
    assert_eq!(kept.organization_details.and_then(|details| details.id).as_deref(), Some("9"));
    let refused = begun(&client, "RustByDigicert", asked("RustDigicert")).await.expect_err("nobody outside is asked");
    assert_eq!(refused.http_status(), Some(StatusCode::BadRequest));

    let inside = SetIssuerParameters { provider: Some("Credstore".to_owned()), ..Default::default() };
    client.set_issuer("RustCorpCa", inside.try_into()?, None).await?;
    begun(&client, "RustByCorpCa", asked("RustCorpCa")).await?;
    let chain = chain_of(&secrets::value_of("RustByCorpCa").await?);
    let [leaf, above] = &chain[..] else { panic!("a leaf and its issuer") };
    let above = read(above);
    assert!(above.is_ca());
    read(leaf).verify_signature(Some(above.public_key()))?;
    above.verify_signature(None)?;

    let listed: Vec<_> = client.list_issuer_properties(None)?.try_collect().await?;
    for name in ["RustDigicert", "RustCorpCa"] {
        let end = format!("/certificates/issuers/{name}");
        assert!(listed.iter().any(|item| item.id.as_ref().is_some_and(|id| id.ends_with(&end))), "{name}");
        client.delete_issuer(name, None).await?;
        let missing = client.get_issuer(name, None).await.expect_err("it is deleted");
        assert_eq!(missing.http_status(), Some(StatusCode::NotFound));
    }
    Ok(())
}

#[tokio::test]
async fn an_app_without_permissions_on_certificates_is_refused() -> Outcome {
    let refused = client_of("READER")?.get_certificate("RustForbidden", None).await.expect_err("no permission");
    assert_eq!(refused.http_status(), Some(StatusCode::Forbidden));
    assert!(refused.to_string().contains("does not have certificates get permission"), "{refused}");
    Ok(())
}
