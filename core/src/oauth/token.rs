//! The token endpoint (RFC 6749 sections 3.2, 4.1.3 and 6): a code or a refresh token in, tokens out.
//!
//! The identity provider's code travels in ours and is redeemed here. It works once, so ours does: the second time the
//! provider says `invalid_grant`, and so does Housekey, on whichever replica. What the provider is asked moves the visit
//! to another [`Stage`]; what it answers is kept there, so that keys can be fetched meanwhile without asking it again.
//!
//! Deliberately absent: parameters in the query (section 3.2: they end up in logs), other grants, client secrets.

use base64ct::{Base64, Encoding as _};

use super::artifact::Digest;
use super::client::{self, ClientError};
use super::client_assertion;
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::grant::Grant;
use super::mint;
use super::server::Server;
use super::upstream::{Lack, Tokens, Userinfo, read_tokens, read_userinfo};
use super::visit::{self, Look, Request};
use super::{redeem, refresh};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};
use crate::identity::credentials;

type Fetched = Result<Document, FetchFailure>;

/// How far a grant has come.
pub(crate) struct Stage(Box<Awaiting>);

/// A grant, and what it waits for.
struct Awaiting {
    grant: Grant,
    answer: Answer,
    /// The fetch has ended, and this is what it gave.
    fetched: Option<Fetched>,
}

/// What is awaited.
enum Answer {
    /// The identity provider's tokens.
    Tokens,
    /// Its userinfo, beside these tokens.
    Userinfo(Tokens),
}

impl Stage {
    /// Awaits tokens for a grant.
    pub(super) fn awaiting_tokens(grant: Grant) -> visit::Stage {
        Self::of(grant, Answer::Tokens)
    }

    pub(super) fn take(&mut self, fetched: Fetched) {
        self.0.fetched = Some(fetched);
    }

    fn of(grant: Grant, answer: Answer) -> visit::Stage {
        visit::Stage::Token(Self(Box::new(Awaiting { grant, answer, fetched: None })))
    }
}

/// Why a token request goes no further for now.
pub(super) enum Stop {
    /// A fact is needed first.
    Lacks(Lack),
    /// It is refused.
    Refused(OAuthError),
    /// Userinfo is needed first.
    AskUserinfo(Box<FetchRequest>),
}

impl From<Lack> for Stop {
    fn from(lack: Lack) -> Self {
        Self::Lacks(lack)
    }
}

impl From<OAuthError> for Stop {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Lacks(lack) => Self::Lacks(lack),
            ClientError::Refused(error) => Self::Refused(error),
        }
    }
}

/// Judges a request. Nothing here changes anything, so it may be looked at as often as facts are missing.
pub(super) fn begin(env: &mut Env<'_>, server: &Server, request: &Request) -> Look {
    match granted(env, server, request) {
        Ok(look) => look,
        Err(Stop::Lacks(lack)) => lack.into(),
        Err(Stop::Refused(error)) => error.into(),
        Err(Stop::AskUserinfo(_)) => OAuthError::new(OAuthCode::ServerError, "there is no token yet").into(),
    }
}

fn granted(env: &mut Env<'_>, server: &Server, request: &Request) -> Result<Look, Stop> {
    let form = Form::in_body(&request.headers, &request.body)?;
    let grant_type = form.need("grant_type")?;
    if !matches!(grant_type, "authorization_code" | "refresh_token") {
        return Err(OAuthError::new(
            OAuthCode::UnsupportedGrantType,
            "grant_type must be authorization_code or refresh_token",
        )
        .into());
    }
    let client = client::find(env, server, &client_id(request, &form)?)?;
    // RFC 7523 section 3 has an assertion name this endpoint or, as OAuth 2.1 does, the issuer.
    let path = server.facade().map_or("", |(facade, _)| facade.paths.token.as_str());
    let endpoint = request.site.endpoint(path);
    client_assertion::authenticate(env, server, &client, &form, &[request.site.issuer(), &endpoint])?;
    let client = Digest::of(&client.id);
    if grant_type == "authorization_code" {
        let (code, grant) = redeem::check(env, server, &form, client)?;
        let ask = server.provider.redeem(
            env,
            code.upstream_code.expose(),
            &code.callback,
            code.pending.verifier.expose(),
        )?;
        return Ok(Look::Act(ask, Stage::awaiting_tokens(grant)));
    }
    let grant = refresh::check(env, server, &form, client)?;
    match refresh::upstream(server, &grant)? {
        Some(token) => {
            let ask = server.provider.renew(env, token.expose())?;
            Ok(Look::Act(ask, Stage::awaiting_tokens(grant)))
        }
        None => Ok(Look::Answer(mint::again(env, server, &grant)?, None)),
    }
}

/// Goes on with what the identity provider answered.
pub(super) fn look(env: &mut Env<'_>, server: &Server, stage: &mut Stage) -> Look {
    let stage = &*stage.0;
    let Some(fetched) = &stage.fetched else {
        return OAuthError::new(OAuthCode::ServerError, "the identity provider has not answered").into();
    };
    let (tokens, userinfo) = match &stage.answer {
        Answer::Tokens => match read_tokens(fetched) {
            Ok(tokens) => (tokens, Userinfo::NotAsked),
            Err(error) => return error.into(),
        },
        Answer::Userinfo(tokens) => (tokens.clone(), Userinfo::Asked(read_userinfo(fetched))),
    };
    match mint::answer(env, server, &stage.grant, &tokens, userinfo) {
        Ok(answer) => Look::Answer(answer, None),
        Err(Stop::Lacks(lack)) => lack.into(),
        Err(Stop::Refused(error)) => error.into(),
        Err(Stop::AskUserinfo(ask)) => {
            Look::Act(*ask, Stage::of(stage.grant.clone(), Answer::Userinfo(tokens)))
        }
    }
}

/// The client's id: from the form, or from HTTP Basic (RFC 6749 section 2.3.1) as clients write it that always use that.
/// They have no secret here, so it must be empty there: whoever sends one believes that it is looked at.
fn client_id(request: &Request, form: &Form) -> Result<String, OAuthError> {
    let refuse = |text: &str| OAuthError::new(OAuthCode::InvalidClient, text);
    let named = form.get("client_id");
    let basic = credentials(&request.headers)
        .map_err(|_| refuse("the Authorization header must stand there once, as text"))?
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let Some((_, encoded)) = basic else {
        return named.map(str::to_owned).ok_or_else(|| refuse("the parameter client_id is missing"));
    };
    let unreadable = || refuse("the Authorization header is not HTTP Basic");
    let pair = Base64::decode_vec(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.ok_or_else(unreadable)?;
    let (id, secret) = pair.split_once(':').ok_or_else(unreadable)?;
    if !secret.is_empty() {
        return Err(refuse("clients have no secret here: send client_id alone"));
    }
    let id =
        Form::parse(format!("id={id}").as_bytes())?.get("id").map(str::to_owned).ok_or_else(unreadable)?;
    match named {
        Some(named) if named != id => Err(refuse("there are two client ids")),
        _ => Ok(id),
    }
}

#[cfg(test)]
#[path = "token_tests/mod.rs"]
mod tests;
