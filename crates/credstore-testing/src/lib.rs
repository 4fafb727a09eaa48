//! For tests only: a clock that stands still, and more as the tests need it.

pub mod clock;
