//! From the environment, and at Spin from its variables, to a service.

use std::sync::Arc;

use housekey_core::config::{self, Host, Sources, key};
use housekey_core::exchange::Service;

/// A service, and what the operator should hear about its configuration.
pub struct Ready {
    /// What answers.
    pub service: Arc<Service>,
    /// One sentence each, for the log.
    pub warnings: Vec<String>,
}

/// Builds the service of a build for this host.
///
/// # Errors
/// A line for each thing that is wrong, naming the key; none holds a secret.
pub fn prepare(host: Host, environment: Vec<(String, String)>) -> Result<Ready, String> {
    let sources = Sources { environment, ..Sources::default() };
    let no_files = |_: &str| Err("there are no files at the edge: give the value itself".to_owned());
    let loaded = config::load(host, &sources, &no_files).map_err(|errors| errors.to_string())?;
    let service = Service::product(loaded.config, host).map_err(|error| error.to_string())?;
    let mut warnings = loaded.warnings;
    warnings.extend(service.warnings());
    Ok(Ready { service, warnings })
}

/// Fills the environment from variables of the lower-cased names, for settings that the environment does not give.
///
/// An empty variable counts as none: Spin's manifest must give every optional variable a default, which is empty.
///
/// # Errors
/// What `find` fails with.
pub fn with_variables(
    mut environment: Vec<(String, String)>,
    find: impl Fn(&str) -> Result<Option<String>, String>,
) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    for name in setting_names() {
        if environment.iter().any(|(given, _)| given == name) {
            continue;
        }
        if let Some(value) = find(&name.to_ascii_lowercase())?.filter(|value| !value.is_empty()) {
            found.push((name.to_owned(), value));
        }
    }
    environment.extend(found);
    Ok(environment)
}

/// Every environment variable that configures Housekey.
fn setting_names() -> impl Iterator<Item = &'static str> {
    let of_keys =
        key::keys().flat_map(|key| key.variable.into_iter().chain(key.alias.map(|alias| alias.variable)));
    of_keys.chain(["HOUSEKEY_CONFIG"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn variables_fill_what_the_environment_leaves_open() {
        let find = |name: &str| match name {
            "clickhouse_password" => Ok(Some("from spin".to_owned())),
            "clickhouse_host" => Ok(Some("unused".to_owned())),
            "clickhouse_database" => Ok(Some(String::new())),
            _ => Ok(None),
        };
        let filled = with_variables(vec![pair("CLICKHOUSE_HOST", "db")], find).unwrap();
        assert_eq!(filled, [pair("CLICKHOUSE_HOST", "db"), pair("CLICKHOUSE_PASSWORD", "from spin")]);
        let failed = with_variables(Vec::new(), |name| Err(format!("{name}: the vault is sealed")));
        assert!(failed.unwrap_err().ends_with("the vault is sealed"));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let problem = |environment| prepare(Host::Edge, environment).err().unwrap_or_default();
        assert!(problem(vec![pair("CLICKHOUSE_PORT", "seven")]).contains("CLICKHOUSE_PORT"));
        assert!(problem(vec![pair("MCP_ALLOW_JWE_AUTH", "true")]).contains("jwe_secret_key"));
        let file = problem(vec![pair("CLICKHOUSE_PASSWORD_FILE", "/run/secrets/x")]);
        assert!(file.contains("CLICKHOUSE_PASSWORD_FILE") && file.contains("no files at the edge"), "{file}");
    }
}
