//! `spin.toml` against the documented shape of Spin's manifest version 2, and against the settings there are.

use std::collections::BTreeMap;

use housekey_core::config::key::keys;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the shape is what is tested")]
struct Manifest {
    spin_manifest_version: u8,
    application: Application,
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the shape is what is tested")]
struct Application {
    name: String,
    version: String,
    description: Option<String>,
    authors: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    secret: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    route: String,
    component: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    source: String,
    allowed_outbound_hosts: Vec<String>,
    environment: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    build: Build,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    command: String,
    watch: Vec<String>,
}

fn manifest() -> Manifest {
    toml::from_str(include_str!("../../spin.toml")).unwrap()
}

/// The names between `{{` and `}}`.
fn templated(text: &str) -> Vec<&str> {
    text.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0.trim()).collect()
}

#[test]
fn the_manifest_has_the_documented_shape() {
    let Manifest { spin_manifest_version, variables, trigger, component, .. } = manifest();
    assert_eq!(spin_manifest_version, 2);
    for (name, Variable { default, required, .. }) in &variables {
        // Spin: a variable has a default or is required, and its name is lower case.
        assert_ne!(default.is_some(), *required, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
    }
    let routes: Vec<_> = trigger.http.iter().map(|trigger| (&*trigger.route, &*trigger.component)).collect();
    assert_eq!(routes, [("/...", "housekey")]);
    let Component { source, allowed_outbound_hosts, variables: read, build, .. } = &component["housekey"];
    assert!(source.ends_with("/housekey_spin.wasm"));
    assert!(build.command.ends_with("build-component spin") && !build.watch.is_empty());
    for text in allowed_outbound_hosts.iter().chain(read.values()) {
        let names = templated(text);
        assert!(!names.is_empty() && names.iter().all(|name| variables.contains_key(*name)), "{text}");
    }
    assert!(allowed_outbound_hosts.iter().all(|host| host.contains("://") && !host.contains('*')));
}

#[test]
fn the_manifest_names_settings_that_there_are() {
    let Component { environment, variables, .. } = manifest().component.remove("housekey").unwrap();
    let known = |name: &str| name == "HOUSEKEY_CONFIG" || keys().any(|key| key.variable == Some(name));
    for name in environment.keys() {
        assert!(known(name), "{name}");
    }
    for (name, value) in &variables {
        assert!(known(&name.to_ascii_uppercase()), "{name}");
        assert_eq!(templated(value), [name.as_str()]);
        assert!(!environment.contains_key(&name.to_ascii_uppercase()), "{name} would never be read");
    }
}

#[test]
fn every_secret_is_a_secret_variable() {
    use housekey_core::config::key::{Hosts, Kind, Status};

    let declared = manifest().variables;
    let secrets = keys().filter(|key| {
        matches!(key.kind, Kind::Secret | Kind::Secrets)
            && key.status == Status::Live
            && key.hosts != Hosts::Native
    });
    for name in secrets.filter_map(|key| key.variable) {
        assert!(declared[&name.to_ascii_lowercase()].secret, "{name}");
    }
}
