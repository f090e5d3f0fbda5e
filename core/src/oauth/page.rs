//! The pages that people see: plain HTML without scripts, readable on a phone and by a screen reader.
//!
//! Markup is written here in the code and everything else goes through [`Markup::text`], which is the only way in for what
//! is not a constant. A page may load nothing, be framed by nobody and run nothing, whatever it shows.

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use sha2::{Digest as _, Sha256};

/// The colours have a contrast of 7 to 1 at least in both modes (WCAG 2.2 success criterion 1.4.6).
const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1a1a1a;--soft:#4a4a4a;--line:#767676;--go:#0b4a8f;--on-go:#fff;--warn:#fff4d6}\
@media(prefers-color-scheme:dark){:root{--paper:#16181c;--ink:#f2f2f2;--soft:#c4c4c4;--line:#8c8c8c;--go:#9ecbff;--on-go:#10161d;--warn:#3a2f10}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{max-width:34rem;margin:0 auto;padding:2rem 1.25rem}\
h1{font-size:1.4rem;line-height:1.25;margin:0 0 1rem;overflow-wrap:anywhere}\
dl{margin:1rem 0;border-top:1px solid var(--line)}\
dt{padding-top:.6rem;color:var(--soft)}\
dd{margin:0;padding-bottom:.6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere;font-weight:600}\
.warning{background:var(--warn);border-left:.3rem solid var(--line);padding:.75rem 1rem}\
.choices{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}\
a{color:var(--go)}\
button{font:inherit;min-height:2.75rem;padding:.5rem 1.5rem;border-radius:.4rem;border:2px solid var(--go);background:var(--paper);color:var(--go);cursor:pointer}\
button.go{background:var(--go);color:var(--on-go)}\
:focus-visible{outline:3px solid var(--ink);outline-offset:3px}\
input[type=checkbox]{width:1.2rem;height:1.2rem;vertical-align:-.2rem;margin:0 .5rem 0 0}";

/// HTML in the making.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup that stands in the code.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, between tags or between double quotes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '`' => self.0.push_str("&#96;"),
                // What HTML forbids, or reads as something else.
                c if c.is_control() && c != '\n' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Adds a paragraph of text.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.raw("<p>").text(text).raw("</p>")
    }
}

/// A whole page under a title, which is also its one heading.
pub(super) fn answer(status: StatusCode, title: &str, body: &Markup) -> Response<Bytes> {
    let mut page = Markup::default();
    page.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
        .raw("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")
        // A browser would ask for an icon otherwise, and be refused.
        .raw("<meta name=\"robots\" content=\"noindex\"><link rel=\"icon\" href=\"data:,\"><title>")
        .text(title)
        .raw("</title><style>")
        .raw(STYLE)
        .raw("</style></head><body><main><h1>")
        .text(title)
        .raw("</h1>");
    page.0.push_str(&body.0);
    page.raw("</main></body></html>\n");
    let mut answer = Response::new(Bytes::from(page.0));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    add(CONTENT_TYPE, "text/html; charset=utf-8");
    add(CACHE_CONTROL, "no-store");
    add(X_FRAME_OPTIONS, "DENY");
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // With `no-referrer` the form's `Origin` would be `null`, and nobody could tell whence it came.
    add(REFERRER_POLICY, "same-origin");
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// `form-action` is left out on purpose: browsers hold it against the redirects that follow the form, too, and those lead
/// to the identity provider, to whomever that asks in turn and, where the person is signed in already, at once to the
/// client: to any https host, to a port of this computer, to a private scheme. A list of all that would forbid nothing.
fn policy() -> String {
    let digest = Base64::encode_string(&Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_breaks_out(text in "\\PC*|[<>&\"'`/= a-z\u{0}-\u{1f}]{0,64}") {
            let mut markup = Markup::default();
            markup.text(&text);
            prop_assert!(!markup.0.contains(['<', '>', '"', '\'', '`', '\0', '\r']));
            let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#96;"];
            for (at, _) in markup.0.match_indices('&') {
                prop_assert!(entities.iter().any(|entity| markup.0[at..].starts_with(entity)));
            }
        }
    }

    #[test]
    fn a_page_allows_nothing() {
        let answer = answer(StatusCode::OK, "<b>", Markup::default().paragraph("a & b"));
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert!(
            header("content-security-policy")
                .contains("default-src 'none'; img-src data:; style-src 'sha256-")
        );
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-store");
        let text = str::from_utf8(answer.body()).unwrap();
        assert!(text.contains("<h1>&lt;b&gt;</h1>") && text.contains("<p>a &amp; b</p>"));
        assert_eq!(text.matches("<h1>").count(), 1);
    }
}
