//! Where the identity provider sends the browser back.
//!
//! Its code is not redeemed here but sealed into ours, so that it is redeemed once, by whoever redeems ours. A callback in
//! another browser than the one that began ends here: it is how somebody would have a person sign in as them, or have
//! their own client answered with another person's code (RFC 9700 sections 4.5 and 4.7).

use http::StatusCode;

use super::artifact::{Carried, Code, Pending, has_passed};
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::keys::Keys;
use super::response::{Response, unwritable};
use super::server::Server;
use super::upstream::Lack;
use super::visit::{Look, Request};
use super::{browser, error_page};
use crate::config::oauth::Facade;
use crate::env::Env;

/// Bytes of the identity provider's code.
const LONGEST_CODE: usize = 4096;

pub(super) fn answer(env: &mut Env<'_>, server: &Server, request: &Request) -> Look {
    let Some((facade, keys)) = server.facade() else { return unwritable() };
    let (form, pending) = match read(keys, request) {
        Ok(read) => read,
        Err(error) => return error_page::refuse(&error),
    };
    if browser::known(&request.headers, &request.site).as_ref() != Some(&pending.asked.browser) {
        return error_page::answer(
            StatusCode::FORBIDDEN,
            "This sign-in was begun in another browser",
            "Or this browser keeps no cookies. If you began it yourself, begin again in the program that sent you here and stay in one browser. If you did not, somebody wants you to sign in for them.",
            "a login came back in another browser than it was begun in",
        );
    }
    if has_passed(pending.asked.expires, env.now) {
        return error_page::answer(
            StatusCode::BAD_REQUEST,
            "This sign-in took too long",
            "Begin again in the program that sent you here.",
            "a login came back too late",
        );
    }
    let response = Response::to(&pending.asked);
    match is_from_provider(env, server, facade, &form) {
        Ok(true) => {}
        Ok(false) => {
            let reason = "the answer to a login names another issuer than the identity provider, or none";
            return response.error("server_error", "the login cannot be trusted", Some(reason.to_owned()));
        }
        Err(lack) => return lack.into(),
    }
    if let Some(error) = form.get("error") {
        return relay(&response, error);
    }
    let upstream_code = match form.get("code") {
        Some(code) if code.len() <= LONGEST_CODE => Carried::from(code.to_owned()),
        Some(_) => {
            return response.error("server_error", "the code of the identity provider is too long", None);
        }
        None => return response.error("server_error", "the identity provider sent no code", None),
    };
    let code = Code {
        upstream_code,
        callback: request.site.endpoint(&facade.paths.callback),
        expires: env.now.seconds().saturating_add(facade.code_ttl),
        pending: pending.clone(),
    };
    match keys.code.seal(env.rng, &code) {
        Some(code) => response.code(&code),
        None => unwritable(),
    }
}

fn read(keys: &Keys, request: &Request) -> Result<(Form, Pending), OAuthError> {
    let form = Form::parse(request.query.as_bytes())?;
    let pending = keys.state.open(form.need("state")?);
    let pending = pending
        .ok_or_else(|| OAuthError::new(OAuthCode::InvalidRequest, "the state was not made by this server"))?;
    Ok((form, pending))
}

/// Whether an answer is the identity provider's, as far as it says so (RFC 9207 section 2.4).
fn is_from_provider(env: &Env<'_>, server: &Server, facade: &Facade, form: &Form) -> Result<bool, Lack> {
    let Some(issuer) = server.provider.issuer() else {
        // The operator named endpoints only, so there is no issuer that this could be compared with.
        return Ok(true);
    };
    if let Some(named) = form.get("iss") {
        let others = server.oauth.upstream.other_issuers.iter().map(String::as_str);
        // A slash at the end is as much the same issuer here as in its discovery document and in its tokens.
        let named = named.strip_suffix('/').unwrap_or(named);
        return Ok(others.chain([issuer]).any(|known| known.strip_suffix('/').unwrap_or(known) == named));
    }
    match server.provider.metadata(env) {
        Ok(metadata) => Ok(!metadata.authorization_response_iss_parameter_supported),
        // With an endpoint from the configuration nobody else needs the document, and without it nothing is known of it.
        Err(Lack::Learn(request)) if facade.auth_url.is_none() => Err(Lack::Learn(request)),
        Err(Lack::Learn(_) | Lack::Unavailable(_)) => Ok(true),
    }
}

/// Tells the client that there is no login, and the operator why: only the word, which is one of a known kind.
fn relay(response: &Response<'_>, error: &str) -> Look {
    let word: String = error
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(40)
        .collect();
    let (code, description) = match error {
        "access_denied"
        | "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required" => {
            ("access_denied", "the identity provider did not sign the person in")
        }
        "temporarily_unavailable" => {
            ("temporarily_unavailable", "the identity provider is not available now")
        }
        _ => ("server_error", "the identity provider refused the login"),
    };
    response.error(code, description, Some(format!("the identity provider answered a login with {word}")))
}
