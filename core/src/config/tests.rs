//! Whole loads: every key through every layer, what wins, what is refused, and that no secret shows.

use serde_json::{Value as Json, json};

use super::key::{Hosts, Kind, Status, keys};
use super::*;

const SECRET: &str = "hunter2-and-more-of-it";

fn no_files(path: &str) -> Result<String, String> {
    Err(format!("{path}: there are no files here"))
}

/// A document, variables and flags as sources.
fn sources(document: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    Sources {
        document: (!document.is_empty()).then(|| Document::new("housekey.yaml", document)),
        environment: environment
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        flags: flags.iter().map(|(name, text)| ((*name).to_owned(), vec![(*text).to_owned()])).collect(),
    }
}

pub(super) fn native(
    document: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, ConfigErrors> {
    load(Host::Native, &sources(document, environment, flags), &no_files)
}

fn config(document: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Config {
    native(document, environment, flags).unwrap().config
}

fn refusal(document: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    native(document, environment, flags).unwrap_err().to_string()
}

/// A base that lets every key be changed alone.
fn base() -> Vec<(&'static str, Json)> {
    vec![
        ("clickhouse.tls.enabled", json!(true)),
        ("clickhouse.tls.client_cert", json!("base.pem")),
        ("clickhouse.tls.client_key", json!("base.pem")),
        ("clickhouse.username", json!("gateway")),
        ("server.jwe.enabled", json!(true)),
        ("server.jwe.jwe_secret_key", json!("base-secret-of-some-length")),
        ("server.oauth.enabled", json!(true)),
        ("server.oauth.mode", json!("gating")),
        ("server.oauth.issuer", json!("https://idp.base.example")),
        ("server.oauth.client_id", json!("base")),
        ("server.oauth.signing_secret", json!("base-secret-of-thirty-two-bytes!")),
        ("server.token", json!("base-token")),
        ("server.transport", json!("http")),
    ]
}

/// A value that differs from the default and from the base, as text.
fn sample(path: &str, kind: Kind) -> String {
    let text = match (path, kind) {
        (
            "server.jwe.enabled"
            | "server.jwe.generator"
            | "server.oauth.enabled"
            | "clickhouse.tls.enabled"
            | "clickhouse.impersonation_probe",
            _,
        ) => "false",
        ("server.oauth.mode", _) => "forward",
        ("server.oauth.jwks_cache_ttl", _) => "7m",
        ("server.oauth.redirect_schemes", _) => "sample-a,sample-b",
        ("server.oauth.client_document_hosts", _) => "a.example,*.b.example",
        (path, Kind::Text) if path.starts_with("server.oauth.") && path.ends_with("_path") => "/sample",
        (path, Kind::Text)
            if path.starts_with("server.oauth.") && (path.ends_with("_url") || path.ends_with("issuer")) =>
        {
            "https://sample.example"
        }
        ("server.jwe.tls_directory", _) => "/sample",
        ("server.transport", _) => "stdio",
        ("clickhouse.impersonation", _) => "execute_as",
        ("clickhouse.protocol", _) => "tcp",
        ("openapi", _) => "https",
        ("logging.level", _) => "error",
        ("server.cors_origin", _) => "https://a.example,https://b.example",
        (_, Kind::Bool) => "true",
        ("server.max_body_bytes", _) => "2048",
        (_, Kind::Integer { .. } | Kind::Seconds { .. }) => "77",
        (_, Kind::Text) => "sample.example",
        (_, Kind::Secret | Kind::Secrets) => "sample,secret-of-some-length",
        ("server.blocked_query_clauses", _) => "LIMIT,ORDER BY",
        (_, Kind::List) => "sample_a,sample_b",
        (_, Kind::Map) => "x_sample=1,x_other=2",
        (_, Kind::Choice(_) | Kind::Objects) => panic!("{path} needs a sample"),
    };
    text.to_owned()
}

/// The base as a tree, with some keys replaced.
fn tree(replaced: &[(&str, Json)]) -> String {
    let mut root = json!({});
    for (path, value) in base()
        .iter()
        .map(|(path, value)| (*path, value))
        .chain(replaced.iter().map(|(path, value)| (*path, value)))
    {
        let mut node = &mut root;
        for part in path.split('.') {
            node = &mut node[part];
        }
        *node = value.clone();
    }
    root.to_string()
}

#[test]
fn every_live_key_reaches_its_field_from_every_layer() {
    // Without TLS its files are refused, so that key is changed in a base without them.
    let without_files =
        [("clickhouse.tls.client_cert", Json::Null), ("clickhouse.tls.client_key", Json::Null)];
    let native_protocol = [
        ("clickhouse.protocol", json!("tcp")),
        ("clickhouse.cluster_name", json!("base")),
        ("clickhouse.cluster_secret", json!("base-secret-of-a-cluster")),
    ];
    let with_roles = [("server.oauth.role_claim", json!("roles"))];
    let mut count = 0;
    // A choice between one thing that is supported and others that are refused cannot change anything.
    let changeable = |kind| !matches!(kind, Kind::Choice(choices) if choices.iter().filter(|choice| choice.not_yet.is_none()).count() < 2);
    for key in
        keys().filter(|key| key.status == Status::Live && key.kind != Kind::Objects && changeable(key.kind))
    {
        let fixed: &[_] = match key.path {
            "clickhouse.tls.enabled" => &without_files,
            "clickhouse.connect_host" | "clickhouse.tls.server_name" => &native_protocol,
            path if path.starts_with("clickhouse.cluster_") => &native_protocol,
            "server.oauth.role_filter" => &with_roles,
            _ => &[],
        };
        let document = tree(fixed);
        let before = Config { generation: 0, ..config(&document, &[], &[]) };
        let text = sample(key.path, key.kind);
        let (flag, variable) = (key.flag.unwrap(), key.variable.unwrap());
        let json = match key.kind {
            Kind::Bool | Kind::Integer { .. } | Kind::Seconds { .. } => serde_json::from_str(&text).unwrap(),
            Kind::List => text.split(',').collect(),
            Kind::Map => json!({"x_sample": "1", "x_other": 2}),
            Kind::Text | Kind::Secret | Kind::Secrets | Kind::Choice(_) | Kind::Objects => json!(text),
        };
        let mut replaced = fixed.to_vec();
        replaced.push((key.path, json));
        let by_flag = || config(&document, &[], &[(flag, &text)]);
        let in_place = || if key.in_document { config(&tree(&replaced), &[], &[]) } else { by_flag() };
        let found = [in_place(), config(&document, &[(variable, &text)], &[]), by_flag()];
        let generation = config(&document, &[], &[]).generation;
        for (layer, found) in ["document", "variable", "flag"].into_iter().zip(found) {
            assert_ne!(found.generation, generation, "{} {layer}", key.path);
            let found = Config { generation: 0, ..found };
            assert_ne!(found, before, "{} changes nothing as a {layer}", key.path);
            let again = Config { generation: 0, ..in_place() };
            assert_eq!(found, again, "{} {layer}", key.path);
        }
        count += 1;
    }
    assert!(count > 35);
}

#[test]
fn defaults_are_those_of_the_peer() {
    let config = config("", &[], &[]);
    assert_eq!((config.clickhouse.host.as_str(), config.clickhouse.port), ("localhost", 8123));
    assert_eq!(
        (config.clickhouse.database.as_str(), config.clickhouse.username.as_str()),
        ("default", "default")
    );
    assert_eq!(config.clickhouse.max_execution_time, 600);
    assert_eq!(
        (config.clickhouse.max_result_rows, config.clickhouse.max_result_bytes),
        (Some(500), Some(50_000))
    );
    assert_eq!(config.clickhouse.max_query_length, Some(10 << 20));
    assert_eq!((config.server.transport, config.server.port), (Transport::Stdio, 8080));
    assert_eq!((config.server.cors_origin, config.logging.level), (CorsOrigin::Loopback, Level::Info));
    assert_eq!(config.clickhouse.impersonation, Impersonation::None);
}

#[test]
fn later_layers_win_and_explicit_zeros_count() {
    let document =
        "clickhouse: {port: 1, host: file, max_execution_time: 0, database: ''}\nserver: {port: 0}";
    let environment = [("CLICKHOUSE_PORT", "2"), ("CLICKHOUSE_HOST", ""), ("LOG_LEVEL", "warn")];
    let config = config(document, &environment, &[("clickhouse-port", "3")]);
    assert_eq!((config.clickhouse.port, config.clickhouse.host.as_str()), (3, "file"));
    assert_eq!((config.clickhouse.max_execution_time, config.server.port), (0, 0));
    assert_eq!((config.clickhouse.database.as_str(), config.logging.level), ("", Level::Warn));
    let refused = refusal("clickhouse: {port: 0}", &[], &[]);
    assert_eq!(refused, "`clickhouse.port` in housekey.yaml takes a number from 1 to 65535, not 0.");
}

#[test]
fn caps_and_their_alias() {
    let rows = |document: &str| config(document, &[], &[]).clickhouse.max_result_rows;
    assert_eq!(rows("clickhouse: {limit: 7}"), Some(7));
    assert_eq!(rows("clickhouse: {limit: 0}"), Some(500));
    assert_eq!(rows("clickhouse: {max_result_rows: -1}"), None);
    assert_eq!(config("", &[("CLICKHOUSE_LIMIT", "8")], &[]).clickhouse.max_result_rows, Some(8));
    let over = config(
        "clickhouse: {limit: 7}",
        &[("CLICKHOUSE_MAX_RESULT_ROWS", "9")],
        &[("clickhouse-limit", "10")],
    );
    assert_eq!(over.clickhouse.max_result_rows, Some(10));
    let both = refusal("clickhouse: {limit: 7, max_result_rows: 7}", &[], &[]);
    assert_eq!(
        both,
        "`clickhouse.limit` in housekey.yaml and `clickhouse.max_result_rows` in housekey.yaml are two names of one setting: give one of them."
    );
}

#[test]
fn every_key_that_is_not_live_is_refused_and_its_zero_value_is_not() {
    for key in keys().filter(|key| matches!(key.status, Status::NotYet(_))) {
        let set = match key.kind {
            Kind::Bool => "true".to_owned(),
            Kind::Integer { .. } | Kind::Seconds { .. } => "77".to_owned(),
            Kind::Map => "a=b".to_owned(),
            Kind::Choice(choices) => choices.last().unwrap().name.to_owned(),
            Kind::Text | Kind::Secret | Kind::Secrets | Kind::List | Kind::Objects => SECRET.to_owned(),
        };
        if let Some(variable) = key.variable {
            let text = refusal("", &[(variable, &set)], &[]);
            assert!(text.starts_with(&format!("`{variable}` is not supported yet: ")), "{text}");
            native("", &[(variable, key.default)], &[]).unwrap();
        }
        if let Some(flag) = key.flag {
            assert!(
                refusal("", &[], &[(flag, &set)]).starts_with(&format!("`--{flag}` is not supported yet: "))
            );
        }
        if key.in_document {
            let mut value = json!(if matches!(key.kind, Kind::Map) { json!({"a": "b"}) } else { json!(set) });
            for part in key.path.rsplit('.') {
                value = json!({ part: value });
            }
            let text = refusal(&value.to_string(), &[], &[]);
            assert!(
                text.starts_with(&format!("`{}` in housekey.yaml is not supported yet: ", key.path)),
                "{text}"
            );
            assert!(!text.contains(SECRET));
        }
    }
    native("server: {oauth: {enabled: false, issuer: '', scopes: []}, tools: []}", &[], &[]).unwrap();
    native("", &[], &[("config-reload-time", "0")]).unwrap();
    // A later layer may take back what an earlier one asked for.
    native("server: {oauth: {enabled: true}}", &[], &[("oauth-enabled", "false")]).unwrap();
    assert!(refusal("", &[("MCP_SEALING_SECRET", "short")], &[]).contains("at least 16 bytes"));
    let [sse, http] =
        ["sse", "http"].map(|name| native("", &[], &[("transport", name)]).unwrap().config.server);
    assert_eq!(sse, http, "one is served beside the other");
    assert!(
        refusal("", &[], &[("transport", "htpp")]).contains("takes `stdio` or `http` or `sse`, not `htpp`")
    );
}

#[test]
fn unknown_names_are_errors_that_name_the_nearest() {
    let text = refusal(
        "clickhouse: {user: a}\nserver: {jwe: {enabeld: true}}\nclickhosue: {host: b}\nlogging: 3",
        &[],
        &[("clickhouse-prot", "1")],
    );
    for line in [
        "`--clickhouse-prot` is not a flag of Housekey; did you mean `--clickhouse-port`?",
        "`clickhouse.user` in housekey.yaml is not a key of Housekey; did you mean `clickhouse.username`?",
        "`server.jwe.enabeld` in housekey.yaml is not a key of Housekey; did you mean `server.jwe.enabled`?",
        "`clickhosue` in housekey.yaml is not a key of Housekey; did you mean `clickhouse`?",
        "`logging` in housekey.yaml is a section and holds keys, not a value.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(text.lines().count(), 5);
    let loaded = native("", &[("CLICKHOUSE_USER", "a"), ("CLICKHOUSE_PASWORD", SECRET)], &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 2);
    assert!(loaded.warnings.iter().all(|warning| !warning.contains(SECRET)));
}

#[test]
fn files_hold_values_of_variables() {
    let read = |path: &str| match path {
        "/password" => Ok("a b \n\n".to_owned()),
        "/config.json" => Ok(r#"{"clickhouse": {"host": "from-file"}}"#.to_owned()),
        other => Err(format!("{other}: no such file")),
    };
    let with = |environment: &[(&str, &str)], flags: &[(&str, &str)]| {
        load(Host::Native, &sources("", environment, flags), &read)
    };
    let loaded = with(&[("MCP_JWE_SECRET_KEY_FILE", "/password")], &[]).unwrap();
    assert_eq!(loaded.config.server.jwe.jwe_secret_key, vec!["a b \n".into()]);
    let both = with(&[("MCP_TOKEN_FILE", "/password"), ("MCP_TOKEN", SECRET)], &[]).unwrap_err().to_string();
    assert!(both.contains("`MCP_TOKEN`") && both.contains("`MCP_TOKEN_FILE`") && !both.contains(SECRET));
    let missing = with(&[("MCP_TOKEN_FILE", "/none")], &[]).unwrap_err().to_string();
    assert_eq!(missing, "`MCP_TOKEN_FILE` names a file that cannot be read: /none: no such file.");
    for (environment, flags) in [
        (&[("CONFIG_FILE", "/config.json")][..], &[][..]),
        (&[("CONFIG_FILE", "/none")][..], &[("config", "/config.json")][..]),
        (&[("HOUSEKEY_CONFIG_FILE", "/config.json")][..], &[][..]),
        (&[("HOUSEKEY_CONFIG", "clickhouse: {host: from-file}")][..], &[][..]),
        (&[("HOUSEKEY_CONFIG", "{\n\t\"clickhouse\": {\"host\": \"from-file\"}}")][..], &[][..]),
    ] {
        assert_eq!(with(environment, flags).unwrap().config.clickhouse.host, "from-file", "{environment:?}");
    }
    let two =
        with(&[("HOUSEKEY_CONFIG", "{}"), ("CONFIG_FILE", "/config.json")], &[]).unwrap_err().to_string();
    assert!(two.contains("/config.json and `HOUSEKEY_CONFIG` are both given"), "{two}");
}

#[test]
fn the_address_is_loopback_without_authentication() {
    let loaded = native("", &[], &[("transport", "http")]).unwrap();
    assert_eq!(
        (loaded.config.server.address.as_str(), loaded.config.server.address_given),
        ("127.0.0.1", false)
    );
    assert!(loaded.warnings.iter().any(|warning| warning.starts_with("No authentication is configured")));
    let loaded = native("", &[], &[("transport", "http"), ("address", "0.0.0.0")]).unwrap();
    assert_eq!(
        (loaded.config.server.address.as_str(), loaded.config.server.address_given),
        ("0.0.0.0", true)
    );
    assert!(loaded.warnings.iter().any(|warning| warning.contains("everybody who reaches 0.0.0.0")));
    let loaded =
        native("", &[], &[("transport", "http"), ("allow-jwe-auth", "1"), ("jwe-secret-key", SECRET)])
            .unwrap();
    assert_eq!(loaded.config.server.address, "0.0.0.0");
    assert!(loaded.config.has_authentication() && loaded.warnings.is_empty());
}

#[test]
fn what_statements_may_do_is_checked_by_name() {
    let clauses = |text| {
        let config = config("", &[("BLOCKED_QUERY_CLAUSES", text)], &[]);
        config.server.blocked_query_clauses.iter().map(|clause| clause.name()).collect::<Vec<_>>()
    };
    assert_eq!(clauses("settings, into_outfile,GroupByClause"), ["SETTINGS", "INTO OUTFILE", "GROUP BY"]);
    let text = refusal("", &[("BLOCKED_QUERY_CLAUSES", "GROUP,WHERE,where")], &[]);
    assert!(text.contains("is not a clause; near it are `") && text.contains("GROUP BY"), "{text}");
    assert!(text.contains("is given twice"), "{text}");
    for wrong in ["*", "s3(", "a b", "1x"] {
        let text = refusal("", &[("CLICKHOUSE_ALLOWED_TABLE_FUNCTIONS", wrong)], &[]);
        assert!(text.contains("is not the name of a table function or an engine"), "{text}");
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let jwe = [("allow-jwe-auth", "true"), ("jwe-secret-key", SECRET)];
    for (flags, part) in [
        (&[("allow-jwe-auth", "true"), ("transport", "http")][..], "there is no `server.jwe.jwe_secret_key`"),
        (&jwe[..], "give `--token` or `MCP_TOKEN`"),
        (
            &[("clickhouse-impersonation", "execute_as"), ("clickhouse-username", "gw")],
            "nobody is asked who they are",
        ),
        (&[("clickhouse-impersonation", "execute_as")], "the gateway's user is `default`"),
        (&[("clickhouse-tls-client-cert", "a"), ("clickhouse-tls", "1")], "go together"),
        (&[("clickhouse-tls-ca-cert", "a")], "would be reached without TLS"),
        (&[("clickhouse-host", "http://a")], "without scheme"),
        (&[("clickhouse-host", "a:9000")], "without scheme"),
        (
            &[("clickhouse-http-headers", "Authorization=hunter2-and-more-of-it")],
            "is decided by Housekey itself",
        ),
        (&[("clickhouse-extra-settings", "readonly=0")], "is decided by Housekey itself"),
        (&[("tool-input-settings", "a,READONLY")], "may not be left to callers"),
        (&[("tool-input-settings", "a,A")], "is given twice"),
        (&[("cors-origin", "*,https://a.example")], "not both"),
        (&[("cors-origin", "a.example")], "is not an origin"),
        (&[("allowed-hosts", "a/b")], "is not a host name"),
        (&[("oauth-public-resource-url", "ftp://a")], "takes an http or https URL"),
        (&[("jwe-allow-non-expiring", "1"), ("jwe-max-lifetime", "60")], "exclude each other"),
        (&[("clickhouse-username", "")], "must not be empty"),
        (&[("clickhouse-password", "hunter2-and-more-of-it\n")], "contains a control character"),
    ] {
        let text = refusal("", &[], flags);
        assert!(text.contains(part), "{flags:?}: {text}");
        assert!(!text.contains(SECRET), "{text}");
    }
    let allowed = [("clickhouse-impersonation", "execute_as"), ("clickhouse-impersonation-allow", "default")];
    let flags: Vec<_> = jwe.into_iter().chain(allowed).chain([("transport", "http")]).collect();
    assert_eq!(config("", &[], &flags).clickhouse.impersonation, Impersonation::ExecuteAs);
    assert_eq!(config("", &[], &[("clickhouse-host", "[::1]")]).clickhouse.host, "::1");
}

#[test]
fn the_edge_names_what_it_cannot_honour() {
    let edge = |environment: &[(&str, &str)]| load(Host::Edge, &sources("", environment, &[]), &no_files);
    let loaded = edge(&[("MCP_TRANSPORT", "http"), ("MCP_PORT", "8080")]).unwrap();
    assert_eq!(loaded.config.server.transport, Transport::Http);
    assert_eq!(edge(&[]).unwrap().config.server.transport, Transport::Http);
    for key in keys().filter(|key| key.status == Status::Live && key.hosts == Hosts::Native) {
        let variable = key.variable.unwrap();
        let text = edge(&[(variable, &sample(key.path, key.kind))]).unwrap_err().to_string();
        assert!(text.contains(&format!("`{variable}` cannot be honoured at the edge")), "{text}");
    }
    let text = edge(&[("MCP_TRANSPORT", "stdio")]).unwrap_err().to_string();
    assert!(
        text.contains("`MCP_TRANSPORT` cannot be honoured at the edge, where it is always `http`"),
        "{text}"
    );
    assert!(edge(&[("CLICKHOUSE_PASSWORD_FILE", "/x")]).is_err() && edge(&[("MCP_PORT", "0")]).is_err());
}

#[test]
fn the_way_to_be_somebody_follows_from_what_is_configured() {
    let cluster = [("clickhouse-cluster-name", "c"), ("clickhouse-cluster-secret", SECRET)];
    let tcp = ("clickhouse-protocol", "tcp");
    let ann = ("clickhouse-username", "ann");
    let with = |more: &[(&'static str, &'static str)]| [&cluster, more].concat();
    let found = config("", &[], &with(&[tcp, ann])).clickhouse;
    assert_eq!((found.impersonation, found.port), (Impersonation::Interserver, 9000));
    assert_eq!(found.cluster.unwrap().name, "c");
    assert_eq!(config("", &[], &[tcp]).clickhouse.impersonation, Impersonation::None);
    let tls = ("clickhouse-tls", "true");
    assert_eq!(config("", &[], &[tcp, tls]).clickhouse.port, 9440);
    for (flags, wanted) in [
        (with(&[ann]), "needs `clickhouse.protocol: tcp`"),
        (vec![tcp, ann, cluster[1]], "`clickhouse.cluster_name` is empty"),
        (with(&[tcp]), "nobody is asked who they are"),
        (with(&[tcp, ann, ("clickhouse-impersonation", "none")]), "says otherwise"),
        (with(&[tcp, ann, ("clickhouse-impersonation", "execute_as")]), "says otherwise"),
        (
            vec![tcp, ann, ("clickhouse-impersonation", "interserver")],
            "there is no `clickhouse.cluster_secret`",
        ),
        (vec![("clickhouse-connect-host", "h")], "`clickhouse.protocol: tcp` only"),
        (vec![tls, ("clickhouse-tls-server-name", "h")], "`clickhouse.protocol: tcp` only"),
    ] {
        let text = refusal("", &[], &flags);
        assert!(text.contains(wanted) && !text.contains(SECRET), "{flags:?}: {text}");
    }
    let loaded = native("", &[], &with(&[tcp, ann, ("clickhouse-password", SECRET)])).unwrap();
    assert!(
        loaded.warnings.iter().any(|warning| warning.contains("clickhouse-password")),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let document = format!(
        "clickhouse: {{password: {SECRET}, http_headers: {{X-Key: {SECRET}}}, extra_settings: {{custom_key: {SECRET}}}}}\nserver: {{token: {SECRET}, jwe: {{jwe_secret_key: [{SECRET}], jwt_secret_key: {SECRET}}}}}"
    );
    let loaded = native(&document, &[], &[]).unwrap();
    assert!(!format!("{loaded:?}").contains(SECRET));
    assert!(!format!("{:?}", Document::new("a", document)).contains(SECRET));
    for key in keys().filter(|key| matches!(key.kind, Kind::Secret | Kind::Secrets)) {
        let (Some(flag), Some(variable)) = (key.flag, key.variable) else { continue };
        let mut twice = sources("", &[(variable, SECRET)], &[]);
        twice.flags.push((flag.to_owned(), vec![SECRET.to_owned(), String::new()]));
        if let Err(errors) = load(Host::Edge, &twice, &no_files) {
            assert!(!format!("{errors} {errors:?}").contains(SECRET), "{errors}");
        }
        let nested = format!("{}: {{a: {SECRET}}}", key.path.replace('.', ": {"));
        let closed = format!("{nested}{}", "}".repeat(key.path.matches('.').count()));
        let errors = native(&closed, &[], &[]).unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains(SECRET), "{errors}");
    }
}

#[test]
fn the_time_of_a_tool_is_whole_seconds_and_lowers_only() {
    let loaded = native("", &[("MCP_TOOL_TIMEOUTS", "execute_query=30, explain_query=700")], &[]).unwrap();
    let wanted = [("execute_query".to_owned(), 30), ("explain_query".to_owned(), 700)];
    assert_eq!(loaded.config.server.tool_timeouts, wanted);
    let warned = loaded.warnings.join("\n");
    assert!(warned.contains("explain_query") && warned.contains("no effect"), "{warned}");
    assert!(!warned.contains("execute_query"), "{warned}");
    for wrong in
        ["execute_query=0", "execute_query=1.5", "execute_query=-1", "execute_query=", "a=2147483648"]
    {
        let problem = refusal("", &[("MCP_TOOL_TIMEOUTS", wrong)], &[]);
        assert!(problem.contains("MCP_TOOL_TIMEOUTS") && problem.contains("whole seconds"), "{problem}");
    }
}

#[test]
fn one_word_switches_the_rest_interface_on_and_says_how_it_is_reached() {
    let on = "server: {transport: http, openapi: {enabled: true, tls: true}}";
    let off = "server: {transport: http}";
    for (document, flag, variable, enabled, tls) in [
        (off, None, None, false, false),
        (on, None, None, true, true),
        (off, Some("http"), None, true, false),
        (off, None, Some("https"), true, true),
        (on, Some("http"), None, true, false),
        (on, Some("http"), Some("https"), true, false),
        (on, Some("disable"), Some("https"), true, true),
        (off, Some("disable"), Some("https"), false, false),
    ] {
        let flags: Vec<_> = flag.map(|word| ("openapi", word)).into_iter().collect();
        let variables: Vec<_> = variable.map(|word| ("MCP_OPENAPI", word)).into_iter().collect();
        let loaded = native(document, &variables, &flags).unwrap();
        assert_eq!(
            loaded.config.server.openapi,
            OpenApi { enabled, tls },
            "{document} {flag:?} {variable:?}"
        );
        let warned = loaded.warnings.iter().any(|warning| warning.contains("does not switch off"));
        assert_eq!(warned, enabled && flag == Some("disable"), "{:?}", loaded.warnings);
    }
    assert!(refusal("", &[], &[("openapi", "on")]).contains("takes `disable` or `http` or `https`"));
    let stdio = native("", &[], &[("openapi", "http")]).unwrap();
    assert!(stdio.warnings.iter().any(|warning| warning.contains("the transport is `stdio`")));
}
