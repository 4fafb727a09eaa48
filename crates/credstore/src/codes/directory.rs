//! CS3xxx: sign-in at the directory.

codes! {}
