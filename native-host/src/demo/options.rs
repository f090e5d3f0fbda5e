//! The demo's own command line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, value_parser};
use reqwest::Url;

use super::upstream::Gateway;

/// What the demo is asked to do.
pub(super) struct Options {
    /// A server of the reader's own; none starts the embedded one.
    pub(super) server: Option<NamedServer>,
    /// Where Housekey listens; 0 takes any free port.
    pub(super) port: u16,
    /// Ends after the tour.
    pub(super) once: bool,
    /// Shows EXECUTE AS where the interserver secret would be shown.
    pub(super) execute_as: bool,
    /// Serves through this WebAssembly component.
    pub(super) component: Option<String>,
}

/// A ClickHouse that is there already.
pub(super) struct NamedServer {
    /// Where it is, and the gateway's login.
    pub(super) gateway: Gateway,
    /// Whom to ask as.
    pub(super) people: Vec<String>,
}

/// Reads the arguments that follow `demo`.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Options, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let server = matches.get_one::<Url>("clickhouse-url").map(|url| NamedServer {
        gateway: Gateway {
            url: url.clone(),
            username: text("gateway-user").unwrap_or_default(),
            // A flag can be read by everybody on this computer, a variable cannot.
            password: text("gateway-password")
                .or_else(|| std::env::var("CLICKHOUSE_PASSWORD").ok())
                .unwrap_or_default(),
        },
        people: matches.get_many("as").into_iter().flatten().cloned().collect(),
    });
    if server.as_ref().is_some_and(|server| server.people.iter().any(|name| name.trim().is_empty())) {
        return Err(command().error(ErrorKind::InvalidValue, "--as needs the name of a ClickHouse user"));
    }
    Ok(Options {
        server,
        port: matches.get_one("port").copied().unwrap_or_default(),
        once: matches.get_flag("once"),
        execute_as: matches.get_flag("execute-as"),
        component: text("component"),
    })
}

fn command() -> Command {
    Command::new("housekey demo")
        .bin_name("housekey demo")
        .no_binary_name(true)
        .about("Shows Housekey with a ClickHouse of its own, on this computer only")
        .after_help(
            "Without --clickhouse-url an embedded ClickHouse is installed into a private folder (HOUSEKEY_CACHE, \
             else ~/.cache/housekey) and runs with an empty data folder on 127.0.0.1; Housekey knows its interserver \
             secret and names the person with each query. With --clickhouse-url your server is used and only read, \
             by EXECUTE AS; the demo first prints the users and grants that it needs there.",
        )
        .arg(
            Arg::new("clickhouse-url")
                .long("clickhouse-url")
                .value_name("URL")
                .help("Uses this ClickHouse (http://host:8123 or https://host:8443) and only reads it")
                .value_parser(server_url)
                .requires_all(["gateway-user", "as"]),
        )
        .arg(
            Arg::new("gateway-user")
                .long("gateway-user")
                .value_name("USER")
                .help("The user there that Housekey logs in as")
                .requires("clickhouse-url"),
        )
        .arg(
            Arg::new("gateway-password")
                .long("gateway-password")
                .value_name("SECRET")
                .help("That user's password [env: CLICKHOUSE_PASSWORD]")
                .allow_hyphen_values(true),
        )
        .arg(
            Arg::new("as")
                .long("as")
                .value_name("NAME")
                .help("A user there to ask as; give it twice to compare two people")
                .action(ArgAction::Append)
                .requires("clickhouse-url"),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .help("Where Housekey listens on 127.0.0.1; 0, the default, takes any free port")
                .value_parser(value_parser!(u16)),
        )
        .arg(
            Arg::new("component")
                .long("component")
                .value_name("FILE")
                .help("Serves through this WebAssembly component; housekey_edge.wasm speaks HTTP only, so by EXECUTE AS"),
        )
        .arg(
            Arg::new("execute-as")
                .long("execute-as")
                .help("Shows EXECUTE AS, with a gateway login, instead of the interserver secret")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("once")
                .long("once")
                .help("Ends after the tour instead of staying up for clients")
                .action(ArgAction::SetTrue),
        )
}

/// A server's address and nothing else: a path, a login or a query in it would be silently lost.
fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|problem| format!("{problem}; write it as http://host:8123"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("write it as http://host:8123 or https://host:8443".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("give the login with --gateway-user and --gateway-password".into());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("only scheme, host and port may stand there".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(OsString::from).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn nothing_given_means_the_own_server() {
        let options = parsed("").unwrap();
        assert!(options.server.is_none() && options.port == 0 && !options.once && !options.execute_as);
    }

    #[test]
    fn a_named_server_comes_with_its_people() {
        let line =
            "--clickhouse-url https://ch.example:8443 --gateway-user gw --gateway-password -x --as a --as b";
        let server = parsed(line).unwrap().server.unwrap();
        assert_eq!(server.gateway.url.as_str(), "https://ch.example:8443/");
        assert_eq!((server.gateway.username.as_str(), server.gateway.password.as_str()), ("gw", "-x"));
        assert_eq!(server.people, ["a", "b"]);
    }

    #[test]
    fn halves_are_refused() {
        for (line, told) in [
            ("--clickhouse-url http://h:8123", "--as"),
            ("--as alice", "--clickhouse-url"),
            ("--clickhouse-url h:8123 --gateway-user g --as a", "http://host:8123"),
            ("--clickhouse-url http://u:p@h:1 --gateway-user g --as a", "--gateway-password"),
            ("--clickhouse-url http://h:1/x --gateway-user g --as a", "only scheme"),
            ("--port 70000", "70000"),
        ] {
            let error = parsed(line).err().unwrap();
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
