//! The body of a request for a token, read as strictly as claims are: a restriction that is silently dropped is a
//! hole.

use std::num::NonZero;

use serde::de::IgnoredAny;
use thiserror::Error;

use crate::jose::claims::{Claims, Protocol};
use crate::jose::members::{Members, MembersError, excerpt};
use crate::secret::Secret;

/// A hundred years: what the peer's scripts ask for when they mean for ever.
const LONGEST_LIFE: u64 = 3_153_600_000;
/// The end of the range in which doubles, JSON's numbers for most readers, are exact.
const LARGEST_NUMBER: u64 = 1 << 53;

/// What a token is wanted with.
#[derive(Debug)]
pub(super) struct Wish {
    /// The claims, without dates.
    pub(super) claims: Claims,
    /// For how many seconds.
    pub(super) expiry: Option<NonZero<u64>>,
}

/// Why a body does not say what is wanted. Fields are named, their values are not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WishError {
    /// Not JSON in UTF-8.
    #[error("the body is not JSON")]
    NotJson,
    /// JSON of another kind.
    #[error("the body must be a JSON object")]
    NotObject,
    /// A field twice: readers differ in which they take.
    #[error("the field {field:?} is given twice")]
    Duplicate {
        /// Its name, cut to 64 characters.
        field: String,
    },
    /// A field that means nothing here.
    #[error("there is no field {field:?}")]
    Unknown {
        /// Its name, cut to 64 characters.
        field: String,
    },
    /// The value's JSON type is another.
    #[error("`{field}` must be {wanted}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// The value has the right JSON type but is none of the values allowed.
    #[error("`{field}` is out of range: it must be {wanted}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Settings of TLS without TLS.
    #[error("`{field}` needs `tls_enabled` to be true")]
    TlsOff {
        /// The field.
        field: &'static str,
    },
    /// A life that this server would refuse.
    #[error("`expiry` must be at most {max_seconds} seconds (`server.jwe.max_lifetime`)")]
    TooLongLived {
        /// The longest life.
        max_seconds: u64,
    },
}

impl Wish {
    /// Reads a body. The zero values that Go writes for fields that nobody set (`""`, 0, false) and null count as
    /// absent, save `"tls_enabled": false` of a server that the body names.
    pub(super) fn parse(body: &[u8]) -> Result<Self, WishError> {
        let text = str::from_utf8(body).map_err(|_| WishError::NotJson)?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| WishError::NotJson)?;
        let members = Members::parse(body).map_err(|error| match error {
            MembersError::NotObject => WishError::NotObject,
            MembersError::Duplicate(field) => WishError::Duplicate { field },
        })?;
        let mut wish = Self { claims: Claims::default(), expiry: None };
        for (name, raw) in members.iter() {
            wish.read(name, raw)?;
        }
        let Claims { host, port, protocol, .. } = &wish.claims;
        if wish.claims.tls_enabled == Some(false) && host.is_none() && port.is_none() && protocol.is_none() {
            wish.claims.tls_enabled = None;
        }
        match wish.setting_of_tls() {
            Some(field) if wish.claims.tls_enabled != Some(true) => Err(WishError::TlsOff { field }),
            Some(_) | None => Ok(wish),
        }
    }

    fn read(&mut self, name: &str, raw: &str) -> Result<(), WishError> {
        let claims = &mut self.claims;
        let field = |name| Field { name, raw };
        match name {
            "host" => claims.host = field("host").text()?,
            "port" => claims.port = field("port").port()?,
            "database" => claims.database = field("database").text()?,
            "username" => claims.username = field("username").text()?,
            "password" => claims.password = field("password").text()?.map(Secret::new),
            "protocol" => claims.protocol = field("protocol").protocol()?,
            "limit" => claims.limit = field("limit").count(LARGEST_NUMBER, COUNT)?,
            "expiry" => self.expiry = field("expiry").count(LONGEST_LIFE, LIFE)?,
            // Beside a server, false is a wish of its own: without it the token would have what is configured.
            "tls_enabled" => claims.tls_enabled = field("tls_enabled").answer()?,
            "tls_ca_cert" => claims.tls_ca_cert = field("tls_ca_cert").text()?,
            "tls_client_cert" => claims.tls_client_cert = field("tls_client_cert").text()?,
            "tls_client_key" => claims.tls_client_key = field("tls_client_key").text()?,
            "tls_insecure_skip_verify" => {
                claims.tls_insecure_skip_verify = field("tls_insecure_skip_verify").truth()?;
            }
            "email" => claims.email = field("email").text()?,
            "sub" => claims.sub = field("sub").text()?,
            "read_only" => claims.read_only = field("read_only").truth()?,
            "max_execution_time" => {
                claims.max_execution_time = field("max_execution_time").count(LARGEST_NUMBER, COUNT)?;
            }
            unknown => return Err(WishError::Unknown { field: excerpt(unknown) }),
        }
        Ok(())
    }

    /// A field that says how TLS is spoken.
    fn setting_of_tls(&self) -> Option<&'static str> {
        let skips = self.claims.tls_insecure_skip_verify.map(|_| "tls_insecure_skip_verify");
        self.file_of_tls().or(skips)
    }

    /// A field that names a file of the operator's.
    pub(super) fn file_of_tls(&self) -> Option<&'static str> {
        let Claims { tls_ca_cert, tls_client_cert, tls_client_key, .. } = &self.claims;
        let given = |text: &Option<String>, field| text.as_ref().map(|_| field);
        given(tls_ca_cert, "tls_ca_cert")
            .or_else(|| given(tls_client_cert, "tls_client_cert"))
            .or_else(|| given(tls_client_key, "tls_client_key"))
    }
}

const COUNT: &str = "a whole number from 0 on";
const LIFE: &str = "a whole number of seconds, from 0 to 3153600000";
const PORT: &str = "a whole number from 0 to 65535";

/// One field as it was written.
#[derive(Clone, Copy)]
struct Field<'a> {
    name: &'static str,
    raw: &'a str,
}

impl Field<'_> {
    fn text(self) -> Result<Option<String>, WishError> {
        let text: Option<String> = serde_json::from_str(self.raw).map_err(|_| self.wrong_type("a text"))?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn truth(self) -> Result<Option<bool>, WishError> {
        Ok(self.answer()?.filter(|truth| *truth))
    }

    fn answer(self) -> Result<Option<bool>, WishError> {
        serde_json::from_str(self.raw).map_err(|_| self.wrong_type("true or false"))
    }

    fn protocol(self) -> Result<Option<Protocol>, WishError> {
        match self.text()?.as_deref() {
            None => Ok(None),
            Some("http") => Ok(Some(Protocol::Http)),
            Some("tcp") => Ok(Some(Protocol::Tcp)),
            Some(_) => Err(self.out_of_range("http or tcp")),
        }
    }

    fn port(self) -> Result<Option<NonZero<u16>>, WishError> {
        let port = self.count(u64::from(u16::MAX), PORT)?;
        Ok(port.and_then(|port| NonZero::<u16>::try_from(port).ok()))
    }

    /// A whole number. One that JSON writes with a fraction or an exponent is as good as one without.
    fn count(self, most: u64, wanted: &'static str) -> Result<Option<NonZero<u64>>, WishError> {
        if self.raw == "null" {
            return Ok(None);
        }
        if !self.raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(self.wrong_type(wanted));
        }
        let number = match serde_json::from_str::<u64>(self.raw) {
            Ok(number) => number,
            Err(_) => {
                let number: f64 = serde_json::from_str(self.raw).map_err(|_| self.out_of_range(wanted))?;
                if number.fract() != 0.0 || !(0.0..=LARGEST_NUMBER as f64).contains(&number) {
                    return Err(self.out_of_range(wanted));
                }
                number as u64
            }
        };
        if number > most { Err(self.out_of_range(wanted)) } else { Ok(NonZero::new(number)) }
    }

    fn wrong_type(self, wanted: &'static str) -> WishError {
        WishError::WrongType { field: self.name, wanted }
    }

    fn out_of_range(self, wanted: &'static str) -> WishError {
        WishError::OutOfRange { field: self.name, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> WishError {
        Wish::parse(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn every_field_becomes_its_claim() {
        let body = r#"{"host":"h","port":8123,"database":"d","username":"u","password":"p","protocol":"tcp",
            "limit":5,"expiry":6e1,"tls_enabled":true,"tls_ca_cert":"a","tls_client_cert":"b","tls_client_key":"c",
            "tls_insecure_skip_verify":true,"email":"e","sub":"s","read_only":true,"max_execution_time":7.0}"#;
        let wish = Wish::parse(body.as_bytes()).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let wanted = Claims {
            host: text("h"),
            port: NonZero::new(8123),
            database: text("d"),
            username: text("u"),
            password: Some(Secret::from("p")),
            protocol: Some(Protocol::Tcp),
            limit: NonZero::new(5),
            tls_enabled: Some(true),
            tls_ca_cert: text("a"),
            tls_client_cert: text("b"),
            tls_client_key: text("c"),
            tls_insecure_skip_verify: Some(true),
            email: text("e"),
            sub: text("s"),
            read_only: Some(true),
            max_execution_time: NonZero::new(7),
            ..Claims::default()
        };
        assert_eq!((wish.claims, wish.expiry), (wanted, NonZero::new(60)));
    }

    #[test]
    fn a_server_of_its_own_may_be_spoken_to_without_tls() {
        for (body, wanted) in [
            (r#"{"tls_enabled":false}"#, None),
            (r#"{"tls_enabled":false,"host":"h"}"#, Some(false)),
            (r#"{"tls_enabled":false,"port":1}"#, Some(false)),
            (r#"{"tls_enabled":false,"protocol":"http"}"#, Some(false)),
            (r#"{"tls_enabled":null,"host":"h"}"#, None),
        ] {
            assert_eq!(Wish::parse(body.as_bytes()).unwrap().claims.tls_enabled, wanted, "{body}");
        }
    }

    #[test]
    fn zero_values_count_as_absent() {
        let go = r#"{"host":"","port":0,"database":"","username":"","password":"","protocol":"","limit":0,"expiry":0,
            "tls_enabled":false,"tls_ca_cert":"","tls_client_cert":"","tls_client_key":"",
            "tls_insecure_skip_verify":false,"email":"","sub":"","read_only":false,"max_execution_time":0}"#;
        let names =
            ["host", "port", "password", "protocol", "expiry", "tls_enabled", "tls_ca_cert", "read_only"];
        let nulls: Vec<String> = names.map(|name| format!("\"{name}\":null")).into();
        for body in
            [go.to_owned(), format!("{{{}}}", nulls.join(",")), " {} ".to_owned(), r#"{"port":-0}"#.into()]
        {
            let wish = Wish::parse(body.as_bytes()).unwrap();
            assert_eq!((wish.claims, wish.expiry), (Claims::default(), None), "{body}");
        }
    }

    #[test]
    fn refusals_name_the_field() {
        let wrong = |field, wanted| WishError::WrongType { field, wanted };
        let range = |field, wanted| WishError::OutOfRange { field, wanted };
        for (body, wanted) in [
            ("", WishError::NotJson),
            ("{", WishError::NotJson),
            ("{}x", WishError::NotJson),
            ("host=a&port=1", WishError::NotJson),
            ("[]", WishError::NotObject),
            ("null", WishError::NotObject),
            (r#"{"host":"a","host":"a"}"#, WishError::Duplicate { field: "host".into() }),
            (r#"{"host":"a","\u0068ost":"b"}"#, WishError::Duplicate { field: "host".into() }),
            (r#"{"Host":"a"}"#, WishError::Unknown { field: "Host".into() }),
            (r#"{"exp":1}"#, WishError::Unknown { field: "exp".into() }),
            (r#"{"email_verified":true}"#, WishError::Unknown { field: "email_verified".into() }),
            (r#"{"host":1}"#, wrong("host", "a text")),
            (r#"{"password":["x"]}"#, wrong("password", "a text")),
            (r#"{"username":"\ud800"}"#, wrong("username", "a text")),
            (r#"{"port":"8123"}"#, wrong("port", PORT)),
            (r#"{"port":65536}"#, range("port", PORT)),
            (r#"{"port":-1}"#, range("port", PORT)),
            (r#"{"port":1.5}"#, range("port", PORT)),
            (r#"{"expiry":-3600}"#, range("expiry", LIFE)),
            (r#"{"expiry":3153600001}"#, range("expiry", LIFE)),
            (r#"{"expiry":"3600"}"#, wrong("expiry", LIFE)),
            (r#"{"limit":9007199254740993}"#, range("limit", COUNT)),
            (r#"{"limit":18446744073709551616}"#, range("limit", COUNT)),
            (r#"{"max_execution_time":1e999}"#, range("max_execution_time", COUNT)),
            (r#"{"protocol":"HTTP"}"#, range("protocol", "http or tcp")),
            (r#"{"read_only":"true"}"#, wrong("read_only", "true or false")),
            (r#"{"tls_enabled":1}"#, wrong("tls_enabled", "true or false")),
            (r#"{"tls_ca_cert":"a"}"#, WishError::TlsOff { field: "tls_ca_cert" }),
            (r#"{"tls_enabled":false,"tls_client_key":"a"}"#, WishError::TlsOff { field: "tls_client_key" }),
            (r#"{"tls_insecure_skip_verify":true}"#, WishError::TlsOff { field: "tls_insecure_skip_verify" }),
        ] {
            assert_eq!(error(body), wanted, "{body}");
        }
        assert_eq!(Wish::parse(b"{\"host\":\"\xff\"}").unwrap_err(), WishError::NotJson);
        assert_eq!(error(&"[".repeat(10_000)), WishError::NotJson);
        let long = format!("{{\"{}\":1}}", "x\\n".repeat(1000));
        assert_eq!(error(&long), WishError::Unknown { field: "x\n".repeat(32) });
        assert!(!error(&long).to_string().contains('\n'), "one line for the log");
    }
}
