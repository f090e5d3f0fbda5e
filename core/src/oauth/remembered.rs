//! The cookie that remembers which clients a person has allowed in this browser.
//!
//! It spares the question for clients that are reached at an https address of their own. For programs on the person's
//! computer it is asked each time, because any other could take their place (RFC 8252 section 8.6).

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::artifact::{Asked, Digest, has_passed};
use super::browser;
use super::keys::Keys;
use super::redirect_uri::{self, Reach};
use super::site::Site;
use crate::env::Env;
use crate::time::UnixTime;

const NAME: &str = "consent";
const MOST: usize = 20;
const LIVES: u64 = 30 * 24 * 3600;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Remembered(Vec<Entry>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "w")]
    what: Digest,
    #[serde(rename = "e")]
    expires: u64,
}

/// Whether consent to a request may be remembered at all.
pub(super) fn may_be(asked: &Asked) -> bool {
    redirect_uri::check(&asked.redirect_uri, &[]) == Ok(Reach::Web)
}

/// Whether it is.
pub(super) fn is(keys: &Keys, headers: &HeaderMap, site: &Site, asked: &Asked, now: UnixTime) -> bool {
    let what = what(asked);
    may_be(asked)
        && read(keys, headers, site)
            .0
            .iter()
            .any(|entry| entry.what == what && !has_passed(entry.expires, now))
}

/// The cookie with one more consent, the oldest left out where there are too many.
pub(super) fn add(
    env: &mut Env<'_>,
    keys: &Keys,
    headers: &HeaderMap,
    site: &Site,
    asked: &Asked,
) -> Option<String> {
    let what = what(asked);
    let mut entries = read(keys, headers, site).0;
    entries.retain(|entry| entry.what != what && !has_passed(entry.expires, env.now));
    entries.push(Entry { what, expires: env.now.seconds().saturating_add(LIVES) });
    let surplus = entries.len().saturating_sub(MOST);
    entries.drain(..surplus);
    let value = keys.remembered.seal(env.rng, &Remembered(entries))?;
    Some(browser::set_cookie(site, NAME, &value, LIVES))
}

fn read(keys: &Keys, headers: &HeaderMap, site: &Site) -> Remembered {
    browser::cookie(headers, site, NAME).and_then(|value| keys.remembered.open(value)).unwrap_or_default()
}

/// What was allowed: this client, at this very address, with these scopes, for this resource. Line ends stand in none of
/// them, so no two are written alike.
fn what(asked: &Asked) -> Digest {
    let Asked { client, redirect_uri, scope, resource, .. } = asked;
    Digest::of(&format!("{}\n{redirect_uri}\n{scope}\n{resource}", client.as_str()))
}
