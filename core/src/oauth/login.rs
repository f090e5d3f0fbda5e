//! On to the identity provider: an authorization request of our own, with our own state, nonce and PKCE verifier.
//!
//! The state is the client's request, sealed; it is made only once the person has allowed it.

use http::StatusCode;

use super::artifact::{Asked, Carried, Digest, Pending};
use super::browser;
use super::consent::Wishes;
use super::form::Form;
use super::keys::Keys;
use super::response::{Response, unwritable};
use super::server::Server;
use super::upstream::Lack;
use super::visit::{Look, Request};
use crate::config::oauth::Facade;
use crate::env::Env;

/// Seconds that a person has for the login.
const LIVES: u64 = 600;
/// Bytes that a state may have, so that the code in which it travels next is not too long to be opened.
const LONGEST: usize = 10 << 10;
const GOOGLE: &str = "https://accounts.google.com";

/// Sends the browser there.
#[expect(clippy::too_many_arguments, reason = "one place from two, each with all of it at hand")]
pub(super) fn begin(
    env: &mut Env<'_>,
    server: &Server,
    facade: &Facade,
    keys: &Keys,
    request: &Request,
    asked: Asked,
    wishes: &Wishes,
    status: StatusCode,
    cookies: &[String],
) -> Look {
    let endpoint = match server.provider.authorization_endpoint(env) {
        Ok(endpoint) => endpoint,
        Err(lack @ Lack::Learn(_)) => return lack.into(),
        Err(Lack::Unavailable(reason)) => {
            let description = "the identity provider does not answer as it should";
            return Response::to(&asked).error("temporarily_unavailable", description, Some(reason));
        }
    };
    let Some(client) = server.provider.client() else { return unwritable() };
    let Some(prompt) = prompt(server, facade, wishes) else {
        let description = "the identity provider has to ask the person each time";
        return Response::to(&asked).error("interaction_required", description, None);
    };
    let expires = env.now.seconds().saturating_add(LIVES);
    let verifier = Carried::from(browser::random(env));
    let nonce = browser::random(env);
    let pending = Pending { asked: Asked { expires, ..asked }, verifier, nonce };
    let state = keys.state.seal(env.rng, &pending).filter(|state| state.len() <= LONGEST);
    let Some(state) = state else {
        let description = "state and redirect_uri are too long together";
        return Response::to(&pending.asked).error("invalid_request", description, None);
    };
    let callback = request.site.endpoint(&facade.paths.callback);
    let scope = scope(server, facade);
    // RFC 7636 section 4.2: the challenge is the SHA-256 of the verifier in base64url.
    let challenge = Digest::of(pending.verifier.expose());
    let mut entries = vec![
        ("response_type", "code"),
        ("client_id", client.id.as_str()),
        ("redirect_uri", &callback),
        ("scope", &scope),
        ("state", &state),
        ("nonce", &pending.nonce),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if !prompt.is_empty() {
        entries.push(("prompt", &prompt));
    }
    entries.extend(wishes.login_hint.as_deref().map(|hint| ("login_hint", hint)));
    if is_google(server) {
        if facade.offline_access {
            entries.push(("access_type", "offline"));
        }
        // Only what Google offers to choose from: the domain is judged by the token.
        if let [domain] = server.oauth.admission.hosted_domains.as_slice() {
            entries.push(("hd", domain));
        }
    }
    match browser::send_to(status, &Form::append_to(&endpoint, &entries)) {
        Some(mut answer) => {
            browser::give(&mut answer, cookies);
            Look::Answer(answer, None)
        }
        None => unwritable(),
    }
}

fn is_google(server: &Server) -> bool {
    server.provider.issuer().is_some_and(|issuer| issuer.trim_end_matches('/') == GOOGLE)
}

/// `prompt`; `None` where the client wants nobody asked, and the operator the contrary.
fn prompt(server: &Server, facade: &Facade, wishes: &Wishes) -> Option<String> {
    // Google gives a refresh token only where it has just asked.
    let forces = facade.force_consent || (is_google(server) && facade.offline_access);
    let wish = wishes.prompt.as_deref().unwrap_or_default();
    match (forces, wish) {
        (false, wish) => Some(wish.to_owned()),
        (true, "none") => None,
        (true, "") => Some("consent".to_owned()),
        (true, wish) => Some(format!("{wish} consent")),
    }
}

/// The scopes that the identity provider is asked for. Google knows `offline_access` by another name.
fn scope(server: &Server, facade: &Facade) -> String {
    const OFFLINE: &str = "offline_access";
    let mut scopes: Vec<&str> = server.oauth.scopes.iter().map(String::as_str).collect();
    if is_google(server) {
        scopes.retain(|scope| *scope != OFFLINE);
    } else if facade.offline_access && !scopes.contains(&OFFLINE) {
        scopes.push(OFFLINE);
    }
    scopes.join(" ")
}
