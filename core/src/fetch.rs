//! What hosts fetch for core from the web, within bounds that core sets.

use std::time::Duration;

use bytes::Bytes;

use crate::secret::Secret;

/// Who chose the address of a [`FetchRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The operator, in the configuration, or whom the operator named there.
    Operator,
    /// A stranger: a host refuses private, loopback and link-local addresses after it has resolved the name. One that
    /// does not see the address fetches only what the operator listed.
    Stranger {
        /// Whether the operator listed the host, by its name or by a domain that it is in; `*` lists none.
        listed: bool,
    },
}

/// A question to a web server. Redirects are never followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// The absolute URL.
    pub url: String,
    /// What it is for, in a word or two, for logs.
    pub purpose: &'static str,
    /// Who chose the URL.
    pub named_by: NamedBy,
    /// A form to post (`application/x-www-form-urlencoded`); without one it is a GET.
    pub form: Option<Secret<String>>,
    /// The value of `Authorization`.
    pub authorization: Option<Secret<String>>,
    /// Whether answers with another status than 200 are documents, too.
    pub any_status: bool,
    /// A longer document is an error.
    pub max_bytes: usize,
    /// How long the whole fetch may take.
    pub deadline: Duration,
    /// As what fact equal fetches share the document; `None` for what may not be repeated.
    pub remember: Option<Remember>,
}

/// As what fact a document is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remember {
    /// The key. Equal keys mean equal questions.
    pub key: String,
    /// How long it is fresh.
    pub lives: Duration,
    /// Whether its `Cache-Control` may shorten that.
    pub heeds_cache_control: bool,
}

/// A fetched document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The status of the answer; 200 unless others were asked for.
    pub status: u16,
    /// The `Content-Type`, when there was one.
    pub content_type: Option<String>,
    /// The `Cache-Control`, when there was one.
    pub cache_control: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why a fetch gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFailure {
    /// The host's rules or the runtime's do not allow this address.
    #[error("the address may not be fetched from here")]
    Forbidden,
    /// No connection, or it broke.
    #[error("the address could not be reached")]
    Unreachable,
    /// It took longer than the deadline.
    #[error("the answer took too long")]
    TimedOut,
    /// The document is larger than allowed.
    #[error("the document is larger than {0} bytes")]
    TooLarge(usize),
    /// An HTTP status other than 200.
    #[error("the answer had status {0}")]
    Status(u16),
}

impl FetchFailure {
    /// Whether it says nothing of the document, so that the same question may be answered in a while.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable | Self::TimedOut | Self::Status(429 | 500..) => true,
            Self::Forbidden | Self::TooLarge(_) | Self::Status(_) => false,
        }
    }
}

impl FetchRequest {
    /// Bytes that a document may have unless it says otherwise.
    const MAX_BYTES: usize = 64 << 10;
    /// How long a document may take unless it says otherwise.
    const DEADLINE: Duration = Duration::from_secs(10);

    /// A GET for a document that the operator named and that becomes a fact under its URL.
    pub fn document(url: &str, purpose: &'static str, lives: Duration) -> Self {
        let remember = Remember { key: url.to_owned(), lives, heeds_cache_control: false };
        Self { remember: Some(remember), ..Self::get(url, purpose) }
    }

    /// A GET that is not repeated.
    pub fn get(url: &str, purpose: &'static str) -> Self {
        Self {
            url: url.to_owned(),
            purpose,
            named_by: NamedBy::Operator,
            form: None,
            authorization: None,
            any_status: false,
            max_bytes: Self::MAX_BYTES,
            deadline: Self::DEADLINE,
            remember: None,
        }
    }

    /// A POST of a form, whatever the status of its answer.
    pub fn post(url: &str, purpose: &'static str, form: Secret<String>) -> Self {
        Self { form: Some(form), any_status: true, ..Self::get(url, purpose) }
    }
}

impl Document {
    /// Seconds for which `Cache-Control` lets it be kept (RFC 9111 section 5.2.2): 0 where it forbids that, `None` where
    /// it says nothing of it.
    pub fn max_age(&self) -> Option<u64> {
        let mut age = None;
        for directive in self.cache_control.as_deref()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return Some(0),
                "max-age" => age = Some(value.trim().trim_matches('"').parse().unwrap_or(0)),
                _ => {}
            }
        }
        age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_known() {
        use FetchFailure::{Forbidden, Status, TimedOut, TooLarge, Unreachable};
        for failure in [Unreachable, TimedOut, Status(429), Status(500), Status(503)] {
            assert!(failure.may_pass(), "{failure}");
        }
        for failure in [Forbidden, TooLarge(1), Status(302), Status(403), Status(404), Status(410)] {
            assert!(!failure.may_pass(), "{failure}");
        }
    }

    #[test]
    fn cache_control_is_read() {
        for (text, age) in [
            ("max-age=60", Some(60)),
            ("public, Max-Age=\"7\"", Some(7)),
            ("max-age=60, no-store", Some(0)),
            ("no-cache", Some(0)),
            ("max-age=soon", Some(0)),
            ("public", None),
        ] {
            let document = Document {
                status: 200,
                content_type: None,
                cache_control: Some(text.to_owned()),
                body: Bytes::new(),
            };
            assert_eq!(document.max_age(), age, "{text}");
        }
    }
}
