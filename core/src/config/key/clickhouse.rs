//! The keys of `clickhouse`.

use super::{Alias, Choice, Hosts, Key, Kind, choice, key};

const PORT: Kind = Kind::Integer { min: 1, max: 65_535 };
const CAP: Kind = Kind::Integer { min: -1_000_000_000_000, max: 1_000_000_000_000 };
/// Also the greatest value of the setting `max_execution_time` that the peer can send.
const LONG: Kind = Kind::Seconds { min: 0, max: 2_147_483_647 };

static PROTOCOLS: &[Choice] = &[choice("http"), choice("tcp")];
static IMPERSONATIONS: &[Choice] = &[choice("none"), choice("execute_as"), choice("interserver")];

pub(super) static KEYS: &[Key] = &[
    key("clickhouse.host", Kind::Text, "The ClickHouse server: a host name or an IP address, without scheme and port.")
        .named("clickhouse-host", "CLICKHOUSE_HOST")
        .or("localhost"),
    key("clickhouse.port", PORT, "ClickHouse's port. Unless given: 8123 with `http`, 9000 with `tcp`, 9440 with `tcp` over TLS. Servers with TLS usually have HTTP at 8443.")
        .named("clickhouse-port", "CLICKHOUSE_PORT")
        .or("8123"),
    Key {
        hosts: Hosts::EdgeOnly("http"),
        ..key("clickhouse.protocol", Kind::Choice(PROTOCOLS), "The protocol to ClickHouse: its HTTP interface, or `tcp`, its native protocol. At the edge always `http`.")
            .named("clickhouse-protocol", "CLICKHOUSE_PROTOCOL")
            .or("http")
    },
    key("clickhouse.database", Kind::Text, "The database of names without one. Empty leaves it to the server's profile.")
        .named("clickhouse-database", "CLICKHOUSE_DATABASE")
        .or("default"),
    key("clickhouse.username", Kind::Text, "The ClickHouse user that Housekey logs in as: with `execute_as` the gateway, which holds the right to impersonate.")
        .named("clickhouse-username", "CLICKHOUSE_USERNAME")
        .or("default"),
    key("clickhouse.password", Kind::Secret, "The password of that user.")
        .named("clickhouse-password", "CLICKHOUSE_PASSWORD"),
    key("clickhouse.tls.enabled", Kind::Bool, "Whether ClickHouse is reached over TLS. Its port does not change by itself.")
        .named("clickhouse-tls", "CLICKHOUSE_TLS")
        .or("false"),
    key("clickhouse.tls.ca_cert", Kind::Text, "Path of a PEM file with the authorities that are trusted instead of the system's.")
        .named("clickhouse-tls-ca-cert", "CLICKHOUSE_TLS_CA_CERT")
        .native(),
    key("clickhouse.tls.client_cert", Kind::Text, "Path of a PEM file with the certificate that Housekey presents to ClickHouse.")
        .named("clickhouse-tls-client-cert", "CLICKHOUSE_TLS_CLIENT_CERT")
        .native(),
    key("clickhouse.tls.client_key", Kind::Text, "Path of a PEM file with the private key of that certificate.")
        .named("clickhouse-tls-client-key", "CLICKHOUSE_TLS_CLIENT_KEY")
        .native(),
    key("clickhouse.tls.insecure_skip_verify", Kind::Bool, "Accepts any certificate of ClickHouse: for tests only, and warned about.")
        .named("clickhouse-tls-insecure-skip-verify", "CLICKHOUSE_TLS_INSECURE_SKIP_VERIFY")
        .or("false")
        .native(),
    key("clickhouse.tls.server_name", Kind::Text, "The name that ClickHouse's certificate must have, and that is asked for, instead of `clickhouse.host`. With `clickhouse.protocol: tcp` only.")
        .named("clickhouse-tls-server-name", "CLICKHOUSE_TLS_SERVER_NAME")
        .native(),
    key("clickhouse.read_only", Kind::Bool, "Offers tools that read only: `write_query` is then there for nobody. Tools that read ask ClickHouse for `readonly` in either case.")
        .named("read-only", "CLICKHOUSE_READ_ONLY")
        .or("false"),
    key("clickhouse.allow_destructive", Kind::Bool, "Whether statements that write may also take something away: DROP, TRUNCATE, DELETE, UPDATE, RENAME, KILL, SYSTEM and the like, and, without impersonation, GRANT and what else decides about access.")
        .named("clickhouse-allow-destructive", "CLICKHOUSE_ALLOW_DESTRUCTIVE")
        .or("false"),
    key("clickhouse.allowed_table_functions", Kind::List, "Table functions, functions, table engines, sources of dictionaries and destinations of backups that statements may use although they reach outside the database, each written as in the statement: `url`, `s3`, `Distributed`. There is no wildcard.")
        .named("clickhouse-allowed-table-functions", "CLICKHOUSE_ALLOWED_TABLE_FUNCTIONS"),
    key("clickhouse.max_execution_time", LONG, "Seconds that ClickHouse may work on a query. 0 sets no limit, and leaves it to the user's profile.")
        .named("clickhouse-max-execution-time", "CLICKHOUSE_MAX_EXECUTION_TIME")
        .or("600"),
    Key {
        alias: Some(Alias { path: "clickhouse.limit", flag: "clickhouse-limit", variable: "CLICKHOUSE_LIMIT" }),
        ..key("clickhouse.max_result_rows", CAP, "Rows that an answer may have; the rest is cut off and the answer says so. 0 is the default, a negative number no cap.")
            .named("clickhouse-max-result-rows", "CLICKHOUSE_MAX_RESULT_ROWS")
            .or("500")
    },
    key("clickhouse.max_result_bytes", CAP, "Bytes that the rows of an answer may have; the rest is cut off and the answer says so. 0 is the default, a negative number no cap.")
        .named("clickhouse-max-result-bytes", "CLICKHOUSE_MAX_RESULT_BYTES")
        .or("50000"),
    key("clickhouse.max_query_length", CAP, "Bytes that a statement may have. 0 is the default, a negative number no cap.")
        .named("clickhouse-max-query-length", "CLICKHOUSE_MAX_QUERY_LENGTH")
        .or("10485760"),
    key("clickhouse.http_headers", Kind::Map, "HTTP headers that every request to ClickHouse carries. Not those that log in, frame the message or choose a format.")
        .named("clickhouse-http-headers", "CLICKHOUSE_HTTP_HEADERS"),
    key("clickhouse.extra_settings", Kind::Map, "ClickHouse settings that every query carries. Not those that Housekey itself decides.")
        .named("clickhouse-extra-settings", "CLICKHOUSE_EXTRA_SETTINGS"),
    key("clickhouse.impersonation", Kind::Choice(IMPERSONATIONS), "How queries run as the person who asks: `execute_as` sends them inside `EXECUTE AS`, for which the gateway's user needs `IMPERSONATE`; `interserver` names the person under the cluster's secret; `none` runs them as the user that logs in. Unless given: `interserver` with a cluster's secret, else `none`.")
        .named("clickhouse-impersonation", "CLICKHOUSE_IMPERSONATION")
        .or("none"),
    key("clickhouse.impersonation_probe", Kind::Bool, "Whether the native host tries, at start and after queries that failed under impersonation, if it could be somebody, and logs what is missing. ClickHouse then sees a question for a user that does not exist.")
        .named("clickhouse-impersonation-probe", "CLICKHOUSE_IMPERSONATION_PROBE")
        .or("true"),
    key("clickhouse.impersonation_deny", Kind::List, "ClickHouse users that nobody may become, beside `default` and the gateway's own user.")
        .named("clickhouse-impersonation-deny", "CLICKHOUSE_IMPERSONATION_DENY"),
    key("clickhouse.impersonation_allow", Kind::List, "Users that may be used although they are refused otherwise: `default`, the gateway's own user.")
        .named("clickhouse-impersonation-allow", "CLICKHOUSE_IMPERSONATION_ALLOW"),
    key("clickhouse.cluster_name", Kind::Text, "The cluster whose secret proves that Housekey may name the user.")
        .named("clickhouse-cluster-name", "CLICKHOUSE_CLUSTER_NAME")
        .native(),
    key("clickhouse.cluster_secret", Kind::Secret, "The interserver secret of that cluster. Whoever holds it can be any user of ClickHouse.")
        .named("clickhouse-cluster-secret", "CLICKHOUSE_CLUSTER_SECRET")
        .native(),
    key("clickhouse.cluster_roles", Kind::List, "Roles that a token's claim `roles` may add to a person under the cluster's secret, each a name or a prefix with `*`. ClickHouse does not ask whether they were granted. Empty adds none.")
        .named("clickhouse-cluster-roles", "CLICKHOUSE_CLUSTER_ROLES")
        .native(),
    key("clickhouse.connect_host", Kind::Text, "The host or address to connect to instead of `clickhouse.host`, which stays the name that certificates are checked against. With `clickhouse.protocol: tcp` only.")
        .named("clickhouse-connect-host", "CLICKHOUSE_CONNECT_HOST")
        .native(),
];
