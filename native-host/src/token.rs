//! `housekey token`: makes a token as altinity-mcp's generator does, but holds only what was asked for.

use std::num::NonZero;

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use housekey_core::config::{Config, Host, Sources};
use housekey_core::identity::Policy;
use housekey_core::jose::claims::{Claims, Protocol};
use housekey_core::jose::token::{LifePolicy, TokenKeys, open, seal};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;

use crate::host::now;
use crate::{cli, settings};

/// Seconds for which a token is valid unless said otherwise.
const EXPIRY: &str = "3600";

/// What a token shall say, and with which secrets it is made.
#[derive(Debug)]
pub struct Wish {
    /// What it shall say, but for its dates.
    pub claims: Claims,
    /// Seconds from now to its end.
    pub expiry: u64,
    /// The flags that name the secrets, for the configuration.
    pub flags: cli::Flags,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).allow_hyphen_values(true)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("token")
        .about("Makes a JWE token and prints it")
        .after_help(
            "Only what is given becomes a claim. A token that names a server (--host, --port, --protocol or --tls) \
             brings its own login: without --username and --password it is refused. Without --username, and with \
             `clickhouse.impersonation: execute_as`, queries run as the ClickHouse user that --email or --sub names.",
        )
        .arg(text("config", "FILE", "A configuration document that holds the secrets [env: CONFIG_FILE]"))
        .arg(
            text("jwe-secret-key", "SECRET", "Encrypts the token [env: MCP_JWE_SECRET_KEY]")
                .action(ArgAction::Append),
        )
        .arg(
            text("jwt-secret-key", "SECRET", "Signs the claims; without it they are not signed [env: MCP_JWT_SECRET_KEY]")
                .action(ArgAction::Append),
        )
        .arg(text("email", "ADDRESS", "The person's e-mail address"))
        .arg(text("sub", "NAME", "The person, by any other name"))
        .arg(text("host", "HOST", "ClickHouse's host"))
        .arg(text("port", "PORT", "ClickHouse's port").value_parser(value_parser!(NonZero<u16>)))
        .arg(text("database", "NAME", "The database of names without one"))
        .arg(text("username", "NAME", "The ClickHouse user that logs in"))
        .arg(text("password", "SECRET", "That user's password"))
        .arg(text("protocol", "NAME", "How ClickHouse is spoken to").value_parser(["http", "tcp"]))
        .arg(text("limit", "ROWS", "The most rows of an answer").value_parser(value_parser!(NonZero<u64>)))
        .arg(
            text("expiry", "SECONDS", "For how long the token is valid")
                .value_parser(value_parser!(u64))
                .default_value(EXPIRY),
        )
        .arg(switch("tls", "ClickHouse is reached over TLS"))
        .arg(text("tls-ca-cert", "FILE", "A claim that Housekey itself refuses: authorities, on the server's disk"))
        .arg(text("tls-client-cert", "FILE", "A claim that Housekey itself refuses: a certificate"))
        .arg(text("tls-client-key", "FILE", "A claim that Housekey itself refuses: its key"))
        .arg(switch("tls-insecure-skip-verify", "A claim that Housekey itself refuses: no verification"))
}

/// What the command line wishes for.
pub(crate) fn wish(matches: &ArgMatches) -> Wish {
    let text = |name: &str| matches.get_one::<String>(name).filter(|text| !text.is_empty()).cloned();
    let switch = |name: &str| matches.get_flag(name).then_some(true);
    let claims = Claims {
        email: text("email"),
        sub: text("sub"),
        host: text("host"),
        port: matches.get_one("port").copied(),
        database: text("database"),
        username: text("username"),
        password: text("password").map(Secret::new),
        protocol: text("protocol").map(|name| if name == "tcp" { Protocol::Tcp } else { Protocol::Http }),
        limit: matches.get_one("limit").copied(),
        tls_enabled: switch("tls"),
        tls_ca_cert: text("tls-ca-cert"),
        tls_client_cert: text("tls-client-cert"),
        tls_client_key: text("tls-client-key"),
        tls_insecure_skip_verify: switch("tls-insecure-skip-verify"),
        ..Claims::default()
    };
    let flags = ["config", "jwe-secret-key", "jwt-secret-key"]
        .into_iter()
        .filter_map(|name| {
            let values: Vec<String> = matches.get_many(name)?.cloned().collect();
            Some((name.to_owned(), values))
        })
        .collect();
    Wish { claims, expiry: matches.get_one("expiry").copied().unwrap_or_default(), flags }
}

/// Makes the token and prints it, alone on its line.
pub(crate) fn run(wish: &Wish) -> anyhow::Result<()> {
    let mut sources: Sources = settings::sources(wish.flags.clone());
    // Only the keys matter here: the rest of a server's environment may be there, or only half of it.
    let wanted = ["MCP_JWE_", "MCP_JWT_", "CONFIG_FILE", "HOUSEKEY_CONFIG"];
    sources.environment.retain(|(name, _)| wanted.iter().any(|wanted| name.starts_with(wanted)));
    sources.environment.push(("MCP_ALLOW_JWE_AUTH".to_owned(), "true".to_owned()));
    sources.environment.push(("MCP_TRANSPORT".to_owned(), "http".to_owned()));
    let config = settings::load(&sources)?.config;
    let (token, doubt) = make(&config, wish, now())?;
    if let Some(doubt) = doubt {
        eprintln!("housekey: warning: a server with this configuration would refuse the token: {doubt}");
    }
    cli::print(&format!("{token}\n"));
    Ok(())
}

/// The token, and why a server with this configuration would refuse it.
fn make(config: &Config, wish: &Wish, now: UnixTime) -> anyhow::Result<(String, Option<String>)> {
    let jwe = &config.server.jwe;
    let keys = TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key)
        .context("give --jwe-secret-key, MCP_JWE_SECRET_KEY, MCP_JWE_SECRET_KEY_FILE or --config")?;
    let issued = UnixTime::from_seconds(now.seconds());
    let expires = UnixTime::from_seconds(now.seconds().saturating_add(wish.expiry));
    let claims = Claims { exp: Some(expires), iat: Some(issued), ..wish.claims.clone() };
    let token = seal(&keys, &claims, &mut rand::rng())?;
    Ok((token.clone(), doubt(config, &keys, &token, now)))
}

/// What the server itself would say, from the same code.
fn doubt(config: &Config, keys: &TokenKeys, token: &str, now: UnixTime) -> Option<String> {
    let jwe = &config.server.jwe;
    let life = LifePolicy {
        leeway_seconds: jwe.leeway,
        allow_non_expiring: jwe.allow_non_expiring,
        max_lifetime_seconds: Some(jwe.max_lifetime).filter(|seconds| *seconds > 0),
    };
    let claims = match open(keys, token, &life, now) {
        Ok(claims) => claims,
        Err(error) => return Some(error.to_string()),
    };
    Policy::new(config, Host::Native).caller(config, &claims).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use housekey_core::config::load;

    use super::*;

    fn wish_of(line: &str) -> Wish {
        wish(&command().try_get_matches_from(line.split_whitespace()).unwrap())
    }

    fn made(line: &str) -> (Claims, Option<String>) {
        let wish = wish_of(line);
        let sources = Sources { flags: wish.flags.clone(), ..Sources::default() };
        let config = load(Host::Native, &sources, &|_| Err("no files here".into())).unwrap().config;
        let now = UnixTime::from_millis(1_000_500);
        let (token, doubt) = make(&config, &wish, now).unwrap();
        let jwe = &config.server.jwe;
        let keys = TokenKeys::new(&jwe.jwe_secret_key, &jwe.jwt_secret_key).unwrap();
        (open(&keys, &token, &LifePolicy::default(), now).unwrap(), doubt)
    }

    #[test]
    fn only_what_is_given_becomes_a_claim() {
        let (claims, doubt) = made("token --jwe-secret-key a --jwt-secret-key b --email alice@example.com");
        let wanted = Claims {
            email: Some("alice@example.com".into()),
            iat: Some(UnixTime::from_seconds(1000)),
            exp: Some(UnixTime::from_seconds(4600)),
            ..Claims::default()
        };
        assert_eq!((claims, doubt), (wanted, None));
    }

    #[test]
    fn every_flag_becomes_its_claim() {
        let (claims, doubt) = made(
            "token --jwe-secret-key a --host h --port 9000 --database d --username u --password p --protocol http \
             --limit 7 --expiry 60 --tls --sub s",
        );
        assert_eq!(claims.port, NonZero::new(9000));
        assert_eq!(claims.limit, NonZero::new(7));
        assert_eq!(claims.exp, Some(UnixTime::from_seconds(1060)));
        assert_eq!((claims.tls_enabled, claims.protocol), (Some(true), Some(Protocol::Http)));
        assert_eq!((claims.host.as_deref(), claims.username.as_deref()), (Some("h"), Some("u")));
        assert_eq!(doubt, None);
    }

    #[test]
    fn a_token_that_would_be_refused_is_warned_about() {
        let (_, doubt) = made("token --jwe-secret-key a --host h");
        assert!(doubt.unwrap().contains("username and password"));
        let (_, doubt) = made("token --jwe-secret-key a --username u --tls --tls-insecure-skip-verify");
        assert!(doubt.is_some());
    }
}
