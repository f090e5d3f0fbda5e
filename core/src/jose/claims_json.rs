//! Claims as they are written, into a token or for a reader: names sorted, absent claims left out.

use std::num::NonZero;

use serde::Serialize;
use zeroize::Zeroizing;

use super::claims::{COUNT, ClaimError, Claims, DATE, LARGEST_NUMBER, Protocol};
use crate::time::UnixTime;

impl Claims {
    /// The claims as JSON, names sorted and markup characters escaped, byte for byte as Go's `encoding/json` writes
    /// a map.
    pub(super) fn to_json(&self) -> Result<Zeroizing<String>, ClaimError> {
        for (name, number, wanted) in [
            ("exp", self.exp.map(UnixTime::seconds), DATE),
            ("iat", self.iat.map(UnixTime::seconds), DATE),
            ("nbf", self.nbf.map(UnixTime::seconds), DATE),
            ("limit", self.limit.map(NonZero::get), COUNT),
            ("max_execution_time", self.max_execution_time.map(NonZero::get), COUNT),
        ] {
            if number.is_some_and(|number| number > LARGEST_NUMBER) {
                return Err(ClaimError::OutOfRange { claim: name.to_owned(), wanted });
            }
        }
        let mut json = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *json, &Sorted::from(self)).map_err(|_| ClaimError::NotObject)?;
        let json = str::from_utf8(&json).map_err(|_| ClaimError::NotObject)?;
        let mut escaped = Zeroizing::new(String::with_capacity(json.len()));
        for c in json.chars() {
            // All five can only stand inside of a text.
            match c {
                '<' => escaped.push_str("\\u003c"),
                '>' => escaped.push_str("\\u003e"),
                '&' => escaped.push_str("\\u0026"),
                '\u{2028}' => escaped.push_str("\\u2028"),
                '\u{2029}' => escaped.push_str("\\u2029"),
                c => escaped.push(c),
            }
        }
        Ok(escaped)
    }

    /// The claims as indented JSON for people to read, with `***` for the password.
    pub fn to_masked_json(&self) -> String {
        let mut shown = Sorted::from(self);
        if shown.password.is_some() {
            shown.password = Some("***");
        }
        serde_json::to_string_pretty(&shown).unwrap_or_default()
    }
}

/// The claims in the order of their names.
#[derive(Serialize)]
struct Sorted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<NonZero<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_execution_time: Option<NonZero<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<NonZero<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_ca_cert: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_cert: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_insecure_skip_verify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
}

impl<'a> From<&'a Claims> for Sorted<'a> {
    fn from(claims: &'a Claims) -> Self {
        Self {
            aud: Audience::of(&claims.aud),
            database: given(&claims.database),
            email: given(&claims.email),
            email_verified: claims.email_verified,
            exp: claims.exp.map(UnixTime::seconds),
            hd: given(&claims.hd),
            host: given(&claims.host),
            iat: claims.iat.map(UnixTime::seconds),
            iss: given(&claims.iss),
            jti: given(&claims.jti),
            limit: claims.limit,
            max_execution_time: claims.max_execution_time,
            name: given(&claims.name),
            nbf: claims.nbf.map(UnixTime::seconds),
            password: claims.password.as_ref().map(|it| it.expose().as_str()).filter(|it| !it.is_empty()),
            port: claims.port,
            protocol: claims.protocol,
            read_only: claims.read_only,
            roles: claims.roles.iter().map(String::as_str).filter(|role| !role.is_empty()).collect(),
            sub: given(&claims.sub),
            tls_ca_cert: given(&claims.tls_ca_cert),
            tls_client_cert: given(&claims.tls_client_cert),
            tls_client_key: given(&claims.tls_client_key),
            tls_enabled: claims.tls_enabled,
            tls_insecure_skip_verify: claims.tls_insecure_skip_verify,
            username: given(&claims.username),
        }
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// RFC 7519 section 4.1.3: one audience is written as a text.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(Vec<&'a str>),
}

impl<'a> Audience<'a> {
    fn of(texts: &'a [String]) -> Option<Self> {
        let given: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        match given.as_slice() {
            [] => None,
            [one] => Some(Self::One(one)),
            [_, _, ..] => Some(Self::Several(given)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_comes_back() {
        let json = concat!(
            r#"{"aud":["a","b"],"database":"d","email":"e","email_verified":false,"exp":3,"hd":"h","host":"x","#,
            r#""iat":1,"iss":"i","jti":"j","limit":5,"max_execution_time":6,"name":"n","nbf":2,"password":"p","#,
            r#""port":8123,"protocol":"tcp","read_only":true,"sub":"s","tls_ca_cert":"c","tls_client_cert":"d","#,
            r#""tls_client_key":"k","tls_enabled":true,"tls_insecure_skip_verify":false,"username":"u"}"#,
        );
        let claims = Claims::parse(json.as_bytes()).unwrap();
        assert_eq!(claims.to_json().unwrap().as_str(), json);
        assert!(format!("{claims:?}").contains("password: Some([secret])"));
    }

    #[test]
    fn readers_see_all_but_the_password() {
        let json =
            br#"{"username":"u","password":"hunter2","exp":4102444800,"aud":["a","b"],"read_only":true}"#;
        let masked = Claims::parse(json).unwrap().to_masked_json();
        let lines: Vec<&str> = masked.lines().map(str::trim).collect();
        let shown = [
            "{",
            r#""aud": ["#,
            r#""a","#,
            r#""b""#,
            "],",
            r#""exp": 4102444800,"#,
            r#""password": "***","#,
            r#""read_only": true,"#,
            r#""username": "u""#,
            "}",
        ];
        assert_eq!(lines, shown);
        assert_eq!(Claims::default().to_masked_json(), "{}");
    }

    #[test]
    fn markup_is_escaped_as_go_does() {
        let claims = Claims { password: Some("<&>\u{2028}\u{2029}\"\u{1}é".into()), ..Claims::default() };
        let json = claims.to_json().unwrap();
        assert_eq!(json.as_str(), r#"{"password":"\u003c\u0026\u003e\u2028\u2029\"\u0001é"}"#);
        assert_eq!(Claims::parse(json.as_bytes()), Ok(claims));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let empty = Claims { host: Some(String::new()), aud: vec![String::new()], ..Claims::default() };
        assert_eq!(empty.to_json().unwrap().as_str(), "{}");
        let late = Claims { exp: Some(UnixTime::from_seconds(LARGEST_NUMBER + 1)), ..Claims::default() };
        let error = ClaimError::OutOfRange { claim: "exp".to_owned(), wanted: DATE };
        assert_eq!(late.to_json().unwrap_err(), error);
        let many = Claims { limit: Some(NonZero::<u64>::MAX), ..Claims::default() };
        let error = ClaimError::OutOfRange { claim: "limit".to_owned(), wanted: COUNT };
        assert_eq!(many.to_json().unwrap_err(), error);
    }
}
