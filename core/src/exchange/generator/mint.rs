//! From the right and the wish to the token.

use std::num::NonZero;
use std::time::Duration;

use super::GeneratorError;
use super::gate::{Extent, MintRight};
use super::wish::{Wish, WishError};
use crate::env::Env;
use crate::exchange::service::Service;
use crate::identity::STRANGERS_ISSUER;
use crate::jose::claims::Claims;
use crate::jose::token::seal;
use crate::time::UnixTime;

/// The life of a token whose body does not name one, in seconds.
const USUAL_LIFE: u64 = 3600;

/// Makes the token that a body asks for, if the right extends to it and this server would accept it.
pub(in crate::exchange) fn mint(
    env: &mut Env<'_>,
    service: &Service,
    right: &MintRight,
    body: &[u8],
) -> Result<String, GeneratorError> {
    let Some(keys) = &service.keys else { return Err(GeneratorError::JweOff) };
    let wish = Wish::parse(body)?;
    let life = life(wish.expiry, service.life.max_lifetime_seconds)?;
    let policy_error = match right.extent() {
        Extent::Any => GeneratorError::BearersPolicy,
        Extent::OwnLogin => {
            check_own_login(&wish)?;
            GeneratorError::StrangersPolicy
        }
    };
    let iss = match right.extent() {
        Extent::Any => None,
        Extent::OwnLogin => Some(STRANGERS_ISSUER.to_owned()),
    };
    // Dates count whole seconds. There is no `iat`: a replica whose clock is a second behind would refuse it.
    let exp = UnixTime::from_seconds(env.now.seconds()).after(life);
    let claims = Claims { exp: Some(exp), iss, ..wish.claims };
    service.policy.caller(&service.config, &claims).map_err(policy_error)?;
    seal(keys, &claims, env.rng).map_err(GeneratorError::Unsealed)
}

/// Lets a stranger's wish pass that uses nothing of the operator's: no login, no person, no file.
fn check_own_login(wish: &Wish) -> Result<(), GeneratorError> {
    let Claims { host, username, password, email, sub, .. } = &wish.claims;
    for (field, missing) in
        [("host", host.is_none()), ("username", username.is_none()), ("password", password.is_none())]
    {
        if missing {
            return Err(GeneratorError::NotOwn { field });
        }
    }
    let person = email.as_ref().map(|_| "email").or(sub.as_ref().map(|_| "sub"));
    match person.or(wish.file_of_tls()) {
        Some(field) => Err(GeneratorError::Reserved { field }),
        None => Ok(()),
    }
}

fn life(expiry: Option<NonZero<u64>>, longest: Option<u64>) -> Result<Duration, WishError> {
    let seconds = match (expiry.map(NonZero::get), longest) {
        (Some(seconds), Some(max_seconds)) if seconds > max_seconds => {
            return Err(WishError::TooLongLived { max_seconds });
        }
        (Some(seconds), _) => seconds,
        (None, longest) => longest.map_or(USUAL_LIFE, |longest| longest.min(USUAL_LIFE)),
    };
    Ok(Duration::from_secs(seconds))
}
