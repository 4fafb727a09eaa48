//! The built-in roles as Azure describes them.
//!
//! Only their data actions are here: control actions would say more than is so, since ARM is the operator's alone.
//! Source: learn.microsoft.com "Azure built-in roles for Security" (2026-02-23).

use super::roles::RoleDefinition;

pub(super) const ADMINISTRATOR: RoleDefinition = RoleDefinition {
    id: "00482a5a-887f-4fb3-b363-3b7fe8e74483",
    name: "Key Vault Administrator",
    description: "Perform all data plane operations on a key vault and all objects in it, including \
                  certificates, keys, and secrets. Cannot manage key vault resources or manage role \
                  assignments. Only works for key vaults that use the 'Azure role-based access control' \
                  permission model.",
    data_actions: &["Microsoft.KeyVault/vaults/*"],
};

pub(super) const CERTIFICATE_USER: RoleDefinition = RoleDefinition {
    id: "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
    name: "Key Vault Certificate User",
    description: "Read certificate contents. Only works for key vaults that use the 'Azure role-based \
                  access control' permission model.",
    data_actions: &[
        "Microsoft.KeyVault/vaults/certificates/read",
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        "Microsoft.KeyVault/vaults/keys/read",
    ],
};

pub(super) const CERTIFICATES_OFFICER: RoleDefinition = RoleDefinition {
    id: "a4417e6f-fecd-4de8-b567-7b0420556985",
    name: "Key Vault Certificates Officer",
    description: "Perform any action on the certificates of a key vault, except manage permissions. Only \
                  works for key vaults that use the 'Azure role-based access control' permission model.",
    data_actions: &[
        "Microsoft.KeyVault/vaults/certificatecas/*",
        "Microsoft.KeyVault/vaults/certificates/*",
        "Microsoft.KeyVault/vaults/certificatecontacts/write",
    ],
};

pub(super) const CRYPTO_OFFICER: RoleDefinition = RoleDefinition {
    id: "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
    name: "Key Vault Crypto Officer",
    description: "Perform any action on the keys of a key vault, except manage permissions. Only works for \
                  key vaults that use the 'Azure role-based access control' permission model.",
    data_actions: &["Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"],
};

pub(super) const CRYPTO_SERVICE_ENCRYPTION_USER: RoleDefinition = RoleDefinition {
    id: "e147488a-f6f5-4113-8e2d-b22465e65bf6",
    name: "Key Vault Crypto Service Encryption User",
    description: "Read metadata of keys and perform wrap/unwrap operations. Only works for key vaults that \
                  use the 'Azure role-based access control' permission model.",
    data_actions: &[
        "Microsoft.KeyVault/vaults/keys/read",
        "Microsoft.KeyVault/vaults/keys/wrap/action",
        "Microsoft.KeyVault/vaults/keys/unwrap/action",
    ],
};

pub(super) const CRYPTO_SERVICE_RELEASE_USER: RoleDefinition = RoleDefinition {
    id: "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
    name: "Key Vault Crypto Service Release User",
    description: "Release keys. Only works for key vaults that use the 'Azure role-based access control' \
                  permission model.",
    data_actions: &["Microsoft.KeyVault/vaults/keys/release/action"],
};

pub(super) const CRYPTO_USER: RoleDefinition = RoleDefinition {
    id: "12338af0-0e69-4776-bea7-57ae8d297424",
    name: "Key Vault Crypto User",
    description: "Perform cryptographic operations using keys. Only works for key vaults that use the \
                  'Azure role-based access control' permission model.",
    data_actions: &[
        "Microsoft.KeyVault/vaults/keys/read",
        "Microsoft.KeyVault/vaults/keys/update/action",
        "Microsoft.KeyVault/vaults/keys/backup/action",
        "Microsoft.KeyVault/vaults/keys/encrypt/action",
        "Microsoft.KeyVault/vaults/keys/decrypt/action",
        "Microsoft.KeyVault/vaults/keys/wrap/action",
        "Microsoft.KeyVault/vaults/keys/unwrap/action",
        "Microsoft.KeyVault/vaults/keys/sign/action",
        "Microsoft.KeyVault/vaults/keys/verify/action",
    ],
};

pub(super) const READER: RoleDefinition = RoleDefinition {
    id: "21090545-7ca7-4776-b22c-e363652d74d2",
    name: "Key Vault Reader",
    description: "Read metadata of key vaults and its certificates, keys, and secrets. Cannot read \
                  sensitive values such as secret contents or key material. Only works for key vaults that \
                  use the 'Azure role-based access control' permission model.",
    data_actions: &["Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
};

pub(super) const SECRETS_OFFICER: RoleDefinition = RoleDefinition {
    id: "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    name: "Key Vault Secrets Officer",
    description: "Perform any action on the secrets of a key vault, except manage permissions. Only works \
                  for key vaults that use the 'Azure role-based access control' permission model.",
    data_actions: &["Microsoft.KeyVault/vaults/secrets/*"],
};

pub(super) const SECRETS_USER: RoleDefinition = RoleDefinition {
    id: "4633458b-17de-408a-b874-0445c86b69e6",
    name: "Key Vault Secrets User",
    description: "Read secret contents. Only works for key vaults that use the 'Azure role-based access \
                  control' permission model.",
    data_actions: &[
        "Microsoft.KeyVault/vaults/secrets/getSecret/action",
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    ],
};
