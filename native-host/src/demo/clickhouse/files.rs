//! What a start is made of: passwords, ports, configuration files and the demo's tables.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::Options;

const PROGRAM: &str = include_str!("../clickhouse.py");
const CONFIG: &str = include_str!("../config.xml");
const USERS: &str = include_str!("../users.xml");
const DATA: &str = include_str!("../data.sql");

/// Tells `clickhouse.py` that the folder it was started with is ours to remove.
const MARKER: &str = ".housekey-run";

/// The tables of the demo, a statement each, for [`Options::init`].
pub fn demo_data() -> Vec<String> {
    statements(DATA)
}

/// Splits a file of statements that each end with a semicolon at the end of a line.
fn statements(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for line in sql.lines().filter(|line| !line.starts_with("--")) {
        current.push_str(line.strip_suffix(';').unwrap_or(line));
        current.push('\n');
        if line.ends_with(';') {
            statements.push(current.trim().to_owned());
            current.clear();
        }
    }
    statements
}

/// Passwords of one start; nothing outlives it that could be used again.
pub(super) struct Secrets {
    pub(super) admin: String,
    pub(super) gateway: String,
    pub(super) alice: String,
    pub(super) bob: String,
    pub(super) cluster: String,
}

impl Secrets {
    pub(super) fn random() -> Self {
        Self {
            admin: random_password(),
            gateway: random_password(),
            alice: random_password(),
            bob: random_password(),
            cluster: random_password(),
        }
    }
}

fn random_password() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Two ports that are free now. Both are held until both are known, so that they differ.
pub(super) fn free_ports() -> io::Result<(u16, u16)> {
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((http.local_addr()?.port(), tcp.local_addr()?.port()))
}

pub(super) fn write_files(
    folder: &Path,
    http_port: u16,
    tcp_port: u16,
    secrets: &Secrets,
    options: &Options,
) -> io::Result<()> {
    let path = folder.to_str().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path of the temporary folder is not UTF-8")
    })?;
    let config = fill(
        CONFIG,
        &[
            ("folder", &escape(path)),
            ("http_port", &http_port.to_string()),
            ("tcp_port", &tcp_port.to_string()),
            ("cluster_secret", &secrets.cluster),
        ],
    );
    let impersonation: String = options
        .extra_impersonation
        .iter()
        .map(|name| format!("<query>GRANT IMPERSONATE ON {}</query>", escape(name)))
        .collect();
    let users = fill(
        USERS,
        &[
            ("admin_password", &secrets.admin),
            ("gateway_password", &secrets.gateway),
            ("alice_password", &secrets.alice),
            ("bob_password", &secrets.bob),
            ("extra_impersonation", &impersonation),
            ("extra_users", &options.extra_users),
            ("extra_profiles", &options.extra_profiles),
            ("extra_roles", &options.extra_roles),
        ],
    );
    fs::write(folder.join("config.xml"), config)?;
    fs::write(folder.join("users.xml"), users)?;
    fs::write(folder.join("clickhouse.py"), PROGRAM)?;
    fs::write(folder.join(MARKER), "")
}

/// Replaces each `{{name}}`.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// Makes text safe as the content of an XML element.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::random();
        let options = Options {
            extra_users: "<carol/>".to_owned(),
            extra_profiles: "<strict/>".to_owned(),
            extra_impersonation: vec!["carol".to_owned(), "team_*".to_owned()],
            ..Options::default()
        };
        write_files(folder.path(), 1, 2, &secrets, &options).unwrap();
        for name in ["config.xml", "users.xml"] {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(!text.contains("{{"), "{name} has an unknown placeholder:\n{text}");
        }
        let users = fs::read_to_string(folder.path().join("users.xml")).unwrap();
        for expected in ["<carol/>", "<strict/>", "IMPERSONATE ON team_*</query>", &secrets.alice] {
            assert!(users.contains(expected), "{expected} is missing");
        }
    }

    #[test]
    fn demo_data_is_whole_statements() {
        let data = demo_data();
        assert_eq!(data.len(), 9);
        for statement in data {
            let first = statement.split(' ').next().unwrap();
            assert!(["CREATE", "INSERT"].contains(&first), "{statement}");
            assert!(!statement.ends_with(';'), "{statement}");
        }
    }

    #[test]
    fn passwords_differ() {
        assert_ne!(random_password(), random_password());
    }
}
