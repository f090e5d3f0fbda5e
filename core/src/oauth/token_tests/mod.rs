//! The token endpoint against an identity provider whose answers are a script.

mod codes;
mod forwarding;
mod identities;
mod refreshing;

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, Method};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::*;
use crate::config::Host;
use crate::facts::Facts;
use crate::jose::jwt::Algorithm;
use crate::jose::test_provider::{jwks, sign};
use crate::oauth::access_token::{AccessToken, RefreshToken};
use crate::oauth::artifact::{Asked, Carried, Code, Pending};
use crate::oauth::sample;
use crate::oauth::site::{Endpoint, Site};
use crate::oauth::visit::{Turn, Visit};
use crate::time::UnixTime;

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const ISSUER: &str = "https://idp.example.com";
pub(super) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(super) const REDIRECT: &str = "http://127.0.0.1:5000/callback";
/// RFC 7636 appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server, its provider and what was asked of that.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) facts: Facts,
    pub(super) now: u64,
    rng: StdRng,
    /// What the provider's token and userinfo endpoints answer.
    pub(super) script: VecDeque<Fetched>,
    pub(super) asked: Vec<FetchRequest>,
    pub(super) discovery: Value,
    pub(super) jwks: String,
}

pub(super) struct Said {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) reason: Option<String>,
}

pub(super) fn document(status: u16, body: &str) -> Fetched {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Ok(Document { status, content_type: None, cache_control: None, body })
}

/// The claims of a good ID token, with these in place of others; null takes one away.
pub(super) fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "1", "aud": "housekey", "exp": NOW + 300, "iat": NOW, "nonce": "nonce",
        "email": "ann@example.com", "email_verified": true, "irrelevant": "x",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

pub(super) fn id_token(changes: Value) -> String {
    sign(Algorithm::Es256, &claims(changes).to_string())
}

/// What the provider answers with such a token, and with more.
pub(super) fn tokens(changes: Value, more: Value) -> Fetched {
    answer_with(&id_token(changes), more)
}

pub(super) fn answer_with(id_token: &str, more: Value) -> Fetched {
    let mut answer = json!({"id_token": id_token, "access_token": "upstream-access", "expires_in": 600});
    for (name, value) in more.as_object().unwrap() {
        answer[name] = value.clone();
    }
    answer.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document(200, &answer.to_string())
}

impl World {
    pub(super) fn new(more: &[(&str, &str)]) -> Self {
        let base = [
            ("MCP_OAUTH_ISSUER", ISSUER),
            ("MCP_OAUTH_CLIENT_SECRET", "upstream secret"),
            ("MCP_OAUTH_PUBLIC_RESOURCE_URL", RESOURCE),
        ];
        Self {
            server: sample::server(Host::Native, &[&base, more].concat()).unwrap(),
            facts: Facts::default(),
            now: NOW,
            rng: StdRng::seed_from_u64(7),
            script: VecDeque::new(),
            asked: Vec::new(),
            discovery: json!({
                "issuer": ISSUER,
                "token_endpoint": format!("{ISSUER}/token"),
                "userinfo_endpoint": format!("{ISSUER}/userinfo"),
                "jwks_uri": format!("{ISSUER}/jwks"),
            }),
            jwks: jwks(),
        }
    }

    pub(super) fn client(&mut self, name: &str) -> String {
        let registration = json!({"u": [REDIRECT], "n": name, "a": "n", "i": NOW});
        self.server.facade().unwrap().1.client.seal(&mut self.rng, &registration).unwrap()
    }

    /// A code for a client, changed before it is sealed.
    pub(super) fn code(&mut self, client: &str, change: impl FnOnce(&mut Code)) -> String {
        let asked = Asked {
            client: Digest::of(client),
            redirect_uri: REDIRECT.to_owned(),
            state: None,
            challenge: CHALLENGE.to_owned(),
            resource: RESOURCE.to_owned(),
            scope: "openid email".to_owned(),
            issuer: "https://mcp.example.com".to_owned(),
            browser: Digest::of("cookie"),
            expires: NOW + 60,
        };
        let pending =
            Pending { asked, verifier: Carried::from("our verifier".to_owned()), nonce: "nonce".into() };
        let mut code = Code {
            pending,
            upstream_code: Carried::from("upstream code".to_owned()),
            callback: "https://mcp.example.com/oauth/callback".to_owned(),
            expires: NOW + 60,
        };
        change(&mut code);
        self.server.facade().unwrap().1.code.seal(&mut self.rng, &code).unwrap()
    }

    pub(super) fn env<T>(&mut self, with: impl FnOnce(&mut Env<'_>, &Server) -> T) -> T {
        let now = UnixTime::from_seconds(self.now);
        with(&mut Env { now, rng: &mut self.rng, facts: &self.facts }, &self.server)
    }

    /// Posts a form.
    pub(super) fn post(&mut self, form: &[(&str, &str)]) -> Said {
        self.post_as("application/x-www-form-urlencoded; charset=utf-8", None, "", form)
    }

    pub(super) fn post_as(
        &mut self,
        content_type: &str,
        authorization: Option<&str>,
        query: &str,
        form: &[(&str, &str)],
    ) -> Said {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        if let Some(value) = authorization {
            headers.insert("authorization", value.parse().unwrap());
        }
        let request = Request {
            endpoint: Endpoint::Token,
            site: Site::configured(&self.server.config, &self.server.oauth),
            method: Method::POST,
            headers,
            query: query.to_owned(),
            body: Bytes::from(Form::write(form)),
        };
        let mut turn = self.env(|env, server| Visit::new(request).go(env, server));
        loop {
            turn = match turn {
                Turn::Done(answer, reason) => {
                    let headers = answer.headers();
                    assert_eq!(headers["cache-control"], "no-store", "RFC 6749 section 5.1");
                    let body = serde_json::from_slice(answer.body()).unwrap();
                    return Said { status: answer.status().as_u16(), body, reason };
                }
                Turn::Fetch(ask, visit) => {
                    let fetched = match ask.url.as_str() {
                        url if url.ends_with("/.well-known/openid-configuration") => {
                            document(200, &self.discovery.to_string())
                        }
                        url if url.ends_with("/jwks") => document(200, &self.jwks),
                        url => {
                            self.script.pop_front().unwrap_or_else(|| panic!("{url} is not in the script"))
                        }
                    };
                    self.asked.push(ask);
                    self.env(|env, server| visit.resume(env, server, fetched))
                }
            };
        }
    }

    /// Redeems a fresh code of a client, to what the provider answers.
    pub(super) fn login(&mut self, answers: impl IntoIterator<Item = Fetched>) -> Said {
        let client = self.client("one");
        let code = self.code(&client, |_| {});
        self.script = answers.into_iter().collect();
        let said = self.redeem(&client, &code);
        assert!(self.script.is_empty(), "everything was asked for");
        said
    }

    pub(super) fn redeem(&mut self, client: &str, code: &str) -> Said {
        self.post(&[
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("code_verifier", VERIFIER),
        ])
    }

    pub(super) fn access(&mut self, said: &Said) -> AccessToken {
        let text = said.body["access_token"].as_str().unwrap().to_owned();
        let keys = self.server.facade().unwrap().1.clone();
        AccessToken::open(&keys, &text, UnixTime::from_seconds(self.now)).unwrap()
    }

    pub(super) fn refresh_token(&self, text: &str) -> RefreshToken {
        self.server.facade().unwrap().1.refresh.open(text).unwrap()
    }

    /// The forms that were posted to the provider's token endpoint.
    pub(super) fn posted(&self) -> Vec<Form> {
        let forms = self.asked.iter().filter_map(|ask| ask.form.as_ref());
        forms.map(|form| Form::parse(form.expose().as_bytes()).unwrap()).collect()
    }
}

impl Said {
    pub(super) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("{name} in {}, {:?}", self.body, self.reason))
    }

    /// That it is an error of this word, of which nobody is told a secret.
    pub(super) fn refused(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.text("error")), (status, error), "{} {:?}", self.body, self.reason);
        let told = format!("{} {:?}", self.body, self.reason);
        for secret in ["upstream", "SECRET", VERIFIER, "eyJ"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

pub(super) fn keys_of(claims: &Map<String, Value>) -> Vec<&str> {
    claims.keys().map(String::as_str).collect()
}
