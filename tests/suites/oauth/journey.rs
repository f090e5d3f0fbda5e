//! A client of our own on its way through OAuth, which can stop, repeat and lie at every step.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use system_tests::client::plain_http;
use system_tests::idp::{self, CALLBACK};
use system_tests::secrets;

/// A registered client with a challenge of its own.
#[derive(Clone, Debug)]
pub(crate) struct Journey {
    http: reqwest::Client,
    /// The origin of the authorization server.
    pub(crate) base: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) verifier: String,
    challenge: String,
    pub(crate) state: String,
}

/// An answer of the token endpoint.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Granted {
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        self.body[name].as_str().with_context(|| format!("no {name}: {self:?}"))
    }

    /// A token that was granted.
    pub(crate) fn access_token(&self) -> Result<&str> {
        ensure!(self.status == 200, "{self:?}");
        self.text("access_token")
    }
}

impl Journey {
    /// Registers a client that is called back at [`CALLBACK`].
    pub(crate) async fn begin(base: &str) -> Result<Self> {
        Self::begin_with(base, CALLBACK).await
    }

    /// The same with another redirect URI.
    pub(crate) async fn begin_with(base: &str, redirect_uri: &str) -> Result<Self> {
        let http = plain_http()?;
        let registration = json!({ "client_name": "Journey", "redirect_uris": [redirect_uri] });
        let answer = http
            .post(format!("{base}/oauth/register"))
            .header(CONTENT_TYPE, "application/json")
            .body(registration.to_string())
            .send()
            .await?;
        ensure!(answer.status() == 201, "{}", answer.text().await?);
        let registered: Value = serde_json::from_str(&answer.text().await?)?;
        let client_id = registered["client_id"].as_str().context("a client id")?.to_owned();
        // Two of them are long enough (RFC 7636 section 4.1).
        let verifier = secrets::remember(
            "a client's verifier",
            format!("{}{}", secrets::fresh("half of a verifier"), secrets::fresh("half of a verifier")),
        );
        let challenge = challenge(&verifier);
        Ok(Self {
            http,
            base: base.to_owned(),
            client_id,
            redirect_uri: redirect_uri.to_owned(),
            verifier,
            challenge,
            state: "the client's own state".to_owned(),
        })
    }

    /// The same client at another replica.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Where the client sends the browser.
    pub(crate) fn authorization_url(&self, more: &[(&str, &str)]) -> Result<String> {
        let mut parameters = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("code_challenge", &self.challenge),
            ("code_challenge_method", "S256"),
            ("state", &self.state),
        ]);
        parameters.extend(more.iter().copied());
        parameters.retain(|_, value| !value.is_empty());
        let mut url = Url::parse(&format!("{}/oauth/authorize", self.base))?;
        url.query_pairs_mut().extend_pairs(parameters);
        Ok(url.to_string())
    }

    /// Lets somebody sign in and agree; where the browser is sent in the end.
    pub(crate) async fn visit(&self, options: Value) -> Result<Value> {
        let mut options = options;
        options["url"] = json!(self.authorization_url(&[])?);
        idp::visit(&options).await
    }

    /// The parameters with which the client is called back.
    pub(crate) async fn called_back(&self, login: &str) -> Result<BTreeMap<String, String>> {
        let visit = self.visit(json!({ "login": login })).await?;
        parameters(&visit)
    }

    /// A code for somebody.
    pub(crate) async fn code(&self, login: &str) -> Result<String> {
        let parameters = self.called_back(login).await?;
        ensure!(parameters.get("state") == Some(&self.state), "another state: {parameters:?}");
        ensure!(parameters.get("iss") == Some(&self.base), "another issuer: {parameters:?}");
        parameters.get("code").cloned().with_context(|| format!("no code: {parameters:?}"))
    }

    /// Redeems a code.
    pub(crate) async fn redeem(&self, code: &str) -> Result<Granted> {
        self.redeem_with(code, &[]).await
    }

    /// The same with other parameters; an empty one is left out.
    pub(crate) async fn redeem_with(&self, code: &str, other: &[(&str, &str)]) -> Result<Granted> {
        let mut form = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.verifier),
        ]);
        form.extend(other.iter().copied());
        self.token(form).await
    }

    /// Refreshes.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Granted> {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &*self.client_id)];
        self.token(form.into()).await
    }

    async fn token(&self, form: BTreeMap<&str, &str>) -> Result<Granted> {
        let mut url = Url::parse("http://form")?;
        url.query_pairs_mut().extend_pairs(form.into_iter().filter(|(_, value)| !value.is_empty()));
        let answer = self
            .http
            .post(format!("{}/oauth/token", self.base))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(url.query().unwrap_or_default().to_owned())
            .send()
            .await?;
        let status = answer.status().as_u16();
        let caching = answer.headers().get("cache-control").cloned();
        ensure!(caching.is_some_and(|value| value == "no-store"), "an answer that may be kept");
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).with_context(|| format!("status {status}: {text}"))?;
        Ok(Granted { status, body })
    }

    /// The whole way.
    pub(crate) async fn granted(&self, login: &str) -> Result<Granted> {
        let code = self.code(login).await?;
        self.redeem(&code).await
    }
}

/// The parameters of the URL at which a visit ended.
pub(crate) fn parameters(visit: &Value) -> Result<BTreeMap<String, String>> {
    ensure!(visit["reached"] == json!(true), "the client is not called back: {visit}");
    let url = Url::parse(visit["final_url"].as_str().context("a final URL")?)?;
    Ok(url.query_pairs().into_owned().collect())
}

fn challenge(verifier: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(verifier.as_bytes()))
}
