//! `housekey whoami --token TOKEN`: what a server with this configuration would make of a token.
//!
//! The token goes the way of a request's: the same admission judges it, with the identity provider's keys fetched as they
//! would be. ClickHouse is not asked, so whether the user exists there is not known.

use clap::{Arg, ArgMatches, Command};
use housekey_core::clickhouse::{Credential, RunAs};
use housekey_core::config::Config;
use housekey_core::exchange::Refusal;
use housekey_core::identity::Access;
use housekey_core::secret::Secret;
use http::{Request, Response, Uri};
use serde_json::{Value, json};

use crate::cli::{self, Flags, argument, given};
use crate::serve;
use crate::settings;
use crate::token::pasted;
use housekey_core::config::flags;

/// A token to be judged.
#[derive(Debug)]
pub struct Question {
    token: Option<Secret<String>>,
    flags: Flags,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("whoami")
        .about("Says what a token would become: whose it is, and as whom its queries would run")
        .after_help(
            "Takes the server's own configuration. The token is one of OAuth or a JWE token; on standard input it stays \
             out of the shell's history. Ends with 1 if the token would be refused; the reason is printed.",
        )
        .args(flags().filter(|flag| flag.name != "token").map(argument))
        .arg(
            Arg::new("token")
                .long("token")
                .value_name("TOKEN")
                .help("The token; `-`, or nothing, reads it from standard input"),
        )
}

/// What the command line asks.
pub(crate) fn question(matches: &ArgMatches) -> Question {
    let token = matches.get_one::<String>("token").filter(|text| *text != "-");
    let mut flags = given(matches);
    flags.retain(|(name, _)| name != "token");
    Question { token: token.map(|text| Secret::from(text.clone())), flags }
}

/// Judges the token and prints what came of it; `false` if it would be refused.
///
/// # Errors
/// No server starts under this configuration, or there is no token.
pub(crate) async fn run(question: Question) -> anyhow::Result<bool> {
    let mut flags = question.flags;
    // Tokens come over HTTP, whatever this configuration is for.
    flags.retain(|(name, _)| name != "transport");
    flags.push(("transport".to_owned(), vec!["http".to_owned()]));
    let config = settings::load(&settings::sources(flags))?.config;
    anyhow::ensure!(
        config.has_authentication(),
        "nobody is asked for a token: set `server.oauth.enabled` or `server.jwe.enabled`"
    );
    let text = match question.token {
        Some(text) => text,
        None => Secret::new(pasted::from_standard_input()?),
    };
    let token = pasted::token(text.expose())?;
    let (report, accepted) = judge(config, &token).await?;
    cli::print(&format!("{report:#}\n"));
    Ok(accepted)
}

async fn judge(config: Config, token: &Secret<String>) -> anyhow::Result<(Value, bool)> {
    let head = head(&config, token)?;
    let native = serve::native(config)?;
    Ok(match serve::judge(&native, &head).await {
        Ok(admitted) => match admitted.bind() {
            Some(bound) => (report(bound.access()), true),
            None => (json!({ "accepted": false, "reason": "nothing can be asked with it" }), false),
        },
        Err(answer) => (refusal(&answer), false),
    })
}

/// The head of a request that carries the token as a client of this server would.
fn head(config: &Config, token: &Secret<String>) -> anyhow::Result<http::request::Parts> {
    let named = config.server.public_resource_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
    let host = named.and_then(|url| url.authority().map(ToString::to_string));
    let host = host.or_else(|| config.server.allowed_hosts.iter().find(|host| *host != "*").cloned());
    // With OAuth on, `Authorization` is its tokens' place, and JWE tokens have a header of their own.
    let is_jwe =
        config.server.jwe.enabled && token.expose().bytes().filter(|byte| *byte == b'.').count() == 4;
    let opens_here = !is_jwe || token.expose().starts_with("eyJ");
    let is_own = config.server.oauth.is_some() && is_sealed_for_oauth(token.expose());
    let request = Request::post("/mcp")
        .header("host", host.as_deref().unwrap_or("localhost"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let request = match is_jwe && opens_here && !is_own {
        true => request.header("x-housekey-key", token.expose()),
        false => request.header("authorization", format!("Bearer {}", token.expose())),
    };
    Ok(request.body(())?.into_parts().0)
}

/// Whether a JWE is one of the tokens that mode `gating` issues: their key is agreed on directly, so that their second
/// part is empty.
fn is_sealed_for_oauth(token: &str) -> bool {
    token.split('.').nth(1).is_some_and(str::is_empty)
}

fn report(access: &Access) -> Value {
    let (login, how) = match (&access.credential, &access.run_as) {
        (_, RunAs::ExecuteAs(user)) => (Some(user.as_str()), "EXECUTE AS, by the configured login"),
        (_, RunAs::Interserver(user)) => (Some(user.as_str()), "the cluster's interserver secret"),
        (Credential::Password { username, .. }, RunAs::Login) => {
            (Some(username.as_str()), "a user name and a password")
        }
        (Credential::Bearer(_), RunAs::Login) => (None, "the token itself, which ClickHouse judges"),
        (Credential::Header { .. }, RunAs::Login) => (None, "the token itself, in a header of its own"),
        (Credential::Cluster { .. }, RunAs::Login) => (None, "the cluster's interserver secret"),
    };
    let headers: Vec<Value> =
        access.headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({
        "accepted": true,
        "person": access.subject,
        "clickhouse_user": login,
        "logs_in_by": how,
        "endpoint": access.endpoint.to_string(),
        "roles": access.roles,
        "headers": headers,
        "database": access.database,
        "read_only": access.read_only,
        "limit": access.limit,
        "max_execution_time": access.max_execution_time,
        "expires": access.expires.map(|expires| expires.rfc3339()),
    })
}

fn refusal(answer: &Response<bytes::Bytes>) -> Value {
    let told = String::from_utf8_lossy(answer.body());
    let detail = answer.extensions().get::<Refusal>().map(|Refusal(reason)| reason.as_str());
    json!({
        "accepted": false,
        "status": answer.status().as_u16(),
        "client_is_told": told.trim_end(),
        "reason": detail,
    })
}

#[cfg(test)]
mod tests {
    use housekey_core::config::{Host, Sources, load};

    use super::*;

    const FORWARD: &str = "
clickhouse: { host: db.example.com }
server:
  transport: http
  allowed_hosts: [mcp.example.com]
  oauth: { enabled: true, mode: forward, issuer: 'https://idp.example.com' }
";

    fn config(text: &str) -> Config {
        let environment = vec![("HOUSEKEY_CONFIG".to_owned(), text.to_owned())];
        let loaded =
            load(Host::Native, &Sources { environment, ..Sources::default() }, &|_| Err(String::new()));
        loaded.unwrap_or_else(|problem| panic!("{problem}")).config
    }

    #[tokio::test]
    async fn a_token_that_clickhouse_will_judge_is_explained_and_not_shown() {
        let (report, accepted) = judge(config(FORWARD), &Secret::from("an-opaque-token")).await.unwrap();
        assert!(accepted && report["clickhouse_user"].is_null(), "{report}");
        assert!(report["logs_in_by"].as_str().unwrap().contains("ClickHouse judges"), "{report}");
        assert!(!report.to_string().contains("an-opaque-token"));
    }

    #[tokio::test]
    async fn a_refusal_says_more_to_the_operator_than_to_the_client() {
        // {"exp":1}
        let (report, accepted) =
            judge(config(FORWARD), &Secret::from("eyJ4IjoxfQ.eyJleHAiOjF9.AA")).await.unwrap();
        assert!(!accepted && report["status"] == 401, "{report}");
        assert!(report["client_is_told"].as_str().unwrap().contains("expired"), "{report}");
    }
}
