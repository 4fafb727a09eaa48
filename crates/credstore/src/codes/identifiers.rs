//! CS2xxx: identifiers and connection strings.

codes! {}
