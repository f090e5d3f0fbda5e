//! The browser: the cookies by which one is known again, where it may come from, and how it is sent on.
//!
//! The cookie is a random value that means nothing here. What is sealed holds its digest, so that a link that was begun in
//! one browser cannot be finished in another (RFC 9700 sections 4.5 and 4.7).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, COOKIE, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::artifact::Digest;
use super::site::{Site, origin_of};
use crate::env::Env;
use crate::jose::base64url;

/// Seconds for which a browser is known again: as long as a login may take, with the page before it.
const LIVES: u64 = 3600;
/// 32 bytes in base64url.
const LENGTH: usize = 43;

/// A cookie by the name that it has here. `__Host-` has browsers refuse one that a neighbouring host or a page without TLS
/// has set (RFC 6265bis section 4.1.3); it takes https.
pub(super) fn cookie_name(site: &Site, name: &str) -> String {
    format!("{}housekey-{name}", if site.is_secure() { "__Host-" } else { "" })
}

/// The value of a cookie, if it is there once.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, site: &Site, name: &str) -> Option<&'a str> {
    let name = cookie_name(site, name);
    let pairs = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    // Of two, one is somebody else's.
    values.next().filter(|_| values.next().is_none())
}

/// `Set-Cookie`. `Lax` lets it come along when the identity provider sends the browser back.
pub(super) fn set_cookie(site: &Site, name: &str, value: &str, lives: u64) -> String {
    let secure = if site.is_secure() { "; Secure" } else { "" };
    format!("{}={value}; Max-Age={lives}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie_name(site, name))
}

/// The digest by which a browser is known, if it has a cookie of ours.
pub(super) fn known(headers: &HeaderMap, site: &Site) -> Option<Digest> {
    let value = cookie(headers, site, "browser")?;
    (value.len() == LENGTH && base64url::is_alphabet(value)).then(|| Digest::of(value))
}

/// The digest by which a browser will be known, and the cookie that says so. One that has a cookie keeps it: there may be
/// another sign-in in another of its windows.
pub(super) fn meet(env: &mut Env<'_>, headers: &HeaderMap, site: &Site) -> (Digest, String) {
    let old = cookie(headers, site, "browser").filter(|_| known(headers, site).is_some());
    let value = old.map_or_else(|| random(env), str::to_owned);
    (Digest::of(&value), set_cookie(site, "browser", &value, LIVES))
}

/// 32 random bytes in base64url.
pub(super) fn random(env: &mut Env<'_>) -> String {
    let mut bytes = [0; 32];
    env.rng.fill_bytes(&mut bytes);
    base64url::encode(&bytes)
}

/// Whether a form was sent by a page of this site, as far as the browser says. Every browser of today says at least one of
/// the two; what neither says, the cookie has to.
pub(super) fn is_own_form(headers: &HeaderMap, site: &Site) -> bool {
    let says = |name: &str, wanted: &str| {
        headers.get_all(name).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    says(ORIGIN.as_str(), origin_of(site.issuer())) && says("sec-fetch-site", "same-origin")
}

/// Sends the browser on. `None` where the URL cannot stand in a header.
pub(super) fn send_to(status: StatusCode, url: &str) -> Option<Response<Bytes>> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(url).ok()?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The URL that is left may hold a code, a state, a sealed request (RFC 9700 section 4.2.4).
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(answer)
}

/// Adds cookies to an answer.
pub(super) fn give(answer: &mut Response<Bytes>, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            answer.headers_mut().append(SET_COOKIE, value);
        }
    }
}
