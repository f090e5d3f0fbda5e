//! Who somebody is, for what one request leaves for the next: a session, a subscription, a state that a client carries.

use crate::clickhouse::{ReadLimits, Statement};
use crate::config::Config;
use crate::facts::AccessKey;
use crate::identity::Access;
use crate::sql::{ReadOnlySql, Rules};

/// Equal for two requests only if everything is equal that decides on what their queries may do: server, login, person,
/// roles, caps. A credential is part of it, so a token that was refreshed is somebody else where it goes on to ClickHouse:
/// what such a token says of its person, ClickHouse alone has judged.
pub(super) fn principal(config: &Config, access: &Access) -> Option<AccessKey> {
    let statement = Statement::ReadOnly(ReadOnlySql::parse("SELECT 1", &Rules::internal()).ok()?);
    let request = access.query(config, statement, String::new(), 0, ReadLimits { row_bytes: 0 });
    let more = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        access.chosen_by,
        access.read_only,
        access.database,
        access.subject,
        access.limit,
        access.max_execution_time
    );
    // Replicas whose ports differ serve the same people, and what a configuration allows is judged with each request.
    Some(AccessKey::of(&request, 0).with(&[b"principal", more.as_bytes()]))
}
