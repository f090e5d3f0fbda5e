//! The consent page: who asks, where the answer goes and what it allows, before anybody is sent to the identity provider.
//!
//! All clients share Housekey's one registration there, so its own question cannot tell them apart. Without this page
//! anybody could have a person's browser fetch tokens for them (MCP security best practices, "Confused Deputy Problem").

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::artifact::Asked;
use super::client::{Client, Kind};
use super::page::{self, Markup};
use super::redirect_uri::{self, Reach};
use super::remembered;
use crate::config::oauth::Facade;

/// What the page's form brings back, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proposal {
    /// The request.
    #[serde(rename = "a")]
    pub(super) asked: Asked,
    /// What the client would have the identity provider ask the person.
    #[serde(flatten)]
    pub(super) wishes: Wishes,
}

/// What a client wishes of the login (OpenID Connect Core 1.0 section 3.1.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wishes {
    /// `prompt` for the identity provider.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub(super) prompt: Option<String>,
    /// `login_hint`.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(super) login_hint: Option<String>,
}

/// The page. `sealed` is the proposal, `provider` the identity provider's host.
pub(super) fn page(
    client: &Client,
    facade: &Facade,
    asked: &Asked,
    sealed: &str,
    provider: &str,
) -> Response<Bytes> {
    let (name, title) = match client.name.as_deref() {
        Some(name) => (name, format!("Allow \u{201c}{name}\u{201d} to use ClickHouse?")),
        None => ("Nothing", "Allow a program without a name to use ClickHouse?".to_owned()),
    };
    let mut body = Markup::default();
    body.raw("<p>It asks to query ClickHouse as you. If you allow it, it can read what you can read there");
    body.raw(" and do what this server lets you do, until its access ends.</p><dl>");
    body.raw("<dt>Calls itself (not verified)</dt><dd>").text(name).raw("</dd>");
    if let Kind::Document { host } = &client.kind {
        body.raw("<dt>Is published by</dt><dd>").text(host).raw("</dd>");
    }
    body.raw("<dt>The answer goes to</dt><dd>").text(&redirect_uri::shown(&asked.redirect_uri)).raw("</dd>");
    if !asked.scope.is_empty() {
        body.raw("<dt>Scopes</dt><dd>").text(&asked.scope).raw("</dd>");
    }
    body.raw("<dt>Next, you sign in at</dt><dd>").text(provider).raw("</dd></dl>");
    match redirect_uri::check(&asked.redirect_uri, &facade.redirect_schemes) {
        Ok(Reach::Loopback) => body.raw("<p class=\"warning\"><strong>The answer goes to a program on this computer.</strong> Only go on if you have just started it yourself.</p>"),
        Ok(Reach::Private) => body.raw("<p class=\"warning\"><strong>The answer goes to the program that your system opens for this kind of address.</strong> Only go on if you have just started it yourself.</p>"),
        Ok(Reach::Web) | Err(_) => &mut body,
    };
    // The form goes back to the address of this page, by whatever name a proxy gives it. Refusing comes first, so that it
    // is what the Enter key does.
    body.raw("<form method=\"post\"><input type=\"hidden\" name=\"request\" value=\"")
        .text(sealed)
        .raw("\">");
    if remembered::may_be(asked) {
        body.raw("<p><label><input type=\"checkbox\" name=\"remember\" value=\"yes\">");
        body.raw("Do not ask again in this browser for 30 days</label></p>");
    }
    body.raw("<p class=\"choices\"><button name=\"decision\" value=\"deny\">Refuse</button>");
    body.raw("<button class=\"go\" name=\"decision\" value=\"allow\">Allow</button></p></form>");
    page::answer(StatusCode::OK, &title, &body)
}
