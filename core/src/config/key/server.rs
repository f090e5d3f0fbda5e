//! The keys of `server`, but for `server.oauth`.

use super::{Choice, Hosts, Key, Kind, choice, key};

const PORT: Kind = Kind::Integer { min: 0, max: 65_535 };

static TRANSPORTS: &[Choice] = &[choice("stdio"), choice("http"), choice("sse")];
static OPENAPI: &[Choice] = &[choice("disable"), choice("http"), choice("https")];

const TLS: &str = "let a proxy before Housekey end TLS";

pub(super) static KEYS: &[Key] = &[
    Key {
        hosts: Hosts::EdgeOnly("http"),
        ..key("server.transport", Kind::Choice(TRANSPORTS), "How clients talk to Housekey: over its standard input and output, or over HTTP. `http` and `sse` are the same: streamable HTTP, and beside it at `/sse` the older HTTP+SSE of 2024-11-05. At the edge always `http`, without HTTP+SSE.")
            .named("transport", "MCP_TRANSPORT")
            .or("stdio")
    },
    key("server.address", Kind::Text, "The address to listen at. Without authentication, and unless this is given, it is 127.0.0.1.")
        .named("address", "MCP_ADDRESS")
        .or("0.0.0.0")
        .native(),
    key("server.port", PORT, "The port to listen at; 0 takes any free one.")
        .named("port", "MCP_PORT")
        .or("8080")
        .native(),
    key("server.allowed_hosts", Kind::List, "Values of the `Host` header that are served, each a name with or without a port. Empty serves every name on a public address and loopback names on a loopback one.")
        .named("allowed-hosts", "MCP_ALLOWED_HOSTS"),
    key("server.cors_origin", Kind::List, "Origins of browser pages that are served. `*` stands for pages of this computer and of `server.oauth.public_resource_url`, not for every page; an empty list for none.")
        .named("cors-origin", "MCP_CORS_ORIGIN")
        .or("*"),
    key("server.token", Kind::Secret, "The JWE token of the one caller of `stdio`.")
        .named("token", "MCP_TOKEN")
        .native(),
    key("server.jwe.enabled", Kind::Bool, "Callers must bring a JWE token.")
        .named("allow-jwe-auth", "MCP_ALLOW_JWE_AUTH")
        .or("false"),
    key("server.jwe.jwe_secret_key", Kind::Secrets, "The secret that tokens are encrypted with. With several, the first makes tokens and all open them.")
        .named("jwe-secret-key", "MCP_JWE_SECRET_KEY"),
    key("server.jwe.jwt_secret_key", Kind::Secrets, "The secret that the claims inside are signed with. With several, the first signs and all verify; with none, claims are not signed.")
        .named("jwt-secret-key", "MCP_JWT_SECRET_KEY"),
    key("server.jwe.leeway", Kind::Seconds { min: 0, max: 300 }, "Seconds by which the clocks of who makes and who checks a token may differ.")
        .named("jwe-leeway", "MCP_JWE_LEEWAY")
        .or("0"),
    key("server.jwe.allow_non_expiring", Kind::Bool, "Accepts tokens that have no `exp`.")
        .named("jwe-allow-non-expiring", "MCP_JWE_ALLOW_NON_EXPIRING")
        .or("false"),
    key("server.jwe.max_lifetime", Kind::Seconds { min: 0, max: 3_153_600_000 }, "The longest life of a token in seconds: from its `iat`, or without one from the moment when it comes, to its `exp`. One that lasts longer is refused. 0 sets no limit.")
        .named("jwe-max-lifetime", "MCP_JWE_MAX_LIFETIME")
        .or("0"),
    key("server.jwe.allowed_hosts", Kind::List, "ClickHouse servers that a token may name, each `host` or `host:port`; `*.example.com` stands for all names below, `*` for every host. Empty: on the native host a token may name any server, at the edge none. Loopback, link-local and cloud metadata addresses are reached only if listed by name, without a wildcard. The server of `clickhouse.host` and `clickhouse.port` may always be named. Tokens that the generator made for strangers reach less: servers listed by name or below a domain, on the native host without a list or with `*` also those at addresses of the public internet, and the configured server only if it is listed.")
        .named("jwe-allowed-hosts", "MCP_JWE_ALLOWED_HOSTS"),
    key("server.jwe.tls_directory", Kind::Text, "Path of the folder below which the files of the claims `tls_ca_cert`, `tls_client_cert` and `tls_client_key` must lie. Unless it is given, tokens with such claims are refused.")
        .named("jwe-tls-directory", "MCP_JWE_TLS_DIRECTORY")
        .native(),
    key("server.jwe.generator", Kind::Bool, "Whether `POST /jwe-token-generator` makes tokens. Those for strangers, who do not bring `server.jwe.generator_token`, reach only servers that `server.jwe.allowed_hosts` lists or, on the native host without such a list, servers at addresses of the public internet; the configured server only if it is listed. While this is false, such tokens are refused.")
        .named("jwe-generator", "MCP_JWE_GENERATOR")
        .or("true"),
    key("server.jwe.generator_token", Kind::Secret, "The bearer token, of at least 16 bytes, that lets its holder have any token made by `/jwe-token-generator`. Without it, only tokens that carry a host, a username and a password of their own are made, and none while impersonation is on.")
        .named("jwe-generator-token", "MCP_JWE_GENERATOR_TOKEN"),
    key("server.jwe.generator_rate", Kind::Integer { min: 0, max: 1_000_000 }, "Requests to `/jwe-token-generator` that are answered in a minute. As many may come at once; the allowance is refilled evenly. All strangers share one count, and requests with the right bearer token have another. 0 sets no limit. A runtime that makes an instance for each request counts nothing: limit the rate in front of it.")
        .named("jwe-generator-rate", "MCP_JWE_GENERATOR_RATE")
        .or("60"),
    key("server.jwe.token_param", Kind::Text, "A relic in the peer's Helm chart that nothing there reads.")
        .or("token")
        .not_yet("altinity-mcp never read it either; remove it"),
    key("server.tool_input_settings", Kind::List, "ClickHouse settings that callers may set, in a statement's `SETTINGS` clause or in a tool's `settings`. Those that guard the server, and those that Housekey decides itself, cannot be listed.")
        .named("tool-input-settings", "TOOL_INPUT_SETTINGS"),
    key("server.tool_timeouts", Kind::Map, "Seconds that each query of a tool may take, by the tool's name: `execute_query=30,list_tables=10`. They can only lower `clickhouse.max_execution_time`; tools that are not named have that alone.")
        .named("tool-timeouts", "MCP_TOOL_TIMEOUTS"),
    key("server.max_body_bytes", Kind::Integer { min: 1024, max: 1_073_741_824 }, "Bytes that the body of a request may have.")
        .named("max-body-bytes", "MCP_MAX_BODY_BYTES")
        .or("16777216"),
    key("server.shutdown_grace", Kind::Seconds { min: 0, max: 3600 }, "Seconds that running requests get to end when the server is told to stop.")
        .named("shutdown-grace", "MCP_SHUTDOWN_GRACE")
        .or("30")
        .native(),
    key("server.component", Kind::Text, "Path of a `housekey_edge.wasm` in which requests are handled instead of in the native code.")
        .named("component", "MCP_COMPONENT")
        .native(),
    key("server.sealing_secret", Kind::Secrets, "The secret that seals the state which clients carry between the rounds of a request, such as a question before something is dropped. With several, the first seals and all open; replicas share it. Without one it is derived from `server.oauth.signing_secret`, else from `server.jwe.jwe_secret_key`; with none of them the native host makes one up at each start, and a component asks nothing back.")
        .named("sealing-secret", "MCP_SEALING_SECRET"),
    key("server.tls.enabled", Kind::Bool, "Whether Housekey itself serves TLS.")
        .named("server-tls", "MCP_SERVER_TLS")
        .or("false")
        .not_yet(TLS),
    key("server.tls.cert_file", Kind::Text, "Path of the server's certificate.")
        .named("server-tls-cert-file", "MCP_SERVER_TLS_CERT_FILE")
        .not_yet(TLS),
    key("server.tls.key_file", Kind::Text, "Path of the server's private key.")
        .named("server-tls-key-file", "MCP_SERVER_TLS_KEY_FILE")
        .not_yet(TLS),
    key("server.tls.ca_cert", Kind::Text, "Path of the authorities that client certificates must come from.")
        .named("server-tls-ca-cert", "MCP_SERVER_TLS_CA_CERT")
        .not_yet(TLS),
    key("server.blocked_query_clauses", Kind::List, "Clauses that no statement of a caller may have, such as `SETTINGS`, `JOIN` or `INTO OUTFILE`. `docs/sql.md` lists them.")
        .named("blocked-query-clauses", "BLOCKED_QUERY_CLAUSES"),
    key("server.tools", Kind::Objects, "The tools that are offered, in place of all of Housekey's own. An entry with `name` alone is one of those; one with `view_regexp`, or with `table_regexp` and `mode: insert`, makes tools of what it matches. See [tools from views and tables](dynamic-tools.md). In a document only."),
    key("server.dynamic_tools", Kind::Objects, "The older form of the rules in `server.tools`, with `regexp` and `type`. Alone it leaves none of Housekey's own tools. In a document only."),
    key("server.tools_ttl", Kind::Seconds { min: 1, max: 86_400 }, "Seconds for which it is remembered what tools the rules of `server.tools` make for a person.")
        .named("tools-ttl", "MCP_TOOLS_TTL")
        .or("300"),
    key("server.openapi.enabled", Kind::Bool, "Whether tools can also be called over REST, as `/openapi` describes.")
        .named("openapi-enabled", "MCP_OPENAPI_ENABLED")
        .or("false"),
    key("server.openapi.tls", Kind::Bool, "Whether the schema at `/openapi` says that it is reached by https, which a proxy before Housekey ends. `server.oauth.public_resource_url` says more and wins.")
        .named("openapi-tls", "MCP_OPENAPI_TLS")
        .or("false"),
    key("openapi", Kind::Choice(OPENAPI), "`http` and `https` switch `server.openapi.enabled` on and say what `server.openapi.tls` is. `disable` leaves both as they are.")
        .named("openapi", "MCP_OPENAPI")
        .or("disable")
        .outside_documents(),
];
