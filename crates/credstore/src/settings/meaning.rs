//! What the settings mean.
use std::path::Path;
use super::ServerSettings;
use super::syntax::Repaired;
use crate::Diagnosis;
pub(super) fn read(_r: &Repaired<'_>, file: &Path, _f: &mut Vec<Diagnosis>) -> Option<ServerSettings> {
    Some(ServerSettings { file: file.to_owned(), store: None, references: Vec::new() })
}
