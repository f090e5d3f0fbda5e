//! A server as its configuration describes it, asked about tokens without being started.

use anyhow::Context as _;
use housekey_core::config::{self, Config, Host, Sources};
use housekey_core::identity::{Caller, Policy, PolicyError};
use housekey_core::jose::claims::Claims;
use housekey_core::jose::token::{LifePolicy, TokenError, TokenKeys};
use housekey_core::time::UnixTime;

use crate::component::edge_environment;

/// Variables that say which tokens are accepted, whatever else the environment holds.
const OF_TOKENS: [&str; 4] = ["MCP_JWE_", "MCP_JWT_", "CONFIG_FILE", "HOUSEKEY_CONFIG"];

/// Variables that this command settles itself.
const SETTLED: [(&str, &str); 2] = [("MCP_ALLOW_JWE_AUTH", "true"), ("MCP_TRANSPORT", "http")];

/// Where a secret can come from.
const NO_SECRET: &str = "give --jwe-secret-key, MCP_JWE_SECRET_KEY, MCP_JWE_SECRET_KEY_FILE or --config";

type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Says of tokens what a server says, with the server's own code.
pub(super) struct Judge {
    /// What the operator wrote.
    pub(super) config: Config,
    /// The operator's secrets.
    pub(super) keys: TokenKeys,
    life: LifePolicy,
    /// The part that decides, which is the component's where that handles requests.
    decides: (Config, Policy),
    /// In a sentence, why no server starts here. Then nothing is known of what one would accept.
    pub(super) unjudged: Option<String>,
}

/// What a server would do with the token.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// Run the queries of whoever brings it as this caller.
    Accepted(Caller),
    /// Refuse it.
    Refused(Refused),
    /// Nobody can say, for this reason.
    Unknown(&'a str),
}

/// Why a genuine token is refused; the texts are those of the operator's log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Its dates.
    #[error(transparent)]
    Life(TokenError),
    /// What it asks for.
    #[error(transparent)]
    Policy(PolicyError),
}

impl Judge {
    /// Reads the configuration. Secrets are all that is needed here: where tokens are made there may be half of
    /// a server's environment, which then judges nothing.
    pub(super) fn load(mut sources: Sources, read_file: ReadFile<'_>) -> anyhow::Result<Self> {
        let has = |name: &str, given: &str| given == name || given.strip_suffix("_FILE") == Some(name);
        sources.environment.retain(|(given, _)| !SETTLED.iter().any(|(name, _)| has(name, given)));
        let settled = SETTLED.map(|(name, value)| (name.to_owned(), value.to_owned()));
        sources.environment.extend(settled);
        let named = ["MCP_JWE_SECRET_KEY", "CONFIG_FILE", "HOUSEKEY_CONFIG"];
        let in_environment =
            |(given, text): &(String, String)| !text.is_empty() && named.iter().any(|name| has(name, given));
        let in_flags = |(name, _): &(String, Vec<String>)| name == "config" || name == "jwe-secret-key";
        if !sources.environment.iter().any(in_environment) && !sources.flags.iter().any(in_flags) {
            anyhow::bail!("there is no secret to make or open tokens with: {NO_SECRET}");
        }

        let whole = match config::load(Host::Native, &sources, read_file) {
            Ok(loaded) => return Self::new(loaded.config, None, read_file),
            Err(errors) => errors.to_string().replace('\n', " "),
        };
        sources.environment.retain(|(given, _)| {
            OF_TOKENS.iter().any(|prefix| given.starts_with(prefix))
                || SETTLED.iter().any(|(name, _)| name == given)
        });
        let config = config::load(Host::Native, &sources, read_file)?.config;
        let unjudged = format!(
            "no server starts in this environment, so nobody can say whether one would accept the token: {whole}"
        );
        Self::new(config, Some(unjudged), read_file)
    }

    fn new(config: Config, unjudged: Option<String>, read_file: ReadFile<'_>) -> anyhow::Result<Self> {
        let jwe = &config.server.jwe;
        let keys = TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key).context(NO_SECRET)?;
        let life = LifePolicy::of(jwe);
        let decides = if config.server.component.is_some() {
            let sources = Sources { environment: edge_environment(&config), ..Sources::default() };
            let guest = config::load(Host::Edge, &sources, read_file)?.config;
            let policy = Policy::new(&guest, Host::Edge);
            (guest, policy)
        } else {
            (config.clone(), Policy::new(&config, Host::Native))
        };
        Ok(Self { config, keys, life, decides, unjudged })
    }

    /// What the server would do with whoever brings these claims now.
    pub(super) fn verdict(&self, claims: &Claims, now: UnixTime) -> Verdict<'_> {
        if let Some(reason) = &self.unjudged {
            return Verdict::Unknown(reason);
        }
        match self.caller(claims, now) {
            Ok(caller) => Verdict::Accepted(caller),
            Err(refused) => Verdict::Refused(refused),
        }
    }

    fn caller(&self, claims: &Claims, now: UnixTime) -> Result<Caller, Refused> {
        self.life.check(claims, now).map_err(Refused::Life)?;
        let (config, policy) = &self.decides;
        policy.caller(config, claims).map_err(Refused::Policy)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A judge by its environment alone.
    pub(in crate::token) fn judge(environment: &[(&str, &str)]) -> anyhow::Result<Judge> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = environment.iter().map(pair).collect();
        let sources = Sources { environment, ..Sources::default() };
        Judge::load(sources, &|path| Err(format!("{path}: not here")))
    }

    const SECRET: (&str, &str) = ("MCP_JWE_SECRET_KEY", "a secret of some length");

    fn judged(environment: &[(&str, &str)], claims: &Claims) -> Result<Caller, String> {
        let environment: Vec<_> = environment.iter().copied().chain([SECRET]).collect();
        let judge = judge(&environment).unwrap();
        let claims = Claims { exp: Some(UnixTime::from_seconds(60)), ..claims.clone() };
        match judge.verdict(&claims, UnixTime::from_seconds(0)) {
            Verdict::Accepted(caller) => Ok(caller),
            Verdict::Refused(refused) => Err(refused.to_string()),
            Verdict::Unknown(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn the_whole_environment_counts() {
        let alice = Claims { email: Some("alice".into()), ..Claims::default() };
        let environment = [("CLICKHOUSE_IMPERSONATION", "execute_as"), ("CLICKHOUSE_USERNAME", "gateway")];
        assert!(judged(&environment, &alice).is_ok());
        assert!(judged(&environment, &Claims::default()).unwrap_err().contains("identity"));
        assert!(judged(&[], &Claims::default()).is_ok());
        // Neither of these says anything about tokens that are made or inspected here.
        let environment = [("MCP_TRANSPORT", "stdio"), ("MCP_ALLOW_JWE_AUTH_FILE", "/nowhere")];
        assert!(judged(&environment, &alice).is_ok());
    }

    #[test]
    fn the_hosts_that_tokens_may_name_count() {
        let at = |host: &str| Claims {
            host: Some(host.to_owned()),
            username: Some("u".into()),
            password: Some("p".into()),
            ..Claims::default()
        };
        let list = [("MCP_JWE_ALLOWED_HOSTS", "*.example.com")];
        assert!(judged(&list, &at("db.example.com")).is_ok());
        assert!(judged(&list, &at("db.example.org")).unwrap_err().contains("server.jwe.allowed_hosts"));
        assert!(judged(&[], &at("169.254.169.254")).unwrap_err().contains("metadata"));
        let claims =
            Claims { tls_enabled: Some(true), tls_insecure_skip_verify: Some(true), ..at("h.example") };
        assert!(judged(&[], &claims).is_ok());
        let component = [("MCP_COMPONENT", "housekey_edge.wasm")];
        assert!(judged(&component, &at("db.example.org")).is_ok());
        assert!(judged(&component, &claims).unwrap_err().contains("native host only"));
    }

    #[test]
    fn half_an_environment_leaves_the_secrets_and_judges_nothing() {
        let judge = judge(&[SECRET, ("CLICKHOUSE_PORT", "eight"), ("LOG_LEVEL", "loud")]).unwrap();
        for exp in [None, Some(UnixTime::from_seconds(60))] {
            let claims = Claims { exp, ..Claims::default() };
            let verdict = judge.verdict(&claims, UnixTime::from_seconds(0));
            let Verdict::Unknown(reason) = verdict else { panic!("{verdict:?}") };
            assert!(reason.contains("CLICKHOUSE_PORT") && reason.contains("LOG_LEVEL"), "{reason}");
            assert!(!reason.contains('\n'), "{reason}");
        }
    }

    #[test]
    fn without_a_secret_it_is_said_where_one_can_come_from() {
        for environment in [&[][..], &[("MCP_JWE_SECRET_KEY", "")], &[("MCP_JWT_SECRET_KEY", "x")]] {
            let error = judge(environment).err().unwrap().to_string();
            assert!(error.contains("--jwe-secret-key"), "{error}");
        }
        let error = judge(&[("MCP_JWE_SECRET_KEY_FILE", "/nowhere")]).err().unwrap().to_string();
        assert!(error.contains("/nowhere: not here"), "{error}");
        let error = judge(&[("HOUSEKEY_CONFIG", "server: {}")]).err().unwrap().to_string();
        assert!(error.contains("server.jwe.jwe_secret_key"), "{error}");
    }
}
