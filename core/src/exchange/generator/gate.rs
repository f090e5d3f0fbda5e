//! The judgement on the head of a request for a token: method, rate, bearer.

use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::GeneratorError;
use super::rate::{Bucket, Full};
use crate::config::{self, Config, Host, Impersonation};
use crate::exchange::admit::failure_answer;
use crate::exchange::failure::Failure;
use crate::exchange::route::Route;
use crate::exchange::service::guard;
use crate::identity::credentials;
use crate::time::UnixTime;
use crate::transport::guard::Guard;
use crate::transport::headers::check_length;

/// Bytes that the body of a request may have.
pub(in crate::exchange) const MAX_BODY: usize = 64 << 10;

/// The right to have a token made. Only [`Generator::judge`] gives it.
#[derive(Debug)]
pub(in crate::exchange) struct MintRight(Extent);

/// What may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Any token that this server accepts.
    Any,
    /// A token that carries all it grants.
    OwnLogin,
}

impl MintRight {
    /// What may be made.
    pub(super) fn extent(&self) -> Extent {
        self.0
    }

    /// Who asks, for logs.
    pub(in crate::exchange) fn holder(&self) -> &'static str {
        match self.0 {
            Extent::Any => "the generator's bearer",
            Extent::OwnLogin => "a stranger",
        }
    }
}

/// The endpoint as configured, and how many requests it still answers.
pub(in crate::exchange) struct Generator {
    jwe: bool,
    enabled: bool,
    impersonation: bool,
    /// Digests have one length, so comparing them tells nothing of the token's.
    bearer: Option<[u8; 32]>,
    buckets: Option<Mutex<Buckets>>,
}

/// Counted apart, so that a flood of strangers does not lock out the operator's own tool.
struct Buckets {
    bearer: Bucket,
    strangers: Bucket,
}

/// Who asks, as `Authorization` tells.
enum Asking {
    Bearer,
    Stranger,
    /// Counts among the strangers and is refused.
    Nobody(Failure),
}

impl Generator {
    /// The endpoint of a configuration.
    pub(in crate::exchange) fn new(config: &Config) -> Self {
        let jwe = &config.server.jwe;
        let config::Generator { enabled, token, per_minute } = &jwe.generator;
        let buckets = per_minute.and_then(NonZero::new).map(|per_minute| {
            Mutex::new(Buckets { bearer: Bucket::new(per_minute), strangers: Bucket::new(per_minute) })
        });
        Self {
            jwe: jwe.enabled,
            enabled: *enabled,
            impersonation: config.clickhouse.impersonation != Impersonation::None,
            bearer: token.as_ref().map(|token| Sha256::digest(token.expose()).into()),
            buckets,
        }
    }

    /// Judges a request by its head.
    pub(in crate::exchange) fn judge(&self, now: UnixTime, head: &Parts) -> Result<MintRight, Failure> {
        let extent = match self.count(now, head)? {
            Asking::Bearer => Extent::Any,
            Asking::Stranger if self.impersonation => return Err(GeneratorError::Impersonation.into()),
            Asking::Stranger => Extent::OwnLogin,
            Asking::Nobody(failure) => return Err(failure),
        };
        check_length(&head.headers, MAX_BODY).map_err(Failure::Head)?;
        Ok(MintRight(extent))
    }

    /// Counts a request that is there to be answered, and turns away those that are too many.
    fn count(&self, now: UnixTime, head: &Parts) -> Result<Asking, Failure> {
        if head.method != Method::POST {
            return Err(Failure::Method { allow: "POST" });
        }
        if !self.jwe {
            return Err(GeneratorError::JweOff.into());
        }
        if !self.enabled {
            return Err(Failure::NoSuchPath);
        }
        let asking = self.asking(&head.headers);
        let Some(buckets) = &self.buckets else { return Ok(asking) };
        let mut buckets = lock(buckets);
        let bucket = match asking {
            Asking::Bearer => &mut buckets.bearer,
            Asking::Stranger | Asking::Nobody(_) => &mut buckets.strangers,
        };
        bucket.take(now).map_err(|Full { seconds }| GeneratorError::TooMany { seconds })?;
        Ok(asking)
    }

    fn asking(&self, headers: &HeaderMap) -> Asking {
        let nobody = |error: GeneratorError| Asking::Nobody(error.into());
        let bearer = match credentials(headers) {
            Ok(None) => return Asking::Stranger,
            Ok(Some((scheme, bearer))) if scheme.eq_ignore_ascii_case("bearer") => bearer,
            Ok(Some(_)) => return nobody(GeneratorError::OtherScheme),
            Err(error) => return Asking::Nobody(Failure::Bearer(error)),
        };
        let Some(wanted) = &self.bearer else {
            return nobody(GeneratorError::WrongBearer { configured: false });
        };
        let given: [u8; 32] = Sha256::digest(bearer).into();
        if bool::from(given.ct_eq(wanted)) {
            Asking::Bearer
        } else {
            nobody(GeneratorError::WrongBearer { configured: true })
        }
    }
}

/// A poisoned lock only means that another request died between two writes of whole numbers.
fn lock(buckets: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    buckets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The generator's count for a host whose guest forgets everything between two requests.
///
/// It judges as [`super::super::admit`] does before the rest is looked at, and answers in the same words.
pub struct GeneratorGate {
    guard: Guard,
    generator: Generator,
}

impl GeneratorGate {
    /// The gate of a configuration.
    pub fn new(config: &Config, host: Host) -> Self {
        Self { guard: guard(config, host), generator: Generator::new(config) }
    }

    /// The answer to a request that must not get further; `None` for all that the guest is to judge.
    pub fn turn_away(&self, now: UnixTime, head: &Parts) -> Option<Response<Bytes>> {
        if Route::parse(head.uri.path(), false) != Some(Route::Generator) || head.method == Method::OPTIONS {
            return None;
        }
        let authority = head.uri.authority().map(http::uri::Authority::as_str);
        // First, as in admission: a page that is not let in spends nobody's requests.
        let origin = match self.guard.check(&head.headers, authority) {
            Ok(origin) => origin,
            Err(error) => return Some(failure_answer(&Failure::Guard(error), None)),
        };
        let failure = self.generator.count(now, head).err()?;
        Some(failure_answer(&failure, origin.as_deref()))
    }
}
