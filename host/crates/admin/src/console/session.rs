//! Who may see the console: where a token is set, whoever has shown it to the sign-in page.

use std::sync::LazyLock;

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wfh_invoke::CONSOLE_COOKIE;

use super::pages::{Html, login_page};
use crate::AdminConfig;
use crate::api::Shared;
use crate::problem::Problem;

/// Whether a path is the console's.
pub(crate) fn is_page(path: &str) -> bool {
    path == "/" || path == "/console" || path.starts_with("/console/")
}

/// Whether everybody may see a page: the one to sign in, and what it looks like.
pub(crate) fn is_for_everybody(path: &str) -> bool {
    path == "/console/login" || path.starts_with("/console/assets/")
}

/// Whether a request for a page comes from whoever has shown the token, if there is one.
pub(crate) fn is_signed_in(config: &AdminConfig, headers: &HeaderMap) -> bool {
    config.token.as_ref().is_none_or(|token| cookie(headers, &value(token.secret())))
}

/// How long a browser keeps it, in seconds.
const KEPT_S: u32 = 12 * 3_600;

/// New with each start, so that no cookie outlives the process.
static SALT: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut salt = [0; 32];
    // A system without randomness starts no TLS and no store either; an equal salt still needs the
    // token.
    let _ = getrandom::fill(&mut salt);
    salt
});

/// What stands for the token in a browser: it opens the pages and nothing else, and the token does
/// not follow from it.
fn value(token: &str) -> String {
    let digest = Sha256::new().chain_update(*SALT).chain_update(token).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cookie(headers: &HeaderMap, expected: &str) -> bool {
    shown(headers).any(|shown| bool::from(shown.as_bytes().ct_eq(expected.as_bytes())))
}

/// Whether a request shows a cookie of the console's, right or wrong.
pub(crate) fn shows_cookie(headers: &HeaderMap) -> bool {
    shown(headers).next().is_some()
}

fn shown(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|all| all.split(';')).filter_map(|one| {
        let (name, value) = one.trim().split_once('=')?;
        (name == CONSOLE_COOKIE).then_some(value)
    })
}

/// What the sign-in page sends.
#[derive(Deserialize)]
pub(crate) struct Login {
    token: String,
}

/// The sign-in page.
pub(crate) async fn ask() -> Result<Html, Problem> {
    login_page(false)
}

/// Signs in.
pub(crate) async fn login(
    State(shared): State<Shared>,
    Form(shown): Form<Login>,
) -> Result<Response, Problem> {
    let Some(token) = &shared.config.token else { return Ok(Redirect::to("/").into_response()) };
    if !token.is(shown.token.as_bytes()) {
        if shared.rate.unknown_is_spent() {
            return Err(Problem::too_many("too many tries to sign in"));
        }
        return Ok((StatusCode::UNAUTHORIZED, login_page(true)?).into_response());
    }
    Ok(([(SET_COOKIE, set(&value(token.secret()), KEPT_S))], Redirect::to("/")).into_response())
}

/// Signs out.
pub(crate) async fn logout() -> Response {
    ([(SET_COOKIE, set("", 0))], Redirect::to("/console/login")).into_response()
}

fn set(value: &str, kept_s: u32) -> String {
    format!("{CONSOLE_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={kept_s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cookie_of_the_token_opens() {
        let mut headers = HeaderMap::new();
        let good = value("secret");
        assert!(!cookie(&headers, &good));
        headers
            .insert(COOKIE, format!("a=b; {CONSOLE_COOKIE}={}", value("other")).parse().unwrap());
        assert!(!cookie(&headers, &good));
        headers.insert(COOKIE, format!("a=b; {CONSOLE_COOKIE}={good}").parse().unwrap());
        assert!(cookie(&headers, &good));
        assert!(!good.contains("secret"));
    }
}
