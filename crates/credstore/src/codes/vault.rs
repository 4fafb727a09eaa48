//! CS4xxx: the vault's answers and the way to it.

codes! {}
