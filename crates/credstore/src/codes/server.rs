//! CS6xxx: the embedded vault and its server.

codes! {}
