//! What a person is told where nobody can be sent back to the client, because it is not certain who that is.

use http::StatusCode;

use super::error::OAuthError;
use super::page::{self, Markup};
use super::upstream::Lack;
use super::visit::Look;

/// A page, and the reason for the operator's log.
pub(super) fn answer(status: StatusCode, title: &str, text: &str, reason: impl Into<String>) -> Look {
    let mut body = Markup::default();
    body.paragraph(text);
    body.paragraph("You can close this page. Nothing was given to anybody.");
    Look::Answer(page::answer(status, title, &body), Some(reason.into()))
}

/// A page for a request that no client of ours can have made like this.
pub(super) fn refuse(error: &OAuthError) -> Look {
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

/// A page for what is not known: fetched first if it can be.
pub(super) fn lack(lack: Lack) -> Look {
    match lack {
        Lack::Learn(_) => lack.into(),
        Lack::Unavailable(reason) => answer(
            StatusCode::SERVICE_UNAVAILABLE,
            "This sign-in cannot go on now",
            "Something that is needed for it does not answer. Try again in a minute.",
            reason,
        ),
    }
}
