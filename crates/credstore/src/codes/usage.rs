//! CS0xxx: wrong usage of the command line.

codes! {}
