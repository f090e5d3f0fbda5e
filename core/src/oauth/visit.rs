//! One request to an endpoint of the facade: what it needs from elsewhere before it is answered.
//!
//! What anybody may ask again for (a discovery document, keys, a client's document) is a fact: where one is missing, the
//! visit asks for it and is then looked at again from its present stage. What may not be repeated, such as redeeming the
//! identity provider's code, moves the visit on to another stage, so no look crosses it twice.

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use super::error::{OAuthCode, OAuthError};
use super::server::Server;
use super::site::{Endpoint, Site};
use super::upstream::Lack;
use super::{authorize, callback, register, token};
use crate::env::Env;
use crate::fetch::{Document, FetchFailure, FetchRequest};

/// Facts that one request may ask for. More means that one is asked for in vain.
const MOST_LOOKS: u8 = 12;

/// What comes next.
#[must_use]
pub(crate) enum Turn {
    /// Something has to be fetched; then [`Visit::resume`].
    Fetch(FetchRequest, Box<Visit>),
    /// The answer, and what the operator's log says of a refusal.
    Done(Response<Bytes>, Option<String>),
}

/// A request on its way.
pub(crate) struct Visit {
    pub(crate) request: Request,
    stage: Stage,
    looks: u8,
    waits_for: Option<FetchRequest>,
}

/// The request itself.
pub(crate) struct Request {
    pub(crate) endpoint: Endpoint,
    pub(crate) site: Site,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    /// The query of the URL.
    pub(crate) query: String,
    pub(crate) body: Bytes,
}

/// How far a visit has come.
pub(crate) enum Stage {
    /// Nothing has happened that could not be repeated.
    Begun,
    /// The token endpoint has asked, or will ask, the identity provider.
    Token(token::Stage),
}

/// What a look at a visit gives.
pub(crate) enum Look {
    /// A fact is needed first.
    Lacks(Lack),
    /// An action: what is to be sent, and the stage in which its answer is awaited.
    Act(FetchRequest, Stage),
    /// The answer, and what the operator's log says of a refusal.
    Answer(Response<Bytes>, Option<String>),
}

impl From<Lack> for Look {
    fn from(lack: Lack) -> Self {
        Self::Lacks(lack)
    }
}

impl From<OAuthError> for Look {
    fn from(error: OAuthError) -> Self {
        Self::Answer(error.to_json_answer(), Some(error.reason()))
    }
}

impl Visit {
    pub(crate) fn new(request: Request) -> Self {
        Self { request, stage: Stage::Begun, looks: 0, waits_for: None }
    }

    /// Goes on as far as it can.
    pub(crate) fn go(mut self, env: &mut Env<'_>, server: &Server) -> Turn {
        let look = match &mut self.stage {
            Stage::Begun => match self.request.endpoint {
                Endpoint::Register => register::answer(env, server, &self.request),
                Endpoint::Authorize => authorize::answer(env, server, &self.request),
                Endpoint::Callback => callback::answer(env, server, &self.request),
                Endpoint::Token => token::begin(env, server, &self.request),
                // These are answered by their heads.
                Endpoint::ResourceMetadata(_)
                | Endpoint::ServerMetadata
                | Endpoint::OpenIdConfiguration
                | Endpoint::Jwks => {
                    OAuthError::new(OAuthCode::InvalidRequest, "this path takes GET only").into()
                }
            },
            Stage::Token(stage) => token::look(env, server, stage),
        };
        match look {
            Look::Answer(answer, reason) => Turn::Done(answer, reason),
            Look::Act(request, stage) => {
                self.stage = stage;
                self.fetch(request)
            }
            Look::Lacks(Lack::Learn(request)) if self.looks < MOST_LOOKS => {
                self.looks += 1;
                self.fetch(*request)
            }
            Look::Lacks(lack) => {
                let error = OAuthError::new(
                    OAuthCode::TemporarilyUnavailable,
                    "the identity provider does not answer as it should: try again later",
                )
                .because(lack.to_string());
                Turn::Done(error.to_json_answer(), Some(error.reason()))
            }
        }
    }

    fn fetch(mut self, request: FetchRequest) -> Turn {
        self.waits_for = Some(request.clone());
        Turn::Fetch(request, Box::new(self))
    }

    /// Goes on with what was fetched.
    pub(crate) fn resume(
        mut self,
        env: &mut Env<'_>,
        server: &Server,
        fetched: Result<Document, FetchFailure>,
    ) -> Turn {
        match self.waits_for.take() {
            Some(request) if request.remember.is_some() => env.facts.learn(&request, &fetched, env.now),
            _ => {
                if let Stage::Token(stage) = &mut self.stage {
                    stage.take(fetched);
                }
            }
        }
        self.go(env, server)
    }
}
