//! What is missing when a query could not run as somebody else: a judgement of what ClickHouse answered, without I/O.

use std::fmt;

use housekey_core::clickhouse::{Credential, Exception, RunAs};

use super::ask::NoAnswer;

/// The version of a server, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
}

/// The first that knows `EXECUTE AS`. Some builds of older ones have it, too, so a version alone condemns nobody.
const EXECUTE_AS: Version = Version { major: 25, minor: 11 };
/// The first in which `EXECUTE AS` is on by itself.
const ON_BY_DEFAULT: Version = Version { major: 26, minor: 3 };

impl Version {
    /// Reads what `version()` says, such as `26.9.2.1` or `25.8.2.10001.altinitystable`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        Some(Self { major: parts.next()?.parse().ok()?, minor: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What is missing, and what to do about it. Names are quoted and escaped as in Rust, so that none makes a line of its
/// own in a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missing {
    /// The server's switch.
    #[error(
        "the server's configuration has to set access_control_improvements.allow_impersonate_user to 1{}",
        because(*.version)
    )]
    Switch { version: Option<Version> },
    /// The gateway's right to be this user.
    #[error("the gateway's user lacks a right: GRANT IMPERSONATE ON {person:?} TO {login:?}")]
    Grant { login: String, person: String },
    /// The gateway's right to be anybody.
    #[error(
        "the gateway's user may act for nobody: GRANT IMPERSONATE ON each user, or a `prefix*`, TO {login:?}"
    )]
    AnyGrant { login: String },
    /// A right of the person's own: nothing is wrong with the impersonation.
    #[error("{person:?} lacks a right of their own, which nothing but a GRANT to {person:?} can change")]
    OwnGrant { person: String },
    /// The user.
    #[error(
        "ClickHouse has no user {person:?}: create it, or let the token name another one (a user of LDAP may be \
         unknown until their first login)"
    )]
    User { person: String },
    /// The user, or the address that they may come from; with the secret the server does not say which.
    #[error("ClickHouse has no user {person:?}, or not from this address: its <networks> count here, too")]
    UserOrAddress { person: String },
    /// A newer server.
    #[error(
        "ClickHouse {version} is too old for EXECUTE AS, which came with {EXECUTE_AS}: upgrade it, or use `interserver`"
    )]
    NewerServer { version: Version },
    /// A gateway that may change something, which `EXECUTE AS` counts as.
    #[error(
        "the profile of the gateway's user is read-only, which forbids EXECUTE AS: lift it there, and grant the \
         people SELECT only"
    )]
    WritableGateway,
    /// A server without upstream's bug 100695.
    #[error(
        "a row policy whose whole USING is a subquery is more than this server can take (bug 100695 of ClickHouse, \
         known from 26.1 and gone in 26.9): upgrade it, or compare a column with the subquery instead"
    )]
    SoundRowPolicies,
    /// The right name or secret of the cluster.
    #[error(
        "ClickHouse does not take Housekey for a member of the cluster, or does not know {person:?} from this address: \
         compare `clickhouse.cluster_name` and `clickhouse.cluster_secret` with the server's <remote_servers>"
    )]
    Membership { person: String },
    /// A login.
    #[error("the user or the password is wrong, or this user may not log in from this address")]
    Login,
    /// The database to begin in.
    #[error("the database of `clickhouse.database` does not exist, or this user may not see it")]
    Database,
}

fn because(version: Option<Version>) -> String {
    match version {
        Some(version) if version < ON_BY_DEFAULT => {
            format!(" (in {version} it is off unless told, and from {ON_BY_DEFAULT} on it is on)")
        }
        Some(_) | None => String::new(),
    }
}

/// Who was to act for whom, on which server.
pub(super) struct Attempt<'a> {
    pub(super) credential: &'a Credential,
    pub(super) run_as: &'a RunAs,
    pub(super) version: Option<Version>,
}

impl Attempt<'_> {
    /// What was missing, if what happened tells.
    pub(super) fn judge(&self, no_answer: &NoAnswer) -> Option<Missing> {
        let exception = match no_answer {
            NoAnswer::Exception(exception) => exception,
            NoAnswer::NoMember => return self.person().map(|person| Missing::Membership { person }),
            NoAnswer::Broken(_) => return None,
        };
        match self.run_as {
            RunAs::Login => login(exception),
            RunAs::ExecuteAs(person) => self.execute_as(person.as_str(), exception),
            RunAs::Interserver(person) => interserver(person.as_str(), exception),
        }
    }

    fn person(&self) -> Option<String> {
        match self.run_as {
            RunAs::Login => None,
            RunAs::ExecuteAs(person) | RunAs::Interserver(person) => Some(person.as_str().to_owned()),
        }
    }

    /// The name before the colon tells whose right or profile it is.
    fn execute_as(&self, person: &str, Exception { code, message, .. }: &Exception) -> Option<Missing> {
        let login = self.login_name();
        let person = person.to_owned();
        match code {
            344 if message.contains("IMPERSONATE") => Some(Missing::Switch { version: self.version }),
            497 if message.contains("IMPERSONATE ON") && !message.starts_with(&format!("{person}: ")) => {
                Some(Missing::Grant { login, person })
            }
            497 => Some(Missing::OwnGrant { person }),
            192 => Some(Missing::User { person }),
            62 => {
                let version = self.version.filter(|version| *version < EXECUTE_AS)?;
                Some(Missing::NewerServer { version })
            }
            164 if message.contains("Cannot execute query in readonly mode")
                && !message.starts_with(&format!("{person}: ")) =>
            {
                Some(Missing::WritableGateway)
            }
            49 => row_policies(message),
            194 | 516 => Some(Missing::Login),
            81 => Some(Missing::Database),
            _ => None,
        }
    }

    fn login_name(&self) -> String {
        match self.credential {
            Credential::Password { username, .. } => username.clone(),
            Credential::Bearer(_) | Credential::Header { .. } => "the token's user".to_owned(),
            Credential::Cluster { name, .. } => name.clone(),
        }
    }
}

fn interserver(person: &str, Exception { code, message, .. }: &Exception) -> Option<Missing> {
    let person = person.to_owned();
    match code {
        192 | 194 | 516 => Some(Missing::UserOrAddress { person }),
        497 => Some(Missing::OwnGrant { person }),
        49 => row_policies(message),
        81 => Some(Missing::Database),
        _ => None,
    }
}

fn login(exception: &Exception) -> Option<Missing> {
    match exception.code {
        194 | 516 => Some(Missing::Login),
        81 => Some(Missing::Database),
        _ => None,
    }
}

/// Code 49 is every logical error; this is the one that such a policy raises.
fn row_policies(message: &str) -> Option<Missing> {
    message.contains("table expression must be empty").then_some(Missing::SoundRowPolicies)
}

#[cfg(test)]
mod tests {
    use housekey_core::sql::{DenyList, ImpersonatedUser};

    use super::*;

    fn version(text: &str) -> Option<Version> {
        Version::parse(text)
    }

    fn exception(code: i32, message: &str) -> NoAnswer {
        let (name, message) = (String::new(), message.to_owned());
        NoAnswer::Exception(Exception { code, name, message, before_execution: true })
    }

    fn judge(run_as: &RunAs, of: &str, no_answer: &NoAnswer) -> Option<Missing> {
        let credential = Credential::Password { username: "gw".into(), password: "a secret".into() };
        Attempt { credential: &credential, run_as, version: version(of) }.judge(no_answer)
    }

    fn alice() -> ImpersonatedUser {
        ImpersonatedUser::parse("alice", &DenyList::new("gw", &[], &[])).unwrap()
    }

    #[test]
    fn versions_are_read_and_compared_by_number() {
        for (text, wanted) in [
            ("26.9.2.1", Some((26, 9))),
            ("25.8.2.10001.altinitystable", Some((25, 8))),
            ("1.1.54058", Some((1, 1))),
            ("18.16.1", Some((18, 16))),
            ("26", None),
            ("", None),
            ("x.y", None),
            ("-1.2", None),
        ] {
            assert_eq!(version(text).map(|version| (version.major, version.minor)), wanted, "{text}");
        }
        assert!(version("25.9.1") < version("25.11.1") && version("25.11.1") < version("26.1.1"));
        assert_eq!(version("25.11.3.2"), Some(EXECUTE_AS));
    }

    #[test]
    fn each_code_says_what_is_missing_and_no_more() {
        const OFF: &str =
            "IMPERSONATE feature is disabled, set access_control_improvements.allow_impersonate_user";
        const RIGHT: &str = "gw: Not enough privileges. To execute this query, it's necessary to have the grant \
                             IMPERSONATE ON alice";
        const OWN: &str = "alice: Not enough privileges. It's necessary to have the grant SELECT(x) ON db.t";
        const NESTED: &str =
            "alice: Not enough privileges. It's necessary to have the grant IMPERSONATE ON bob";
        const READ_ONLY: &str = "Cannot execute query in readonly mode";
        let (login, person) = (|| "gw".to_owned(), || "alice".to_owned());
        let execute_as = RunAs::ExecuteAs(alice());
        let table = [
            (344, "26.1.2.3", OFF, Some(Missing::Switch { version: version("26.1") })),
            (344, "26.9.2.1", "something else is switched off", None),
            (497, "26.9.2.1", RIGHT, Some(Missing::Grant { login: login(), person: person() })),
            (497, "26.9.2.1", OWN, Some(Missing::OwnGrant { person: person() })),
            (497, "26.9.2.1", NESTED, Some(Missing::OwnGrant { person: person() })),
            (192, "26.9.2.1", "There is no user `alice`", Some(Missing::User { person: person() })),
            (
                62,
                "25.10.9.9",
                "Syntax error",
                version("25.10").map(|version| Missing::NewerServer { version }),
            ),
            (62, "25.11.1.1", "Syntax error", None),
            (62, "", "Syntax error", None),
            (164, "26.9.2.1", &format!("gw: {READ_ONLY}"), Some(Missing::WritableGateway)),
            (164, "26.9.2.1", &format!("alice: {READ_ONLY}"), None),
            (
                49,
                "26.1.2.3",
                "For query analysis table expression must be empty",
                Some(Missing::SoundRowPolicies),
            ),
            (49, "26.1.2.3", "Another logical error", None),
            (516, "26.9.2.1", "gw: Authentication failed", Some(Missing::Login)),
            (81, "26.9.2.1", "Database nowhere does not exist", Some(Missing::Database)),
            (241, "26.9.2.1", "Memory limit exceeded", None),
        ];
        for (code, of, message, wanted) in table {
            assert_eq!(judge(&execute_as, of, &exception(code, message)), wanted, "{code} {of} {message}");
        }
    }

    #[test]
    fn under_the_secret_there_is_no_gateway_to_lack_anything() {
        let (vouched, person) = (RunAs::Interserver(alice()), || "alice".to_owned());
        let of = |no_answer: &NoAnswer| judge(&vouched, "26.9.2.1", no_answer);
        assert_eq!(of(&NoAnswer::NoMember), Some(Missing::Membership { person: person() }));
        for (code, wanted) in [
            (192, Some(Missing::UserOrAddress { person: person() })),
            (516, Some(Missing::UserOrAddress { person: person() })),
            (497, Some(Missing::OwnGrant { person: person() })),
            (344, None),
            (62, None),
            (164, None),
        ] {
            assert_eq!(of(&exception(code, "gw: IMPERSONATE ON alice")), wanted, "{code}");
        }
        assert_eq!(of(&NoAnswer::Broken("ClickHouse could not be reached".into())), None);
    }

    #[test]
    fn the_switch_is_explained_where_it_is_off_by_default() {
        let text = |of| Missing::Switch { version: version(of) }.to_string();
        assert!(text("26.2.1.1").contains("in 26.2 it is off unless told"), "{}", text("26.2.1.1"));
        for of in ["26.3.1.18", ""] {
            assert!(text(of).ends_with("allow_impersonate_user to 1"), "{}", text(of));
        }
    }

    #[test]
    fn a_name_makes_no_line_of_its_own() {
        let text = Missing::User { person: "a\n WARN b\u{1b}[0m".into() }.to_string();
        assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
    }
}
