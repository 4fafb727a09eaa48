//! The operations of the data plane, and the permission and data action that each needs.

use serde::{Deserialize, Serialize};

use super::{CertificatePermission, KeyPermission, Permission, SecretPermission};

/// A kind of object in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// `secrets`
    Secrets,
    /// `keys`
    Keys,
    /// `certificates`
    Certificates,
}

impl ObjectKind {
    /// The collection's name in URLs and scopes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Keys => "keys",
            Self::Certificates => "certificates",
        }
    }

    /// The kind with this name, in any case.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Secrets, Self::Keys, Self::Certificates]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

/// What can be done with an object of every kind; `{kind}` is `secrets`, `keys` or `certificates`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectOperation {
    /// `GET /{kind}/{name}/{version}`
    Get,
    /// `PATCH /{kind}/{name}/{version}`
    Update,
    /// `DELETE /{kind}/{name}`
    Delete,
    /// `GET /{kind}`
    List,
    /// `GET /{kind}/{name}/versions`
    ListVersions,
    /// `POST /{kind}/{name}/backup`
    Backup,
    /// `POST /{kind}/restore`
    Restore,
    /// `GET /deleted{kind}`
    ListDeleted,
    /// `GET /deleted{kind}/{name}`
    GetDeleted,
    /// `POST /deleted{kind}/{name}/recover`
    Recover,
    /// `DELETE /deleted{kind}/{name}`
    Purge,
}

impl ObjectOperation {
    /// Every one.
    pub const EVERY: [ObjectOperation; 11] = [
        Self::Get,
        Self::Update,
        Self::Delete,
        Self::List,
        Self::ListVersions,
        Self::Backup,
        Self::Restore,
        Self::ListDeleted,
        Self::GetDeleted,
        Self::Recover,
        Self::Purge,
    ];

    const fn on_secrets(self) -> (Permission, &'static str) {
        let (permission, action) = match self {
            Self::Get => (SecretPermission::Get, "Microsoft.KeyVault/vaults/secrets/getSecret/action"),
            Self::Update => (SecretPermission::Set, "Microsoft.KeyVault/vaults/secrets/update/action"),
            Self::Delete => (SecretPermission::Delete, "Microsoft.KeyVault/vaults/secrets/delete"),
            Self::List | Self::ListVersions | Self::ListDeleted => {
                (SecretPermission::List, "Microsoft.KeyVault/vaults/secrets/readMetadata/action")
            }
            Self::GetDeleted => (SecretPermission::Get, "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
            Self::Backup => (SecretPermission::Backup, "Microsoft.KeyVault/vaults/secrets/backup/action"),
            Self::Restore => (SecretPermission::Restore, "Microsoft.KeyVault/vaults/secrets/restore/action"),
            Self::Recover => (SecretPermission::Recover, "Microsoft.KeyVault/vaults/secrets/recover/action"),
            Self::Purge => (SecretPermission::Purge, "Microsoft.KeyVault/vaults/secrets/purge/action"),
        };
        (Permission::Secret(permission), action)
    }

    const fn on_keys(self) -> (Permission, &'static str) {
        let (permission, action) = match self {
            Self::Get | Self::GetDeleted => (KeyPermission::Get, "Microsoft.KeyVault/vaults/keys/read"),
            Self::Update => (KeyPermission::Update, "Microsoft.KeyVault/vaults/keys/update/action"),
            Self::Delete => (KeyPermission::Delete, "Microsoft.KeyVault/vaults/keys/delete"),
            Self::List | Self::ListVersions | Self::ListDeleted => {
                (KeyPermission::List, "Microsoft.KeyVault/vaults/keys/read")
            }
            Self::Backup => (KeyPermission::Backup, "Microsoft.KeyVault/vaults/keys/backup/action"),
            Self::Restore => (KeyPermission::Restore, "Microsoft.KeyVault/vaults/keys/restore/action"),
            Self::Recover => (KeyPermission::Recover, "Microsoft.KeyVault/vaults/keys/recover/action"),
            Self::Purge => (KeyPermission::Purge, "Microsoft.KeyVault/vaults/keys/purge/action"),
        };
        (Permission::Key(permission), action)
    }

    const fn on_certificates(self) -> (Permission, &'static str) {
        let (permission, action) = match self {
            Self::Get | Self::GetDeleted => (CertificatePermission::Get, "Microsoft.KeyVault/vaults/certificates/read"),
            Self::Update => (CertificatePermission::Update, "Microsoft.KeyVault/vaults/certificates/update/action"),
            Self::Delete => (CertificatePermission::Delete, "Microsoft.KeyVault/vaults/certificates/delete"),
            Self::List | Self::ListVersions | Self::ListDeleted => {
                (CertificatePermission::List, "Microsoft.KeyVault/vaults/certificates/read")
            }
            Self::Backup => (CertificatePermission::Backup, "Microsoft.KeyVault/vaults/certificates/backup/action"),
            Self::Restore => (CertificatePermission::Restore, "Microsoft.KeyVault/vaults/certificates/restore/action"),
            Self::Recover => (CertificatePermission::Recover, "Microsoft.KeyVault/vaults/certificates/recover/action"),
            Self::Purge => (CertificatePermission::Purge, "Microsoft.KeyVault/vaults/certificates/purge/action"),
        };
        (Permission::Certificate(permission), action)
    }
}

/// Something that can be done in a vault through the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// What every kind of object has.
    Object(ObjectKind, ObjectOperation),
    /// `PUT /secrets/{name}`
    SetSecret,
    /// `POST /keys/{name}/create`
    CreateKey,
    /// `PUT /keys/{name}`
    ImportKey,
    /// `POST /keys/{name}/rotate`
    RotateKey,
    /// `GET /keys/{name}/rotationpolicy`
    GetRotationPolicy,
    /// `PUT /keys/{name}/rotationpolicy`
    SetRotationPolicy,
    /// `POST /keys/{name}/{version}/encrypt`
    Encrypt,
    /// `POST /keys/{name}/{version}/decrypt`
    Decrypt,
    /// `POST /keys/{name}/{version}/wrapkey`
    WrapKey,
    /// `POST /keys/{name}/{version}/unwrapkey`
    UnwrapKey,
    /// `POST /keys/{name}/{version}/sign`
    Sign,
    /// `POST /keys/{name}/{version}/verify`
    Verify,
    /// `POST /certificates/{name}/create`
    CreateCertificate,
    /// `POST /certificates/{name}/import`
    ImportCertificate,
    /// `POST /certificates/{name}/pending/merge`
    MergeCertificate,
    /// `GET /certificates/{name}/pending`
    GetCertificateOperation,
    /// `PATCH /certificates/{name}/pending`
    UpdateCertificateOperation,
    /// `DELETE /certificates/{name}/pending`
    DeleteCertificateOperation,
    /// `GET /certificates/{name}/policy`
    GetCertificatePolicy,
    /// `PATCH /certificates/{name}/policy`
    UpdateCertificatePolicy,
    /// `GET /certificates/contacts`
    GetContacts,
    /// `PUT /certificates/contacts`
    SetContacts,
    /// `DELETE /certificates/contacts`
    DeleteContacts,
    /// `GET /certificates/issuers`
    ListIssuers,
    /// `GET /certificates/issuers/{name}`
    GetIssuer,
    /// `PUT /certificates/issuers/{name}`
    SetIssuer,
    /// `PATCH /certificates/issuers/{name}`
    UpdateIssuer,
    /// `DELETE /certificates/issuers/{name}`
    DeleteIssuer,
}

impl Operation {
    /// Every operation of this vault, for route tables and for the tests that must cover each.
    pub fn every() -> impl Iterator<Item = Self> {
        let kinds = [ObjectKind::Secrets, ObjectKind::Keys, ObjectKind::Certificates];
        let of_objects =
            kinds.into_iter().flat_map(|kind| ObjectOperation::EVERY.into_iter().map(move |it| Self::Object(kind, it)));
        of_objects.chain([
            Self::SetSecret,
            Self::CreateKey,
            Self::ImportKey,
            Self::RotateKey,
            Self::GetRotationPolicy,
            Self::SetRotationPolicy,
            Self::Encrypt,
            Self::Decrypt,
            Self::WrapKey,
            Self::UnwrapKey,
            Self::Sign,
            Self::Verify,
            Self::CreateCertificate,
            Self::ImportCertificate,
            Self::MergeCertificate,
            Self::GetCertificateOperation,
            Self::UpdateCertificateOperation,
            Self::DeleteCertificateOperation,
            Self::GetCertificatePolicy,
            Self::UpdateCertificatePolicy,
            Self::GetContacts,
            Self::SetContacts,
            Self::DeleteContacts,
            Self::ListIssuers,
            Self::GetIssuer,
            Self::SetIssuer,
            Self::UpdateIssuer,
            Self::DeleteIssuer,
        ])
    }

    /// The kind of object that it is about.
    pub const fn kind(self) -> ObjectKind {
        match self {
            Self::Object(kind, _) => kind,
            Self::SetSecret => ObjectKind::Secrets,
            Self::CreateKey
            | Self::ImportKey
            | Self::RotateKey
            | Self::GetRotationPolicy
            | Self::SetRotationPolicy
            | Self::Encrypt
            | Self::Decrypt
            | Self::WrapKey
            | Self::UnwrapKey
            | Self::Sign
            | Self::Verify => ObjectKind::Keys,
            Self::CreateCertificate
            | Self::ImportCertificate
            | Self::MergeCertificate
            | Self::GetCertificateOperation
            | Self::UpdateCertificateOperation
            | Self::DeleteCertificateOperation
            | Self::GetCertificatePolicy
            | Self::UpdateCertificatePolicy
            | Self::GetContacts
            | Self::SetContacts
            | Self::DeleteContacts
            | Self::ListIssuers
            | Self::GetIssuer
            | Self::SetIssuer
            | Self::UpdateIssuer
            | Self::DeleteIssuer => ObjectKind::Certificates,
        }
    }

    /// The permission of an access policy that it needs. Source: contract section 10.
    pub const fn permission(self) -> Permission {
        self.needs().0
    }

    /// The action that a role must allow. Source: Azure resource provider operations, `Microsoft.KeyVault`.
    pub const fn data_action(self) -> &'static str {
        self.needs().1
    }

    const fn needs(self) -> (Permission, &'static str) {
        match self {
            Self::Object(ObjectKind::Secrets, operation) => operation.on_secrets(),
            Self::Object(ObjectKind::Keys, operation) => operation.on_keys(),
            Self::Object(ObjectKind::Certificates, operation) => operation.on_certificates(),
            Self::SetSecret => {
                (Permission::Secret(SecretPermission::Set), "Microsoft.KeyVault/vaults/secrets/setSecret/action")
            }
            Self::CreateKey => key(KeyPermission::Create, "Microsoft.KeyVault/vaults/keys/create/action"),
            Self::ImportKey => key(KeyPermission::Import, "Microsoft.KeyVault/vaults/keys/import/action"),
            Self::RotateKey => key(KeyPermission::Rotate, "Microsoft.KeyVault/vaults/keys/rotate/action"),
            Self::GetRotationPolicy => {
                key(KeyPermission::GetRotationPolicy, "Microsoft.KeyVault/vaults/keyrotationpolicies/read")
            }
            Self::SetRotationPolicy => {
                key(KeyPermission::SetRotationPolicy, "Microsoft.KeyVault/vaults/keyrotationpolicies/write")
            }
            Self::Encrypt => key(KeyPermission::Encrypt, "Microsoft.KeyVault/vaults/keys/encrypt/action"),
            Self::Decrypt => key(KeyPermission::Decrypt, "Microsoft.KeyVault/vaults/keys/decrypt/action"),
            Self::WrapKey => key(KeyPermission::WrapKey, "Microsoft.KeyVault/vaults/keys/wrap/action"),
            Self::UnwrapKey => key(KeyPermission::UnwrapKey, "Microsoft.KeyVault/vaults/keys/unwrap/action"),
            Self::Sign => key(KeyPermission::Sign, "Microsoft.KeyVault/vaults/keys/sign/action"),
            Self::Verify => key(KeyPermission::Verify, "Microsoft.KeyVault/vaults/keys/verify/action"),
            Self::CreateCertificate | Self::MergeCertificate => {
                certificate(CertificatePermission::Create, "Microsoft.KeyVault/vaults/certificates/create/action")
            }
            Self::ImportCertificate => {
                certificate(CertificatePermission::Import, "Microsoft.KeyVault/vaults/certificates/import/action")
            }
            Self::GetCertificateOperation | Self::GetCertificatePolicy => {
                certificate(CertificatePermission::Get, "Microsoft.KeyVault/vaults/certificates/read")
            }
            Self::UpdateCertificateOperation | Self::UpdateCertificatePolicy => {
                certificate(CertificatePermission::Update, "Microsoft.KeyVault/vaults/certificates/update/action")
            }
            Self::DeleteCertificateOperation => {
                certificate(CertificatePermission::Delete, "Microsoft.KeyVault/vaults/certificates/delete")
            }
            Self::GetContacts | Self::SetContacts | Self::DeleteContacts => certificate(
                CertificatePermission::ManageContacts,
                "Microsoft.KeyVault/vaults/certificatecontacts/write",
            ),
            Self::ListIssuers => {
                certificate(CertificatePermission::ListIssuers, "Microsoft.KeyVault/vaults/certificatecas/read")
            }
            Self::GetIssuer => {
                certificate(CertificatePermission::GetIssuers, "Microsoft.KeyVault/vaults/certificatecas/read")
            }
            Self::SetIssuer | Self::UpdateIssuer => {
                certificate(CertificatePermission::SetIssuers, "Microsoft.KeyVault/vaults/certificatecas/write")
            }
            Self::DeleteIssuer => {
                certificate(CertificatePermission::DeleteIssuers, "Microsoft.KeyVault/vaults/certificatecas/delete")
            }
        }
    }
}

const fn key(permission: KeyPermission, action: &'static str) -> (Permission, &'static str) {
    (Permission::Key(permission), action)
}

const fn certificate(permission: CertificatePermission, action: &'static str) -> (Permission, &'static str) {
    (Permission::Certificate(permission), action)
}
