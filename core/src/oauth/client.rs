//! Clients: what is known of whoever asks for tokens, from its client id alone.
//!
//! A client id is either the registration itself, sealed, or the URL of a document of the client's own.

use serde::{Deserialize, Serialize};

use super::artifact::has_passed;
use super::client_document;
use super::error::{OAuthCode, OAuthError};
use super::redirect_uri;
use super::server::Server;
use super::upstream::Lack;
use crate::env::Env;

/// Characters of a name that a person is shown.
const LONGEST_NAME: usize = 100;
/// Seconds for which a registration is good. A client that is refused registers anew.
pub(super) const REGISTRATION_LIVES: u64 = 365 * 24 * 3600;

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its id, byte for byte.
    pub(crate) id: String,
    /// What it calls itself.
    pub(crate) name: Option<String>,
    /// Where answers to it may go.
    pub(crate) redirect_uris: Vec<String>,
    /// How it proves at the token endpoint who it is.
    pub(crate) authentication: Authentication,
    /// Who vouches for all that.
    pub(crate) kind: Kind,
}

/// How a client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Authentication {
    /// It does not: it is a public client.
    #[serde(rename = "n")]
    None,
    /// By an assertion (RFC 7523) that a key of this set signed: the text of the set.
    #[serde(rename = "k")]
    InlineKeys(String),
    /// Likewise, with the set at this URL.
    #[serde(rename = "u")]
    KeysAt(String),
}

/// Who vouches for what is known of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody: it registered itself.
    Registered,
    /// Whoever runs this host, where its document is.
    Document {
        /// The host, in ASCII.
        host: String,
    },
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientError {
    /// Something about it has to be fetched first, or cannot be.
    Lacks(Lack),
    /// There is none that can be used.
    Refused(OAuthError),
}

impl From<Lack> for ClientError {
    fn from(lack: Lack) -> Self {
        Self::Lacks(lack)
    }
}

impl From<OAuthError> for ClientError {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

/// What a registered client's id holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registration {
    #[serde(rename = "u")]
    pub(super) redirect_uris: Vec<String>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(rename = "a")]
    pub(super) authentication: Authentication,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) application_type: Option<String>,
    /// The second in which it was made.
    #[serde(rename = "i")]
    pub(super) issued: u64,
}

/// The client of an id.
pub(crate) fn find(env: &Env<'_>, server: &Server, id: &str) -> Result<Client, ClientError> {
    let unknown = |reason: &str| OAuthError::new(OAuthCode::InvalidClient, reason);
    let Some((facade, keys)) = server.facade() else {
        return Err(unknown("there are no clients here").into());
    };
    if client_document::is_url(id) {
        return client_document::find(env, server, facade, id);
    }
    let registration: Registration =
        keys.client.open(id).ok_or_else(|| unknown("the client is not known here: register it again"))?;
    if has_passed(registration.issued.saturating_add(REGISTRATION_LIVES), env.now) {
        return Err(unknown("the registration of the client has expired: register it again").into());
    }
    Ok(Client {
        id: id.to_owned(),
        name: registration.name,
        redirect_uris: registration.redirect_uris,
        authentication: registration.authentication,
        kind: Kind::Registered,
    })
}

impl Client {
    /// Whether answers may go to a URI, by what the client registered.
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| redirect_uri::matches(registered, uri))
    }

    /// Whether a URI leads to a web server at the host of the client's own document, or at one below it.
    pub(super) fn is_at_home(&self, uri: &str) -> bool {
        let (Kind::Document { host: home }, Some(host)) = (&self.kind, redirect_uri::web_host(uri)) else {
            return false;
        };
        host.strip_suffix(home.as_str()).is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }
}

/// A name as people are shown it: without what is not to be seen, or turns the direction of what follows; `None` where
/// nothing is left.
pub(super) fn clean_name(text: &str) -> Option<String> {
    let visible = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_invisible(*c));
    let visible: String = visible.take(4 * LONGEST_NAME).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let name: String = words.join(" ").chars().take(LONGEST_NAME).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Control characters, and what Unicode has for formatting: joiners, marks and overrides of direction, tags.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_can_be_seen() {
        for (text, wanted) in [
            ("Claude", Some("Claude")),
            ("  a \r\n b\t", Some("a b")),
            ("evil\u{202e}gpj.exe", Some("evilgpj.exe")),
            ("a\u{0}b\u{200b}c", Some("abc")),
            ("\u{feff}\u{2066}", None),
            ("", None),
            ("<b>&\"", Some("<b>&\"")),
        ] {
            assert_eq!(clean_name(text).as_deref(), wanted, "{text:?}");
        }
        assert_eq!(clean_name(&"x".repeat(9000)).unwrap().len(), LONGEST_NAME);
    }
}
