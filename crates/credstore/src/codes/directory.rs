//! CS3xxx: sign-in at the directory.
//!
//! Which AADSTS answer gets which code is in [`azure::sign_in`](crate::azure::sign_in).

codes! {
    APP_UNKNOWN = "CS3101", SignIn, "the app is not in this directory",
        "The directory (tenant) does not know the client ID. Either ClientId is mistyped, or TenantId names another \
         directory, or the two IDs are swapped. Both are on the Overview page of the app registration. \
         Upstream: AADSTS700016.";
    CERTIFICATE_NOT_REGISTERED = "CS3102", SignIn, "the directory refused the certificate",
        "The public key of CertificateFile is not on the app registration, or is there and has expired. Compare the \
         thumbprint that `credstore cert show` prints with the list under Certificates & secrets, and upload the \
         public certificate (.cer) there. Never upload the file with the private key. Upstream: AADSTS700027.";
    SIGNATURE_REFUSED = "CS3103", SignIn, "the directory refused the signature",
        "The private key that signed does not belong to the certificate that is registered. `credstore cert verify` \
         tells whether key and certificate of the file are a pair. Upstream: AADSTS7000274, or AADSTS700027 with a \
         signature that does not match.";
    CERTIFICATE_OUTSIDE_VALIDITY = "CS3104", SignIn, "the directory refused the certificate",
        "The certificate has expired or is not valid yet. Check the clock of this machine first, then make a new \
         certificate, upload its public part and switch CertificateFile to it. Upstream: AADSTS1000502.";
    CLOCK_SKEWED = "CS3105", SignIn, "the directory refused the time of the sign-in",
        "A signed sign-in is valid for ten minutes around the time of this machine's clock, and the directory's clock \
         shows another time. Set the clock, best by NTP. Upstream: AADSTS700024.";
    CERTIFICATE_REVOKED = "CS3106", SignIn, "the certificate is revoked",
        "Someone revoked the certificate, or the authority that issued it did. Make a new key and certificate and \
         upload its public part. Upstream: AADSTS7000214, AADSTS7000277.";
    TENANT_UNKNOWN = "CS3110", SignIn, "the directory does not exist",
        "TenantId names no directory in this cloud. Copy the Directory (tenant) ID from the Overview page of the app \
         registration. A tenant of a sovereign cloud needs the setting Cloud. Upstream: AADSTS90002.";
    TENANT_MALFORMED = "CS3111", SignIn, "TenantId is neither an ID nor a domain",
        "TenantId must be the Directory (tenant) ID, a GUID, or a domain of the directory such as \
         contoso.onmicrosoft.com. A display name is neither. Upstream: AADSTS900023.";
    APP_DISABLED = "CS3112", SignIn, "the app is disabled",
        "Someone disabled sign-in for the app. Enable it under Enterprise applications > Properties > Enabled for \
         users to sign in. Upstream: AADSTS70001.";
    PUBLIC_CLIENT = "CS3113", SignIn, "the app is a public client",
        "The app is registered as a mobile or desktop application, which cannot sign in with a certificate. Set Allow \
         public client flows to No under Authentication. Upstream: AADSTS700025.";
    SUBJECT_NOT_AUTHORISED = "CS3114", SignIn, "the subject of the certificate is not authorised",
        "The app registration accepts only certificates with certain subject names. Use one of those, or change the \
         rule. Upstream: AADSTS700030.";
    CLIENT_SECRET = "CS3115", SignIn, "the directory speaks of a client secret",
        "credstore signs in with a certificate and never with a client secret. Something between this machine and the \
         directory changed the request, or the answer is for another program. Upstream: AADSTS7000215, AADSTS7000222.";
    OTHER_CLOUD = "CS3116", SignIn, "the directory is in another cloud",
        "The tenant belongs to a sovereign cloud. Set Cloud to AzureUSGovernment or AzureChina, or AuthorityHost to \
         its sign-in address. Upstream: AADSTS900382, AADSTS90038.";
    ASSERTION_MALFORMED = "CS3120", Unexpected, "the directory cannot read the sign-in",
        "The signed sign-in is malformed. That is a defect of credstore, or a proxy changed the request. Report it \
         with the trace ID. Upstream: AADSTS50027.";
    ASSERTION_MISDIRECTED = "CS3121", SignIn, "the sign-in was made out to somebody else",
        "The directory says that issuer or audience of the sign-in are not its own. A proxy or a changed authority \
         address rewrites the request. Check AuthorityHost. Upstream: AADSTS700021, AADSTS700023.";
    SCOPE_INVALID = "CS3122", SignIn, "the directory does not know the vault's cloud",
        "The address for which the token is asked is not known in this directory. Usually the vault is in another \
         cloud than the directory: check Cloud or VaultDnsSuffix. Upstream: AADSTS70011, AADSTS1002012, AADSTS500011.";
    CONDITIONAL_ACCESS = "CS3130", SignIn, "Conditional Access blocks the sign-in",
        "A policy of the directory for workload identities refuses this app, or this machine's address. Ask the \
         administrator of the directory and name the trace ID. Upstream: AADSTS53003.";
    DIRECTORY_BUSY = "CS3140", Unreachable, "the directory cannot answer now",
        "The directory reported a temporary fault, was too busy, or timed out inside. credstore tried again with \
         pauses and then gave up. Try again later. Upstream: AADSTS90033, AADSTS90006, AADSTS90012, HTTP 429 and 5xx.";
    SIGN_IN_REFUSED = "CS3199", SignIn, "the directory refused the sign-in",
        "The directory answered with a code that credstore has no explanation for. Look the AADSTS code up at \
         https://login.microsoftonline.com/error and name the trace ID to the administrator of the directory.";
    DIRECTORY_OBJECT_MISSING = "CS3201", NotFound, "the directory has no such object",
        "No app registration or service principal matches the ID or name. It may have been deleted, or belongs to \
         another directory. `credstore app list` shows what is there.";
    DIRECTORY_DENIED = "CS3202", Permission, "the directory does not permit this",
        "The signed-in app may not read or change app registrations. In Azure that needs the role Application \
         Administrator or the permission Application.ReadWrite.All with consent.";
    DIRECTORY_REQUEST = "CS3203", Usage, "the directory does not accept the request",
        "The directory found something wrong with a name or a certificate that was sent. The cause repeats its words.";
    DIRECTORY_CONFLICT = "CS3204", Conflict, "the directory already has such an object",
        "The object exists already, or somebody changed it at the same moment. Look at it and try again.";
}
