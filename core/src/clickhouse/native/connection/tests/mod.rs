//! Connections against streams that were recorded from a server, and against a script.

mod cut;
mod data;
mod recorded;
mod scripted;
mod sent;

use super::{Connection, Ending, StartError, State};
use crate::clickhouse::native::login::{Client, Login, Options};
use crate::clickhouse::native::query::Query;
use crate::clickhouse::native::revision::Revision;
use crate::clickhouse::query::ReadLimits;
use crate::secret::Secret;
use crate::sql::{DenyList, ImpersonatedUser};

const SECRET: &str = "cs-secret";

fn password() -> Login {
    Login::Password { user: "admin".to_owned(), password: Secret::from("adm") }
}

fn interserver() -> Login {
    Login::Interserver { cluster: "housekey".to_owned(), secret: Secret::from(SECRET), salt: [7; 32] }
}

fn options(login: Login, revision: u64) -> Options {
    let mut options = Options::new(login, Client::named("housekey", [1, 2, 3]));
    options.announce = Revision::new(revision);
    options
}

fn query(user: Option<&str>) -> Query {
    Query {
        text: "SELECT 1".to_owned(),
        id: "q".to_owned(),
        user: user.map(|name| ImpersonatedUser::parse(name, &DenyList::new("", &[], &[])).unwrap()),
        settings: Vec::new(),
        parameters: Vec::new(),
        external_roles: Vec::new(),
        current_roles: None,
        trace: None,
        quota_key: String::new(),
        agent: String::new(),
        started: 0,
        takes_data: false,
        data: None,
        has_result: true,
        limits: ReadLimits { row_bytes: 1 << 20 },
    }
}
