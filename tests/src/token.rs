//! Tokens, good and bad, made with core's own crypto but with claims as plain JSON, so that wrong ones can be made.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use housekey_core::jose::jwe::{self, ContentType, WrappingKey};
use housekey_core::jose::jws::{self, SigningKey};
use serde_json::{Value, json};

use crate::secrets;

/// The secrets of one operator.
#[derive(Clone, Debug)]
pub struct Mint {
    /// What tokens are encrypted with.
    pub jwe_secret: String,
    /// What claims are signed with; `None` makes tokens of plain JSON.
    pub jwt_secret: Option<String>,
}

impl Mint {
    /// Fresh secrets of both kinds.
    pub fn new() -> Self {
        Self { jwe_secret: secrets::fresh("a JWE secret"), jwt_secret: Some(secrets::fresh("a JWT secret")) }
    }

    /// A token of these claims, which get an `exp` in an hour unless they have one; `null` stands for none.
    pub fn token(&self, mut claims: Value) -> Result<String> {
        if let Value::Object(members) = &mut claims {
            members.entry("exp").or_insert_with(|| json!(now() + 3600));
            members.retain(|_, value| !value.is_null());
        }
        self.seal(claims.to_string().as_bytes())
    }

    /// A token around these very bytes.
    pub fn seal(&self, claims: &[u8]) -> Result<String> {
        let key = WrappingKey::derive(&self.jwe_secret);
        let mut rng = rand::rng();
        let token = match &self.jwt_secret {
            Some(secret) => {
                let signed = jws::sign(&SigningKey::derive(secret), claims)?;
                jwe::seal(&key, ContentType::Jwt, signed.as_bytes(), &mut rng)?
            }
            None => jwe::seal(&key, ContentType::Json, claims, &mut rng)?,
        };
        Ok(secrets::remember("a token", token))
    }
}

impl Default for Mint {
    fn default() -> Self {
        Self::new()
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
