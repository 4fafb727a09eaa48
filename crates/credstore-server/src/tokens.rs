//! Access tokens: read from the request, checked, and remembered for a while.
//!
//! Checking a signature costs more than all the rest of a read, so a token that was good is remembered under its
//! SHA-256; the token itself is not kept. What can change is looked at with every request: the time, and whether the
//! app is still there and enabled.

use credstore_protocol::Timestamp;
use credstore_vault::directory::VerifiedToken;
use credstore_vault::{Caller, Directory, TokenRejected};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use quick_cache::sync::Cache;
use std::sync::Arc;

use crate::limits::{TOKEN_MAX, TOKENS_KEPT};
use crate::names::{Audience, Names};

/// Why there is no caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unauthenticated {
    /// No `Authorization: Bearer …`.
    Missing,
    /// A token that is not accepted.
    Rejected(TokenRejected),
}

/// The tokens that were good.
pub(crate) struct Tokens(Cache<[u8; 32], Arc<VerifiedToken>>);

impl Tokens {
    pub(crate) fn new() -> Self {
        Self(Cache::new(TOKENS_KEPT))
    }

    /// The caller whose token for `audience` is in `headers`.
    pub(crate) fn caller(
        &self,
        directory: &Directory,
        names: &Names,
        audience: Audience,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Caller, Unauthenticated> {
        let token = bearer(headers)?;
        let hash = digest(token);
        let still_good = |known: &Arc<VerifiedToken>| now < known.expires_at && directory.is_active(&known.caller);
        let known = match self.0.get(&hash).filter(still_good) {
            Some(known) => known,
            None => {
                let known = check(directory, names, token, now).inspect_err(|_| {
                    self.0.remove(&hash);
                })?;
                let known = Arc::new(known);
                self.0.insert(hash, Arc::clone(&known));
                known
            }
        };
        if !names.is_for(audience, &known.audience) {
            let found = known.audience.clone();
            return Err(Unauthenticated::Rejected(TokenRejected::Audience { found }));
        }
        Ok(known.caller.clone())
    }
}

fn check(directory: &Directory, names: &Names, token: &str, now: Timestamp) -> Result<VerifiedToken, Unauthenticated> {
    let [vault, management, graph] = names.audiences();
    let slashed = names.audiences().map(|audience| format!("{audience}/"));
    let audiences = [vault, management, graph, &slashed[0], &slashed[1], &slashed[2]];
    directory.verify_token(token, &audiences, &names.issuer, now).map_err(Unauthenticated::Rejected)
}

fn digest(token: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

/// The token of `Authorization: Bearer …`. Two such headers are none.
fn bearer(headers: &HeaderMap) -> Result<&str, Unauthenticated> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Unauthenticated::Missing)?;
    let malformed = |why| Unauthenticated::Rejected(TokenRejected::Malformed(why));
    if values.next().is_some() {
        return Err(malformed("two Authorization headers"));
    }
    let text = value.to_str().map_err(|_| malformed("not ASCII"))?;
    let (scheme, token) = text.split_once(' ').ok_or(Unauthenticated::Missing)?;
    if !scheme.eq_ignore_ascii_case("Bearer") || token.trim().is_empty() {
        return Err(Unauthenticated::Missing);
    }
    if token.len() > TOKEN_MAX {
        return Err(malformed("too long"));
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_bearer_token_is_read_in_any_case_of_the_scheme() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Ok("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Ok("abc"));
        for missing in [&[][..], &["Bearer"], &["Bearer "], &["Basic abc"], &["abc"]] {
            assert_eq!(bearer(&headers(missing)), Err(Unauthenticated::Missing), "{missing:?}");
        }
    }

    #[test]
    fn two_tokens_and_a_token_over_the_limit_are_refused() {
        assert!(matches!(bearer(&headers(&["Bearer a", "Bearer b"])), Err(Unauthenticated::Rejected(_))));
        let token = |length: usize| format!("Bearer {}", "a".repeat(length));
        assert!(bearer(&headers(&[&token(TOKEN_MAX)])).is_ok());
        assert!(matches!(bearer(&headers(&[&token(TOKEN_MAX + 1)])), Err(Unauthenticated::Rejected(_))));
    }
}
