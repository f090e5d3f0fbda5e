//! From values by key to the configuration, and the rules that bind several keys.

use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::error::ConfigError;
use super::key::{Key, Status, keys};
use super::layers::Gathered;
use super::reader::Reader;
use super::settings::{
    ClickHouse, Config, CorsOrigin, Impersonation, Level, Logging, Server, Tls, Transport,
};
use super::value::{Value, quoted};
use super::{Host, name_rules};
use crate::secret::Secret;

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
    reader.impersonation(&clickhouse, &server);
    Config { clickhouse, server, logging: Logging { level: reader.level() }, generation: reader.generation() }
}

impl Reader<'_> {
    fn clickhouse(&mut self) -> ClickHouse {
        let clickhouse = ClickHouse {
            host: self.clickhouse_host(),
            port: self.number("clickhouse.port"),
            tls: self.tls(),
            database: self.text("clickhouse.database"),
            username: self.text("clickhouse.username"),
            password: self
                .secrets("clickhouse.password")
                .into_iter()
                .next()
                .unwrap_or_else(|| Secret::from("")),
            read_only: self.flag("clickhouse.read_only"),
            max_execution_time: self.number("clickhouse.max_execution_time"),
            max_result_rows: self.cap("clickhouse.max_result_rows"),
            max_result_bytes: self.cap("clickhouse.max_result_bytes"),
            max_query_length: self
                .cap("clickhouse.max_query_length")
                .and_then(|bytes| usize::try_from(bytes).ok()),
            http_headers: self.map("clickhouse.http_headers"),
            extra_settings: self.map("clickhouse.extra_settings"),
            impersonation: match self.choice("clickhouse.impersonation") {
                "execute_as" => Impersonation::ExecuteAs,
                _ => Impersonation::None,
            },
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
        if clickhouse.tls.enabled && !self.given("clickhouse.port") {
            self.warn("ClickHouse is reached over TLS at port 8123, which is usually the plain one; with TLS it is usually 8443 (`clickhouse.port`).");
        }
        if matches!(clickhouse.port, 9000 | 9440) {
            let name = self.gathered.name("clickhouse.port");
            self.warn(&format!(
                "{name} is {}, usually the native protocol's port; Housekey speaks HTTP, usually at 8123 or 8443.",
                clickhouse.port
            ));
        }
        clickhouse
    }

    fn clickhouse_host(&mut self) -> String {
        let path = "clickhouse.host";
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

    fn tls(&mut self) -> Tls {
        let tls = Tls {
            enabled: self.flag("clickhouse.tls.enabled"),
            ca_cert: self.optional("clickhouse.tls.ca_cert"),
            client_cert: self.optional("clickhouse.tls.client_cert"),
            client_key: self.optional("clickhouse.tls.client_key"),
            insecure_skip_verify: self.flag("clickhouse.tls.insecure_skip_verify"),
        };
        if tls.client_cert.is_some() != tls.client_key.is_some() {
            self.rule("`clickhouse.tls.client_cert` and `clickhouse.tls.client_key` go together: give both or neither");
        }
        let more = tls.ca_cert.is_some() || tls.client_cert.is_some() || tls.insecure_skip_verify;
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
        let address_given = self.given("server.address");
        let mut address = self.text("server.address");
        if transport == Transport::Http && !jwe.enabled {
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
            jwe,
            token,
            component: self.optional("server.component"),
            max_body_bytes: self.number("server.max_body_bytes"),
            shutdown_grace: self.number("server.shutdown_grace"),
        }
    }

    /// `None` when what was chosen is refused.
    fn transport(&self) -> Option<Transport> {
        match (self.host, self.choice("server.transport")) {
            (Host::Edge, _) | (Host::Native, "http") => Some(Transport::Http),
            (Host::Native, "stdio") if !self.gathered.is_unread("server.transport") => Some(Transport::Stdio),
            (Host::Native, _) => None,
        }
    }

    fn warn_of_strangers(&mut self, clickhouse: &ClickHouse, address: &str) {
        let loopback = address == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let user = quoted(&clickhouse.username);
        let reach = match self.host {
            Host::Edge => "everybody who reaches this component".to_owned(),
            Host::Native if loopback => format!("every program of this computer ({address})"),
            Host::Native => format!("everybody who reaches {address}"),
        };
        self.warn(&format!(
            "No authentication is configured: {reach} queries ClickHouse as {user}. Set `server.jwe.enabled` to ask for tokens."
        ));
    }

    fn impersonation(&mut self, clickhouse: &ClickHouse, server: &Server) {
        if clickhouse.impersonation == Impersonation::None {
            return;
        }
        let name = self.gathered.name("clickhouse.impersonation");
        if !server.jwe.enabled {
            self.rule(&format!(
                "{name} is `execute_as`, but nobody is asked who they are: set `server.jwe.enabled`"
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
                Some(Value::Bool(value) | Value::Objects(value)) => add(&[u8::from(value)]),
                Some(Value::Integer(number)) => add(&number.to_be_bytes()),
                Some(Value::Text(text)) => add(text.as_bytes()),
                Some(Value::Choice(choice)) => add(choice.name.as_bytes()),
                Some(Value::Secrets(secrets)) => {
                    secrets.iter().for_each(|secret| add(secret.expose().as_bytes()))
                }
                Some(Value::List(items)) => items.iter().for_each(|item| add(item.as_bytes())),
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
