//! What a guest gets as its environment: the native host's configuration, without what only that host honours, and
//! without any secret where the host does without the guest what secrets are for.

use housekey_core::config::{
    ClickHouse, Config, CorsOrigin, Generator, Impersonation, Jwe, Level, Logging, RuleSource, Server, Tls,
    ToolRule, Tools, Transport,
};
use housekey_core::identity::Access;
use housekey_core::secret::Secret;
use housekey_core::sql::Clause;
use serde_json::{Value, json};

use super::oauth_environment;

/// The environment of a guest that is to behave like this configuration: one variable, `HOUSEKEY_CONFIG`.
///
/// The host has laid all layers over each other and read every `…_FILE` already, so a document of the outcome is
/// all that is needed. The patterns below name every field: a new setting does not compile until somebody decides
/// whether the guest hears of it. Addresses and ports are left out because the host listens, files and
/// certificates because it connects.
pub fn edge_environment(config: &Config) -> Vec<(String, String)> {
    let Config { clickhouse, server, logging: Logging { level }, generation: _ } = config;
    let document = json!({
        "clickhouse": clickhouse_section(clickhouse),
        "server": server_section(server),
        "logging": { "level": level_name(*level) },
    });
    vec![("HOUSEKEY_CONFIG".to_owned(), document.to_string())]
}

/// The environment of a guest that queries through this host, for one caller: what shapes answers, and the caller's
/// own limits as if they were the operator's. Nothing in it opens a door, names a server or names a person.
///
/// `sealing` are secrets that are this caller's alone.
pub(super) fn hosted_environment(
    config: &Config,
    access: &Access,
    sealing: &[Secret<String>],
) -> Vec<(String, String)> {
    let Config { clickhouse, server, logging: Logging { level }, generation: _ } = config;
    let document = json!({
        "clickhouse": bound_clickhouse_section(clickhouse, access),
        "server": bound_server_section(server, sealing),
        "logging": { "level": level_name(*level) },
    });
    vec![("HOUSEKEY_CONFIG".to_owned(), document.to_string())]
}

fn bound_clickhouse_section(clickhouse: &ClickHouse, access: &Access) -> Value {
    let ClickHouse {
        host: _,
        port: _,
        protocol: _,
        connect_host: _,
        tls: _,
        database: _,
        username: _,
        username_given: _,
        password: _,
        cluster: _,
        read_only,
        allow_destructive,
        allowed_table_functions,
        max_execution_time,
        max_result_rows,
        max_result_bytes,
        max_query_length,
        http_headers: _,
        extra_settings: _,
        impersonation: _,
        impersonation_probe: _,
        impersonation_deny: _,
        impersonation_allow: _,
    } = clickhouse;
    let configured_time = Some(*max_execution_time).filter(|seconds| *seconds > 0);
    let time = [configured_time, access.max_execution_time].into_iter().flatten().min();
    json!({
        "read_only": *read_only || access.read_only,
        "allow_destructive": allow_destructive,
        "allowed_table_functions": allowed_table_functions,
        "max_execution_time": time.unwrap_or(0),
        "max_result_rows": cap([*max_result_rows, access.limit].into_iter().flatten().min()),
        "max_result_bytes": cap(*max_result_bytes),
        "max_query_length": cap(max_query_length.and_then(|bytes| u64::try_from(bytes).ok())),
    })
}

fn bound_server_section(server: &Server, sealing: &[Secret<String>]) -> Value {
    let Server {
        transport: Transport::Stdio | Transport::Http,
        address: _,
        address_given: _,
        port: _,
        // The host has judged the name by which it was reached.
        allowed_hosts: _,
        cors_origin,
        public_resource_url,
        tool_input_settings,
        tools,
        blocked_query_clauses,
        tool_timeouts,
        // The operator's own stays with the host.
        sealing_secret: _,
        jwe,
        oauth,
        token: _,
        component: _,
        openapi,
        max_body_bytes,
        shutdown_grace: _,
    } = server;
    json!({
        "cors_origin": origins(cors_origin),
        "oauth": { "public_resource_url": public_resource_url },
        "tool_input_settings": tool_input_settings,
        "tools": entries(tools),
        "tools_ttl": tools.ttl,
        "blocked_query_clauses": clauses(blocked_query_clauses),
        "tool_timeouts": map(tool_timeouts),
        // Whether callers are asked who they are decides who may keep an answer. The keys stay with the host.
        "jwe": { "enabled": jwe.enabled || oauth.is_some() },
        "sealing_secret": secrets(sealing),
        "openapi": { "enabled": openapi.enabled, "tls": openapi.tls },
        "max_body_bytes": max_body_bytes,
    })
}

/// The entries of `server.tools`, in the form without older names.
fn entries(tools: &Tools) -> Vec<Value> {
    let own = tools.own.iter().flatten().map(|name| json!({ "name": name }));
    let rules = tools.rules.iter().map(|ToolRule { source, name, prefix, pattern }| {
        let (key, mode) = match source {
            RuleSource::View => ("view_regexp", ""),
            RuleSource::Table => ("table_regexp", "insert"),
        };
        json!({ key: pattern.as_str(), "name": name, "prefix": prefix, "mode": mode })
    });
    own.chain(rules).collect()
}

fn origins(origins: &CorsOrigin) -> Vec<String> {
    match origins {
        CorsOrigin::Loopback => vec!["*".to_owned()],
        CorsOrigin::List(origins) => origins.clone(),
    }
}

fn clickhouse_section(clickhouse: &ClickHouse) -> Value {
    let ClickHouse {
        host,
        port,
        // Only HTTP leads out of a guest: see `serve::hosted::load`.
        protocol: _,
        connect_host: _,
        tls:
            Tls { enabled, ca_cert: _, client_cert: _, client_key: _, insecure_skip_verify: _, server_name: _ },
        database,
        username,
        username_given: _,
        password,
        // The secret never enters the sandbox.
        cluster: _,
        read_only,
        allow_destructive,
        allowed_table_functions,
        max_execution_time,
        max_result_rows,
        max_result_bytes,
        max_query_length,
        http_headers,
        extra_settings,
        impersonation,
        // The host looks for itself.
        impersonation_probe: _,
        impersonation_deny,
        impersonation_allow,
    } = clickhouse;
    json!({
        "host": host,
        "port": port,
        "tls": { "enabled": enabled },
        "database": database,
        "username": username,
        "password": password.expose(),
        "read_only": read_only,
        "allow_destructive": allow_destructive,
        "allowed_table_functions": allowed_table_functions,
        "max_execution_time": max_execution_time,
        "max_result_rows": cap(*max_result_rows),
        "max_result_bytes": cap(*max_result_bytes),
        "max_query_length": cap(max_query_length.and_then(|bytes| u64::try_from(bytes).ok())),
        "http_headers": map(http_headers),
        "extra_settings": map(extra_settings),
        "impersonation": match impersonation {
            Impersonation::None => "none",
            Impersonation::ExecuteAs => "execute_as",
            Impersonation::Interserver => "interserver",
        },
        "impersonation_deny": impersonation_deny,
        "impersonation_allow": impersonation_allow,
    })
}

fn server_section(server: &Server) -> Value {
    let Server {
        transport: Transport::Stdio | Transport::Http,
        address,
        address_given: _,
        port: _,
        allowed_hosts,
        cors_origin,
        public_resource_url,
        tool_input_settings,
        tools,
        blocked_query_clauses,
        tool_timeouts,
        sealing_secret,
        jwe,
        oauth,
        token: _,
        component: _,
        openapi,
        max_body_bytes,
        shutdown_grace: _,
    } = server;
    let Jwe {
        enabled,
        jwe_secret_key,
        jwt_secret_key,
        leeway,
        allow_non_expiring,
        max_lifetime,
        allowed_hosts: token_hosts,
        tls_directory: _,
        generator: Generator { enabled: generates, token: generator_token, per_minute: _ },
    } = jwe;
    // Without a list the host, which resolves names, decides where a token may lead; the guest needs one.
    let token_hosts = match token_hosts.as_slice() {
        [] => vec!["*".to_owned()],
        patterns => patterns.iter().map(ToString::to_string).collect(),
    };
    let mut hosts = allowed_hosts.clone();
    // A host that listens at a loopback address serves loopback names; a guest knows of no address.
    if housekey_core::transport::guard::is_loopback(address) {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    json!({
        "allowed_hosts": hosts,
        "cors_origin": origins(cors_origin),
        "oauth": oauth_environment::section(oauth.as_ref(), public_resource_url.as_ref()),
        "tool_input_settings": tool_input_settings,
        "tools": entries(tools),
        "tools_ttl": tools.ttl,
        "blocked_query_clauses": clauses(blocked_query_clauses),
        "tool_timeouts": map(tool_timeouts),
        "sealing_secret": secrets(sealing_secret),
        "jwe": {
            "enabled": enabled,
            "jwe_secret_key": secrets(jwe_secret_key),
            "jwt_secret_key": secrets(jwt_secret_key),
            "leeway": leeway,
            "allow_non_expiring": allow_non_expiring,
            "max_lifetime": max_lifetime,
            "allowed_hosts": token_hosts,
            "generator": generates,
            "generator_token": generator_token.as_ref().map_or("", |token| token.expose()),
            "generator_rate": 0,
        },
        "openapi": { "enabled": openapi.enabled, "tls": openapi.tls },
        "max_body_bytes": max_body_bytes,
    })
}

/// In a document a negative number is no cap, and 0 the default.
fn cap(cap: Option<u64>) -> Value {
    cap.map_or(json!(-1), |cap| json!(cap))
}

pub(super) fn map<V: ToString>(entries: &[(String, V)]) -> Value {
    let entries = entries.iter().map(|(name, value)| (name.clone(), json!(value.to_string())));
    entries.collect::<serde_json::Map<_, _>>().into()
}

fn clauses(clauses: &[Clause]) -> Vec<&'static str> {
    clauses.iter().map(|clause| clause.name()).collect()
}

pub(super) fn secrets(secrets: &[Secret<String>]) -> Vec<&str> {
    secrets.iter().map(|secret| secret.expose().as_str()).collect()
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use housekey_core::config::{Document, Host, HostPattern, Sources, load};

    use super::*;

    #[test]
    fn the_guest_sees_the_same_settings() {
        let text = "
clickhouse:
  host: '::1'
  port: 8443
  tls: { enabled: true }
  database: ''
  username: gateway
  password: '0123'
  max_result_rows: -1
  max_result_bytes: 7
  allow_destructive: true
  allowed_table_functions: [url, S3]
  http_headers: { X-Tenant: a }
  extra_settings: { max_threads: '2' }
  impersonation: execute_as
  impersonation_deny: [root, admin]
server:
  transport: http
  address: 0.0.0.0
  allowed_hosts: [mcp.example.com]
  cors_origin: ['https://app.example.com']
  blocked_query_clauses: [SETTINGS, into outfile]
  tools: [{ name: list_tables }, { view_regexp: '^a[.]', prefix: p_ }, { table_regexp: b, mode: insert, name: n }]
  tools_ttl: 7
  jwe: { enabled: true, jwe_secret_key: ['new, with a comma and more', 'older secret of the same kind'], leeway: 3 }
  max_body_bytes: 5000
  tool_timeouts: { execute_query: 30 }
  openapi: { enabled: true, tls: true }
logging: { level: warn }
";
        let no_files = |_: &str| Err(String::new());
        let document = Some(Document::new("a.yaml", text));
        let native = load(Host::Native, &Sources { document, ..Sources::default() }, &no_files);
        let native = native.unwrap_or_else(|problem| panic!("{problem}")).config;
        let environment = edge_environment(&native);
        let edge = load(Host::Edge, &Sources { environment, ..Sources::default() }, &no_files);
        let edge = edge.unwrap_or_else(|problem| panic!("{problem}")).config;
        let username_given = edge.clickhouse.username_given;
        assert_eq!(edge.clickhouse, ClickHouse { username_given, ..native.clickhouse });
        // The host resolves names and counts requests, so the guest judges any host by its looks and counts nothing.
        let any = HostPattern::parse("*").into_iter().collect();
        let generator = Generator { per_minute: None, ..native.server.jwe.generator.clone() };
        assert_eq!(edge.server.jwe, Jwe { allowed_hosts: any, generator, ..native.server.jwe });
        assert_eq!(edge.server.allowed_hosts, native.server.allowed_hosts);
        assert_eq!(edge.server.cors_origin, native.server.cors_origin);
        assert_eq!(edge.server.blocked_query_clauses, native.server.blocked_query_clauses);
        assert_eq!(edge.server.tools, native.server.tools);
        assert_eq!(edge.server.max_body_bytes, native.server.max_body_bytes);
        assert_eq!(edge.server.tool_timeouts, [("execute_query".to_owned(), 30)]);
        assert_eq!(edge.server.tool_timeouts, native.server.tool_timeouts);
        assert_eq!(edge.server.openapi, native.server.openapi);
        assert_eq!(edge.logging, native.logging);
    }

    #[test]
    fn a_loopback_address_becomes_loopback_names() {
        let load = |sources: &Sources, host| load(host, sources, &|_| Err(String::new())).unwrap().config;
        let native = load(
            &Sources { environment: vec![("MCP_TRANSPORT".into(), "http".into())], ..Sources::default() },
            Host::Native,
        );
        let edge =
            load(&Sources { environment: edge_environment(&native), ..Sources::default() }, Host::Edge);
        assert_eq!(edge.server.allowed_hosts, ["localhost", "127.0.0.1", "[::1]"]);
        let username_given = edge.clickhouse.username_given;
        assert_eq!(edge.clickhouse, ClickHouse { username_given, ..native.clickhouse });
    }
}
