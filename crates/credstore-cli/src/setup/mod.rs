//! The five steps as an engine: probe, do, verify. Used by `setup embedded`, `setup status` and `quickstart`.
