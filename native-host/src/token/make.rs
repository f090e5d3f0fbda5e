//! Making a token: what the flags ask for becomes its claims.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZero;

use anyhow::anyhow;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches};
use housekey_core::config::Server;
use housekey_core::jose::claims::{Claims, Protocol};
use housekey_core::jose::token::{TokenError, read, seal};
use housekey_core::secret::Secret;
use housekey_core::time::UnixTime;

use super::client_config::{self, Bearer, Client, Connection};
use super::judge::{Judge, Refused, Verdict};
use super::pasted;
use super::text;
use crate::cli::{self, Flags};
use crate::host::now;

/// Seconds for which a token is valid unless said otherwise.
const EXPIRY: &str = "3600";

/// A hundred years, which altinity-mcp's script takes for ever.
const LONGEST: u64 = 3_153_600_000;

pub(super) const AFTER_HELP: &str = "\
Only what is given becomes a claim. A token that names a server (--host, --port, --protocol, --tls or \
another --tls-… flag) brings its own login: without --username and --password it is refused. Which \
servers it may name is said by `server.jwe.allowed_hosts`. Without --username, and with \
`clickhouse.impersonation: execute_as`, queries run as the ClickHouse user that --email or --sub names.

The token stands alone on standard output; what a server with this configuration would refuse is a \
warning on standard error. Other users of this computer see flags: `--password -` reads the password \
from standard input, and the secrets can stand in variables or files.";

/// What a token shall say, and with which secrets it is made.
#[derive(Debug)]
pub struct Wish {
    /// What it shall say, but for its dates.
    claims: Claims,
    /// Whether its password comes from standard input.
    password_awaited: bool,
    /// Seconds from now to its end.
    expiry: u64,
    /// The client whose configuration is printed instead of the token, and where it finds Housekey.
    client: Option<(Client, Option<String>)>,
    /// The flags that name the secrets, for the configuration.
    pub(super) flags: Flags,
}

/// The flags that [`wish`] reads.
pub(super) fn arguments() -> impl IntoIterator<Item = Arg> {
    // An empty name could come from a variable that is not set, and would ask for less than was meant.
    let name = |name, value, help| text(name, value, help).value_parser(NonEmptyStringValueParser::new());
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    [
        name("email", "ADDRESS", "The person's e-mail address"),
        name("sub", "NAME", "The person, by any other name"),
        name("host", "HOST", "ClickHouse's host"),
        text("port", "PORT", "ClickHouse's port").value_parser(port),
        name("database", "NAME", "The database of names without one"),
        name("username", "NAME", "The ClickHouse user that logs in"),
        text("password", "SECRET", "That user's password; `-` reads it from standard input, one line"),
        text("protocol", "NAME", "How ClickHouse is spoken to").value_parser(["http", "tcp"]),
        switch("read-only", "Only tools that read are there for the token"),
        text("limit", "ROWS", "The most rows of an answer").value_parser(count),
        text("max-execution-time", "SECONDS", "The longest that a query may run").value_parser(count),
        text("expiry", "SECONDS", "For how long the token is valid")
            .value_parser(expiry)
            .default_value(EXPIRY),
        switch("tls", "ClickHouse is reached over TLS"),
        name(
            "tls-ca-cert",
            "FILE",
            "The authorities that ClickHouse's certificate must come from: a file on Housekey's disk, below \
             `server.jwe.tls_directory`; with --tls, not at the edge",
        ),
        name("tls-client-cert", "FILE", "The certificate for ClickHouse to see: a file of the same kind"),
        name("tls-client-key", "FILE", "The key of that certificate: a file of the same kind"),
        switch(
            "tls-insecure-skip-verify",
            "Any certificate of ClickHouse will do; with --tls, not at the edge",
        ),
        text(
            "print-config",
            "CLIENT",
            "Prints, instead of the token, what connects a client with it: `.mcp.json` of Claude Code, \
             `.cursor/mcp.json`, `.vscode/mcp.json`, or a command that calls the tool",
        )
        .value_parser(
            PossibleValuesParser::new(Client::ALL.map(Client::name))
                .try_map(|name| Client::named(&name).ok_or("it is no client that is known")),
        ),
        name(
            "url",
            "URL",
            "Where that client finds Housekey; unless given, `server.oauth.public_resource_url` or \
             `server.address`, which is 127.0.0.1 for a wildcard",
        )
        .value_parser(client_config::url)
        .requires("print-config"),
    ]
}

/// What the command line wishes for.
pub(super) fn wish(matches: &ArgMatches, flags: Flags) -> Wish {
    let text = |name: &str| matches.get_one::<String>(name).filter(|text| !text.is_empty()).cloned();
    let switch = |name: &str| matches.get_flag(name).then_some(true);
    let password = text("password");
    let password_awaited = password.as_deref() == Some("-");
    let claims = Claims {
        email: text("email"),
        sub: text("sub"),
        host: text("host"),
        port: matches.get_one("port").copied(),
        database: text("database"),
        username: text("username"),
        password: password.filter(|_| !password_awaited).map(Secret::new),
        protocol: text("protocol").map(|name| if name == "tcp" { Protocol::Tcp } else { Protocol::Http }),
        read_only: switch("read-only"),
        limit: matches.get_one("limit").copied(),
        max_execution_time: matches.get_one("max-execution-time").copied(),
        tls_enabled: switch("tls"),
        tls_ca_cert: text("tls-ca-cert"),
        tls_client_cert: text("tls-client-cert"),
        tls_client_key: text("tls-client-key"),
        tls_insecure_skip_verify: switch("tls-insecure-skip-verify"),
        ..Claims::default()
    };
    let client = matches.get_one::<Client>("print-config").copied();
    let client = client.map(|client| (client, text("url")));
    let expiry = matches.get_one("expiry").copied().unwrap_or_default();
    Wish { claims, password_awaited, expiry, client, flags }
}

impl Wish {
    /// What the token shall say, with the password that is awaited.
    fn claims(&self, read: impl FnOnce() -> anyhow::Result<Secret<String>>) -> anyhow::Result<Claims> {
        let claims = self.claims.clone();
        if self.password_awaited { Ok(Claims { password: Some(read()?), ..claims }) } else { Ok(claims) }
    }
}

/// Makes the token and prints it, alone on its line, or what holds it.
pub(super) fn run(judge: &Judge, wish: &Wish) -> anyhow::Result<()> {
    let (token, doubt) = make(judge, wish.claims(pasted::password)?, wish.expiry, now())?;
    let output = printed(judge, wish, &token)?;
    if let Some(doubt) = doubt {
        eprintln!("housekey: warning: {doubt}");
    }
    cli::print(&format!("{output}\n"));
    Ok(())
}

/// The token, and why it cannot be said that a server with this configuration would accept it.
fn make(
    judge: &Judge,
    claims: Claims,
    expiry: u64,
    now: UnixTime,
) -> anyhow::Result<(String, Option<String>)> {
    let expires = UnixTime::from_seconds(now.seconds().saturating_add(expiry));
    // There is no `iat`: a server whose clock is a second behind would refuse the token as not yet issued.
    let claims = Claims { exp: Some(expires), ..claims };
    let token = seal(&judge.keys, &claims, &mut rand::rng())?;
    // What the server would read, which is all that it could judge.
    let claims = read(&judge.keys, &token)?.claims;
    let refused = match judge.verdict(&claims, now) {
        Verdict::Accepted(_) => return Ok((token, None)),
        Verdict::Unknown(reason) => return Ok((token, Some(reason.to_owned()))),
        Verdict::Refused(Refused::Life(TokenError::LifetimeTooLong { max_seconds })) => {
            format!("--expiry is {expiry}, and `server.jwe.max_lifetime` allows {max_seconds} seconds")
        }
        Verdict::Refused(refused @ (Refused::Life(_) | Refused::Policy(_))) => refused.to_string(),
    };
    Ok((token, Some(format!("a server with this configuration would refuse the token: {refused}"))))
}

fn printed(judge: &Judge, wish: &Wish, token: &str) -> anyhow::Result<String> {
    let Some((client, url)) = &wish.client else { return Ok(token.to_owned()) };
    let url = match url {
        Some(url) => url.clone(),
        None => url_of(judge)?,
    };
    Ok(Connection { url: &url, bearer: Bearer::Token(token) }.shown(*client))
}

/// Where the server of this configuration is found.
fn url_of(judge: &Judge) -> anyhow::Result<String> {
    if let Some(reason) = &judge.unjudged {
        anyhow::bail!("where Housekey is found is not known, so give --url: {reason}");
    }
    let server = &judge.config.server;
    match (&server.public_resource_url, server.port) {
        (Some(url), _) => Ok(url.clone()),
        (None, 0) => anyhow::bail!("`server.port` is 0, which stands for any free port: give --url"),
        (None, port) => {
            let url = format!("http://{}:{port}/mcp", host_of(server));
            client_config::url(&url).map_err(|_| anyhow!("`server.address` fits no URL: give --url"))
        }
    }
}

/// The address where a server listens as a URL writes it. At a wildcard it listens at loopback, too.
fn host_of(server: &Server) -> String {
    match server.address.parse() {
        Ok(IpAddr::V6(address)) if !address.is_unspecified() => format!("[{address}]"),
        Ok(IpAddr::V4(address)) if !address.is_unspecified() => address.to_string(),
        Ok(IpAddr::V4(_) | IpAddr::V6(_)) => Ipv4Addr::LOCALHOST.to_string(),
        Err(_) => server.address.clone(),
    }
}

fn port(text: &str) -> Result<NonZero<u16>, &'static str> {
    text.parse().map_err(|_| "it must be a whole number from 1 to 65535")
}

fn count(text: &str) -> Result<NonZero<u64>, &'static str> {
    text.parse().map_err(|_| "it must be a whole number of at least 1")
}

fn expiry(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
    seconds.ok_or_else(|| format!("it must be a number of seconds from 1 to {LONGEST}, a hundred years"))
}

#[cfg(test)]
#[path = "make_tests.rs"]
mod tests;
