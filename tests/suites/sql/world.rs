//! The suite's ClickHouse: the demo's people and data, somebody with every right, and those of the experiments with
//! `EXECUTE AS`.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use housekey::demo::clickhouse::{ClickHouse, Options, Silent, cache_folder, demo_data, install};
use system_tests::client::install_tls;
use system_tests::secrets;
use tokio::sync::Mutex;

/// May do everything: whatever a read-only query of theirs cannot do, nobody's can.
pub(crate) const MIGHTY: &str = "mighty";

pub(crate) struct World {
    pub(crate) clickhouse: ClickHouse,
    pub(crate) password: String,
}

static WORLD: Mutex<Option<Arc<World>>> = Mutex::const_new(None);

/// The world, which the first caller starts.
pub(crate) async fn world() -> Result<Arc<World>> {
    let mut world = WORLD.lock().await;
    if let Some(world) = &*world {
        return Ok(Arc::clone(world));
    }
    let started = Arc::new(World::start().await?);
    *world = Some(Arc::clone(&started));
    Ok(started)
}

/// Ends the world: statics are never dropped.
pub(crate) async fn end() {
    drop(WORLD.lock().await.take());
}

const INIT: [&str; 9] = [
    "CREATE DATABASE scratch",
    "CREATE TABLE scratch.notes (id UInt32) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO scratch.notes VALUES (100), (200)",
    "CREATE DATABASE db1",
    "CREATE TABLE db1.t (id UInt32, owner String, v String) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO db1.t VALUES (1, 'alice', 'a1'), (2, 'bob', 'b1'), (3, 'alice', 'a2')",
    "CREATE TABLE db1.secret (s String) ENGINE = MergeTree ORDER BY s",
    "CREATE TABLE db1.ins (a UInt32) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO db1.secret VALUES ('hidden')",
];

impl World {
    async fn start() -> Result<Self> {
        install_tls();
        let installation = install(&cache_folder()?, &Silent).await.context("installing ClickHouse")?;
        let password = secrets::fresh(MIGHTY);
        let mut init = demo_data();
        init.extend(INIT.map(str::to_owned));
        let person = |name: &str, password: &str, grants: &[&str], more: &str| {
            let grants: String = grants.iter().map(|grant| format!("<query>{grant}</query>")).collect();
            format!(
                "<{name}><password>{password}</password><networks><ip>127.0.0.1</ip></networks>\
                 <profile>default</profile><quota>default</quota><grants>{grants}</grants>{more}</{name}>"
            )
        };
        let policy = "<databases><db1><t><filter>owner = 'alice'</filter></t></db1></databases>";
        let others = secrets::fresh("the people of the experiments");
        let people = [
            person(MIGHTY, &password, &["GRANT ALL ON *.*"], ""),
            person("ua", &others, &["GRANT SELECT ON db1.t", "GRANT INSERT ON db1.ins"], policy),
            person("ub", &others, &["GRANT SELECT ON db1.secret"], ""),
            // The gateway of the experiments, from which rights are to be taken.
            person("mcp_gateway", &others, &["GRANT IMPERSONATE ON *"], ""),
            person("al-ice", &others, &[], ""),
            person("SELECT", &others, &[], ""),
            person("ünï", &others, &[], ""),
        ];
        let options = Options {
            extra_users: people.concat(),
            extra_impersonation: vec!["*".to_owned()],
            init,
            ..Options::default()
        };
        let clickhouse = ClickHouse::start(&installation, options).await?;
        for (name, password) in [
            ("admin", clickhouse.admin_password()),
            ("gateway", clickhouse.gateway_password()),
            ("alice", clickhouse.alice_password()),
            ("bob", clickhouse.bob_password()),
        ] {
            secrets::remember(name, password);
        }
        secrets::remember("the cluster's secret", clickhouse.cluster_secret());
        Ok(Self { clickhouse, password })
    }

    /// Everything that a statement could have changed, as one text.
    pub(crate) async fn fingerprint(&self) -> Result<String> {
        const STATE: &str = "SELECT
            (SELECT groupArray((database, name, toString(uuid), engine, create_table_query)) FROM (
                SELECT * FROM system.tables
                WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')
                ORDER BY database, name)),
            (SELECT groupArray(name) FROM (SELECT name FROM system.databases ORDER BY name)),
            (SELECT groupArray(id) FROM (SELECT id FROM scratch.notes ORDER BY id)),
            (SELECT count() FROM sales.orders),
            (SELECT count() FROM hr.salaries),
            (SELECT groupArray((name, auth_type)) FROM (SELECT * FROM system.users ORDER BY name)),
            (SELECT groupArray(toString(tuple(*))) FROM (SELECT * FROM system.grants ORDER BY ALL)),
            (SELECT groupArray(name) FROM (SELECT name FROM system.roles ORDER BY name)),
            (SELECT groupArray(name) FROM (SELECT name FROM system.row_policies ORDER BY name)),
            (SELECT groupArray(name) FROM (SELECT name FROM system.quotas ORDER BY name)),
            (SELECT groupArray(toString(tuple(*)))
                FROM (SELECT * EXCEPT (storage) FROM system.settings_profile_elements ORDER BY ALL)),
            (SELECT groupArray(name) FROM (SELECT name FROM system.named_collections ORDER BY name)),
            (SELECT groupArray(name) FROM (SELECT name FROM system.functions WHERE origin != 'System' ORDER BY name)),
            (SELECT groupArray(name) FROM filesystem('') WHERE name LIKE '%made%')";
        let state = self.clickhouse.query(STATE).await.map_err(anyhow::Error::msg)?;
        ensure!(state.contains("notes") && state.contains("mighty"), "{state}");
        Ok(state)
    }
}
