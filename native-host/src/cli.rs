//! The command line. Its flags are core's table of settings, so that a setting and its flag cannot drift apart.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};
use housekey_core::config::key::{Status, keys};
use housekey_core::config::{FlagSpec, flags, markdown};

use crate::{demo, probe, serve, settings, token, whoami};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Serve, with these flags.
    Serve(Flags),
    /// Print what this program is.
    Version,
    /// Make a token, or open one.
    Token(token::Task),
    /// Show Housekey with a ClickHouse of its own.
    Demo(Vec<OsString>),
    /// Say what a token would become.
    Whoami(whoami::Question),
    /// Print the reference of all settings.
    Configuration,
    /// Try the configured login, and perhaps to act as somebody.
    TestConnection {
        /// The flags.
        flags: Flags,
        /// Whom to act as.
        person: Option<String>,
    },
}

/// Flags without their dashes, each with the values given to it.
pub type Flags = Vec<(String, Vec<String>)>;

/// Reads the command line.
///
/// # Errors
/// What clap prints: help, the version, or what is wrong with its nearest remedy.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let mut matches = program().try_get_matches_from(arguments)?;
    Ok(match matches.remove_subcommand() {
        None => Command::Serve(given(&matches)),
        Some((name, mut matches)) => match name.as_str() {
            "version" => Command::Version,
            "configuration" => Command::Configuration,
            "whoami" => Command::Whoami(whoami::question(&matches)),
            "token" => Command::Token(token::task(&matches)),
            "demo" => Command::Demo(matches.remove_many("arguments").unwrap_or_default().collect()),
            _ => Command::TestConnection { person: matches.remove_one("as"), flags: given(&matches) },
        },
    })
}

/// Does what was asked for.
///
/// # Errors
/// What is told on standard error, before the process ends with 1.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(flags) => {
            let loaded = settings::load(&settings::sources(flags))?;
            return serve::serve(loaded).await;
        }
        Command::Version => print(&version()),
        Command::Configuration => print(&markdown()),
        Command::Token(task) => token::run(&task)?,
        Command::Whoami(question) => {
            let accepted = whoami::run(question).await?;
            return Ok(if accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Demo(arguments) => return demo::run(arguments).await,
        Command::TestConnection { flags, person } => {
            let loaded = settings::load(&settings::sources(flags))?;
            return probe::run(loaded, person.as_deref()).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints to standard output. A reader that has gone has seen enough.
pub(crate) fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

fn version() -> String {
    format!(
        "housekey {}\ncommit {}\ntarget {}-{}\n",
        env!("CARGO_PKG_VERSION"),
        option_env!("HOUSEKEY_COMMIT").unwrap_or("unknown"),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

fn program() -> Clap {
    Clap::new("housekey")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An MCP server for ClickHouse that runs each query as the person who asks")
        .after_help("Every setting can also stand in a file (--config) or in the environment, and there each NAME also as NAME_FILE.\n`housekey configuration` prints the whole reference.")
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .args(flags().map(argument))
        .subcommand(Clap::new("version").about("Prints the version, the commit and the target"))
        .subcommand(token::command())
        .subcommand(whoami::command())
        .subcommand(
            Clap::new("demo")
                .about("Shows Housekey with a ClickHouse of its own, on this computer only")
                .disable_help_flag(true)
                .arg(
                    Arg::new("arguments")
                        .value_parser(clap::value_parser!(OsString))
                        .num_args(0..)
                        .trailing_var_arg(true)
                        .allow_hyphen_values(true),
                ),
        )
        .subcommand(Clap::new("configuration").about("Prints the reference of all settings, as Markdown"))
        .subcommand(
            Clap::new("test-connection")
                .about("Logs in to ClickHouse as configured and prints what it saw")
                .args(flags().map(argument))
                .arg(
                    Arg::new("as")
                        .long("as")
                        .value_name("USER")
                        .help("Also tries to act as this ClickHouse user, with EXECUTE AS"),
                ),
        )
}

/// A flag of the table. The environment is read by core, which knows what comes first.
pub(crate) fn argument(flag: FlagSpec) -> Arg {
    let is_live = keys().any(|key| key.flag == Some(flag.name) && !matches!(key.status, Status::NotYet(_)));
    let variable = flag.env.map(|name| format!(" [env: {name}]")).unwrap_or_default();
    let argument = Arg::new(flag.name)
        .long(flag.name)
        .value_name(flag.value_name)
        .help(format!("{}{variable}", flag.help))
        .action(ArgAction::Append)
        .allow_hyphen_values(true)
        .hide(!is_live);
    if flag.is_bool { argument.num_args(0..=1).require_equals(true) } else { argument.num_args(1) }
}

/// The flags that were given; core says what is wrong with them.
pub(crate) fn given(matches: &ArgMatches) -> Flags {
    flags()
        .filter(|flag| matches.try_contains_id(flag.name).unwrap_or(false))
        .filter(|flag| matches.value_source(flag.name) == Some(ValueSource::CommandLine))
        .map(|flag| {
            let values = matches.get_many::<String>(flag.name).into_iter().flatten().cloned().collect();
            (flag.name.to_owned(), values)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_program_is_consistent() {
        program().debug_assert();
    }

    #[test]
    fn flags_come_through_as_they_were_given() {
        let line = "housekey --transport http --port=0 --allow-jwe-auth --jwe-secret-key a,b --jwe-secret-key -c \
                    --read-only=false";
        let Ok(Command::Serve(mut flags)) = parsed(line) else { panic!("not serve") };
        flags.sort();
        let flag = |name: &str, values: &[&str]| {
            (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        };
        let mut wanted = [
            flag("transport", &["http"]),
            flag("port", &["0"]),
            flag("allow-jwe-auth", &[]),
            flag("jwe-secret-key", &["a,b", "-c"]),
            flag("read-only", &["false"]),
        ];
        wanted.sort();
        assert_eq!(flags, wanted);
    }

    #[test]
    fn unknown_flags_name_the_nearest() {
        let error = parsed("housekey --adress 0.0.0.0").unwrap_err().to_string();
        assert!(error.contains("--address"), "{error}");
        let error = parsed("housekey tokn").unwrap_err().to_string();
        assert!(error.contains("token"), "{error}");
    }

    #[test]
    fn subcommands_are_told_apart() {
        assert!(matches!(parsed("housekey version"), Ok(Command::Version)));
        assert!(
            matches!(parsed("housekey demo --keep x"), Ok(Command::Demo(arguments)) if arguments.len() == 2)
        );
        let command = parsed("housekey test-connection --clickhouse-host h --as alice");
        let Ok(Command::TestConnection { flags, person }) = command else { panic!("not test-connection") };
        assert_eq!((flags.len(), person.as_deref()), (1, Some("alice")));
    }
}
