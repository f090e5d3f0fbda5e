//! `server.oauth`, checked: who issues tokens, what is asked of them, and who a token's bearer is for ClickHouse.

mod identity_map;
mod read;

use std::time::Duration;

pub use identity_map::{IdentityMap, MapRule};

use super::host_pattern::HostPattern;
use super::pattern::Pattern;
use crate::secret::Secret;

/// What an operator decided about OAuth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// Whose tokens clients bring, and what becomes of them.
    pub mode: Mode,
    /// The identity provider.
    pub upstream: Upstream,
    /// The authorization server that Housekey is for its clients; `None` where they get their tokens from the identity
    /// provider. Always there in [`Mode::Gating`].
    pub facade: Option<Facade>,
    /// What tokens must name in `aud` beside, or instead of, this server's URLs.
    pub audience: Option<String>,
    /// Scopes that are asked for and named to clients, at least one.
    pub scopes: Vec<String>,
    /// Scopes that a token must have.
    pub required_scopes: Vec<String>,
    /// Who is let in.
    pub admission: AdmissionRules,
    /// Who a person is for ClickHouse.
    pub naming: Naming,
    /// How [`Mode::Forward`] hands on the token.
    pub forward: Forward,
    /// Claims that become headers to ClickHouse, in the order of their names.
    pub claims_to_headers: Vec<(String, String)>,
    /// A further path of the protected resource's metadata.
    pub resource_metadata_path: String,
}

/// Whose tokens clients bring, and what becomes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Housekey's own, issued after a login at the identity provider.
    Gating,
    /// The identity provider's, handed on to ClickHouse.
    Forward,
    /// The identity provider's, judged here.
    Resource,
}

/// The identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its issuer, as its tokens name it. Where it is not configured, all endpoints that are used are.
    pub issuer: Option<String>,
    /// Issuers that its tokens may name besides.
    pub other_issuers: Vec<String>,
    /// Where its keys are, if the discovery document is not to say so.
    pub jwks_url: Option<String>,
    /// Its keys, if they are not to be fetched: the text of a JSON Web Key Set.
    pub jwks: Option<String>,
    /// Where opaque tokens are asked about.
    pub introspection_url: Option<String>,
    /// How long documents and keys are remembered.
    pub remembered: Duration,
    /// Housekey's registration there.
    pub client: Option<UpstreamClient>,
}

/// Housekey's registration at the identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamClient {
    /// The client id.
    pub id: String,
    /// The client secret; `None` for a public client.
    pub secret: Option<Secret<String>>,
}

/// The authorization server that Housekey is for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facade {
    /// The URL below which its endpoints are, which is also its issuer, without a slash at the end; `None` to take it
    /// from each request.
    pub public_url: Option<String>,
    /// Secrets from which all keys are derived: the first makes, all open. Not empty.
    pub secrets: Vec<Secret<String>>,
    /// The identity provider's authorization endpoint, if the discovery document is not to say so.
    pub auth_url: Option<String>,
    /// Its token endpoint.
    pub token_url: Option<String>,
    /// Its userinfo endpoint.
    pub userinfo_url: Option<String>,
    /// Whether a refresh token is asked for there.
    pub offline_access: bool,
    /// Whether it is to ask for consent each time.
    pub force_consent: bool,
    /// Private-use schemes to which clients may redirect, in lower case.
    pub redirect_schemes: Vec<String>,
    /// Hosts from which client documents are fetched; empty for no list.
    pub client_document_hosts: Vec<HostPattern>,
    /// Seconds for which a code can be redeemed.
    pub code_ttl: u64,
    /// Seconds for which an access token is valid.
    pub access_token_ttl: u64,
    /// Seconds after a login for which refresh tokens work.
    pub refresh_token_ttl: u64,
    /// Where its endpoints are.
    pub paths: Paths,
}

/// The paths of the facade's endpoints, each with a slash at its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Client registration.
    pub registration: String,
    /// The authorization endpoint, which is also where the consent page's form goes.
    pub authorization: String,
    /// Where the identity provider returns.
    pub callback: String,
    /// The token endpoint.
    pub token: String,
    /// A further path of the authorization server's metadata.
    pub metadata: String,
    /// A further path of the OpenID configuration.
    pub openid_configuration: String,
}

/// Who is let in. Empty lists ask for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionRules {
    /// Domains in which the e-mail address must be, in lower case.
    pub email_domains: Vec<String>,
    /// Google Workspace domains, in lower case.
    pub hosted_domains: Vec<String>,
    /// Groups of which a person must be in one.
    pub groups: Vec<String>,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// Whether an e-mail address must be verified.
    pub email_verified: bool,
}

/// Who a person is for ClickHouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The claims of which the first that is there names the person. Not empty.
    pub claims: Vec<String>,
    /// From that name to ClickHouse's.
    pub map: IdentityMap,
    /// The claim that names roles.
    pub role_claim: Option<String>,
    /// What the whole name of a role must match.
    pub role_filter: Option<Pattern>,
}

/// How the identity provider's token is handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The header that has the token as it is; `None` for `Authorization` with a bearer token.
    pub header: Option<String>,
    /// Whether the token is judged before.
    pub validate: bool,
}

impl OAuth {
    /// Whether Housekey itself finds out who the bearer of a token is.
    pub fn knows_people(&self) -> bool {
        match self.mode {
            Mode::Gating | Mode::Resource => true,
            Mode::Forward => self.forward.validate,
        }
    }
}
