//! `server.jwe`: what is asked of tokens, and the rules for the secrets that make them.

use super::Host;
use super::host_pattern::HostPattern;
use super::reader::Reader;
use super::settings::{Generator, Jwe};
use crate::secret::Secret;

const ENCRYPTING: &str = "server.jwe.jwe_secret_key";
const SIGNING: &str = "server.jwe.jwt_secret_key";

/// Bytes below which a secret can be guessed.
const SHORT: usize = 16;

/// Secrets that stand in altinity-mcp's documents, where everybody finds them.
const PUBLISHED: [&str; 8] = [
    "your-jwe-secret-key",
    "your-jwt-secret-key",
    "your-jwe-secret",
    "your-jwt-secret",
    "your-jwe-encryption-secret",
    "your-jwt-signing-secret",
    "jwe-encryption-secret",
    "jwt-signing-secret",
];

impl Reader<'_> {
    pub(super) fn jwe(&mut self) -> Jwe {
        let enabled = self.flag("server.jwe.enabled");
        let jwe = Jwe {
            enabled,
            jwe_secret_key: self.secret_keys(ENCRYPTING),
            jwt_secret_key: self.secret_keys(SIGNING),
            leeway: self.number("server.jwe.leeway"),
            allow_non_expiring: self.flag("server.jwe.allow_non_expiring"),
            max_lifetime: self.number("server.jwe.max_lifetime"),
            allowed_hosts: self.token_hosts(),
            tls_directory: self.tls_directory(),
            generator: self.generator(enabled),
        };
        // In the hosted component the flag says that callers have been authenticated, by the host and its keys.
        if jwe.enabled && jwe.jwe_secret_key.is_empty() && self.host != Host::Hosted {
            self.rule("`server.jwe.enabled` is true, but there is no `server.jwe.jwe_secret_key`");
        }
        self.warn_of_secrets(&jwe);
        if jwe.allow_non_expiring && jwe.max_lifetime > 0 {
            self.rule("`server.jwe.allow_non_expiring` and `server.jwe.max_lifetime` exclude each other");
        }
        jwe
    }

    fn warn_of_secrets(&mut self, jwe: &Jwe) {
        for (path, secrets) in [(ENCRYPTING, &jwe.jwe_secret_key), (SIGNING, &jwe.jwt_secret_key)] {
            let any = |test: fn(&str) -> bool| secrets.iter().any(|secret| test(secret.expose()));
            let problem = if secrets.is_empty() {
                continue;
            } else if !jwe.enabled {
                "has no effect: `server.jwe.enabled` is false."
            } else if any(|secret| PUBLISHED.contains(&secret)) {
                "is an example that altinity-mcp publishes: anybody can make tokens with it."
            } else if any(|secret| secret.len() < SHORT) {
                "is shorter than 16 bytes: it can be guessed from one token."
            } else {
                continue;
            };
            self.warn(&format!("{} {problem}", self.gathered.name(path)));
        }
        let shared = jwe.jwe_secret_key.iter().any(|secret| jwe.jwt_secret_key.contains(secret));
        if jwe.enabled && shared {
            let (encrypting, signing) = (self.gathered.name(ENCRYPTING), self.gathered.name(SIGNING));
            self.warn(&format!(
                "{encrypting} and {signing} are the same secret: whoever can open tokens can sign them, too. Give each its own."
            ));
        }
    }

    fn token_hosts(&mut self) -> Vec<HostPattern> {
        let path = "server.jwe.allowed_hosts";
        let problem = "is not a pattern such as `db.example.com:8443`, `*.example.com` or `10.0.0.7`";
        self.each(path, problem, HostPattern::parse)
    }

    fn tls_directory(&mut self) -> Option<String> {
        let path = "server.jwe.tls_directory";
        let directory = self.optional(path)?;
        if !directory.starts_with('/') || directory.split('/').any(|part| part == "..") {
            self.value_problem(path, "takes an absolute path without `..`");
        }
        Some(directory)
    }

    fn generator(&mut self, jwe_enabled: bool) -> Generator {
        let generator = Generator {
            enabled: self.flag("server.jwe.generator"),
            token: self.generator_token(),
            per_minute: Some(self.number("server.jwe.generator_rate")).filter(|rate| *rate > 0),
        };
        let off = match (jwe_enabled, generator.enabled) {
            (false, _) => Some("server.jwe.enabled"),
            (true, false) => Some("server.jwe.generator"),
            (true, true) => None,
        };
        if let (Some(off), Some(_)) = (off, &generator.token) {
            let name = self.gathered.name("server.jwe.generator_token");
            self.warn(&format!("{name} has no effect: `{off}` is false."));
        }
        generator
    }

    fn generator_token(&mut self) -> Option<Secret<String>> {
        let path = "server.jwe.generator_token";
        let token = self.secrets(path).into_iter().next().filter(|token| !token.expose().is_empty())?;
        if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            self.value_problem(path, "takes visible ASCII characters, as a header can carry them");
        } else if token.expose().len() < SHORT {
            // The limit of the rate does not stop a right guess.
            self.value_problem(path, "takes at least 16 bytes: a shorter one can be guessed");
        }
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigErrors, Host, Loaded, Sources, load};
    use super::*;

    const TOKENS: [(&str, &str); 2] = [("MCP_TRANSPORT", "http"), ("MCP_ALLOW_JWE_AUTH", "true")];
    const GOOD: (&str, &str) = ("MCP_JWE_SECRET_KEY", "an encryption secret of some length");

    fn loaded(environment: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = TOKENS.iter().chain(environment).map(pair).collect();
        load(Host::Native, &Sources { environment, ..Sources::default() }, &|_| Err(String::new()))
    }

    fn warnings(environment: &[(&str, &str)]) -> Vec<String> {
        let warnings = loaded(environment).unwrap().warnings;
        warnings.into_iter().filter(|warning| !warning.starts_with("No authentication")).collect()
    }

    fn the_warning(environment: &[(&str, &str)]) -> String {
        let [warning] = <[String; 1]>::try_from(warnings(environment)).unwrap();
        let secrets = environment.iter().filter(|(_, value)| value.len() > 5);
        secrets.for_each(|(_, secret)| assert!(!warning.contains(secret), "{warning}"));
        warning
    }

    #[test]
    fn secrets_that_others_know_or_guess_are_warned_about() {
        assert_eq!(warnings(&[GOOD, ("MCP_JWT_SECRET_KEY", "a signing secret of some length")]), [""; 0]);
        for secret in PUBLISHED {
            let warning = the_warning(&[("MCP_JWE_SECRET_KEY", secret)]);
            assert!(warning.starts_with("`MCP_JWE_SECRET_KEY` is an example that"), "{warning}");
            let warning = the_warning(&[GOOD, ("MCP_JWT_SECRET_KEY", secret)]);
            assert!(warning.starts_with("`MCP_JWT_SECRET_KEY` is an example that"), "{warning}");
        }
        let warning = the_warning(&[GOOD, ("MCP_JWT_SECRET_KEY", "fifteen-letters")]);
        assert!(warning.contains("`MCP_JWT_SECRET_KEY` is shorter than 16 bytes"), "{warning}");
        assert_eq!(warnings(&[GOOD, ("MCP_JWT_SECRET_KEY", "sixteen--letters")]), [""; 0]);
        let off = ("MCP_ALLOW_JWE_AUTH", "false");
        let warning = the_warning(&[("MCP_JWE_SECRET_KEY", "your-jwe-secret-key"), off]);
        assert!(warning.contains("has no effect"), "{warning}");
    }

    #[test]
    fn one_secret_for_both_ends_is_warned_about() {
        let warning = the_warning(&[GOOD, ("MCP_JWT_SECRET_KEY", GOOD.1)]);
        assert!(warning.contains("`MCP_JWE_SECRET_KEY` and `MCP_JWT_SECRET_KEY` are the same"), "{warning}");
        let document = "server: {jwe: {jwe_secret_key: [the newer of two secrets, the older of two secrets], \
                        jwt_secret_key: [a secret of its own, the older of two secrets]}}";
        let warning = the_warning(&[("HOUSEKEY_CONFIG", document)]);
        assert!(warning.contains("are the same secret"), "{warning}");
    }

    #[test]
    fn a_bearer_of_the_generator_that_can_be_guessed_is_refused() {
        for short in ["fifteen-letters", "x"] {
            let error = loaded(&[GOOD, ("MCP_JWE_GENERATOR_TOKEN", short)]).unwrap_err().to_string();
            assert!(error.starts_with("`MCP_JWE_GENERATOR_TOKEN` takes at least 16 bytes"), "{error}");
            assert!(!error.contains("fifteen-letters"), "{error}");
        }
        assert_eq!(warnings(&[GOOD, ("MCP_JWE_GENERATOR_TOKEN", "sixteen--letters")]), [""; 0]);
        assert_eq!(warnings(&[GOOD, ("MCP_JWE_GENERATOR_TOKEN", "")]), [""; 0]);
        let error = loaded(&[GOOD, ("MCP_JWE_GENERATOR_TOKEN", "with blanks within it")]).unwrap_err();
        assert!(error.to_string().contains("visible ASCII"), "{error}");
    }

    #[test]
    fn a_bearer_of_the_generator_without_a_generator_is_warned_about() {
        let bearer = ("MCP_JWE_GENERATOR_TOKEN", "sixteen--letters");
        let warning = the_warning(&[GOOD, bearer, ("MCP_JWE_GENERATOR", "false")]);
        assert_eq!(warning, "`MCP_JWE_GENERATOR_TOKEN` has no effect: `server.jwe.generator` is false.");
        let warning = the_warning(&[bearer, ("MCP_ALLOW_JWE_AUTH", "false")]);
        assert_eq!(warning, "`MCP_JWE_GENERATOR_TOKEN` has no effect: `server.jwe.enabled` is false.");
        assert_eq!(warnings(&[GOOD, ("MCP_JWE_GENERATOR", "false")]), [""; 0]);
    }

    #[test]
    fn a_token_is_missed_only_where_stdio_was_meant() {
        let missed = |transport| {
            let error = loaded(&[GOOD, ("MCP_TRANSPORT", transport)]).unwrap_err().to_string();
            (error.lines().count(), error.contains("there is no token"))
        };
        assert_eq!(missed("stdio"), (1, true));
        assert_eq!(missed("htpp"), (1, false));
        assert!(loaded(&[GOOD, ("MCP_TRANSPORT", "sse")]).is_ok());
    }
}
