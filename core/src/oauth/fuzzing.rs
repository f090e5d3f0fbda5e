//! What must hold for whatever strangers send to the endpoints of the facade: the fuzz target calls [`check`], and a test
//! replays its corpus.

use std::sync::LazyLock;

use bytes::Bytes;
use http::Uri;

use super::client_document;
use super::client_metadata::ClientMetadata;
use super::client_url;
use super::form::Form;
use super::redirect_uri::{self, Reach};
use super::sample;
use crate::config::oauth::Facade;
use crate::fetch::Document;

const ID: &str = "https://client.example/c.json";

static FACADE: LazyLock<Option<Facade>> = LazyLock::new(|| sample::config(&[])?.server.oauth?.facade);

/// Reads `input` as parameters, as client metadata, as a client's document, as a redirect URI and as the URL of a document.
/// Nothing may panic, and what is let through leads where it says.
#[allow(clippy::panic, reason = "a failed property is reported to the fuzzer by a panic")]
pub fn check(input: &str) {
    let Some(facade) = FACADE.as_ref() else { return };
    if let Ok(form) = Form::parse(input.as_bytes())
        && let Some(value) = form.get("a")
    {
        let again = Form::parse(Form::write(&[("a", value)]).as_bytes());
        assert_eq!(again.ok().as_ref().and_then(|form| form.get("a")), Some(value), "a value survives");
    }
    if let Ok(metadata) = ClientMetadata::parse(input.as_bytes()) {
        assert!(metadata.name.is_none_or(|name| !name.contains(char::is_control)));
        let _ = ClientMetadata::parse(input.as_bytes()).map(|metadata| metadata.keys(facade));
    }
    let document = Document {
        status: 200,
        content_type: Some("application/json".to_owned()),
        cache_control: None,
        body: Bytes::copy_from_slice(input.as_bytes()),
    };
    if let Ok(client) = client_document::read(&document, facade, ID, "client.example") {
        assert_eq!(client.id, ID, "a document speaks for its own place");
        assert!(!client.redirect_uris.is_empty());
        client.redirect_uris.iter().for_each(|uri| check_redirect(uri, facade));
    }
    check_redirect(input, facade);
    if let Ok(url) = client_url::check(input, facade) {
        let read = input.parse::<Uri>();
        assert!(read.is_ok_and(|read| read.host() == Some(&url.host) && read.scheme_str() == Some("https")));
    }
}

fn check_redirect(uri: &str, facade: &Facade) {
    let Ok(reach) = redirect_uri::check(uri, &facade.redirect_schemes) else { return };
    assert!(redirect_uri::matches(uri, uri));
    let answer = Form::append_to(uri, &[("code", "x"), ("iss", "https://a")]);
    assert!(answer.starts_with(uri) && http::HeaderValue::from_str(&answer).is_ok(), "it can be sent there");
    if reach != Reach::Private {
        // Somebody else's reading of the URI leads to the host that a person is shown.
        let read = answer.parse::<Uri>();
        let host = read.ok().and_then(|read| read.host().map(str::to_ascii_lowercase));
        assert_eq!(host, Some(redirect_uri::shown(uri)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_leads_elsewhere_than_it_says(
            scheme in "https://|http://|HTTPS://|cursor:|",
            host in "localhost|127\\.0\\.0\\.1|\\[::1\\]|a\\.example|[a-z0-9.@:%\\[\\]*-]{0,12}",
            rest in "[:/?#@\\\\.%a-z0-9\\[\\]]{0,12}",
        ) {
            super::check(&format!("{scheme}{host}{rest}"));
        }

        #[test]
        fn any_text_is_borne(text in "\\PC{0,64}") {
            super::check(&text);
        }
    }
}
