//! The authorization response: how a client hears of success or failure, by way of the browser (RFC 6749 section 4.1.2,
//! RFC 9207).

use http::StatusCode;

use super::artifact::Asked;
use super::browser;
use super::error_page;
use super::form::Form;
use super::visit::Look;

/// A response to a client whose redirect URI has been verified.
pub(super) struct Response<'a> {
    pub(super) redirect_uri: &'a str,
    pub(super) state: Option<&'a str>,
    pub(super) issuer: &'a str,
}

impl<'a> Response<'a> {
    pub(super) fn to(asked: &'a Asked) -> Self {
        Self { redirect_uri: &asked.redirect_uri, state: asked.state.as_deref(), issuer: &asked.issuer }
    }

    /// Hands over a code.
    pub(super) fn code(&self, code: &str) -> Look {
        self.send(StatusCode::FOUND, &[("code", code)], None)
    }

    /// Says what is wrong, in the words of RFC 6749 section 4.1.2.1 and of OpenID Connect Core 1.0 section 3.1.2.6.
    pub(super) fn error(&self, word: &str, description: &str, reason: Option<String>) -> Look {
        self.error_by(StatusCode::FOUND, word, description, reason)
    }

    /// Likewise, on a page with a link to the client.
    pub(super) fn offer_error(&self, word: &str, description: &str, reason: Option<String>) -> Look {
        let reason = reason.unwrap_or_else(|| description.to_owned());
        let url = self.url(&[("error", word), ("error_description", description)]);
        error_page::offer_way_back(word, description, &url, format!("{word}: {reason}"))
    }

    /// Likewise, in answer to a form, which is not to be sent on (RFC 9700 section 4.12).
    pub(super) fn error_after_form(&self, word: &str, description: &str) -> Look {
        self.error_by(StatusCode::SEE_OTHER, word, description, None)
    }

    fn error_by(&self, status: StatusCode, word: &str, description: &str, reason: Option<String>) -> Look {
        let reason = reason.unwrap_or_else(|| description.to_owned());
        let entries = [("error", word), ("error_description", description)];
        self.send(status, &entries, Some(format!("{word}: {reason}")))
    }

    fn send(&self, status: StatusCode, entries: &[(&str, &str)], reason: Option<String>) -> Look {
        match browser::send_to(status, &self.url(entries)) {
            Some(answer) => Look::Answer(answer, reason),
            None => unwritable(),
        }
    }

    fn url(&self, entries: &[(&str, &str)]) -> String {
        let mut entries = entries.to_vec();
        entries.extend(self.state.map(|state| ("state", state)));
        entries.push(("iss", self.issuer));
        Form::append_to(self.redirect_uri, &entries)
    }
}

/// For what can only be a mistake of ours, or of the configuration.
pub(super) fn unwritable() -> Look {
    error_page::answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        "This sign-in cannot go on",
        "The answer cannot be written.",
        "an authorization answer cannot be written",
    )
}
