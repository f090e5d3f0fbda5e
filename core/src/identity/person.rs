//! From what an identity provider says of a person to what they may reach in ClickHouse.
//!
//! Everything here fails closed: a claim that is asked for and not there, a role that does not pass, a name that could be
//! taken for somebody else's is a refusal, never the configured login in place of the person.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::policy::{Access, Caller, Policy, PolicyError, configured, narrow};
use crate::clickhouse::{Credential, RunAs};
use crate::config::oauth::{AdmissionRules, Mode, Naming, OAuth};
use crate::config::{Config, Impersonation};
use crate::jose::claims::Claims;
use crate::oauth::Person;
use crate::secret::Secret;
use crate::sql::ImpersonatedUser;
use crate::time::UnixTime;

/// Roles that one person may have, and bytes of a name: what fits into a URL.
const MOST_ROLES: usize = 64;
const LONGEST_ROLE: usize = 256;
/// Bytes that a claim may have as a header.
const LONGEST_HEADER: usize = 1024;

/// Why somebody is known and not let in. The texts are for them: they name what the operator asks for and nothing of
/// what others have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Addresses are asked for, and there is none.
    #[error("the identity provider gives no e-mail address for this person")]
    NoEmail,
    /// Nobody has checked the address.
    #[error("the identity provider has not verified this person's e-mail address")]
    EmailNotVerified,
    /// It is another domain's.
    #[error("the e-mail address is not in one of the domains that are let in")]
    EmailDomain,
    /// Google Workspace says something else, or nothing.
    #[error("the person is not in one of the hosted domains that are let in")]
    HostedDomain,
    /// None of the groups.
    #[error("the person is in none of the groups that are let in")]
    Groups,
    /// The claims that name a user are not there, or are no text.
    #[error("the identity provider gives none of the claims that name a ClickHouse user")]
    NoName,
    /// No role is left.
    #[error("the identity provider gives this person no ClickHouse role")]
    NoRole,
    /// A claim that is to be sent on is not there, or fits no header.
    #[error("the identity provider gives no claim {claim:?} that a header can carry")]
    NoHeader {
        /// Its name.
        claim: String,
    },
}

impl AdmissionRules {
    /// Whether these claims are of somebody who is let in.
    ///
    /// # Errors
    /// An [`AdmissionError`] that says what is missing.
    pub fn check(&self, claims: &Map<String, Value>) -> Result<(), AdmissionError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let email = text("email");
        let is_verified = match claims.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            // Some providers write it as text.
            Some(Value::String(text)) => text == "true",
            _ => false,
        };
        // Anybody can write any address into a profile that nobody checks, so a domain counts only when it was.
        if (self.email_verified && email.is_some()) || !self.email_domains.is_empty() {
            let email = email.ok_or(AdmissionError::NoEmail)?;
            if !is_verified {
                return Err(AdmissionError::EmailNotVerified);
            }
            if !self.email_domains.is_empty() {
                let domain = domain_of(email).ok_or(AdmissionError::EmailDomain)?;
                if !self.email_domains.contains(&domain) {
                    return Err(AdmissionError::EmailDomain);
                }
            }
        }
        if !self.hosted_domains.is_empty() {
            let hosted = text("hd").map(str::to_ascii_lowercase).ok_or(AdmissionError::HostedDomain)?;
            if !self.hosted_domains.contains(&hosted) {
                return Err(AdmissionError::HostedDomain);
            }
        }
        if !self.groups.is_empty() {
            let theirs = texts(claims.get(&self.groups_claim));
            if !self.groups.iter().any(|group| theirs.contains(&group.as_str())) {
                return Err(AdmissionError::Groups);
            }
        }
        Ok(())
    }
}

impl Policy {
    /// The caller that a person is. A JWE token beside theirs only narrows.
    pub(crate) fn person(
        &self,
        config: &Config,
        oauth: &OAuth,
        person: &Person,
        token: &Secret<String>,
        narrowing: Option<&Claims>,
    ) -> Result<Caller, PolicyError> {
        oauth.admission.check(&person.claims)?;
        let mut access = match oauth.mode {
            Mode::Forward => forwarding(config, oauth, token),
            Mode::Gating | Mode::Resource => configured(config),
        };
        access.subject = subject(&person.claims);
        let name = || self.name_of(&oauth.naming, &person.claims);
        match config.clickhouse.impersonation {
            Impersonation::None => {}
            Impersonation::ExecuteAs => access.run_as = RunAs::ExecuteAs(name()?),
            Impersonation::Interserver => {
                let cluster = config.clickhouse.cluster.as_ref().ok_or(PolicyError::NoIdentity)?;
                access.run_as = RunAs::Interserver(name()?);
                access.credential =
                    Credential::Cluster { name: cluster.name.clone(), secret: cluster.secret.clone() };
            }
        }
        for (claim, header) in &oauth.claims_to_headers {
            if header.eq_ignore_ascii_case("x-clickhouse-user") {
                let user = text_of(&person.claims, claim).ok_or(AdmissionError::NoName)?;
                let user = ImpersonatedUser::parse(&oauth.naming.map.user_of(&user), self.deny())?;
                let password = config.clickhouse.password.clone();
                access.credential = Credential::Password { username: user.as_str().to_owned(), password };
            } else {
                access.headers.push((header.clone(), header_value(&person.claims, claim)?));
            }
        }
        if let Some(claim) = &oauth.naming.role_claim {
            access.roles = roles(&oauth.naming, person.claims.get(claim))?;
        }
        finish(config, access, person.expires, narrowing)
    }

    /// The caller that a token is which ClickHouse will judge.
    pub(crate) fn forwarded(
        &self,
        config: &Config,
        oauth: &OAuth,
        token: &Secret<String>,
        expires: Option<UnixTime>,
        narrowing: Option<&Claims>,
    ) -> Result<Caller, PolicyError> {
        finish(config, forwarding(config, oauth, token), expires, narrowing)
    }

    /// The ClickHouse user that claims stand for, under the law of names.
    ///
    /// # Errors
    /// No claim names anybody, or the name is one that nobody may have.
    pub fn name_of(
        &self,
        naming: &Naming,
        claims: &Map<String, Value>,
    ) -> Result<ImpersonatedUser, PolicyError> {
        let name =
            naming.claims.iter().find_map(|claim| text_of(claims, claim)).ok_or(AdmissionError::NoName)?;
        // The person's own name is judged first: a rule must not make a somebody of a nobody.
        ImpersonatedUser::parse(&name, self.deny())?;
        Ok(ImpersonatedUser::parse(&naming.map.user_of(&name), self.deny())?)
    }
}

/// An access by the token itself, with nothing of the configured login.
fn forwarding(config: &Config, oauth: &OAuth, token: &Secret<String>) -> Access {
    let credential = match &oauth.forward.header {
        None => Credential::Bearer(token.clone()),
        Some(name) => Credential::Header { name: name.clone(), value: token.clone() },
    };
    Access { credential, ..configured(config) }
}

fn finish(
    config: &Config,
    mut access: Access,
    expires: Option<UnixTime>,
    narrowing: Option<&Claims>,
) -> Result<Caller, PolicyError> {
    access.expires = expires;
    if let Some(claims) = narrowing {
        narrow(config, &mut access, claims)?;
    }
    let expires = access.expires;
    Ok(Caller { access: Arc::new(access), expires })
}

/// The roles that pass. ClickHouse gives a query that names none all of the user's default roles, so none is an error.
fn roles(naming: &Naming, claim: Option<&Value>) -> Result<Vec<String>, AdmissionError> {
    let passes = |role: &&str| {
        let fits = !role.is_empty() && role.len() <= LONGEST_ROLE && !role.chars().any(char::is_control);
        fits && naming.role_filter.as_ref().is_none_or(|filter| filter.is_match(role))
    };
    let mut roles: Vec<String> = Vec::new();
    for role in texts(claim).into_iter().filter(passes) {
        if !roles.iter().any(|known| known == role) {
            roles.push(role.to_owned());
        }
    }
    if roles.is_empty() || roles.len() > MOST_ROLES { Err(AdmissionError::NoRole) } else { Ok(roles) }
}

/// The texts of a claim that is a list of them, or of one that has them separated by blanks.
fn texts(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split_whitespace().collect(),
        _ => Vec::new(),
    }
}

/// The text of a claim that is there and not empty; numbers count as they are written.
fn text_of(claims: &Map<String, Value>, name: &str) -> Option<String> {
    match claims.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    }
}

fn header_value(claims: &Map<String, Value>, claim: &str) -> Result<String, AdmissionError> {
    let value = match claims.get(claim) {
        Some(Value::Array(_)) => Some(texts(claims.get(claim)).join(",")).filter(|text| !text.is_empty()),
        Some(Value::Bool(value)) => Some(value.to_string()),
        _ => text_of(claims, claim),
    };
    let fits = |text: &String| {
        text.len() <= LONGEST_HEADER && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    value.filter(fits).ok_or_else(|| AdmissionError::NoHeader { claim: claim.to_owned() })
}

/// Whom logs name.
fn subject(claims: &Map<String, Value>) -> Option<String> {
    let name = text_of(claims, "email").or_else(|| text_of(claims, "sub"))?;
    Some(name.chars().take(256).collect())
}

/// The domain of an address that has exactly one `@`, in lower case.
fn domain_of(email: &str) -> Option<String> {
    let (local, domain) = email.split_once('@')?;
    let fits = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
    fits.then(|| domain.to_ascii_lowercase())
}
