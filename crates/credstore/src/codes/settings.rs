//! CS1xxx: Server Settings, the certificate file and the file store.

codes! {}
