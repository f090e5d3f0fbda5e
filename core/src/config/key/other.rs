//! The keys outside `clickhouse` and `server`.

use super::{Choice, Key, Kind, Status, choice, key};

static LEVELS: &[Choice] = &[choice("debug"), choice("info"), choice("warn"), choice("error")];

const RELOAD: &str = "restart Housekey after a change";
const MULTICLUSTER: &str = "run one Housekey for each cluster";
const COUNT: Kind = Kind::Integer { min: 0, max: 1_000_000_000 };

pub(super) static FIRST: &[Key] = &[Key {
    status: Status::Source,
    ..key("config", Kind::Text, "Path of a configuration document, YAML or JSON by its extension; with another one, JSON if it begins with `{`, else YAML.")
        .named("config", "CONFIG_FILE")
        .native()
        .outside_documents()
}];

pub(super) static LAST: &[Key] = &[
    key("logging.level", Kind::Choice(LEVELS), "The least urgent messages that are logged.")
        .named("log-level", "LOG_LEVEL")
        .or("info"),
    key("reload_time", COUNT, "Seconds between two looks at the configuration file.").or("0").not_yet(RELOAD),
    key("config_reload_time", COUNT, "Seconds between two looks at the configuration file.")
        .named("config-reload-time", "CONFIG_RELOAD_TIME")
        .or("0")
        .not_yet(RELOAD)
        .outside_documents(),
    key("multicluster.enabled", Kind::Bool, "Serves several clusters at paths of their own.")
        .named("multicluster-enabled", "MCP_MULTICLUSTER_ENABLED")
        .or("false")
        .not_yet(MULTICLUSTER),
    key("multicluster.cluster_allowlist", Kind::List, "The clusters that are served.")
        .named("multicluster-cluster-allowlist", "MCP_MULTICLUSTER_CLUSTER_ALLOWLIST")
        .not_yet(MULTICLUSTER),
    key("multicluster.catalog_cache_max", COUNT, "Catalogues that are remembered.")
        .named("multicluster-catalog-cache-max", "MCP_MULTICLUSTER_CATALOG_CACHE_MAX")
        .or("10000")
        .not_yet(MULTICLUSTER),
    key("multicluster.catalog_ttl_fallback", Kind::Text, "How long a catalogue is remembered.")
        .named("multicluster-catalog-ttl-fallback", "MCP_MULTICLUSTER_CATALOG_TTL_FALLBACK")
        .or("15m")
        .not_yet(MULTICLUSTER),
    key("multicluster.catalog_negative_ttl", Kind::Text, "How long a failure is remembered.")
        .named("multicluster-catalog-negative-ttl", "MCP_MULTICLUSTER_CATALOG_NEGATIVE_TTL")
        .or("60s")
        .not_yet(MULTICLUSTER),
];
