//! The authorization endpoint (RFC 6749 section 3.1): a client's request in a person's browser, judged, and either put
//! before the person or, where they have allowed it before, handed to the identity provider.
//!
//! Until the client and its redirect URI are certain, errors are shown to the person; afterwards the client hears of them
//! (RFC 6749 section 4.1.2.1). Until the person has acted, though, a web server that nobody vouches for hears of them only
//! by a link that the person follows: by redirects it would borrow this server's name for its own page (RFC 9700 section
//! 4.11.2).

use http::{Method, StatusCode};

use super::artifact::{Asked, Digest};
use super::client::{Client, ClientError};
use super::client_url;
use super::consent::{self, Proposal, Wishes};
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::keys::Keys;
use super::metadata;
use super::redirect_uri;
use super::response::{Response, unwritable};
use super::server::Server;
use super::site::origin_of;
use super::upstream::Lack;
use super::visit::{Look, Request};
use super::{browser, client, decision, error_page, login, remembered};
use crate::config::oauth::Facade;
use crate::env::Env;
use crate::jose::base64url;

/// Seconds that a person has for the consent page.
const CONSENT_LIVES: u64 = 600;
/// Bytes of a client's `state`.
const LONGEST_STATE: usize = 4096;
const LONGEST_HINT: usize = 320;
/// A SHA-256 in base64url (RFC 7636 section 4.2).
const CHALLENGE: usize = 43;

/// An error that the client is told by way of the browser.
struct Refusal(&'static str, &'static str);

pub(super) fn answer(env: &mut Env<'_>, server: &Server, request: &Request) -> Look {
    let Some((facade, keys)) = server.facade() else {
        return error_page::refuse(&OAuthError::new(OAuthCode::ServerError, "nobody signs in here"));
    };
    match request.method == Method::POST {
        true => decision::answer(env, server, facade, keys, request),
        false => ask(env, server, facade, keys, request),
    }
}

fn ask(env: &mut Env<'_>, server: &Server, facade: &Facade, keys: &Keys, request: &Request) -> Look {
    let (form, client, redirect_uri) = match identify(env, server, facade, request) {
        Ok(found) => found,
        Err(ClientError::Lacks(lack)) => return error_page::lack(lack),
        Err(ClientError::Refused(error)) => return error_page::refuse(&error),
    };
    let issuer = request.site.issuer();
    let response = Response { redirect_uri: &redirect_uri, state: form.get("state"), issuer };
    let sends = may_send_unasked(facade, &client, &redirect_uri);
    let tell = |response: &Response<'_>, word: &str, description: &str, reason: Option<String>| match sends {
        true => response.error(word, description, reason),
        false => response.offer_error(word, description, reason),
    };
    if form.get("state").is_some_and(|state| !is_state(state)) {
        let description = "state has more than 4096 bytes, or others than printable ASCII";
        return tell(&Response { state: None, ..response }, "invalid_request", description, None);
    }
    let (browser, cookie) = browser::meet(env, &request.headers, &request.site);
    let judged = judge(env, server, request, &form, &client, &redirect_uri, browser);
    let (asked, wishes, may_ask) = match judged {
        Ok(judged) => judged,
        Err(Refusal(word, description)) => return tell(&response, word, description, None),
    };
    let client_wants_question = has_prompt(&form, "consent");
    if !client_wants_question && remembered::is(keys, &request.headers, &request.site, &asked, env.now) {
        return login::begin(
            env,
            server,
            facade,
            keys,
            request,
            asked,
            &wishes,
            StatusCode::FOUND,
            &[cookie],
        );
    }
    if !may_ask {
        return tell(&response, "interaction_required", "the person has to be asked", None);
    }
    // Asked now, so that nobody allows what cannot go on.
    let provider = match server.provider.authorization_endpoint(env) {
        Ok(url) => redirect_uri::shown(origin_of(&url)),
        Err(lack @ Lack::Learn(_)) => return lack.into(),
        Err(Lack::Unavailable(reason)) => {
            let description = "the identity provider does not answer as it should";
            return tell(&response, "temporarily_unavailable", description, Some(reason));
        }
    };
    let proposal = Proposal { asked, wishes };
    let Some(sealed) = keys.consent.seal(env.rng, &proposal) else { return unwritable() };
    let mut page = consent::page(&client, facade, &proposal.asked, &sealed, &provider);
    browser::give(&mut page, &[cookie]);
    Look::Answer(page, None)
}

/// Whether a browser may be sent to a client before anybody has acted in it. Anybody can register a web server, or publish
/// a document for one; a program on the person's own computer shows nobody a page of a stranger's.
fn may_send_unasked(facade: &Facade, client: &Client, redirect_uri: &str) -> bool {
    let is_listed = || client_url::check(&client.id, facade).is_ok_and(|url| url.is_listed());
    redirect_uri::web_host(redirect_uri).is_none() || (client.is_at_home(redirect_uri) && is_listed())
}

/// Who asks, and where they want the answer.
fn identify(
    env: &Env<'_>,
    server: &Server,
    facade: &Facade,
    request: &Request,
) -> Result<(Form, Client, String), ClientError> {
    let form = Form::parse(request.query.as_bytes())?;
    let id = form.need("client_id")?;
    let redirect_uri = form.need("redirect_uri")?.to_owned();
    let client = client::find(env, server, id)?;
    let refuse = |reason: String| OAuthError::new(OAuthCode::InvalidRequest, reason);
    // Also by today's rules: the operator may have taken a scheme away since the client registered.
    redirect_uri::check(&redirect_uri, &facade.redirect_schemes)
        .map_err(|error| refuse(error.to_string()))?;
    if !client.may_redirect_to(&redirect_uri) {
        return Err(refuse("redirect_uri is none of those that the client registered".to_owned()).into());
    }
    Ok((form, client, redirect_uri))
}

/// The request as it will be put before the person, what it wishes of the login, and whether it may be put before them.
fn judge(
    env: &Env<'_>,
    server: &Server,
    request: &Request,
    form: &Form,
    client: &Client,
    redirect_uri: &str,
    browser: Digest,
) -> Result<(Asked, Wishes, bool), Refusal> {
    if form.get("response_type") != Some("code") {
        return Err(match form.get("response_type") {
            None => Refusal("invalid_request", "response_type is missing"),
            Some(_) => Refusal("unsupported_response_type", "response_type is another than code"),
        });
    }
    if form.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Refusal("invalid_request", "response_mode is another than query"));
    }
    // RFC 9101 section 6.3: parameters in a signed object would win over those that were judged here.
    if form.get("request").is_some() {
        return Err(Refusal("request_not_supported", "request objects are not taken here"));
    }
    if form.get("request_uri").is_some() {
        return Err(Refusal("request_uri_not_supported", "request objects are not taken here"));
    }
    // RFC 7636 section 4.4.1. Without a method it would be `plain` (section 4.3), which OAuth 2.1 does not have.
    let challenge =
        form.get("code_challenge").ok_or(Refusal("invalid_request", "code_challenge is missing"))?;
    if form.get("code_challenge_method") != Some("S256") {
        return Err(Refusal("invalid_request", "code_challenge_method is another than S256"));
    }
    if challenge.len() != CHALLENGE || !base64url::is_alphabet(challenge) {
        return Err(Refusal("invalid_request", "code_challenge is no SHA-256 in base64url"));
    }
    let site = &request.site;
    let resource = match form.get("resource") {
        None => site.resource_at("/mcp"),
        // RFC 8707 section 2.
        Some(resource) if server.is_resource(site, resource) => resource.to_owned(),
        Some(_) => return Err(Refusal("invalid_target", "resource is another than this server")),
    };
    let prompts: Vec<&str> = form.get("prompt").unwrap_or_default().split(' ').collect();
    if prompts.contains(&"none") && prompts.len() > 1 {
        return Err(Refusal("invalid_request", "prompt is none and something else"));
    }
    // `consent` is answered by our own page: it is our consent that the client asks for, and there are providers at which
    // a person who is asked for theirs once more has to wait for an administrator.
    let passed: Vec<&str> =
        prompts.into_iter().filter(|word| matches!(*word, "none" | "login" | "select_account")).collect();
    let may_ask = passed != ["none"];
    let hint =
        form.get("login_hint").filter(|hint| hint.len() <= LONGEST_HINT && !hint.contains(char::is_control));
    let wishes = Wishes {
        prompt: (!passed.is_empty()).then(|| passed.join(" ")),
        login_hint: hint.map(str::to_owned),
    };
    let asked = Asked {
        client: Digest::of(&client.id),
        redirect_uri: redirect_uri.to_owned(),
        state: form.get("state").map(str::to_owned),
        challenge: challenge.to_owned(),
        resource,
        scope: scope(server, form.get("scope")),
        issuer: site.issuer().to_owned(),
        browser,
        expires: env.now.seconds().saturating_add(CONSENT_LIVES),
    };
    Ok((asked, wishes, may_ask))
}

/// The scopes that a client gets: of those that it asks for the ones there are, or all (RFC 6749 section 3.3).
fn scope(server: &Server, wanted: Option<&str>) -> String {
    let all = metadata::scopes(server);
    let mut scopes = all.clone();
    if let Some(wanted) = wanted {
        scopes.retain(|scope| wanted.split(' ').any(|word| word == *scope));
    }
    let scopes = if scopes.is_empty() { all } else { scopes };
    scopes.join(" ")
}

/// RFC 6749 appendix A.5.
fn is_state(state: &str) -> bool {
    state.len() <= LONGEST_STATE && state.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

fn has_prompt(form: &Form, word: &str) -> bool {
    form.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|known| known == word))
}
