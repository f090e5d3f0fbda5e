//! From values by key to the configuration, and the rules that bind several keys.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::error::ConfigError;
use super::key::{Key, Status, keys};
use super::layers::Gathered;
use super::reader::Reader;
use super::settings::{
    ClickHouse, Cluster, Config, CorsOrigin, Impersonation, Level, Logging, OpenApi, Server, Tls, Transport,
};
use super::value::{Value, quoted};
use super::{Host, hint, name_rules};
use crate::clickhouse::Protocol;
use crate::secret::Secret;
use crate::sql::Clause;

/// The greatest value that ClickHouse takes for a time.
const LONGEST_TIMEOUT: u64 = 2_147_483_647;

/// Builds the configuration and adds what is wrong with it to `problems`; it is valid only if that stays empty.
pub(super) fn check(
    host: Host,
    gathered: &Gathered,
    warnings: &mut Vec<String>,
    problems: &mut Vec<ConfigError>,
) -> Config {
    let mut reader = Reader { host, gathered, warnings, problems };
    let clickhouse = reader.clickhouse();
    let server = reader.server(&clickhouse);
    reader.people(&clickhouse, &server);
    Config { clickhouse, server, logging: Logging { level: reader.level() }, generation: reader.generation() }
}

impl Reader<'_> {
    fn clickhouse(&mut self) -> ClickHouse {
        let protocol = match self.choice("clickhouse.protocol") {
            "tcp" => Protocol::Tcp,
            _ => Protocol::Http,
        };
        let tls = self.tls(protocol);
        let clickhouse = ClickHouse {
            host: self.clickhouse_host("clickhouse.host"),
            port: self.clickhouse_port(protocol, tls.enabled),
            protocol,
            connect_host: self
                .optional("clickhouse.connect_host")
                .map(|_| self.clickhouse_host("clickhouse.connect_host")),
            tls,
            database: self.text("clickhouse.database"),
            username: self.text("clickhouse.username"),
            username_given: self.given("clickhouse.username"),
            password: self
                .secrets("clickhouse.password")
                .into_iter()
                .next()
                .unwrap_or_else(|| Secret::from("")),
            cluster: self.cluster(protocol),
            read_only: self.flag("clickhouse.read_only"),
            allow_destructive: self.flag("clickhouse.allow_destructive"),
            allowed_table_functions: self.each(
                "clickhouse.allowed_table_functions",
                "is not the name of a table function or an engine",
                name_rules::outside_name,
            ),
            max_execution_time: self.number("clickhouse.max_execution_time"),
            max_result_rows: self.cap("clickhouse.max_result_rows"),
            max_result_bytes: self.cap("clickhouse.max_result_bytes"),
            max_query_length: self
                .cap("clickhouse.max_query_length")
                .and_then(|bytes| usize::try_from(bytes).ok()),
            http_headers: self.map("clickhouse.http_headers"),
            extra_settings: self.map("clickhouse.extra_settings"),
            impersonation: self.impersonation(),
            impersonation_probe: self.flag("clickhouse.impersonation_probe"),
            impersonation_deny: self.list("clickhouse.impersonation_deny"),
            impersonation_allow: self.list("clickhouse.impersonation_allow"),
        };
        if clickhouse.username.is_empty() {
            self.value_problem("clickhouse.username", "must not be empty");
        }
        if clickhouse.password.expose().chars().any(char::is_control) {
            self.value_problem("clickhouse.password", "contains a control character");
        }
        for (name, value) in &clickhouse.http_headers {
            if let Some(reason) = name_rules::refuse_header(name, value) {
                self.entry_problem("clickhouse.http_headers", name, reason);
            }
        }
        for (name, _) in &clickhouse.extra_settings {
            if let Some(reason) = name_rules::refuse_extra_setting(name) {
                self.entry_problem("clickhouse.extra_settings", name, reason);
            }
        }
        if clickhouse.connect_host.is_some() && protocol == Protocol::Http {
            self.rule("`clickhouse.connect_host` works with `clickhouse.protocol: tcp` only; put the name to reach into `clickhouse.host`");
        }
        if protocol == Protocol::Tcp && !clickhouse.http_headers.is_empty() {
            self.warn("`clickhouse.http_headers` has no effect: `clickhouse.protocol` is `tcp`.");
        }
        if clickhouse.tls.enabled && protocol == Protocol::Http && !self.given("clickhouse.port") {
            self.warn("ClickHouse is reached over TLS at port 8123, which is usually the plain one; with TLS it is usually 8443 (`clickhouse.port`).");
        }
        if protocol == Protocol::Tcp && matches!(clickhouse.port, 8123 | 8443) {
            let name = self.gathered.name("clickhouse.port");
            self.warn(&format!(
                "{name} is {}, usually the port of HTTP; `clickhouse.protocol` is `tcp`, usually at 9000 or 9440.",
                clickhouse.port
            ));
        }
        if protocol == Protocol::Http && matches!(clickhouse.port, 9000 | 9440) {
            let name = self.gathered.name("clickhouse.port");
            self.warn(&format!(
                "{name} is {}, usually the native protocol's port; `clickhouse.protocol` is `http`, usually at 8123 or 8443.",
                clickhouse.port
            ));
        }
        clickhouse
    }

    fn clickhouse_port(&self, protocol: Protocol, tls: bool) -> u16 {
        match (protocol, tls) {
            (Protocol::Tcp, false) if !self.given("clickhouse.port") => 9000,
            (Protocol::Tcp, true) if !self.given("clickhouse.port") => 9440,
            (Protocol::Http | Protocol::Tcp, _) => self.number("clickhouse.port"),
        }
    }

    /// What the operator says, else what follows from the cluster's secret.
    fn impersonation(&self) -> Impersonation {
        match self.choice("clickhouse.impersonation") {
            _ if !self.given("clickhouse.impersonation") && self.has_cluster_secret() => {
                Impersonation::Interserver
            }
            "execute_as" => Impersonation::ExecuteAs,
            "interserver" => Impersonation::Interserver,
            _ => Impersonation::None,
        }
    }

    fn has_cluster_secret(&self) -> bool {
        self.secrets("clickhouse.cluster_secret").iter().any(|secret| !secret.expose().is_empty())
    }

    fn cluster(&mut self, protocol: Protocol) -> Option<Cluster> {
        let name = self.text("clickhouse.cluster_name");
        let roles = self.list("clickhouse.cluster_roles");
        let interserver = self.impersonation() == Impersonation::Interserver;
        let secret =
            self.secrets("clickhouse.cluster_secret").into_iter().find(|secret| !secret.expose().is_empty());
        let Some(secret) = secret else {
            if interserver {
                let name = self.gathered.name("clickhouse.impersonation");
                self.rule(&format!("{name} is `interserver`, but there is no `clickhouse.cluster_secret`"));
            } else if !name.is_empty() || !roles.is_empty() {
                self.warn("`clickhouse.cluster_name` and `clickhouse.cluster_roles` have no effect without `clickhouse.cluster_secret`.");
            }
            return None;
        };
        let at = self.gathered.name("clickhouse.cluster_secret");
        if !interserver {
            self.rule(&format!(
                "{at} is set, but `clickhouse.impersonation` says otherwise: remove one of them"
            ));
        }
        if protocol != Protocol::Tcp {
            self.rule(&format!("{at} needs `clickhouse.protocol: tcp`"));
        }
        if name.is_empty() {
            self.rule(&format!("{at} is set, but `clickhouse.cluster_name` is empty"));
        }
        if self.given("clickhouse.password") {
            let name = self.gathered.name("clickhouse.password");
            self.warn(&format!("{name} has no effect: the cluster's secret proves who connects."));
        }
        Some(Cluster { name, secret, roles })
    }

    fn clickhouse_host(&mut self, path: &str) -> String {
        let written = self.text(path);
        let host = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&written);
        if host.parse::<Ipv6Addr>().is_err()
            && (host.is_empty()
                || host.contains(|letter: char| letter.is_whitespace() || "/:@?#[]\\".contains(letter)))
        {
            self.value_problem(
                path,
                "takes a host name or an IP address alone, without scheme, port and path",
            );
        }
        host.to_owned()
    }

    fn tls(&mut self, protocol: Protocol) -> Tls {
        let tls = Tls {
            enabled: self.flag("clickhouse.tls.enabled"),
            ca_cert: self.optional("clickhouse.tls.ca_cert"),
            client_cert: self.optional("clickhouse.tls.client_cert"),
            client_key: self.optional("clickhouse.tls.client_key"),
            insecure_skip_verify: self.flag("clickhouse.tls.insecure_skip_verify"),
            server_name: self.optional("clickhouse.tls.server_name"),
        };
        if tls.server_name.is_some() && protocol == Protocol::Http {
            self.rule("`clickhouse.tls.server_name` works with `clickhouse.protocol: tcp` only; put the certificate's name into `clickhouse.host`");
        }
        if tls.client_cert.is_some() != tls.client_key.is_some() {
            self.rule("`clickhouse.tls.client_cert` and `clickhouse.tls.client_key` go together: give both or neither");
        }
        let more = tls.ca_cert.is_some()
            || tls.client_cert.is_some()
            || tls.server_name.is_some()
            || tls.insecure_skip_verify;
        if !tls.enabled && more {
            self.rule("`clickhouse.tls` has settings, but `clickhouse.tls.enabled` is false: ClickHouse would be reached without TLS");
        }
        if tls.enabled && tls.insecure_skip_verify {
            let name = self.gathered.name("clickhouse.tls.insecure_skip_verify");
            self.warn(&format!(
                "{name} accepts any certificate: whoever stands between can read and change every query."
            ));
        }
        tls
    }

    fn server(&mut self, clickhouse: &ClickHouse) -> Server {
        let jwe = self.jwe();
        let chosen = self.transport();
        // Of what was refused before, nothing more is said that depends on it.
        let (is_stdio, transport) = (chosen == Some(Transport::Stdio), chosen.unwrap_or(Transport::Http));
        let token =
            self.secrets("server.token").into_iter().next().filter(|token| !token.expose().is_empty());
        if token.is_some() && chosen.is_some() && !(jwe.enabled && is_stdio) {
            let name = self.gathered.name("server.token");
            self.warn(&format!(
                "{name} has no effect: it is for the transport `stdio` with `server.jwe.enabled`."
            ));
        }
        if token.is_none() && jwe.enabled && is_stdio {
            self.rule("`server.jwe.enabled` is true and the transport is `stdio`, but there is no token: give `--token` or `MCP_TOKEN`");
        }
        let oauth = self.oauth(clickhouse).filter(|_| !is_stdio);
        if is_stdio && self.flag("server.oauth.enabled") {
            self.warn("`server.oauth.enabled` has no effect: the transport is `stdio`, whose client is the one who started it.");
        }
        let address_given = self.given("server.address");
        let mut address = self.text("server.address");
        if transport == Transport::Http && !jwe.enabled && oauth.is_none() {
            if !address_given {
                "127.0.0.1".clone_into(&mut address);
            }
            self.warn_of_strangers(clickhouse, &address);
        }
        if address.is_empty() || address.contains(char::is_whitespace) {
            self.value_problem("server.address", "takes a host name or an IP address");
        }
        Server {
            transport,
            address,
            address_given,
            port: self.number("server.port"),
            allowed_hosts: self.allowed_hosts(),
            cors_origin: self.cors_origin(),
            public_resource_url: self.public_resource_url(),
            tool_input_settings: self.tool_input_settings(),
            blocked_query_clauses: self.blocked_query_clauses(),
            tool_timeouts: self.tool_timeouts(clickhouse.max_execution_time),
            tools: self.tools(),
            sealing_secret: self.sealing_secret(),
            jwe,
            oauth,
            token,
            component: self.optional("server.component"),
            openapi: self.openapi(is_stdio && chosen.is_some()),
            max_body_bytes: self.number("server.max_body_bytes"),
            shutdown_grace: self.number("server.shutdown_grace"),
        }
    }

    /// What clients carry is theirs to try secrets on, for as long as they like.
    fn sealing_secret(&mut self) -> Vec<Secret<String>> {
        let secrets = self.secrets("server.sealing_secret");
        if secrets.iter().any(|secret| secret.expose().trim().len() < 16) {
            let reason = "takes at least 16 bytes: a shorter one can be found by trying";
            self.value_problem("server.sealing_secret", reason);
        }
        secrets
    }

    /// `None` when what was chosen is refused.
    fn transport(&self) -> Option<Transport> {
        match (self.host, self.choice("server.transport")) {
            (Host::Edge | Host::Hosted, _) | (Host::Native, "http" | "sse") => Some(Transport::Http),
            (Host::Native, "stdio") if !self.gathered.is_unread("server.transport") => Some(Transport::Stdio),
            (Host::Native, _) => None,
        }
    }

    fn warn_of_strangers(&mut self, clickhouse: &ClickHouse, address: &str) {
        let loopback = address == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let user = quoted(&clickhouse.username);
        let reach = match self.host {
            Host::Edge | Host::Hosted => "everybody who reaches this component".to_owned(),
            Host::Native if loopback => format!("every program of this computer ({address})"),
            Host::Native => format!("everybody who reaches {address}"),
        };
        self.warn(&format!(
            "No authentication is configured: {reach} queries ClickHouse as {user}. Set `server.jwe.enabled` or `server.oauth.enabled` to ask for tokens."
        ));
    }

    fn people(&mut self, clickhouse: &ClickHouse, server: &Server) {
        let asked = server.jwe.enabled || server.oauth.is_some();
        match clickhouse.impersonation {
            Impersonation::None => return,
            Impersonation::ExecuteAs => {}
            Impersonation::Interserver => {
                if !asked && !clickhouse.username_given {
                    self.rule("`clickhouse.cluster_secret` is set, but nobody is asked who they are: set `server.jwe.enabled` or `server.oauth.enabled`, or say with `clickhouse.username` as whom all queries run");
                }
                return;
            }
        }
        let name = self.gathered.name("clickhouse.impersonation");
        if !asked {
            self.rule(&format!(
                "{name} is `execute_as`, but nobody is asked who they are: set `server.jwe.enabled` or `server.oauth.enabled`"
            ));
        }
        if clickhouse.username == "default"
            && !clickhouse.impersonation_allow.iter().any(|user| user == "default")
        {
            self.rule(&format!(
                "{name} is `execute_as` and the gateway's user is `default`: make a user that may do nothing but impersonate, or name `default` in `clickhouse.impersonation_allow`"
            ));
        }
    }

    fn openapi(&mut self, is_stdio: bool) -> OpenApi {
        let (mut enabled, mut tls) = (self.flag("server.openapi.enabled"), self.flag("server.openapi.tls"));
        match self.choice("openapi") {
            "http" => (enabled, tls) = (true, false),
            "https" => (enabled, tls) = (true, true),
            // As altinity-mcp has it: an image whose variable says `disable` is switched on by a file.
            _ if enabled && self.given("openapi") => {
                let name = self.gathered.name("openapi");
                self.warn(&format!(
                    "{name} is `disable`, which does not switch off `server.openapi.enabled`: set that to false."
                ));
            }
            _ => {}
        }
        if enabled && is_stdio {
            self.warn("The REST interface is switched on, but the transport is `stdio`: it is for `http`.");
        }
        OpenApi { enabled, tls }
    }

    fn allowed_hosts(&mut self) -> Vec<String> {
        let path = "server.allowed_hosts";
        self.each(path, "is not a host name with or without a port", name_rules::host_header)
    }

    fn cors_origin(&mut self) -> CorsOrigin {
        let path = "server.cors_origin";
        let origins = self.list(path);
        if origins.iter().any(|origin| origin == "*") {
            if origins.len() > 1 {
                self.value_problem(path, "takes `*` or a list of origins, not both");
            }
            return CorsOrigin::Loopback;
        }
        CorsOrigin::List(self.each(
            path,
            "is not an origin such as `https://example.com`",
            name_rules::origin,
        ))
    }

    fn public_resource_url(&mut self) -> Option<String> {
        let path = "server.oauth.public_resource_url";
        let url = self.optional(path)?;
        if !name_rules::is_public_url(&url) {
            self.value_problem(path, "takes an http or https URL without user, query and fragment");
        }
        Some(url)
    }

    fn tool_input_settings(&mut self) -> Vec<String> {
        let path = "server.tool_input_settings";
        let names = self.list(path);
        for (index, name) in names.iter().enumerate() {
            if let Some(reason) = name_rules::refuse_input_setting(name) {
                self.entry_problem(path, name, reason);
            } else if names.iter().take(index).any(|other| other.eq_ignore_ascii_case(name)) {
                self.entry_problem(path, name, "is given twice");
            }
        }
        names
    }

    fn blocked_query_clauses(&mut self) -> Vec<Clause> {
        let path = "server.blocked_query_clauses";
        let mut clauses = Vec::new();
        for name in self.list(path) {
            match Clause::parse(&name) {
                Some(clause) if clauses.contains(&clause) => {
                    self.entry_problem(path, &name, "is given twice");
                }
                Some(clause) => clauses.push(clause),
                None => {
                    let near = hint::near_clauses(&name).join("`, `");
                    self.entry_problem(path, &name, &format!("is not a clause; near it are `{near}`"));
                }
            }
        }
        clauses
    }

    fn tool_timeouts(&mut self, cap: u64) -> Vec<(String, u64)> {
        let path = "server.tool_timeouts";
        let mut timeouts = Vec::new();
        for (tool, seconds) in self.map(path) {
            match seconds.trim().parse::<u64>() {
                Ok(seconds) if (1..=LONGEST_TIMEOUT).contains(&seconds) => {
                    if cap > 0 && seconds > cap {
                        let tool = quoted(&tool);
                        self.warn(&format!("`{path}` gives {tool} {seconds} seconds, which has no effect: `clickhouse.max_execution_time` is {cap}."));
                    }
                    timeouts.push((tool, seconds));
                }
                Ok(_) | Err(_) => self.entry_problem(path, &tool, "takes whole seconds, at least 1"),
            }
        }
        timeouts
    }

    fn level(&self) -> Level {
        match self.choice("logging.level") {
            "debug" => Level::Debug,
            "warn" => Level::Warn,
            "error" => Level::Error,
            _ => Level::Info,
        }
    }

    /// A digest of the values of all live keys, each preceded by its length.
    fn generation(&self) -> u64 {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        for key in keys().filter(|key: &&Key| key.status == Status::Live) {
            add(key.path.as_bytes());
            match self.gathered.value(key.path) {
                None => add(b"none"),
                Some(Value::Bool(value)) => add(&[u8::from(value)]),
                Some(Value::Integer(number)) => add(&number.to_be_bytes()),
                Some(Value::Text(text)) => add(text.as_bytes()),
                Some(Value::Choice(choice)) => add(choice.name.as_bytes()),
                Some(Value::Secrets(secrets)) => {
                    secrets.iter().for_each(|secret| add(secret.expose().as_bytes()))
                }
                Some(Value::List(items)) => items.iter().for_each(|item| add(item.as_bytes())),
                Some(Value::Objects(objects)) => {
                    for object in objects {
                        add(b"object");
                        object.iter().for_each(|(name, value)| {
                            add(name.as_bytes());
                            add(value.as_bytes());
                        });
                    }
                }
                Some(Value::Map(entries)) => entries.iter().for_each(|(name, value)| {
                    add(name.as_bytes());
                    add(value.as_bytes());
                }),
            }
        }
        add(&[u8::from(self.given("server.address"))]);
        digest.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
