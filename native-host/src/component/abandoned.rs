//! Queries whose guest has gone: a client left, and the guest with it.
//!
//! ClickHouse ends a plain read by itself when its connection closes. It does not end every query that runs inside
//! `EXECUTE AS`, so the host remembers, for each query under way, its `query_id` and the headers that logged in, and
//! asks the server in the guest's place to replace it by `SELECT 1`, or to kill it. A query that the guest itself gave
//! up is the guest's to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use housekey_core::sql::quote_literal;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Url;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How long the end of an abandoned query may take.
const CANCEL: Duration = Duration::from_secs(10);
/// A query younger than this may still be on its way when its end arrives, so that is asked for again.
const YOUNG: Duration = Duration::from_millis(500);

/// Whether a guest still runs. What it drops while it runs, it meant to drop.
#[derive(Clone, Default)]
pub(super) struct Life(Arc<AtomicBool>);

impl Life {
    /// The guest runs no more.
    pub(super) fn end(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Ends a query whose guest has gone, when dropped.
pub(super) struct Abandoned {
    pub(super) query: Option<RunningQuery>,
    life: Life,
}

pub(super) struct RunningQuery {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    query_id: String,
    begun: Instant,
    runtime: Handle,
}

impl RunningQuery {
    async fn end(&self) {
        let query_id = &self.query_id;
        let ended = match self.ask(self.url.clone(), "SELECT 1".to_owned()).await {
            // A profile may forbid the setting; killing needs a grant instead.
            Ok(status) if !status.is_success() => {
                self.ask(killing(&self.url, query_id), kill(query_id)).await
            }
            other => other,
        };
        match ended {
            Ok(status) if status.is_success() => tracing::debug!(query_id, "the query was cancelled"),
            Ok(status) => tracing::warn!(query_id, "the query may still run: status {status}"),
            Err(problem) => tracing::warn!(query_id, "the query may still run: {}", problem.without_url()),
        }
    }

    async fn ask(&self, url: Url, sql: String) -> reqwest::Result<StatusCode> {
        let request = self.client.post(url).headers(self.headers.clone());
        Ok(request.body(sql).timeout(CANCEL).send().await?.status())
    }
}

/// Where to send what kills a query, by where what replaces it was sent.
fn killing(replacing: &Url, query_id: &str) -> Url {
    let mut url = replacing.clone();
    url.query_pairs_mut().clear().append_pair("query_id", &format!("{query_id}-end"));
    url
}

fn kill(query_id: &str) -> String {
    format!("KILL QUERY WHERE query_id = {} ASYNC", quote_literal(query_id))
}

impl Abandoned {
    pub(super) fn watch(client: &reqwest::Client, request: &reqwest::Request, life: Life) -> Self {
        let query = replacement(request).map(|(url, query_id)| {
            let mut headers = request.headers().clone();
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                headers.remove(name);
            }
            RunningQuery {
                client: client.clone(),
                url,
                headers,
                query_id,
                begun: Instant::now(),
                runtime: Handle::current(),
            }
        });
        Self { query, life }
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let Some(query) = self.query.take().filter(|_| self.life.is_over()) else { return };
        query.runtime.clone().spawn(async move {
            let young = query.begun.elapsed() < YOUNG;
            query.end().await;
            if young {
                tokio::time::sleep(YOUNG).await;
                query.end().await;
            }
        });
    }
}

/// Where to send what replaces this query, and its id; `None` when it is no query, or a replacement itself.
fn replacement(request: &reqwest::Request) -> Option<(Url, String)> {
    const REPLACE: &str = "replace_running_query";
    let replaces = request.url().query_pairs().any(|(name, _)| name == REPLACE);
    if *request.method() != Method::POST || replaces {
        return None;
    }
    let query_id = query_id(request.url())?;
    let mut url = request.url().clone();
    url.query_pairs_mut().clear().append_pair("query_id", &query_id).append_pair(REPLACE, "1");
    Some((url, query_id))
}

/// The id of a query, by where it is sent.
pub(super) fn query_id(url: &Url) -> Option<String> {
    url.query_pairs().find(|(name, _)| name == "query_id").map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_replaced_and_a_replacement_is_not() {
        let request = |method, url: &str| reqwest::Request::new(method, Url::parse(url).unwrap());
        let query = request(Method::POST, "http://db:8123/?database=x&query_id=a%20b&readonly=2");
        let (url, id) = replacement(&query).unwrap();
        assert_eq!(
            (url.as_str(), id.as_str()),
            ("http://db:8123/?query_id=a+b&replace_running_query=1", "a b")
        );
        for other in [
            request(Method::GET, "http://db:8123/?query_id=1"),
            request(Method::POST, "http://db:8123/?database=x"),
            request(Method::POST, url.as_str()),
        ] {
            assert!(replacement(&other).is_none(), "{}", other.url());
        }
        assert_eq!(killing(&url, "a b").as_str(), "http://db:8123/?query_id=a+b-end");
        assert_eq!(kill(r"a' OR '1\"), r"KILL QUERY WHERE query_id = 'a\' OR \'1\\' ASYNC");
    }
}
