//! What a person is told where nobody can be sent back to the client, because it is not certain who that is, or is not
//! sent back unasked, because nobody vouches for where that leads.

use http::StatusCode;

use super::error::{OAuthCode, OAuthError};
use super::page::{self, Markup};
use super::redirect_uri;
use super::upstream::Lack;
use super::visit::Look;

/// A page, and the reason for the operator's log.
pub(super) fn answer(status: StatusCode, title: &str, text: &str, reason: impl Into<String>) -> Look {
    let mut body = Markup::default();
    body.paragraph(text);
    body.paragraph("You can close this page. Nothing was given to anybody.");
    Look::Answer(page::answer(status, title, &body), Some(reason.into()))
}

/// A page for a request that no client of ours can have made like this, or that cannot be judged now.
pub(super) fn refuse(error: &OAuthError) -> Look {
    if error.code == OAuthCode::TemporarilyUnavailable {
        return unavailable(error.reason());
    }
    answer(
        StatusCode::BAD_REQUEST,
        "This sign-in cannot go on",
        &format!(
            "The program that sent you here asked for something that is not in order: {}.",
            error.description
        ),
        error.reason(),
    )
}

/// A page for a request that cannot be answered as it is, with a link by which the client hears of it. `url` is the
/// client's, of https.
pub(super) fn offer_way_back(word: &str, description: &str, url: &str, reason: String) -> Look {
    let (status, title) = match word == OAuthCode::TemporarilyUnavailable.as_str() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "This sign-in cannot go on now"),
        false => (StatusCode::BAD_REQUEST, "This sign-in cannot go on"),
    };
    let mut body = Markup::default();
    body.paragraph(&format!("The request that brought you here cannot be answered: {description}."));
    body.paragraph("You can close this page. Nothing was given to anybody.");
    body.raw("<p>If you know who sent you here, you can go back: <a rel=\"noreferrer nofollow\" href=\"");
    body.text(url).raw("\">").text(&redirect_uri::shown(url)).raw("</a></p>");
    Look::Answer(page::answer(status, title, &body), Some(reason))
}

/// A page for what is not known: fetched first if it can be.
pub(super) fn lack(lack: Lack) -> Look {
    match lack {
        Lack::Learn(_) => lack.into(),
        Lack::Unavailable(reason) => unavailable(reason),
    }
}

fn unavailable(reason: String) -> Look {
    answer(
        StatusCode::SERVICE_UNAVAILABLE,
        "This sign-in cannot go on now",
        "Something that is needed for it does not answer. Try again in a minute.",
        reason,
    )
}
