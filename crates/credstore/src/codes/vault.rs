//! CS4xxx: the vault's answers and the way to it; resource manager answers are CS41xx.
//!
//! Which answer gets which code is in [`azure::vault_answers`](crate::azure::vault_answers).

codes! {
    TOKEN_REFUSED = "CS4001", SignIn, "the vault refused the access token",
        "The directory signed us in, and the vault did not accept its token even when it was new. A proxy that changes \
         headers, or a wrong clock on one side, does that. Name the request ID to the owner of the vault. \
         Upstream: 401 Unauthorized.";
    TOKEN_MISMATCH = "CS4002", SignIn, "the vault belongs to another directory",
        "The vault accepts tokens of one directory only, and TenantId names another one. Set TenantId to the directory \
         of the vault, and register the app there. Upstream: HTTP 401 with AKV10022 or AKV10032.";
    DENIED_BY_POLICY = "CS4003", Permission, "the access policy does not allow this",
        "The vault uses access policies, and none gives the app the permission that is needed. To read secrets, Get \
         under Secret permissions is enough. Changes take up to a few minutes. Upstream: 403 ForbiddenByPolicy, \
         AccessDenied.";
    DENIED_BY_ROLE = "CS4004", Permission, "no role allows this",
        "The vault uses roles (Azure RBAC), and none is assigned to the app. Access policies of such a vault have no \
         effect. To read secrets the role Key Vault Secrets User is enough; Key Vault Reader is not. Changes take up \
         to ten minutes. Upstream: 403 ForbiddenByRbac.";
    DENIED_BY_FIREWALL = "CS4005", Permission, "the firewall of the vault does not allow this address",
        "The vault accepts connections from chosen networks only. The cause shows the address that it saw, which \
         behind a proxy or NAT is not the machine's own. Upstream: 403 ForbiddenByFirewall.";
    SECRET_DISABLED = "CS4006", NotUsable, "the secret is disabled",
        "The secret is there, and its owner disabled this version. Enable it, or set a new version. \
         Upstream: 403 SecretDisabled.";
    DELETED_RECOVERABLE = "CS4007", Conflict, "the name belongs to a deleted secret",
        "A deleted secret keeps its name until it is purged or its retention ends. Recover it, or purge it to use the \
         name again. Upstream: 409 ObjectIsDeletedButRecoverable.";
    THROTTLED = "CS4008", Unreachable, "the vault receives too many requests",
        "A vault answers a limited number of requests in ten seconds, for all its clients together. credstore waited \
         as long as the vault asked and tried again. Upstream: 429 Throttled.";
    SECRET_EXPIRED = "CS4009", NotUsable, "the secret has expired",
        "Its owner gave the secret an expiry date that has passed. Key Vault still returns the value, and so credstore \
         warns; with --strict it refuses. Set a new version with a new date.";
    NAME_NOT_RESOLVED = "CS4010", Unreachable, "the name does not resolve",
        "The host name has no address. Usually VaultName is mistyped or the vault was deleted; a vault with a private \
         endpoint needs its private DNS zone on this network.";
    TLS_NOT_TRUSTED = "CS4011", Unreachable, "the TLS certificate is not trusted",
        "The server's certificate was not issued by an authority that this machine trusts, or is for another name or \
         time. A proxy that inspects TLS shows its own issuer: put its authority into a file and set SSL_CERT_FILE. \
         For the embedded vault set CaFile to its ca.pem. There is no switch to turn the check off.";
    NO_CONNECTION = "CS4012", Unreachable, "the connection is refused",
        "The machine is known, and nothing accepts a connection there. The server is not running, a firewall stands \
         between, or the proxy does not let the request pass.";
    TIMED_OUT = "CS4013", Unreachable, "no answer in time",
        "The server did not answer within the time limit. Network, firewall or proxy drop the packets, or the server \
         is overloaded.";
    ANSWER_UNUSABLE = "CS4014", Unreachable, "the answer is not usable",
        "Something answered, and not in the way the protocol says: a page of a proxy, a redirect, an answer that is \
         too large or broken off. credstore follows no redirect.";
    CHALLENGE_FOREIGN = "CS4015", SignIn, "the server asks for a token for somebody else",
        "The answer names a resource to which the vault's host does not belong. A genuine vault never does that, so \
         nothing more was sent. Check VaultName and VaultDnsSuffix, and who answers under that name.";
    BACKS_CERTIFICATE = "CS4016", NotUsable, "the secret holds the private key of a certificate",
        "Key Vault keeps the private key of each of its certificates in a secret of the same name. credstore does not \
         hand it out as a password. Choose another identifier.";
    SECRET_NOT_YET_VALID = "CS4017", NotUsable, "the secret is not valid yet",
        "Its owner gave the secret a start date in the future. Key Vault returns the value all the same, and so \
         credstore warns; with --strict it refuses.";
    VAULT_FAULT = "CS4019", Unreachable, "the vault reports a fault of its own",
        "The vault answered 500 or 503 and went on doing so. Try again later; name the request ID to the owner of the \
         vault. Upstream: InternalServerError, ServiceUnavailable.";
    DENIED_BY_CONNECTION = "CS4020", Permission, "the vault is reachable by private endpoint only",
        "Public network access of the vault is disabled. Reach it from a network with its private endpoint. \
         Upstream: 403 ForbiddenByConnection.";
    REQUEST_REFUSED = "CS4021", Usage, "the vault does not accept the request",
        "The vault found something wrong with a name or value that was sent. The cause repeats its words. \
         Upstream: 400 BadParameter.";
    OBJECT_BUSY = "CS4022", Conflict, "the secret is being deleted or recovered",
        "Azure deletes and recovers secrets in the background. Try again in a few seconds. Upstream: 409 \
         ObjectIsBeingDeleted, ObjectIsBeingRecovered.";
    CONFLICT = "CS4023", Conflict, "the vault already has such an object",
        "The name is in use. A backup can be restored only where the name is neither live nor deleted. Upstream: 409 \
         Conflict.";
    MANAGED_SECRET = "CS4024", NotUsable, "the secret belongs to a certificate",
        "Key Vault manages the secret that holds a certificate's private key. It is changed and deleted with the \
         certificate. Upstream: 403 SecretManagedByKeyVault.";
    BACKUP_MALFORMED = "CS4025", Integrity, "the backup cannot be restored",
        "The backup is damaged, was changed, or was made by another vault. Upstream: 400 Malformed backup blob.";
    DENIED = "CS4026", Permission, "the vault does not permit this",
        "The vault refused for a reason that has no code of its own here. The cause repeats its words. \
         Upstream: 403 Forbidden.";
    UPSTREAM_SECRET_MISSING = "CS4027", NotFound, "the vault has no such object",
        "The vault answered 404. The name or version is wrong, or the object was purged. Upstream: KeyNotFound, \
         CertificateNotFound, CertificateIssuerNotFound.";
    VAULT_MISSING = "CS4028", NotFound, "the vault does not exist",
        "The host answered, and has no vault of that name. VaultName is mistyped, or the vault was deleted. \
         Upstream: 404 VaultNotFound.";
    SECRET_DELETED = "CS4029", NotUsable, "the secret is deleted",
        "The vault has no live secret of this name, but a deleted one that can still be recovered. Recover it, or use \
         another identifier.";
    ADDRESS_INVALID = "CS4030", Invalid, "an address is not usable",
        "Addresses of clouds must be https, with a host and perhaps a port, and nothing else: no user name, path or \
         query. TenantId must be a GUID or a domain.";
    CA_FILE = "CS4031", Invalid, "the file of trusted authorities is not usable",
        "CaFile or SSL_CERT_FILE must name a readable PEM file with at least one certificate of an authority.";
    RESOURCE_MISSING = "CS4101", NotFound, "there is no such vault",
        "The resource manager knows no vault of that name in the resource group. `credstore vault list` shows what is \
         there.";
    VAULT_NAME_TAKEN = "CS4102", Conflict, "the name of the vault is taken",
        "Names of vaults are unique in a whole cloud. Choose another one.";
    VAULT_DELETED = "CS4103", Conflict, "the name belongs to a deleted vault",
        "A deleted vault keeps its name until it is purged or its retention ends. Recover it, or purge it.";
    RESOURCE_DENIED = "CS4104", Permission, "the resource manager does not permit this",
        "The signed-in app has no role that allows this on the subscription, the resource group or the vault.";
    RESOURCE_REQUEST = "CS4105", Usage, "the resource manager does not accept the request",
        "The resource manager found something wrong with a name or value. The cause repeats its words.";
    GROUP_MISSING = "CS4106", NotFound, "there is no such subscription or resource group",
        "The subscription or the resource group in which the vault should be does not exist. Create it first.";
    DELETED_VAULT_MISSING = "CS4107", NotFound, "there is no deleted vault of that name",
        "Nothing to recover or purge: the vault was never deleted, or its retention has ended.";
    VAULT_USES_ROLES = "CS4108", Conflict, "the vault uses roles, not access policies",
        "Access policies of a vault with Azure RBAC have no effect, so none was written. Assign the role Key Vault \
         Secrets User to the app, or switch the vault to access policies.";
    RESOURCE_CONFLICT = "CS4109", Conflict, "the resource is being changed",
        "Somebody else changes the vault at the same moment, or an earlier change is not finished. Try again.";
    RESOURCE_BUSY = "CS4110", Unreachable, "the service cannot answer now",
        "The resource manager or Graph was too busy or reported a fault of its own, and went on doing so. Try again \
         later.";
    PURGE_PROTECTED = "CS4111", Permission, "the deleted vault is protected against purging",
        "Purge protection was switched on for the vault, which nobody can take back. It stays recoverable until its \
         retention ends, and goes by itself then. Upstream: 403 MethodNotAllowed.";
    SIGNATURE_WRONG = "CS4112", Findings, "the signature is not the key's",
        "`vault key verify` asked the vault, and the vault says no. The file, the signature, the algorithm or the version \
         of the key is another than when it was signed. Azure's ECDSA signatures are two numbers one after the other, \
         not the DER that openssl writes.";
}
