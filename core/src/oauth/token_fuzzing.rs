//! The property that fuzzers and the replayed corpus hold the token endpoint to: whatever a client and an identity
//! provider say, nothing panics, every answer is JSON that nobody keeps, and nobody gets a token without a genuine code or
//! refresh token and an identity provider that names a person.

use std::sync::LazyLock;

use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::access_token::RefreshToken;
use super::artifact::{Asked, Carried, Code, Digest, Pending};
use super::sample;
use super::server::Server;
use super::site::{Endpoint, Site};
use super::visit::{Request, Turn, Visit};
use crate::config::Host;
use crate::counting::Counting;
use crate::env::Env;
use crate::facts::Facts;
use crate::fetch::{Document, FetchFailure};
use crate::jose::base64url;
use crate::time::UnixTime;

const NOW: u64 = 1_800_000_000;
/// Fetches after which a request must have been answered.
const MOST_FETCHES: usize = 16;
/// The key of RFC 8037 appendix A.1, which anybody knows, so that claims behind a signature are reached.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const HEADER: &str = r#"{"alg":"EdDSA"}"#;
/// RFC 7636 appendix B has its verifier.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

static GATING: LazyLock<Option<Server>> = LazyLock::new(|| server("gating"));
static FORWARD: LazyLock<Option<Server>> = LazyLock::new(|| server("forward"));

fn server(mode: &str) -> Option<Server> {
    let more = [
        ("MCP_OAUTH_MODE", mode),
        ("MCP_OAUTH_ISSUER", "https://idp.example"),
        ("MCP_OAUTH_JWKS", KEYS),
        ("MCP_OAUTH_AUTH_URL", "https://idp.example/authorize"),
        ("MCP_OAUTH_TOKEN_URL", "https://idp.example/token"),
        ("MCP_OAUTH_USERINFO_URL", "https://idp.example/userinfo"),
        ("MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS", "true"),
        ("MCP_OAUTH_ALLOWED_EMAIL_DOMAINS", "example.com"),
        ("MCP_OAUTH_VALIDATE", if mode == "forward" { "true" } else { "false" }),
        ("MCP_OAUTH_PUBLIC_RESOURCE_URL", "https://mcp.example/mcp"),
    ];
    sample::server(Host::Native, &more)
}

/// One request to the token endpoint. The input has four parts, with empty lines between: a form, the identity
/// provider's answer, the claims of the ID token in it, and userinfo. `{client}`, `{code}`, `{refresh}` and `{id_token}`
/// stand for genuine ones. A provider whose answer is empty cannot be reached.
pub fn check(input: &str) {
    for server in [GATING.as_ref(), FORWARD.as_ref()].into_iter().flatten() {
        let _ = run(server, input);
    }
}

/// Whether it gives tokens.
fn run(server: &Server, input: &str) -> bool {
    let mut parts = input.splitn(4, "\n\n");
    let mut next = || parts.next().unwrap_or_default();
    let (form, tokens, claims, userinfo) = (next(), next(), next(), next());
    let (facts, mut rng) = (Facts::default(), Counting(1));
    let mut env = Env { now: UnixTime::from_seconds(NOW), rng: &mut rng, facts: &facts };
    let Some([client, code, refresh]) = artefacts(&mut env, server) else { return false };
    let form = form.replace("{client}", &client).replace("{code}", &code).replace("{refresh}", &refresh);
    let tokens = tokens.replace("{id_token}", &signed(claims));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let request = Request {
        endpoint: Endpoint::Token,
        site: Site::configured(&server.config, &server.oauth),
        method: Method::POST,
        headers,
        query: String::new(),
        body: Bytes::from(form.clone()),
    };
    let mut asked = false;
    let mut turn = Visit::new(request).go(&mut env, server);
    for _ in 0..MOST_FETCHES {
        turn = match turn {
            Turn::Fetch(ask, visit) => {
                let text = if ask.url.ends_with("/token") { tokens.as_str() } else { userinfo };
                asked |= ask.url.ends_with("/token");
                visit.resume(&mut env, server, answered(text))
            }
            Turn::Done(answer, reason) => {
                let body: Option<Map<String, Value>> = serde_json::from_slice(answer.body()).ok();
                assert!(body.is_some(), "an answer is a JSON object");
                assert!(answer.headers().contains_key("cache-control"), "nobody keeps an answer");
                let gives = body.is_some_and(|body| body.contains_key("access_token"));
                assert!(gives == answer.status().is_success(), "tokens come with success only");
                assert!(gives != reason.is_some(), "the operator is told of refusals");
                assert!(!gives || asked, "the identity provider is asked before anybody gets a token");
                let genuine = form.contains(&code) || form.contains(&refresh);
                assert!(!gives || genuine, "a token for nothing");
                return gives;
            }
        };
    }
    assert!(matches!(turn, Turn::Done(..)), "it never ends");
    false
}

fn answered(text: &str) -> Result<Document, FetchFailure> {
    if text.is_empty() {
        return Err(FetchFailure::Unreachable);
    }
    // An answer may begin with its status.
    let (status, body) = text.split_once(' ').unwrap_or(("", text));
    let (status, body) = status.parse().map_or((200, text), |status| (status, body));
    let body = Bytes::copy_from_slice(body.as_bytes());
    Ok(Document { status, content_type: None, cache_control: None, body })
}

/// A client id, a code and a refresh token.
fn artefacts(env: &mut Env<'_>, server: &Server) -> Option<[String; 3]> {
    let (_, keys) = server.facade()?;
    let registration = json!({"u": ["http://127.0.0.1/callback"], "a": "n", "i": NOW});
    let client = keys.client.seal(env.rng, &registration)?;
    let asked = Asked {
        client: Digest::of(&client),
        redirect_uri: "http://127.0.0.1/callback".to_owned(),
        state: None,
        challenge: CHALLENGE.to_owned(),
        resource: "https://mcp.example/mcp".to_owned(),
        scope: "openid email".to_owned(),
        issuer: "https://mcp.example".to_owned(),
        browser: Digest::of("cookie"),
        expires: NOW + 60,
    };
    let pending =
        Pending { asked, verifier: Carried::from("verifier".to_owned()), nonce: "nonce".to_owned() };
    let code = Code {
        pending,
        upstream_code: Carried::from("theirs".to_owned()),
        callback: "https://mcp.example/oauth/callback".to_owned(),
        expires: NOW + 60,
    };
    let mut claims = Map::new();
    for (name, value) in [("iss", "https://idp.example"), ("sub", "1"), ("email", "ann@example.com")] {
        claims.insert(name.to_owned(), value.into());
    }
    claims.insert("email_verified".to_owned(), true.into());
    let refresh = RefreshToken {
        iss: "https://mcp.example".to_owned(),
        aud: "https://mcp.example/mcp".to_owned(),
        scope: "openid email".to_owned(),
        client: Digest::of(&client),
        exp: NOW + 600,
        claims,
        upstream: Some(Carried::from("theirs".to_owned())),
    };
    let code = keys.code.seal(env.rng, &code)?;
    let refresh = keys.refresh.seal(env.rng, &refresh)?;
    Some([client, code, refresh])
}

fn signed(claims: &str) -> String {
    let seed: Option<[u8; 32]> =
        base64url::decode(SEED).ok().and_then(|seed| seed.as_slice().try_into().ok());
    let input = format!("{}.{}", base64url::encode(HEADER.as_bytes()), base64url::encode(claims.as_bytes()));
    let signature = SigningKey::from_bytes(&seed.unwrap_or_default()).sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(&signature.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_begins_beyond_the_first_error() {
        let (gating, forward) = (GATING.as_ref().unwrap(), FORWARD.as_ref().unwrap());
        for (input, by_gating, by_forward) in [
            (include_str!("../../fuzz/corpus/oauth_token/login"), true, true),
            (include_str!("../../fuzz/corpus/oauth_token/userinfo"), true, true),
            (include_str!("../../fuzz/corpus/oauth_token/both"), true, false),
            (include_str!("../../fuzz/corpus/oauth_token/refresh"), true, true),
            (include_str!("../../fuzz/corpus/oauth_token/kept"), true, true),
            (include_str!("../../fuzz/corpus/oauth_token/other-subject"), false, false),
            (include_str!("../../fuzz/corpus/oauth_token/replayed"), false, false),
            (include_str!("../../fuzz/corpus/oauth_token/no-code"), false, false),
        ] {
            assert_eq!((run(gating, input), run(forward, input)), (by_gating, by_forward), "{input}");
        }
    }
}
