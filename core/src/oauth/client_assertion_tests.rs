//! Who is let in as a client, and who only says so.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::config::Host;
use crate::facts::Facts;
use crate::fetch::{Document, NamedBy};
use crate::jose::jwt::Algorithm;
use crate::jose::test_provider::{jwks, sign, sign_as};
use crate::oauth::client::Kind;
use crate::oauth::sample;
use crate::oauth::upstream::Lack;
use crate::time::UnixTime;

const NOW: u64 = 1_800_000_000;
const ID: &str = "https://client.example/c.json";
const TOKEN_ENDPOINT: &str = "https://mcp.example.com/oauth/token";

fn server() -> Server {
    sample::server(Host::Native, &[]).unwrap()
}

fn client(authentication: Authentication) -> Client {
    let kind = Kind::Document { host: "client.example".to_owned() };
    Client { id: ID.to_owned(), name: None, redirect_uris: Vec::new(), authentication, kind }
}

fn claims() -> Value {
    json!({ "iss": ID, "sub": ID, "aud": TOKEN_ENDPOINT, "exp": NOW + 300, "iat": NOW, "jti": "1" })
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    sign(Algorithm::Es256, &claims.to_string())
}

fn ask(
    facts: &Facts,
    authentication: Authentication,
    parameters: &[(&str, &str)],
) -> Result<(), ClientError> {
    let form = Form::parse(Form::write(parameters).as_bytes()).unwrap();
    let env = Env { now: UnixTime::from_seconds(NOW), rng: &mut rand::rng(), facts };
    let audiences = ["https://mcp.example.com", TOKEN_ENDPOINT];
    authenticate(&env, &server(), &client(authentication), &form, &audiences)
}

fn judge(assertion: &str) -> Result<(), ClientError> {
    let parameters = [("client_assertion", assertion), ("client_assertion_type", TYPE)];
    ask(&Facts::default(), Authentication::InlineKeys(jwks()), &parameters)
}

#[test]
fn a_client_that_signs_is_let_in() {
    for aud in [json!(TOKEN_ENDPOINT), json!("https://mcp.example.com/"), json!(["x", TOKEN_ENDPOINT])] {
        assert_eq!(judge(&with("aud", aud)), Ok(()));
    }
    assert_eq!(judge(&sign(Algorithm::Rs256, &claims().to_string())), Ok(()));
}

/// RFC 7523 section 3, OpenID Connect Core 1.0 section 9.
#[test]
fn others_are_not() {
    let unsigned = sign_as(Algorithm::Es256, r#"{"alg":"none"}"#, &claims().to_string());
    let foreign = sign_as(Algorithm::Es256, r#"{"alg":"ES256","kid":"ed"}"#, &claims().to_string());
    for (what, assertion) in [
        ("another issuer", with("iss", json!("https://other.example/c.json"))),
        ("another subject", with("sub", json!("https://other.example/c.json"))),
        ("no subject", with("sub", Value::Null)),
        ("another audience", with("aud", json!("https://idp.example.com/token"))),
        ("no audience", with("aud", json!([]))),
        ("expired", with("exp", json!(NOW - 61))),
        ("no end", with("exp", Value::Null)),
        ("too long", with("exp", json!(NOW + 661))),
        ("not yet", with("nbf", json!(NOW + 100))),
        ("no jti", with("jti", Value::Null)),
        ("an empty jti", with("jti", json!(""))),
        ("unsigned", unsigned),
        ("another key", foreign),
        ("garbage", "a.b.c".to_owned()),
    ] {
        let Err(ClientError::Refused(error)) = judge(&assertion) else { panic!("{what} is let in") };
        assert_eq!(error.code, OAuthCode::InvalidClient, "{what}");
        assert!(!error.reason().contains("other.example"), "{what}: {}", error.reason());
    }
}

#[test]
fn who_says_that_it_signs_has_to() {
    let good = with("jti", json!("2"));
    for parameters in [
        &[][..],
        &[("client_secret", "x")],
        &[("client_assertion_type", TYPE)],
        &[("client_assertion", &good)],
        &[
            ("client_assertion", &good),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        ],
    ] {
        let refused = ask(&Facts::default(), Authentication::InlineKeys(jwks()), parameters);
        assert!(matches!(refused, Err(ClientError::Refused(_))), "{parameters:?}");
        assert_eq!(ask(&Facts::default(), Authentication::None, parameters), Ok(()), "{parameters:?}");
    }
}

#[test]
fn keys_at_a_url_are_fetched_as_a_strangers() {
    let facts = Facts::default();
    let assertion = with("jti", json!("3"));
    let parameters = [("client_assertion", assertion.as_str()), ("client_assertion_type", TYPE)];
    let url = "https://client.example/keys";
    let ask = |url: &str| ask(&facts, Authentication::KeysAt(url.to_owned()), &parameters);
    let Err(ClientError::Lacks(Lack::Learn(request))) = ask(url) else { panic!("a fetch") };
    assert_eq!((request.url.as_str(), request.named_by), (url, NamedBy::Stranger { listed: false }));
    assert_ne!(request.remember.as_ref().unwrap().key, url, "no fact of the operator's");
    let body = Bytes::from(jwks());
    let document = Document { status: 200, content_type: None, cache_control: None, body };
    facts.learn(&request, &Ok(document), UnixTime::from_seconds(NOW));
    assert_eq!(ask(url), Ok(()));
    assert!(matches!(ask("https://10.0.0.1/keys"), Err(ClientError::Refused(_))), "judged once more");
}

/// A client that hears `invalid_client` throws away what it has.
#[test]
fn keys_that_cannot_be_had_now_are_no_fault_of_the_client() {
    use crate::fetch::FetchFailure::{Forbidden, Status, TimedOut, Unreachable};
    let assertion = with("jti", json!("4"));
    let parameters = [("client_assertion", assertion.as_str()), ("client_assertion_type", TYPE)];
    let text = |text: &'static str| {
        let body = Bytes::from_static(text.as_bytes());
        Ok(Document { status: 200, content_type: None, cache_control: None, body })
    };
    let (now, gone) = (OAuthCode::TemporarilyUnavailable, OAuthCode::InvalidClient);
    for (outcome, code) in [
        (Err(Unreachable), now),
        (Err(TimedOut), now),
        (Err(Status(503)), now),
        (Err(Status(404)), gone),
        (Err(Forbidden), gone),
        (text("no keys"), gone),
    ] {
        let facts = Facts::default();
        let keys = || Authentication::KeysAt("https://client.example/keys".to_owned());
        let Err(ClientError::Lacks(Lack::Learn(request))) = ask(&facts, keys(), &parameters) else {
            panic!("a fetch")
        };
        facts.learn(&request, &outcome, UnixTime::from_seconds(NOW));
        let Err(ClientError::Refused(error)) = ask(&facts, keys(), &parameters) else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.code, code, "{outcome:?}");
    }
}

/// ChatGPT's document says that it signs, and its requests bring no assertion.
#[test]
fn only_a_document_whose_answers_go_to_its_own_host_is_let_in_unsigned() {
    let facts = Facts::default();
    let env = Env { now: UnixTime::from_seconds(NOW), rng: &mut rand::rng(), facts: &facts };
    let signing = Authentication::InlineKeys(jwks());
    let document = Kind::Document { host: "client.example".to_owned() };
    for (kind, uris, passes) in [
        (document.clone(), vec!["https://client.example/back"], true),
        (document.clone(), vec!["https://CLIENT.example./back", "https://a.b.client.example:8443/"], true),
        (document.clone(), vec!["https://client.example/back", "https://other.example/back"], false),
        (document.clone(), vec!["https://evilclient.example/back"], false),
        (document.clone(), vec!["https://example/back"], false),
        // A program on the person's computer, at a name with a certificate of its own.
        (document.clone(), vec!["https://localhost/back"], false),
        (document.clone(), vec!["https://client.example.localhost/back"], false),
        (document.clone(), vec!["https://client.example/back", "http://127.0.0.1/back"], false),
        (document.clone(), vec!["cursor://back"], false),
        (document, vec![], false),
        (Kind::Registered, vec!["https://client.example/back"], false),
    ] {
        let redirect_uris: Vec<String> = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let client = Client { redirect_uris, kind, ..client(signing.clone()) };
        let outcome = authenticate(&env, &server(), &client, &Form::default(), &[TOKEN_ENDPOINT]);
        assert_eq!(outcome.is_ok(), passes, "{uris:?}");
        // One that comes has to be good all the same.
        let form = Form::parse(Form::write(&[("client_assertion", "bad")]).as_bytes()).unwrap();
        assert!(authenticate(&env, &server(), &client, &form, &[TOKEN_ENDPOINT]).is_err());
    }
}
