//! Who signed in: from the identity provider's tokens to claims about a person.

use serde_json::{Map, Value};

use super::error::{OAuthCode, OAuthError};
use super::grant::{Grant, Origin, invalid};
use super::server::Server;
use super::token::Stop;
use super::upstream::{IdTokenError, Lack, Tokens, Userinfo, add_userinfo};
use crate::config::Impersonation;
use crate::env::Env;
use crate::fetch::FetchRequest;

/// Claims that are kept of every person, where there are any.
const ALWAYS_KEPT: [&str; 7] = ["iss", "sub", "email", "email_verified", "hd", "name", "preferred_username"];

/// The claims about the person, and what the operator should know if they turn out not to be enough.
pub(super) fn person(
    env: &Env<'_>,
    server: &Server,
    grant: &Grant,
    tokens: &Tokens,
    userinfo: Userinfo,
) -> Result<(Map<String, Value>, Option<String>), Stop> {
    let (claims, note) = match (signed(env, server, grant, tokens)?, &grant.origin) {
        (Some(claims), _) => enriched(env, server, claims, tokens, userinfo)?,
        // A provider need not send another ID token at a refresh (OpenID Connect Core 1.0 section 12.2). That it goes on
        // with the login is its word for the person; what it said of them then stands.
        (None, Origin::Earlier { claims, .. }) if claims.contains_key("iss") => (claims.clone(), None),
        (None, _) => (asked(env, server, tokens, userinfo)?, None),
    };
    if let Origin::Earlier { claims: old, .. } = &grant.origin
        && (old.get("sub") != claims.get("sub") || old.get("iss") != claims.get("iss"))
    {
        // OpenID Connect Core 1.0 section 12.2.
        return Err(
            invalid("the identity provider names somebody else than at the login: sign in again").into()
        );
    }
    Ok((kept(server, claims), note))
}

/// What the ID token says, if there is one that can be judged. Where nobody is configured whose it could be, it says
/// nothing, and userinfo has to.
pub(super) fn signed(
    env: &Env<'_>,
    server: &Server,
    grant: &Grant,
    tokens: &Tokens,
) -> Result<Option<Map<String, Value>>, Stop> {
    let issuers = server.issuers();
    let issuers: Vec<&str> = issuers.iter().map(String::as_str).collect();
    let Some(id_token) = tokens.id_token.as_ref().filter(|_| server.provider.can_judge(&issuers)) else {
        return Ok(None);
    };
    let nonce = match &grant.origin {
        Origin::Login(nonce) => Some(nonce),
        Origin::Earlier { .. } => None,
    };
    let access_token = tokens.access_token.as_ref().map(|token| token.expose().as_str());
    server.provider.judge_id_token(env, &issuers, id_token.expose(), nonce, access_token).map(Some).map_err(
        |error| match error {
            IdTokenError::Lacks(lack) => Stop::Lacks(lack),
            error @ (IdTokenError::Jwt(_)
            | IdTokenError::Rules(_)
            | IdTokenError::Kind
            | IdTokenError::AccessToken
            | IdTokenError::NoSubject) => unproved(&error.to_string()).into(),
        },
    )
}

/// With userinfo, where the ID token lacks something that is needed. If it cannot be had, what is there has to do: the
/// rules refuse whom it does not do for.
fn enriched(
    env: &Env<'_>,
    server: &Server,
    mut claims: Map<String, Value>,
    tokens: &Tokens,
    userinfo: Userinfo,
) -> Result<(Map<String, Value>, Option<String>), Stop> {
    match userinfo {
        Userinfo::NotAsked => {
            if lacks_something(server, &claims)
                && let Some(ask) = question(env, server, tokens)?
            {
                return Err(Stop::AskUserinfo(Box::new(ask)));
            }
            Ok((claims, None))
        }
        Userinfo::Asked(Ok(more)) => {
            add_userinfo(&mut claims, more).map_err(|error| unproved(&error.to_string()))?;
            Ok((claims, None))
        }
        Userinfo::Asked(Err(error)) => Ok((claims, Some(error.to_string()))),
    }
}

/// What userinfo alone says.
fn asked(
    env: &Env<'_>,
    server: &Server,
    tokens: &Tokens,
    userinfo: Userinfo,
) -> Result<Map<String, Value>, Stop> {
    match userinfo {
        Userinfo::NotAsked => match question(env, server, tokens)? {
            Some(ask) => Err(Stop::AskUserinfo(Box::new(ask))),
            None => Err(unproved(
                "the identity provider gives no id_token that can be judged, and no userinfo can be asked for",
            )
            .into()),
        },
        Userinfo::Asked(Err(error)) => Err(unproved(&error.to_string()).into()),
        Userinfo::Asked(Ok(mut claims)) => {
            // Nobody has signed it, so it must not look as if it had come with an issuer's signature.
            claims.remove("iss");
            // OpenID Connect Core 1.0 section 5.3.2. Providers of OAuth alone have no `sub`, nor an issuer.
            if server.provider.issuer().is_some() && !claims.get("sub").is_some_and(Value::is_string) {
                return Err(unproved("the identity provider's userinfo has no `sub`").into());
            }
            Ok(claims)
        }
    }
}

fn question(env: &Env<'_>, server: &Server, tokens: &Tokens) -> Result<Option<FetchRequest>, Lack> {
    let Some(access_token) = &tokens.access_token else { return Ok(None) };
    match server.provider.ask_userinfo(env, access_token.expose()) {
        Ok(ask) => Ok(Some(ask)),
        Err(Lack::Unavailable(_)) => Ok(None),
        Err(lack) => Err(lack),
    }
}

fn unproved(detail: &str) -> OAuthError {
    OAuthError::new(
        OAuthCode::ServerError,
        "who signed in cannot be told from the identity provider's answer: this server's operator finds the reason in its log",
    )
    .because(detail)
}

/// Whether a claim is missing without which this person would be refused, or be nobody.
fn lacks_something(server: &Server, claims: &Map<String, Value>) -> bool {
    let oauth = &server.oauth;
    let rules = &oauth.admission;
    let lacks = |name: &str| !claims.contains_key(name);
    let names_people = server.config.clickhouse.impersonation != Impersonation::None;
    (!rules.email_domains.is_empty() && (lacks("email") || lacks("email_verified")))
        || (rules.email_verified && !lacks("email") && lacks("email_verified"))
        || (!rules.hosted_domains.is_empty() && lacks("hd"))
        || (!rules.groups.is_empty() && lacks(&rules.groups_claim))
        // A claim further back in the list is what is taken where the provider has no better one, and thin ID tokens do
        // not say what it has.
        || (names_people && oauth.naming.claims.first().is_some_and(|claim| lacks(claim)))
        || oauth.naming.role_claim.as_ref().is_some_and(|claim| lacks(claim))
        || oauth.claims_to_headers.iter().any(|(claim, _)| lacks(claim))
}

/// The claims that something here reads. Tokens stand in headers, and providers say much of a person.
fn kept(server: &Server, claims: Map<String, Value>) -> Map<String, Value> {
    let oauth = &server.oauth;
    let rules = &oauth.admission;
    let is_read = |name: &str| {
        oauth.naming.claims.iter().any(|claim| claim == name)
            || oauth.naming.role_claim.as_deref() == Some(name)
            || oauth.claims_to_headers.iter().any(|(claim, _)| claim == name)
    };
    let is_group = |name: &str| !rules.groups.is_empty() && rules.groups_claim == name;
    let mut kept = Map::new();
    for (name, value) in claims {
        if ALWAYS_KEPT.contains(&name.as_str()) || is_read(&name) {
            kept.insert(name, value);
        } else if is_group(&name) {
            // Of hundreds of groups only those that let somebody in say anything here.
            let counts =
                |item: &Value| item.as_str().is_some_and(|text| rules.groups.iter().any(|one| one == text));
            let mut value = value;
            if let Some(groups) = value.as_array_mut() {
                groups.retain(counts);
            }
            kept.insert(name, value);
        }
    }
    kept
}
