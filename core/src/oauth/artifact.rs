//! What travels sealed. The members have short names, because all of it stands in URLs.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use subtle::ConstantTimeEq;

use crate::secret::Secret;
use crate::time::UnixTime;

/// The SHA-256 of something that an artefact is bound to and need not hold, in base64url.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Digest(String);

impl Digest {
    pub(crate) fn of(text: &str) -> Self {
        Self(Base64UrlUnpadded::encode_string(&sha2::Sha256::digest(text.as_bytes())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Digest {}

/// A secret that travels inside of what is sealed, and is seen nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Carried(Secret<String>);

impl Carried {
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl From<String> for Carried {
    fn from(text: String) -> Self {
        Self(Secret::from(text))
    }
}

impl From<Secret<String>> for Carried {
    fn from(secret: Secret<String>) -> Self {
        Self(secret)
    }
}

impl From<Carried> for Secret<String> {
    fn from(carried: Carried) -> Self {
        carried.0
    }
}

impl Serialize for Carried {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A client's request for authorization, once it has been found in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The client's id.
    #[serde(rename = "c")]
    pub(crate) client: Digest,
    /// Where the client's answer goes: one of its redirect URIs, with the port that it asked for.
    #[serde(rename = "u")]
    pub(crate) redirect_uri: String,
    /// The client's own `state`.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
    /// Its S256 challenge (RFC 7636 section 4.2).
    #[serde(rename = "h")]
    pub(crate) challenge: String,
    /// The resource that it asked for, byte for byte (RFC 8707); it becomes the audience of its tokens.
    #[serde(rename = "r")]
    pub(crate) resource: String,
    /// The scopes that it gets, separated by blanks.
    #[serde(rename = "o")]
    pub(crate) scope: String,
    /// The issuer that it was told, which is also the URL below which it reached the authorization endpoint.
    #[serde(rename = "i")]
    pub(crate) issuer: String,
    /// The browser in which it was made: the digest of that browser's cookie.
    #[serde(rename = "b")]
    pub(crate) browser: Digest,
    /// The second after which it is too late to go on.
    #[serde(rename = "e")]
    pub(crate) expires: u64,
}

/// `state` on the way to the identity provider and back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The client's request.
    #[serde(rename = "a")]
    pub(crate) asked: Asked,
    /// Our own PKCE verifier.
    #[serde(rename = "v")]
    pub(crate) verifier: Carried,
    /// The nonce that the id_token has to have.
    #[serde(rename = "n")]
    pub(crate) nonce: String,
}

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// The request that it answers, with our verifier and nonce.
    #[serde(rename = "p")]
    pub(crate) pending: Pending,
    /// The identity provider's code, which works once.
    #[serde(rename = "k")]
    pub(crate) upstream_code: Carried,
    /// The redirect URI that the identity provider was given, which has to be repeated to it.
    #[serde(rename = "w")]
    pub(crate) callback: String,
    /// The second after which it is worth nothing.
    #[serde(rename = "e")]
    pub(crate) expires: u64,
}

/// Whether a moment in seconds has passed.
pub(crate) fn has_passed(expires: u64, now: UnixTime) -> bool {
    now.seconds() > expires
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who prints what was opened does not print what it was sealed for.
    #[test]
    fn secrets_travel_and_are_not_printed() {
        let asked = Asked {
            client: Digest::of("client"),
            redirect_uri: "https://a.example/".to_owned(),
            state: None,
            challenge: "challenge".to_owned(),
            resource: "https://mcp.example/mcp".to_owned(),
            scope: "openid".to_owned(),
            issuer: "https://mcp.example".to_owned(),
            browser: Digest::of("cookie"),
            expires: 0,
        };
        let verifier = Carried::from("hidden verifier".to_owned());
        let code = Code {
            pending: Pending { asked, verifier, nonce: "nonce".to_owned() },
            upstream_code: Carried::from("hidden code".to_owned()),
            callback: "https://mcp.example/callback".to_owned(),
            expires: 0,
        };
        let shown = format!("{code:?}");
        assert!(shown.contains("[secret]") && !shown.contains("hidden"), "{shown}");
        let text = serde_json::to_string(&code).unwrap();
        assert!(text.contains(r#""k":"hidden code""#), "as it has always been written: {text}");
        assert_eq!(serde_json::from_str::<Code>(&text).unwrap(), code);
    }
}
