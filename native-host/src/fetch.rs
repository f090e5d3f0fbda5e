//! Documents from the web, within the bounds that core sets.
//!
//! For an address that a stranger named, names are resolved here and every address is checked before it is
//! connected to: the check and the connection see the same answer of the DNS. Deliberately absent: redirects.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use housekey_core::exchange::{FetchFailure, FetchRequest, NamedBy};
use housekey_core::facts::Document;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use tokio::time::timeout;
use tracing::warn;

use crate::clickhouse::chain;
use crate::host::install_cryptography;

const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Fetches documents. Its connections are made when they are first needed.
#[derive(Default)]
pub struct Fetcher {
    operator: OnceLock<reqwest::Client>,
    stranger: OnceLock<reqwest::Client>,
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

    async fn attempt(&self, request: &FetchRequest) -> Result<Document, FetchFailure> {
        let url = reqwest::Url::parse(&request.url).map_err(|_| FetchFailure::Forbidden)?;
        let client = match request.named_by {
            NamedBy::Operator => client(&self.operator, reqwest::Client::builder())?,
            NamedBy::Stranger => {
                check_strangers_url(&url)?;
                client(&self.stranger, reqwest::Client::builder().dns_resolver(Arc::new(GlobalOnly)))?
            }
        };
        let accept = (http::header::ACCEPT, "application/json, */*;q=0.1");
        let sent = client.get(url).header(accept.0, accept.1).send().await;
        let mut response = sent.map_err(|error| {
            warn!(purpose = request.purpose, "no answer: {}", chain(&error));
            if is_forbidden(&error) { FetchFailure::Forbidden } else { FetchFailure::Unreachable }
        })?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchFailure::Status(response.status().as_u16()));
        }
        let content_type = response.headers().get(http::header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| FetchFailure::Unreachable)? {
            if body.len().saturating_add(chunk.len()) > request.max_bytes {
                return Err(FetchFailure::TooLarge(request.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Document { content_type, body: body.freeze() })
    }
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

/// A stranger may name nothing but `https://host/path`, and a host that is an address is checked here: it never
/// passes a resolver.
fn check_strangers_url(url: &reqwest::Url) -> Result<(), FetchFailure> {
    let host = url.host_str().unwrap_or_default();
    let address = IpAddr::from_str(host.trim_start_matches('[').trim_end_matches(']'));
    let has_login = !url.username().is_empty() || url.password().is_some();
    if url.scheme() != "https"
        || has_login
        || host.is_empty()
        || address.is_ok_and(|address| !is_global(address))
    {
        return Err(FetchFailure::Forbidden);
    }
    Ok(())
}

/// Resolves names, and refuses one with any address that is not of the public internet.
struct GlobalOnly;

#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not of the public internet")]
struct NotGlobal;

impl Resolve for GlobalOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if addresses.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            if addresses.iter().any(|address| !is_global(address.ip())) {
                return Err(NotGlobal.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn is_forbidden(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<NotGlobal>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether an address is of the public internet (IANA's special-purpose registries, RFC 6890).
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113);
    !special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    // An IPv4 address in any of its disguises is judged as that address.
    if let Some(embedded) = embedded_v4(address) {
        return is_global_v4(embedded);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is handed out; within it, protocol assignments (2001::/23), two blocks for documentation.
    let handed_out = first & 0xe000 == 0x2000;
    let special =
        (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) || (first == 0x3fff && second < 0x1000);
    handed_out && !special
}

/// IPv4-mapped (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses carry an IPv4 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_global() {
        for (address, global) in [
            ("1.1.1.1", true),
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("100.64.0.1", false),
            ("172.15.0.1", true),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("10.0.0.1", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("169.254.169.254", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("198.18.0.1", false),
            ("198.51.100.1", false),
            ("203.0.113.9", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("2a00:1450:4001::1", true),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::808:808", true),
            ("64:ff9b:1::1", false),
            ("2002:7f00:1::", false),
            ("2002:808:808::", true),
            ("100::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_global(address.parse().unwrap()), global, "{address}");
        }
    }

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
            url: "https://localhost/a".into(),
            purpose: "test",
            named_by: NamedBy::Stranger,
            max_bytes: 100,
            deadline: Duration::from_secs(10),
            remember: None,
        };
        assert_eq!(Fetcher::default().fetch(&request).await, Err(FetchFailure::Forbidden));
    }
}
