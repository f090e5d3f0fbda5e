//! One real ClickHouse for a whole test process, with a person for everything that a case needs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use housekey::demo::clickhouse::{ClickHouse, Options, Silent, cache_folder, demo_data, install};
use tokio::sync::Mutex;

use crate::client::install_tls;
use crate::secrets;
use crate::token::Mint;

/// The profiles of the people below.
const PROFILES: &str = "
    <reads_only><readonly>1</readonly></reads_only>
    <reads_and_sets><readonly>2</readonly></reads_and_sets>
    <capped>
        <max_execution_time>30</max_execution_time>
        <constraints>
            <limit><max>100</max></limit>
            <max_execution_time><const/></max_execution_time>
        </constraints>
    </capped>
    <sealed_formats>
        <constraints><output_format_json_quote_decimals><const/></output_format_json_quote_decimals></constraints>
    </sealed_formats>
    <sparing>
        <constraints>
            <limit><max>100</max></limit>
            <max_execution_time><max>20</max></max_execution_time>
            <output_format_json_quote_decimals><const/></output_format_json_quote_decimals>
            <output_format_json_quote_denormals><const/></output_format_json_quote_denormals>
            <cancel_http_readonly_queries_on_client_close><const/></cancel_http_readonly_queries_on_client_close>
            <max_threads><max>2</max></max_threads>
        </constraints>
    </sparing>
    <keeps_running>
        <constraints>
            <replace_running_query><const/></replace_running_query>
            <cancel_http_readonly_queries_on_client_close><const/></cancel_http_readonly_queries_on_client_close>
        </constraints>
    </keeps_running>
";

/// Roles that nobody was granted: what a member of the cluster adds is not held against grants.
const ROLES: &str = "
    <payroll><grants><query>GRANT SELECT ON hr.salaries</query></grants></payroll>
    <archivist><grants><query>GRANT SELECT ON scratch.notes</query></grants></archivist>
";

/// Somebody beside the fixture's alice, bob, gateway and admin.
struct Person {
    name: &'static str,
    profile: &'static str,
    grants: &'static [&'static str],
    /// Whether the gateway may act for them.
    impersonated: bool,
}

const PEOPLE: &[Person] = &[
    Person { name: "rosa", profile: "reads_only", grants: &["GRANT SELECT ON sales.*"], impersonated: true },
    Person {
        name: "rick",
        profile: "reads_and_sets",
        grants: &["GRANT SELECT ON sales.*"],
        impersonated: true,
    },
    Person { name: "carla", profile: "capped", grants: &["GRANT SELECT ON sales.*"], impersonated: true },
    Person {
        name: "frank",
        profile: "sealed_formats",
        grants: &["GRANT SELECT ON sales.*"],
        impersonated: true,
    },
    // Whose profile forbids six of the settings that a query has, or bounds them.
    Person { name: "sparrow", profile: "sparing", grants: &["GRANT SELECT ON sales.*"], impersonated: true },
    // Whose queries can only be killed.
    Person {
        name: "nora",
        profile: "keeps_running",
        grants: &["GRANT SELECT ON sales.*", "GRANT SELECT ON system.processes"],
        impersonated: true,
    },
    // May write, so that only Housekey and `readonly` stand between a statement and the table.
    Person {
        name: "walter",
        profile: "default",
        grants: &[
            "GRANT SELECT, INSERT, ALTER, DROP, TRUNCATE, CREATE ON scratch.*",
            "GRANT SELECT ON sales.*",
        ],
        impersonated: true,
    },
    // A name that is not ASCII and looks like an operator.
    Person {
        name: "zoë-brien", profile: "person", grants: &["GRANT SELECT ON sales.*"], impersonated: true
    },
    // Two who see different views of one database.
    Person {
        name: "vera",
        profile: "person",
        grants: &["GRANT SELECT ON reports.*", "GRANT SELECT, INSERT ON scratch.entries"],
        impersonated: true,
    },
    Person { name: "vic", profile: "person", grants: &["GRANT SELECT ON reports.echo"], impersonated: true },
    // Exists, and nobody may act for them.
    Person { name: "stranger", profile: "person", grants: &["GRANT SELECT ON sales.*"], impersonated: false },
];

/// Names whom the gateway may become, were there such users: they carry what breaks careless quoting.
const ABSENT: &[&str] = &["absent*"];

/// The ClickHouse, its people and the operator's secrets.
#[derive(Debug)]
pub struct World {
    clickhouse: ClickHouse,
    passwords: BTreeMap<&'static str, String>,
    /// The secrets of the operator of every standard host.
    pub mint: Mint,
}

static WORLD: Mutex<Option<Arc<World>>> = Mutex::const_new(None);

/// The world, which the first caller starts.
pub async fn world() -> Result<Arc<World>> {
    let mut world = WORLD.lock().await;
    if let Some(world) = &*world {
        return Ok(Arc::clone(world));
    }
    let started = Arc::new(World::start().await?);
    *world = Some(Arc::clone(&started));
    Ok(started)
}

/// Ends the world. Statics are never dropped, so a suite calls this at its end.
pub async fn end() {
    drop(WORLD.lock().await.take());
}

impl World {
    async fn start() -> Result<Self> {
        install_tls();
        let installation = install(&cache_folder()?, &Silent).await.context("installing ClickHouse")?;
        let mut passwords: BTreeMap<_, _> =
            PEOPLE.iter().map(|person| (person.name, secrets::fresh(person.name))).collect();
        let mut init = demo_data();
        init.extend(
            [
                "CREATE DATABASE scratch",
                "CREATE TABLE scratch.notes (id UInt32) ENGINE = MergeTree ORDER BY id",
                "CREATE TABLE scratch.entries (id UInt32, text String DEFAULT 'none', at Nullable(DateTime), \
                 kept UInt32 MATERIALIZED id) ENGINE = MergeTree ORDER BY id",
                "CREATE DATABASE reports",
                "CREATE VIEW reports.echo AS SELECT {s:String} AS s, {a:Array(String)} AS a, \
                 {d:Decimal(20, 5)} AS d, {n:Nullable(Int32)} AS n, {e:Enum8('x' = 1, 'it''s' = 2)} AS e, \
                 {at:DateTime64(3, 'UTC')} AS at COMMENT '{\"title\": \"Echo\", \"params\": {\"s\": \"Any text\"}, \
                 \"annotations\": {\"openWorldHint\": true}}'",
                "CREATE VIEW reports.`quo\\`te\"d {x:String}` AS \
                 SELECT '{a:String}' AS literal, {p:String} AS p, {n:UInt64} AS n -- {z:String}",
                "CREATE VIEW reports.`имя отчёта` AS SELECT 1 AS one",
            ]
            .map(str::to_owned),
        );
        let impersonated =
            PEOPLE.iter().filter(|person| person.impersonated).map(|person| quoted(person.name));
        let options = Options {
            extra_users: people_xml(&passwords),
            extra_profiles: PROFILES.to_owned(),
            extra_roles: ROLES.to_owned(),
            extra_impersonation: impersonated.chain(ABSENT.iter().map(|name| (*name).to_owned())).collect(),
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
            passwords.insert(name, secrets::remember(name, password));
        }
        secrets::remember("the cluster's secret", clickhouse.cluster_secret());
        Ok(Self { clickhouse, passwords, mint: Mint::new() })
    }

    /// The server.
    pub fn clickhouse(&self) -> &ClickHouse {
        &self.clickhouse
    }

    /// Somebody's password.
    pub fn password(&self, name: &str) -> Result<&str> {
        self.passwords.get(name).map(String::as_str).with_context(|| format!("there is nobody called {name}"))
    }

    /// Runs a statement as admin.
    pub async fn admin(&self, sql: &str) -> Result<String> {
        self.clickhouse.query(sql).await.map_err(anyhow::Error::msg)
    }
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

fn people_xml(passwords: &BTreeMap<&'static str, String>) -> String {
    let mut xml = String::new();
    for Person { name, profile, grants, .. } in PEOPLE {
        let password = passwords.get(name).map_or("", String::as_str);
        let grants: String = grants.iter().map(|grant| format!("<query>{grant}</query>")).collect();
        // Writing to a string cannot fail.
        let _ = write!(
            xml,
            "<{name}><password>{password}</password><networks><ip>127.0.0.1</ip></networks>\
             <profile>{profile}</profile><quota>default</quota><grants>{grants}</grants></{name}>"
        );
    }
    xml
}
