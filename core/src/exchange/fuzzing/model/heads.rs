//! Heads of requests over HTTP: most fit their body, and some do not.

use http::request::Parts;
use serde_json::Value;

use super::TOKENS;
use super::dice::Dice;

/// Who sends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    Alice,
    Bob,
    /// Without a token.
    Nobody,
    /// With something that is none.
    Forger,
}

impl Person {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Nobody => "nobody",
            Self::Forger => "forger",
        }
    }

    pub(super) const fn is_somebody(self) -> bool {
        matches!(self, Self::Alice | Self::Bob)
    }

    fn token(self) -> Option<&'static str> {
        match self {
            Self::Alice | Self::Bob => {
                TOKENS.iter().find(|(person, _)| *person == self).map(|(_, token)| token.as_str())
            }
            Self::Forger => Some("eyJhbGciOiJkaXIifQ..a.b.c"),
            Self::Nobody => None,
        }
    }
}

/// A head with which a session begins.
pub(super) fn hello(person: Person) -> Option<Parts> {
    let head = http::Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", format!("Bearer {}", person.token()?));
    head.body(()).ok().map(|request| request.into_parts().0)
}

/// A head for this body.
pub(super) fn post(dice: &mut Dice<'_>, text: &str, session: Option<&str>, person: Person) -> Option<Parts> {
    let method = match (session, dice.roll(24)) {
        (Some(_), 0) => "DELETE",
        (_, 1) => "GET",
        _ => "POST",
    };
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = body.pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion").map(text_of);
    let name = body.pointer("/params/name").or_else(|| body.pointer("/params/uri")).map(text_of);
    let mut head = http::Request::builder().method(method).uri("/mcp").header("host", "localhost");
    let accept = match dice.roll(12) {
        0 => "application/json",
        1 => "text/event-stream",
        2 => "text/html",
        _ => "application/json, text/event-stream",
    };
    head = head.header("accept", accept);
    if dice.roll(16) > 0 {
        head = head.header("content-type", "application/json");
    }
    let version = match (dice.roll(8), meta) {
        (0, _) => Some(dice.pick(&["2026-07-28", "2024-11-05", "2099-01-01", "x"]).to_owned()),
        (1, _) => None,
        (_, Some(version)) => Some(version),
        (_, None) => {
            let versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", ""];
            Some(dice.pick(&versions).to_owned()).filter(|version| !version.is_empty())
        }
    };
    let routed = body.get("method").map(text_of).filter(|_| dice.roll(12) > 0);
    let named = name.filter(|_| dice.roll(12) > 0);
    let headers = [
        ("mcp-protocol-version", version),
        ("mcp-method", routed),
        ("mcp-name", named),
        ("mcp-session-id", session.map(str::to_owned)),
        ("authorization", person.token().map(|token| format!("Bearer {token}"))),
        ("origin", (dice.roll(24) == 0).then(|| "https://elsewhere.example".to_owned())),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            head = head.header(name, value);
        }
    }
    head.body(()).ok().map(|request| request.into_parts().0)
}
