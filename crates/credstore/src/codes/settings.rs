//! CS1xxx: Server Settings, the certificate file and the file store.

codes! {
    SETTINGS_MISSING = "CS1001", Invalid, "the settings file is not there",
        "The file that --settings or CREDSTORE_SETTINGS names, or the default server-settings.json, does not exist. \
         Check the path, or make the file with credstore setup.";
    SETTINGS_UNREADABLE = "CS1002", Permission, "the settings file cannot be read",
        "The operating system refuses to read the file to the account that runs credstore, or the path is not a \
         plain file. Grant that account the right to read it; others need none.";
    COMMA_MISSING = "CS1003", Invalid, "a comma is missing",
        "JSON separates the members of an object and the elements of an array by commas. The place is the end of the \
         value before, where the comma belongs, not the next line where most parsers stop. The printed example of \
         the original documentation has this mistake after VaultName. credstore check --fix puts the comma there.";
    COMMA_TRAILING = "CS1004", Invalid, "there is a comma after the last value",
        "JSON allows no comma before a closing brace or bracket, though JavaScript does. Remove it, or run \
         credstore check --fix.";
    COLON_MISSING = "CS1005", Invalid, "a colon is missing",
        "A key and its value are separated by a colon. The place is the end of the key. credstore check --fix puts \
         the colon there when a value follows.";
    SINGLE_QUOTES = "CS1006", Invalid, "a text is in single quotes",
        "JSON knows double quotes only. credstore check --fix changes the quotes and leaves the text.";
    TYPOGRAPHIC_QUOTES = "CS1007", Invalid, "a text is in typographic quotes",
        "Word processors and web pages turn straight quotes into curly ones; JSON knows the straight double quote \
         only. credstore check --fix changes the quotes and leaves the text.";
    COMMENT = "CS1008", Invalid, "there is a comment",
        "The files are strict JSON, which has no comments. Another program that reads the same file refuses it. \
         credstore check --fix removes the comment.";
    BYTE_ORDER_MARK = "CS1009", Invalid, "the file begins with a byte order mark",
        "Some editors put the three bytes EF BB BF in front of a UTF-8 file. credstore reads on; other programs refuse \
         such a file. Save it as UTF-8 without BOM, or run credstore check --fix.";
    STRING_NOT_CLOSED = "CS1010", Invalid, "a text has no closing quote",
        "A text in JSON ends on the line on which it begins. The place is its opening quote.";
    NOT_CLOSED = "CS1011", Invalid, "a brace or bracket is not closed",
        "The file ends before the object or array is closed. The place is the opening brace or bracket.";
    DUPLICATE_KEY = "CS1012", Invalid, "a key is given twice",
        "Most programs silently take the last of two equal keys, so that a person and a program read different \
         settings. credstore refuses the file. Keep one of the two.";
    CONTROL_CHARACTER = "CS1013", Invalid, "a text holds a raw control character",
        "Inside a text, JSON wants control characters written as escapes: a tab as \\t. credstore check --fix writes \
         the escape.";
    NOT_UTF8 = "CS1014", Invalid, "the file is not UTF-8",
        "JSON files are UTF-8. Notepad's 'Unicode' is UTF-16; 'ANSI' is a code page. Save the file as UTF-8.";
    WORD_WITHOUT_QUOTES = "CS1015", Invalid, "a word has no quotes",
        "Keys and texts are in double quotes; only true, false, null and numbers stand without. credstore check --fix \
         puts the quotes around a key.";
    PLACEHOLDER_WITHOUT_QUOTES = "CS1016", Invalid, "a placeholder is not filled in",
        "The documentation shows values as <Client ID>: write the real value there, in double quotes.";
    UNEXPECTED = "CS1017", Invalid, "this is not JSON",
        "At this place the file holds something that JSON does not allow there.";
    BAD_NUMBER = "CS1018", Invalid, "a number is not written as JSON wants it",
        "Numbers are decimal: 25, -1, 0.5, 1e3. No leading zero or plus, no hexadecimal digits, no NaN or Infinity.";
    BAD_ESCAPE = "CS1019", Invalid, "a backslash is not followed by a valid escape",
        "In JSON a backslash begins an escape. A backslash that is part of the text, as in DOMAIN\\user or a Windows \
         path, is written twice.";
    NOT_AN_OBJECT = "CS1020", Invalid, "the file does not hold one JSON object",
        "Server Settings are one object: the file begins with { and ends with }.";
    TEXT_AFTER_END = "CS1021", Invalid, "something follows after the end of the object",
        "The first object is complete, and more text follows. Often a closing brace stands too early.";
    TOO_DEEP = "CS1022", Invalid, "the file is nested too deeply",
        "Objects and arrays stand in one another deeper than any real settings do.";
    SETTINGS_TOO_LARGE = "CS1023", Invalid, "the settings file is too large",
        "Server Settings larger than 1 MiB are refused before they are read; it is probably another file.";
    ODD_BLANK = "CS1024", Invalid, "there is a blank that JSON does not know",
        "Web pages hold no-break spaces and similar characters that look like blanks. JSON allows space, tab and \
         newline only. credstore check --fix puts a space there.";

    STORE_NOT_AN_OBJECT = "CS1101", Invalid, "CredentialStore is not an object",
        "CredentialStore is an object with a Type, for example \"CredentialStore\": {\"Type\": \"File\"}.";
    TYPE_MISSING = "CS1102", Invalid, "CredentialStore has no Type",
        "Type chooses the one credential store: File, EncryptedFile or AzureKeyVault.";
    TYPE_UNKNOWN = "CS1103", Invalid, "the Type of CredentialStore is not known",
        "Type is exactly File, EncryptedFile or AzureKeyVault, with these capitals.";
    STORE_KEY_MISSING = "CS1104", Invalid, "a key of CredentialStore is missing",
        "A store of Type AzureKeyVault needs TenantId, ClientId, VaultName and CertificateFile.";
    PLACEHOLDER = "CS1105", Invalid, "a placeholder is not filled in",
        "The value still begins with < and ends with >, as in the documentation. Write the real value there.";
    TENANT_ID_INVALID = "CS1106", Invalid, "TenantId is neither a GUID nor a domain",
        "TenantId is the Directory (tenant) ID of Microsoft Entra ID, a GUID; one of the directory's domain names, \
         such as contoso.onmicrosoft.com, is accepted too.";
    CLIENT_ID_INVALID = "CS1107", Invalid, "ClientId is not a GUID",
        "ClientId is the Application (client) ID of the app registration, a GUID. It stands on the app's Overview \
         page. The object ID and the display name are something else.";
    VAULT_NAME_IS_ADDRESS = "CS1108", Invalid, "VaultName is an address",
        "VaultName is the bare name of the vault. An address is refused, so that the settings can never send \
         passwords' names and tokens to another host. credstore check --fix writes the name.";
    VAULT_NAME_INVALID = "CS1109", Invalid, "VaultName is not a valid name",
        "A vault's name has 3 to 24 letters, digits and single hyphens, begins with a letter and ends with a letter \
         or digit.";
    KEY_OF_OTHER_TYPE = "CS1110", Invalid, "a key belongs to another Type",
        "Only one credential store can be used at a time. Either the Type is wrong or the key is left over.";
    STORE_KEY_UNKNOWN = "CS1111", Invalid, "a key of CredentialStore is not known",
        "The keys are Type, TenantId, ClientId, VaultName, CertificateFile, and the optional Cloud, AuthorityHost, \
         VaultDnsSuffix and CaFile, with these capitals. An unknown key is refused because it is probably misspelt.";
    STORE_VALUE_NOT_TEXT = "CS1112", Invalid, "a value of CredentialStore is not a text",
        "Every value in CredentialStore is a text in double quotes.";
    CREDENTIAL_IN_STORE = "CS1113", Invalid, "CredentialStore holds a reference to itself",
        "CredentialStore says where passwords come from; its own values cannot come from there.";
    CREDENTIAL_NOT_ALONE = "CS1114", Invalid, "something stands next to credential",
        "A reference is an object with the one member credential. With other members it is unclear whether the \
         object is a reference or a setting, so it is refused.";
    CREDENTIAL_NOT_TEXT = "CS1115", Invalid, "credential is not a text",
        "The value of credential is an identifier in double quotes: {\"credential\": \"SmtpRelay\"}.";
    STORE_VALUE_EMPTY = "CS1116", Invalid, "a value of CredentialStore is empty",
        "The key is there, but its value is the empty text or consists of blanks.";
    STORE_NOT_CONFIGURED = "CS1117", Invalid, "no credential store is configured",
        "The settings hold references such as {\"credential\": \"SmtpRelay\"}, but no CredentialStore that could \
         resolve them. They never fall back to anything: they fail until a store is configured.";
    PATH_INVALID = "CS1119", Invalid, "a path holds a control character",
        "A single backslash in a Windows path begins an escape in JSON: \\n is a newline. Write it twice.";
    CLOUD_UNKNOWN = "CS1120", Invalid, "the Cloud is not known",
        "Cloud is AzurePublic (the default), AzureUSGovernment or AzureChina. For any other, leave Cloud out and give \
         AuthorityHost and VaultDnsSuffix.";
    AUTHORITY_HOST_INVALID = "CS1121", Invalid, "AuthorityHost is not an https origin",
        "AuthorityHost is https, a host and possibly a port, without a path: https://login.localhost:8443.";
    CLOUD_HALF_GIVEN = "CS1122", Invalid, "AuthorityHost and VaultDnsSuffix belong together",
        "One says where to sign in, the other where the vault is. With only one of them a token of one cloud would be \
         sent to another.";
    CLOUD_TWICE_GIVEN = "CS1123", Invalid, "Cloud excludes AuthorityHost and VaultDnsSuffix",
        "A named cloud already says both hosts. Keep either Cloud or the other two.";
    VAULT_DNS_SUFFIX_INVALID = "CS1124", Invalid, "VaultDnsSuffix is not a host name",
        "VaultDnsSuffix is what follows after the vault's name and a dot, possibly with a port: vault.azure.net or \
         vault.localhost:8443. No https://, no path.";
    PLAIN_TEXT_PASSWORD = "CS1125", Findings, "a password stands in plain text in Server Settings",
        "Everyone who may see Server Settings, developers included, can read it. Put it into the credential store and \
         write {\"credential\": \"Identifier\"} instead. Then change it: it was visible.";
    STORE_KEY_MISSPELT = "CS1126", Invalid, "a key looks like CredentialStore but is not",
        "The key is exactly CredentialStore. A key with other capitals or a typing mistake configures nothing.";
    IDS_EQUAL = "CS1127", Findings, "TenantId and ClientId are the same",
        "The directory's ID and the application's ID are two different GUIDs. One was probably pasted twice.";
    CREDENTIAL_MISSPELT = "CS1128", Findings, "a key looks like credential but is not",
        "A reference is {\"credential\": \"Identifier\"}, in lower case. With another spelling nothing is resolved.";

    CERTIFICATE_MISSING = "CS1201", Invalid, "the certificate file is not there",
        "CertificateFile names a file that does not exist. A relative path begins at the folder of the settings file, \
         never at the working directory.";
    CERTIFICATE_WITHOUT_KEY = "CS1202", Invalid, "the certificate file holds no private key",
        "The file holds a certificate only. It is probably azure-cert.cer, the public part that is uploaded. \
         CertificateFile needs the file with both parts, my-certificate.pem in the documentation.";
    CERTIFICATE_WITHOUT_CERTIFICATE = "CS1203", Invalid, "the certificate file holds no certificate",
        "The file holds a private key only. The certificate is needed too: the directory looks the key up by its \
         thumbprint. openssl leaves such a file when every question is answered with a dot.";
    CERTIFICATE_EXPIRY = "CS1204", Invalid, "the certificate expires soon or has expired",
        "After that day the directory refuses the sign-in and nothing resolves any more. credstore cert renew makes a \
         new pair; upload the new public key before switching, old and new work side by side.";
    CERTIFICATE_KEY_MISMATCH = "CS1205", Invalid, "the private key does not belong to the certificate",
        "The file holds a key and a certificate of two different pairs. Put together the two that were made together, \
         or make a new pair with credstore cert new.";
    CERTIFICATE_KEY_ENCRYPTED = "CS1206", Invalid, "the private key is encrypted",
        "Nobody can type a passphrase when the server starts. Write the key without one and protect the file by its \
         permissions: openssl pkey -in old.pem -out new.pem.";
    CERTIFICATE_READABLE = "CS1207", Permission, "others can read the private key",
        "Whoever reads this file can sign in as the application and read every password it may read. Give the right \
         to read it to one account only.";
    CERTIFICATE_KEY_NOT_RSA = "CS1208", Invalid, "the private key is not an RSA key",
        "The sign-in is signed with PS256 or RS256, which need an RSA key of at least 2048 bits. Make a new pair with \
         credstore cert new.";
    CERTIFICATE_FORMAT = "CS1209", Invalid, "the certificate file is neither PEM nor PFX",
        "PEM is text with BEGIN and END lines; PFX (PKCS#12) is binary. A DER certificate (.cer) is the public part \
         only and cannot sign.";
    CERTIFICATE_UNREADABLE = "CS1210", Permission, "the certificate file cannot be read",
        "The operating system refuses to read it to the account that runs credstore, or the path is a folder, a pipe \
         or a device, or the file is larger than any certificate.";
    CERTIFICATE_IN_WORKSPACE = "CS1211", Findings, "the certificate lies where developers can read",
        "The folders for workspaces, Development data and Server data can be read by developers. A private key there \
         is known to all of them.";
    CERTIFICATE_PFX = "CS1212", Invalid, "the PFX file does not open",
        "The file is PKCS#12 and has a password that is not known here, or uses an encryption that credstore does not \
         read. Convert it to PEM with openssl pkcs12 and name that file.";
    PRIVATE_KEY_EXPOSED = "CS1213", Invalid, "the file holds a private key",
        "A file that is uploaded or shown must hold the public certificate only. Take it out with credstore cert \
         export-public. Whoever has the private key can sign in as the application.";
    CERTIFICATE_PARAMETERS = "CS1214", Usage, "no certificate can be made like this",
        "Keys have 2048, 3072 or 4096 bits, certificates are valid for 1 to 3650 days, and the subject is a name or \
         parts such as CN=process-mining, O=Acme.";
    CA_FILE_UNREADABLE = "CS1215", Invalid, "the CaFile cannot be read",
        "CaFile names a PEM file with further authorities that are trusted for TLS, such as that of the embedded vault \
         or of a proxy. A relative path begins at the folder of the settings file.";
    KEY_FILE = "CS1216", Invalid, "the file holds no key that can be imported",
        "A key is imported from a PEM file with one private key: PKCS#8, PKCS#1 (RSA PRIVATE KEY) or SEC 1 (EC PRIVATE \
         KEY), or PKCS#8 encrypted with a password (PBES2). A vault keeps RSA from 2048 bits and EC on P-256, P-384, \
         P-521 and P-256K.";

    RENEWAL_WAITS = "CS1217", NotUsable, "the new key pair is not registered yet",
        "credstore cert renew has made a new key pair, and the directory does not know its public key: nobody was allowed to \
         upload it here, or the upload has not arrived everywhere. Nothing uses the new pair yet. Upload the public \
         certificate that the message names to the app registration, then run the command again; it goes on with the pair \
         that is there. With --app-object-id the app uploads it itself, for which it needs no permission.";
    STORE_WITHOUT_CERTIFICATE = "CS1218", Usage, "the credential store needs no certificate",
        "Only a store of type AzureKeyVault signs in with a certificate that can be renewed. A file is read without one.";
    STORE_IS_NO_FILE = "CS1219", Usage, "the credential store is no file",
        "credstore file changes credential_store.json, which a store of type File or EncryptedFile has. Secrets of a vault are \
         changed with credstore vault secret.";

    PLAIN_TEXT_STORE = "CS1301", Findings, "the active credential store holds passwords in plain text",
        "credential_store.json is not encrypted: whoever can read the file or its backup has every password. An \
         embedded vault or Azure Key Vault keeps them sealed; the identifiers stay the same.";
    STORE_FILE_MISSING = "CS1302", Invalid, "credential_store.json is not there",
        "With the Type File the passwords are in credential_store.json in the folder of the settings file.";
    STORE_FILE_UNREADABLE = "CS1303", Permission, "credential_store.json cannot be read",
        "The operating system refuses to read the file to the account that runs credstore.";
    STORE_FILE_SHAPE = "CS1304", Invalid, "credential_store.json is not one flat object of texts",
        "The file is one JSON object: the keys are identifiers, the values are passwords, each a text in double \
         quotes. No numbers, no lists, no objects.";
    STORE_FILE_READABLE = "CS1305", Permission, "others can read credential_store.json",
        "The file holds passwords in plain text and its permissions let other users of the machine read it.";
    STORE_FILE_CASE = "CS1306", Findings, "two identifiers differ only in capitals",
        "The file distinguishes them, a Key Vault does not: such a set cannot be moved to a vault.";
    STORE_FILE_STALE = "CS1307", Invalid, "the last good content of credential_store.json is used",
        "The file was changed and its new content is not usable. Passwords come from the content before the change \
         until the file is mended.";
    STORE_FILE_KIND = "CS1308", Invalid, "credential_store.json is not a plain file",
        "A pipe, a device or a folder in its place is refused: reading it could wait for ever or never end.";
    STORE_FILE_TOO_LARGE = "CS1309", Invalid, "credential_store.json is too large",
        "A file of more than 16 MiB is refused before it is read.";

    FILE_KEY_MISSING = "CS1401", Invalid, "the key of the encrypted file cannot be read",
        "An encrypted credential_store.json opens with the key that it was sealed with: the file that KeyFile in \
         CredentialStore names, the systemd credential credstore-file-key, or credential_store.key beside it. Without the key \
         nobody opens the file: keep a copy of the key apart from the copies of the file.";
    FILE_KEY_WRONG = "CS1402", Integrity, "the key does not open the encrypted file",
        "The file was sealed with another key, or with a passphrase where a key file is given. A wrong key is told apart from \
         a damaged file.";
    FILE_DAMAGED = "CS1403", Integrity, "the encrypted file was changed or is cut off",
        "Every byte of an encrypted credential_store.json is under its seal. One that was edited, cut off or mixed with \
         another is refused as a whole, before any of it is used. Restore it from a backup.";
    FILE_NEWER = "CS1404", Invalid, "the encrypted file is of a later version",
        "A later version of credstore wrote the file, in a format that this one does not know.";
    FILE_NOT_ENCRYPTED = "CS1405", Invalid, "the credential file is not encrypted",
        "With the Type EncryptedFile a plain file is refused, so that nobody can put one in its place. Seal it with \
         credstore file encrypt.";
    FILE_IS_ENCRYPTED = "CS1406", Invalid, "the credential file is encrypted",
        "The Type File reads plain JSON. Write the Type EncryptedFile, or turn the file back with credstore file decrypt.";
    FILE_PUT_BACK = "CS1407", Findings, "the encrypted file is an older version of itself",
        "Every change of an encrypted file counts its version up, and each machine remembers the newest one it has seen, apart \
         from the file. An older one is used, because restoring a backup is lawful, and told with every read. A change with \
         credstore file makes it the newest. A whole machine that is put back cannot tell.";
    FILE_KEY_READABLE = "CS1408", Permission, "others can read the key of the encrypted file",
        "Whoever has the key and a copy of the file has every password. Only the account that runs credstore needs to read it.";
}
