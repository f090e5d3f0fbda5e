//! Documents from the web, within the bounds that core sets.
//!
//! What a stranger named has to be of the public internet. Deliberately absent: redirects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::BytesMut;
use housekey_core::fetch::{Document, FetchFailure, FetchRequest, NamedBy};
use reqwest::redirect::Policy;
use tokio::sync::{OwnedMutexGuard, Semaphore};
use tokio::time::timeout;
use tracing::warn;

use crate::clickhouse::chain;
use crate::host::install_cryptography;
use crate::resolver::{AddressRule, ForbiddenAddress};

const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Fetches documents. Its connections are made when they are first needed.
pub struct Fetcher {
    operator: OnceLock<reqwest::Client>,
    stranger: OnceLock<reqwest::Client>,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    for_strangers: Semaphore,
}

/// Fetches that strangers may cause at once, by the addresses that they name and by tokens that have to be asked about.
const MOST_FOR_STRANGERS: usize = 16;

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            operator: OnceLock::new(),
            stranger: OnceLock::new(),
            turns: Mutex::default(),
            for_strangers: Semaphore::new(MOST_FOR_STRANGERS),
        }
    }
}

impl Fetcher {
    /// Fetches a document.
    ///
    /// # Errors
    /// The address is forbidden or silent, or its answer is not a document within bounds.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Document, FetchFailure> {
        let fetched = timeout(request.deadline, self.attempt(request)).await;
        let fetched = fetched.unwrap_or(Err(FetchFailure::TimedOut));
        if let Err(failure) = &fetched {
            warn!(purpose = request.purpose, "a document could not be fetched: {failure}");
        }
        fetched
    }

    /// Waits until nobody else is fetching what has this key.
    pub async fn turn(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            match turns.get(key).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::default();
                    turns.insert(key.to_owned(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }

    async fn attempt(&self, request: &FetchRequest) -> Result<Document, FetchFailure> {
        let by_stranger = matches!(request.named_by, NamedBy::Stranger { .. });
        let by_token = request.form.is_some() && request.remember.is_some();
        // It is never closed.
        let _place = match by_stranger || by_token {
            true => self.for_strangers.acquire().await.ok(),
            false => None,
        };
        let url = reqwest::Url::parse(&request.url).map_err(|_| FetchFailure::Forbidden)?;
        let client = match request.named_by {
            NamedBy::Operator => client(&self.operator, reqwest::Client::builder())?,
            NamedBy::Stranger { .. } => {
                check_strangers_url(&url)?;
                client(
                    &self.stranger,
                    reqwest::Client::builder().dns_resolver(AddressRule::Public.resolver()),
                )?
            }
        };
        let accept = (http::header::ACCEPT, "application/json, */*;q=0.1");
        let asked = match &request.form {
            None => client.get(url),
            Some(form) => client
                .post(url)
                .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose().clone()),
        };
        let asked = match &request.authorization {
            None => asked,
            Some(value) => asked.header(http::header::AUTHORIZATION, sensitive(value.expose())?),
        };
        let sent = asked.header(accept.0, accept.1).send().await;
        let mut response = sent.map_err(|error| {
            warn!(purpose = request.purpose, "no answer: {}", chain(&error));
            match ForbiddenAddress::behind(&error) {
                Some(_) => FetchFailure::Forbidden,
                None => FetchFailure::Unreachable,
            }
        })?;
        let status = response.status();
        if status != http::StatusCode::OK && !request.any_status {
            return Err(FetchFailure::Status(status.as_u16()));
        }
        let header = |name| {
            let value: Option<&http::HeaderValue> = response.headers().get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (content_type, cache_control) =
            (header(http::header::CONTENT_TYPE), header(http::header::CACHE_CONTROL));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| FetchFailure::Unreachable)? {
            if body.len().saturating_add(chunk.len()) > request.max_bytes {
                return Err(FetchFailure::TooLarge(request.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Document { status: status.as_u16(), content_type, cache_control, body: body.freeze() })
    }
}

fn sensitive(text: &str) -> Result<http::HeaderValue, FetchFailure> {
    let mut value = http::HeaderValue::from_str(text).map_err(|_| FetchFailure::Forbidden)?;
    value.set_sensitive(true);
    Ok(value)
}

fn client(
    place: &OnceLock<reqwest::Client>,
    builder: reqwest::ClientBuilder,
) -> Result<reqwest::Client, FetchFailure> {
    if let Some(client) = place.get() {
        return Ok(client.clone());
    }
    install_cryptography();
    let builder = builder.redirect(Policy::none()).no_proxy().pool_idle_timeout(IDLE_TIMEOUT);
    let client = builder.build().map_err(|error| {
        warn!("the HTTP client could not be built: {}", chain(&error));
        FetchFailure::Unreachable
    })?;
    Ok(place.get_or_init(|| client).clone())
}

/// A stranger may name nothing but `https://host/path`.
fn check_strangers_url(url: &reqwest::Url) -> Result<(), FetchFailure> {
    let has_login = !url.username().is_empty() || url.password().is_some();
    if url.scheme() != "https" || has_login || url.host_str().is_none_or(str::is_empty) {
        return Err(FetchFailure::Forbidden);
    }
    AddressRule::Public.check_url(url).map_err(|refused| {
        warn!("a document is not fetched: {refused}");
        FetchFailure::Forbidden
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_name_public_https_hosts() {
        for (url, allowed) in [
            ("https://client.example/metadata.json", true),
            ("https://1.1.1.1/a", true),
            ("http://client.example/a", false),
            ("https://127.0.0.1/a", false),
            ("https://2130706433/a", false),
            ("https://0x7f.1/a", false),
            ("https://[::1]/a", false),
            ("https://[::ffff:10.0.0.1]:8443/a", false),
            ("https://me:secret@client.example/a", false),
            ("ftp://client.example/a", false),
        ] {
            let url = reqwest::Url::parse(url).unwrap();
            assert_eq!(check_strangers_url(&url).is_ok(), allowed, "{url}");
        }
    }

    #[tokio::test]
    async fn a_strangers_name_that_leads_home_is_refused() {
        let request = FetchRequest {
            named_by: NamedBy::Stranger { listed: true },
            ..FetchRequest::get("https://localhost/a", "test")
        };
        assert_eq!(Fetcher::default().fetch(&request).await, Err(FetchFailure::Forbidden));
    }
}
