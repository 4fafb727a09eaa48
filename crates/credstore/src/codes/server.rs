//! CS6xxx: the embedded vault and its server.

codes! {
    FOLDER_MISSING = "CS6001", NotFound, "there is no embedded vault in this folder",
        "The data folder does not exist or holds no store. It is ~/.local/share/credstore unless `--data-dir` or \
         CREDSTORE_DATA_DIR say otherwise. `credstore setup embedded` and `credstore serve` make one.";
    FOLDER_IN_USE = "CS6002", Conflict, "another process holds the data folder",
        "One process at a time writes to a data folder. A command finds a running `credstore serve` by itself and goes \
         through it; this message means that the holder did not answer or did not finish within a few seconds.";
    ROOT_KEY_WRONG = "CS6003", Integrity, "the root key does not open this store",
        "The store was sealed with another root key or passphrase, or with one where the other was given; the message \
         tells which. Give the right one with `--root-key-file` or `--passphrase-file`. Without it nothing in the store \
         can be read. A store whose own id was changed on disk looks the same, whichever key is given: restore it from a \
         backup.";
    ROOT_KEY_MISSING = "CS6004", NotFound, "the root key is not there",
        "The store was made with a root key file, and that file is not there. It is root.key in the data folder unless \
         `--root-key-file` or the systemd credential credstore-root-key name it. Restore it from your backup.";
    FOLDER_PERMISSIONS = "CS6005", Permission, "others can read or change a file of the embedded vault",
        "The data folder must have mode 0700, its files 0600, and both must belong to the user who runs credstore. \
         A key that others could have read is not used. On Unix: chmod 700 the folder, chmod 600 the files.";
    FORMAT_NEWER = "CS6006", Invalid, "a newer credstore wrote this store",
        "The store has a format that this version does not know. Use the version that wrote it, or a later one.";
    STORE_DAMAGED = "CS6007", Integrity, "the store is damaged",
        "A record does not open or a file is not what it should be: it was changed outside credstore, or the disk lost \
         data. Nothing was repaired. Restore the data folder from a backup. When store.db is gone and its log \
         store.db-wal is there, no new store is made: the log may hold writes that were acknowledged.";
    FOLDER_UNUSABLE = "CS6008", Invalid, "the data folder cannot be used",
        "The operating system refused to read or write it; the message has its words. The disk may be full or read-only. \
         Or a link, a pipe or a folder has the name of a file of the store: those are not followed or read.";
    PORT_TAKEN = "CS6010", Conflict, "the port is taken",
        "Another program listens on this address, perhaps another `credstore serve`. Choose another with `--listen`.";
    LISTEN = "CS6011", Usage, "cannot listen on this address",
        "`--listen` takes HOST:PORT, for example 127.0.0.1:8443. The address must belong to this machine.";
    TLS_FILES = "CS6012", Invalid, "the TLS certificate or key cannot be used",
        "`--tls-cert` takes a PEM chain and `--tls-key` the private key that belongs to it. Leave both out and the \
         local authority issues and renews a certificate by itself.";
    SERVER_ANSWER = "CS6013", Unreachable, "the server's answer is not understood",
        "The embedded server answered in a way this version does not know. Is another program on that port?";
    FOREIGN_FOLDER = "CS6020", Conflict, "this folder is not a throwaway vault",
        "quickstart makes its own folder and removes it at the end. It touches no folder that it did not make.";
    SETUP_STATE = "CS6021", Invalid, "the state of the set-up cannot be read",
        "setup-state.json beside the Server Settings holds the names and ids of the set-up, no secrets. Start anew with \
         `--restart`: each step looks first at what is there, so nothing is made twice.";
    SETUP_VERIFY = "CS6022", Invalid, "a step of the set-up was done and does not verify",
        "Each step looks whether it is done, does it, and looks again. The last look did not find what was made.";
    SERVER_FAILED = "CS6023", Unexpected, "the embedded server stopped with an error",
        "The message has its words; the log on standard error has more.";
    SETUP_EARLIER_STEP = "CS6024", Usage, "a step of the set-up needs an earlier one",
        "`--from` and `--only` leave steps out that were not done yet. Run the step that the message names, or all of them: \
         what is done is left alone.";
    SETUP_BUSY = "CS6025", Conflict, "another set-up is under way in this folder",
        "One run at a time sets up the folder of the Server Settings. Wait until the other one has ended.";
    SETTINGS_CHANGED = "CS6026", Conflict, "the settings were changed by somebody else",
        "Between showing the change and saving it the file got another content. Nothing was saved. Run the set-up again: it \
         shows the change against the new content.";
    IDENTITY_NEEDS_SERVER = "CS6027", Unreachable, "a managed identity needs a running server",
        "`run --azure-env` gives the command tokens for the vault, and the command asks the vault itself, over HTTPS. An \
         embedded vault answers over HTTPS while `credstore serve` runs on its data folder.";
    IDENTITY_NEEDS_VAULT = "CS6028", Invalid, "a managed identity needs a Key Vault",
        "`run --azure-env` signs in as the app that Server Settings name, so the CredentialStore must be of type \
         AzureKeyVault.";
    IDENTITY_NOT_STARTED = "CS6029", Unexpected, "the endpoint of the managed identity did not start",
        "`run --azure-env` starts a second process that answers on a port of 127.0.0.1. The message says what it said.";
    SEED_INVALID = "CS6030", Invalid, "the file is not a seed",
        "`serve --seed` takes a JSON object with apps and vaults. Every key is checked: one that is not known is probably \
         misspelt. The message says where the mistake is, and nothing was changed.";
    SEED_READABLE = "CS6031", Permission, "others can read the values in the seed",
        "A seed with values in it is a file of passwords: chmod 600 it. Values that stand in other files or in the \
         environment are named with {\"file\": \"path\"} and {\"env\": \"NAME\"}.";
    SEED_VALUE_MISSING = "CS6032", Invalid, "a variable that the seed names is not set",
        "The seed takes a value from the environment of `credstore serve`, and it is not there or empty.";
}
