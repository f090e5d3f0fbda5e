//! `housekey token` makes tokens as altinity-mcp's generator does, but with only what was asked for in them;
//! `housekey token inspect` opens them and says what a server would do with them.

pub(crate) mod client_config;
mod inspect;
mod judge;
mod make;
pub(crate) mod pasted;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::Flags;
use crate::settings;
use judge::Judge;

/// What to do with tokens.
#[derive(Debug)]
pub enum Task {
    /// Make one.
    Make(Box<make::Wish>),
    /// Open one.
    Inspect(inspect::Question),
}

/// Flags that name secrets, each with the variable that does the same.
const SECRETS: [&str; 2] = ["jwe-secret-key", "jwt-secret-key"];

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("token")
        .about("Makes a JWE token and prints it, or inspects one")
        .disable_help_subcommand(true)
        .args_conflicts_with_subcommands(true)
        .after_help(make::AFTER_HELP)
        .args(sources())
        .args(make::arguments())
        .subcommand(inspect::command().args(sources()))
}

/// What the command line asks for.
pub(crate) fn task(matches: &ArgMatches) -> Task {
    match matches.subcommand() {
        Some((_, matches)) => Task::Inspect(inspect::question(matches, flags(matches))),
        None => Task::Make(Box::new(make::wish(matches, flags(matches)))),
    }
}

/// Does it.
pub(crate) fn run(task: &Task) -> anyhow::Result<()> {
    let flags = match task {
        Task::Make(wish) => &wish.flags,
        Task::Inspect(question) => &question.flags,
    };
    let judge = Judge::load(settings::sources(flags.clone()), &settings::read_file)?;
    match task {
        Task::Make(wish) => make::run(&judge, wish),
        Task::Inspect(question) => inspect::run(&judge, question),
    }
}

/// Where the secrets come from.
fn sources() -> [Arg; 3] {
    let [jwe, jwt] = SECRETS;
    let secret =
        |name: &'static str, help: &'static str| text(name, "SECRET", help).action(ArgAction::Append);
    [
        text("config", "FILE", "The server's configuration, which holds the secrets [env: CONFIG_FILE]"),
        secret(
            jwe,
            "Encrypts tokens; of several, the first makes and all open them [env: MCP_JWE_SECRET_KEY]",
        ),
        secret(jwt, "Signs the claims; without it they are not signed [env: MCP_JWT_SECRET_KEY]"),
    ]
}

/// The flags of [`sources`], as the configuration takes them.
fn flags(matches: &ArgMatches) -> Flags {
    let names = ["config"].into_iter().chain(SECRETS);
    let given = names.filter_map(|name| {
        let values: Vec<String> = matches.get_many(name)?.cloned().collect();
        Some((name.to_owned(), values))
    });
    given.collect()
}

/// A flag with a value.
fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help).allow_hyphen_values(true)
}
