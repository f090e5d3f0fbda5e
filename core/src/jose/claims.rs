//! What a token says about the person and the connection, read strictly: an unknown, doubled or ill-typed claim
//! is an error that names it, because a claim that is silently ignored is a restriction that is silently lifted.

use std::num::NonZero;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::members::{Members, MembersError, excerpt};
use crate::secret::Secret;
use crate::time::UnixTime;

/// The end of the range in which doubles, JSON's numbers for most readers, are exact; larger values are refused.
pub(super) const LARGEST_NUMBER: u64 = 1 << 53;

/// Claims that only OAuth's own artefacts (codes, registrations, refresh tokens) carry. Those are sealed alike, so
/// without this list a refresh token sealed under the same secret could pass for an access token.
const OAUTH_ONLY: [&str; 17] = [
    "access_token_exp",
    "client_id",
    "client_secret",
    "client_state",
    "code_challenge",
    "code_challenge_method",
    "grant_type",
    "redirect_uri",
    "redirect_uris",
    "resource",
    "scope",
    "token_endpoint_auth_method",
    "upstream_auth_code",
    "upstream_bearer_token",
    "upstream_pkce_verifier",
    "upstream_refresh_token",
    "upstream_token_type",
];

/// The claims of an access token. All are optional; an empty text or list counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who issued the token (RFC 7519 section 4.1.1).
    pub iss: Option<String>,
    /// Whom the token is about (RFC 7519 section 4.1.2).
    pub sub: Option<String>,
    /// For whom the token is meant, one text or a list (RFC 7519 section 4.1.3).
    pub aud: Vec<String>,
    /// The last second in which the token is valid (RFC 7519 section 4.1.4).
    pub exp: Option<UnixTime>,
    /// The first second in which the token is valid (RFC 7519 section 4.1.5).
    pub nbf: Option<UnixTime>,
    /// When the token was issued (RFC 7519 section 4.1.6).
    pub iat: Option<UnixTime>,
    /// The token's own name (RFC 7519 section 4.1.7).
    pub jti: Option<String>,
    /// ClickHouse's host name or address.
    pub host: Option<String>,
    /// ClickHouse's port.
    pub port: Option<NonZero<u16>>,
    /// The database of unqualified names.
    pub database: Option<String>,
    /// ClickHouse's user.
    pub username: Option<String>,
    /// That user's password.
    pub password: Option<Secret<String>>,
    /// How ClickHouse is spoken to.
    pub protocol: Option<Protocol>,
    /// The most rows of a result.
    pub limit: Option<NonZero<u64>>,
    /// Whether only reading statements are allowed.
    pub read_only: Option<bool>,
    /// The most seconds that a query may run.
    pub max_execution_time: Option<NonZero<u64>>,
    /// Whether ClickHouse is spoken to over TLS.
    pub tls_enabled: Option<bool>,
    /// A file of certificate authorities, on the server's disk.
    pub tls_ca_cert: Option<String>,
    /// A file with the client's certificate, on the server's disk.
    pub tls_client_cert: Option<String>,
    /// A file with the client's key, on the server's disk.
    pub tls_client_key: Option<String>,
    /// Whether ClickHouse's certificate is taken unchecked.
    pub tls_insecure_skip_verify: Option<bool>,
    /// The person's mail address.
    pub email: Option<String>,
    /// The person's name.
    pub name: Option<String>,
    /// The domain that hosts the person's account.
    pub hd: Option<String>,
    /// Whether the identity provider has checked `email`.
    pub email_verified: Option<bool>,
    /// ClickHouse roles that the person gets beside their own; a claim of Housekey's.
    pub roles: Vec<String>,
}

/// The values of the claim `protocol`; their case counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// ClickHouse's HTTP interface.
    Http,
    /// ClickHouse's native protocol.
    Tcp,
}

/// Why claims are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// RFC 7519 section 7.2 step 10: the claims are one JSON object in UTF-8.
    #[error("the claims are not a JSON object")]
    NotObject,
    /// RFC 7519 section 4: claim names are unique.
    #[error("the claim {claim:?} is given twice")]
    Duplicate {
        /// Its name.
        claim: String,
    },
    /// The name is not in the list of [`Claims`].
    #[error("the claim {claim:?} is not known")]
    Unknown {
        /// Its name, cut to 64 characters.
        claim: String,
    },
    /// The claim occurs only in authorization codes, registrations or refresh tokens.
    #[error("the claim {claim:?} belongs to an OAuth artifact, which is not an access token")]
    OauthArtifact {
        /// Its name.
        claim: String,
    },
    /// The value's JSON type is another.
    #[error("the claim {claim:?} must be {wanted}")]
    WrongType {
        /// Its name.
        claim: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The value has the right JSON type but is none of the values allowed.
    #[error("the value of the claim {claim:?} is out of range: it must be {wanted}")]
    OutOfRange {
        /// Its name.
        claim: String,
        /// What it must be.
        wanted: &'static str,
    },
}

impl Claims {
    /// Reads the claims set of a token (RFC 7519 section 7.2 step 10).
    pub fn parse(json: &[u8]) -> Result<Self, ClaimError> {
        let members = Members::parse(json).map_err(|error| match error {
            MembersError::NotObject => ClaimError::NotObject,
            MembersError::Duplicate(claim) => ClaimError::Duplicate { claim },
        })?;
        let mut claims = Self::default();
        for (name, raw) in members.iter() {
            claims.read(Claim { name, raw })?;
        }
        Ok(claims)
    }

    fn read(&mut self, claim: Claim<'_>) -> Result<(), ClaimError> {
        match claim.name {
            "iss" => self.iss = claim.text()?,
            "sub" => self.sub = claim.text()?,
            "aud" => self.aud = claim.texts()?,
            "exp" => self.exp = Some(claim.date()?),
            "nbf" => self.nbf = Some(claim.date()?),
            "iat" => self.iat = Some(claim.date()?),
            "jti" => self.jti = claim.text()?,
            "host" => self.host = claim.text()?,
            "port" => self.port = Some(claim.port()?),
            "database" => self.database = claim.text()?,
            "username" => self.username = claim.text()?,
            "password" => self.password = claim.text()?.map(Secret::new),
            "protocol" => self.protocol = claim.protocol()?,
            "limit" => self.limit = Some(claim.count()?),
            "read_only" => self.read_only = Some(claim.truth()?),
            "max_execution_time" => self.max_execution_time = Some(claim.count()?),
            "tls_enabled" => self.tls_enabled = Some(claim.truth()?),
            "tls_ca_cert" => self.tls_ca_cert = claim.text()?,
            "tls_client_cert" => self.tls_client_cert = claim.text()?,
            "tls_client_key" => self.tls_client_key = claim.text()?,
            "tls_insecure_skip_verify" => self.tls_insecure_skip_verify = Some(claim.truth()?),
            "email" => self.email = claim.text()?,
            "name" => self.name = claim.text()?,
            "hd" => self.hd = claim.text()?,
            "roles" => self.roles = claim.texts()?,
            "email_verified" => self.email_verified = Some(claim.truth()?),
            name if OAUTH_ONLY.contains(&name) => {
                return Err(ClaimError::OauthArtifact { claim: name.to_owned() });
            }
            name => return Err(ClaimError::Unknown { claim: excerpt(name) }),
        }
        Ok(())
    }
}

pub(super) const DATE: &str = "a number of seconds since 1970-01-01T00:00:00Z";
pub(super) const COUNT: &str = "a whole number of at least 1";
const PORT: &str = "a whole number from 1 to 65535";

/// One claim as it was written.
#[derive(Clone, Copy)]
struct Claim<'a> {
    name: &'a str,
    raw: &'a str,
}

impl Claim<'_> {
    fn text(self) -> Result<Option<String>, ClaimError> {
        let text: String = self.typed("a text")?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// RFC 7519 section 4.1.3: a list of texts or, for one, the text itself.
    fn texts(self) -> Result<Vec<String>, ClaimError> {
        let mut texts: Vec<String> = if self.raw.starts_with('[') {
            self.typed("a text or a list of texts")?
        } else {
            vec![self.typed("a text or a list of texts")?]
        };
        texts.retain(|text| !text.is_empty());
        Ok(texts)
    }

    fn truth(self) -> Result<bool, ClaimError> {
        self.typed("true or false")
    }

    /// RFC 7519 section 2, NumericDate; a fraction is cut off.
    fn date(self) -> Result<UnixTime, ClaimError> {
        self.number(f64::trunc, DATE).map(UnixTime::from_seconds)
    }

    fn port(self) -> Result<NonZero<u16>, ClaimError> {
        let number = self.whole(PORT)?;
        u16::try_from(number).ok().and_then(NonZero::new).ok_or_else(|| self.out_of_range(PORT))
    }

    fn count(self) -> Result<NonZero<u64>, ClaimError> {
        NonZero::new(self.whole(COUNT)?).ok_or_else(|| self.out_of_range(COUNT))
    }

    fn protocol(self) -> Result<Option<Protocol>, ClaimError> {
        match self.text()?.as_deref() {
            None => Ok(None),
            Some("http") => Ok(Some(Protocol::Http)),
            Some("tcp") => Ok(Some(Protocol::Tcp)),
            Some(_) => Err(self.out_of_range("http or tcp")),
        }
    }

    fn whole(self, wanted: &'static str) -> Result<u64, ClaimError> {
        self.number(|number| if number.fract() == 0.0 { number } else { f64::NAN }, wanted)
    }

    /// A JSON number that `round` brings into the whole numbers that doubles count exactly. A number that JSON
    /// writes with a fraction or an exponent is as good as one without: JSON has only one kind of number.
    fn number(self, round: impl Fn(f64) -> f64, wanted: &'static str) -> Result<u64, ClaimError> {
        if !self.raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(ClaimError::WrongType { claim: self.name.to_owned(), wanted });
        }
        if let Ok(number) = serde_json::from_str::<u64>(self.raw) {
            return if number <= LARGEST_NUMBER { Ok(number) } else { Err(self.out_of_range(wanted)) };
        }
        let number: f64 = serde_json::from_str(self.raw).map_err(|_| self.out_of_range(wanted))?;
        let number = round(number);
        if (0.0..=LARGEST_NUMBER as f64).contains(&number) {
            Ok(number as u64)
        } else {
            Err(self.out_of_range(wanted))
        }
    }

    fn typed<T: DeserializeOwned>(self, wanted: &'static str) -> Result<T, ClaimError> {
        serde_json::from_str(self.raw)
            .map_err(|_| ClaimError::WrongType { claim: self.name.to_owned(), wanted })
    }

    fn out_of_range(self, wanted: &'static str) -> ClaimError {
        ClaimError::OutOfRange { claim: self.name.to_owned(), wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> ClaimError {
        Claims::parse(json.as_bytes()).unwrap_err()
    }

    #[test]
    fn empty_texts_count_as_absent() {
        let json = r#"{"host":"","username":"","password":"","sub":"","email":"","protocol":"","aud":["",""],"hd":""}"#;
        assert_eq!(Claims::parse(json.as_bytes()), Ok(Claims::default()));
        assert_eq!(Claims::parse(b"{\"aud\":\"\"}"), Ok(Claims::default()));
    }

    #[test]
    fn dates_are_numbers_in_range_cut_to_seconds() {
        for (raw, seconds) in [
            ("0", 0),
            ("4102444800", 4_102_444_800),
            ("1.9", 1),
            ("1e3", 1000),
            ("9007199254740992", LARGEST_NUMBER),
        ] {
            let claims = Claims::parse(format!("{{\"exp\":{raw}}}").as_bytes()).unwrap();
            assert_eq!(claims.exp, Some(UnixTime::from_seconds(seconds)), "{raw}");
        }
        let claim = || "exp".to_owned();
        for raw in ["-1", "9007199254740993", "18446744073709551616", "1e300", "1e999", "-1e999"] {
            assert_eq!(
                error(&format!("{{\"exp\":{raw}}}")),
                ClaimError::OutOfRange { claim: claim(), wanted: DATE }
            );
        }
        for raw in ["\"4102444800\"", "null", "true", "[1]", "{}"] {
            assert_eq!(
                error(&format!("{{\"exp\":{raw}}}")),
                ClaimError::WrongType { claim: claim(), wanted: DATE }
            );
        }
    }

    #[test]
    fn refusals_name_the_claim() {
        let wrong = |claim: &str, wanted| ClaimError::WrongType { claim: claim.to_owned(), wanted };
        let range = |claim: &str, wanted| ClaimError::OutOfRange { claim: claim.to_owned(), wanted };
        for (json, expected) in [
            ("", ClaimError::NotObject),
            ("[]", ClaimError::NotObject),
            ("{\"host\":\"a\"}}", ClaimError::NotObject),
            (r#"{"host":"a","host":"a"}"#, ClaimError::Duplicate { claim: "host".to_owned() }),
            (r#"{"secure":true}"#, ClaimError::Unknown { claim: "secure".to_owned() }),
            (r#"{"Host":"a"}"#, ClaimError::Unknown { claim: "Host".to_owned() }),
            (r#"{"host":1}"#, wrong("host", "a text")),
            (r#"{"host":null}"#, wrong("host", "a text")),
            (r#"{"password":["x"]}"#, wrong("password", "a text")),
            (r#"{"username":"\ud800"}"#, wrong("username", "a text")),
            (r#"{"aud":[1]}"#, wrong("aud", "a text or a list of texts")),
            (r#"{"tls_enabled":"true"}"#, wrong("tls_enabled", "true or false")),
            (r#"{"read_only":1}"#, wrong("read_only", "true or false")),
            (r#"{"port":"8123"}"#, wrong("port", PORT)),
            (r#"{"port":0}"#, range("port", PORT)),
            (r#"{"port":65536}"#, range("port", PORT)),
            (r#"{"port":1.5}"#, range("port", PORT)),
            (r#"{"limit":0}"#, range("limit", COUNT)),
            (r#"{"limit":-1}"#, range("limit", COUNT)),
            (r#"{"max_execution_time":0}"#, range("max_execution_time", COUNT)),
            (r#"{"protocol":"HTTP"}"#, range("protocol", "http or tcp")),
        ] {
            assert_eq!(error(json), expected, "{json}");
        }
        let long = format!("{{\"{}\":1}}", "x".repeat(1000));
        assert_eq!(error(&long), ClaimError::Unknown { claim: "x".repeat(64) });
    }

    #[test]
    fn oauth_artifacts_are_not_access_tokens() {
        for name in OAUTH_ONLY {
            let json = format!("{{\"username\":\"u\",\"exp\":4102444800,\"{name}\":\"x\"}}");
            assert_eq!(error(&json), ClaimError::OauthArtifact { claim: name.to_owned() });
        }
    }
}
