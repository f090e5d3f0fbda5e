//! Settings of a query, in the form of the server's age.
//!
//! Since revision 54429 a setting is its name, flags and its value as text. Before, its value was binary in a form
//! of its own type, and a server cannot even skip one that it does not know, so only settings whose type is known
//! here are sent.

use super::query::EncodeError;
use super::revision::{Feature, Revision};
use super::wire::Writer;
use crate::clickhouse::query::Setting;

/// A server that does not know the setting must refuse the query; without this flag it goes on without a word.
const IMPORTANT: u64 = 1;
/// The setting is not one of ClickHouse's own; its value is a literal.
const CUSTOM: u64 = 2;

/// The prefix of custom settings that servers allow when they are not told otherwise.
const CUSTOM_PREFIX: &str = "SQL_";

/// Settings of the HTTP interface and of its formats, which change nothing here.
const OF_HTTP: &[&str] = &[
    "cancel_http_readonly_queries_on_client_close",
    "enable_http_compression",
    "http_write_exception_in_output_format",
    "output_format_json_escape_forward_slashes",
    "output_format_json_quote_64bit_integers",
    "output_format_json_quote_decimals",
    "output_format_json_quote_denormals",
];

/// Settings that no server with binary settings has, and without which an answer is the same.
const YOUNGER: &[&str] = &["limit", "log_comment", "network_compression_method"];

/// How a value was written before revision 54429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    /// A varuint: numbers, seconds, and switches as 0 or 1.
    Number,
    /// Text, also for choices.
    Text,
}

/// Writes the settings and the empty name that ends them; `ask_lz4` adds what asks the server for LZ4.
///
/// `readonly` goes last, as over HTTP, and before it what is asked of the compression: the server refuses the first
/// that a profile does not allow, and that shall be one which the caller knows to have sent. So where the caller has
/// nothing but `readonly` to set, nothing is asked of the compression.
pub(super) fn encode(
    settings: &[Setting],
    ask_lz4: bool,
    revision: Revision,
    packet: &mut Writer,
) -> Result<(), EncodeError> {
    let ours = settings.iter().filter(|setting| !OF_HTTP.contains(&&*setting.name));
    let (last, first): (Vec<_>, Vec<_>) = ours.partition(|setting| setting.name == "readonly");
    let lz4 = Setting::new("network_compression_method", "LZ4");
    let lz4 = (ask_lz4 && !first.is_empty()).then_some(&lz4);
    for setting in first.into_iter().chain(lz4).chain(last) {
        if setting.name.is_empty() {
            // It would end the list, and with it the limits behind it.
            return Err(EncodeError::SettingName);
        }
        if revision.has(Feature::SettingsAsText) {
            packet.text(&setting.name).varuint(flags(&setting.name)).text(&setting.value);
        } else if !YOUNGER.contains(&&*setting.name) {
            encode_binary(setting, packet)?;
        }
    }
    packet.text("");
    Ok(())
}

fn flags(name: &str) -> u64 {
    match name {
        // A name in the log: a server that has none can go on.
        "log_comment" => 0,
        name if name.starts_with(CUSTOM_PREFIX) => IMPORTANT | CUSTOM,
        _ => IMPORTANT,
    }
}

fn encode_binary(setting: &Setting, packet: &mut Writer) -> Result<(), EncodeError> {
    let name = || setting.name.clone().into_owned();
    let binary =
        binary(&setting.name).ok_or_else(|| EncodeError::SettingUnknownToOldServer { name: name() })?;
    packet.text(&setting.name);
    match (binary, setting.value.as_str()) {
        (Binary::Text, value) => packet.text(value),
        (Binary::Number, "true") => packet.varuint(1),
        (Binary::Number, "false") => packet.varuint(0),
        (Binary::Number, value) => {
            let number = value.parse().map_err(|_| EncodeError::SettingValue { name: name() })?;
            packet.varuint(number)
        }
    };
    Ok(())
}

/// The form of a setting that servers before revision 54429 have.
fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "readonly"
        | "max_execution_time"
        | "max_result_rows"
        | "max_result_bytes"
        | "max_rows_to_read"
        | "max_bytes_to_read"
        | "max_memory_usage"
        | "max_memory_usage_for_user"
        | "max_rows_to_group_by"
        | "max_rows_to_sort"
        | "max_bytes_to_sort"
        | "max_rows_in_distinct"
        | "max_bytes_in_distinct"
        | "max_rows_in_set"
        | "max_bytes_in_set"
        | "max_rows_in_join"
        | "max_bytes_in_join"
        | "max_columns_to_read"
        | "max_temporary_columns"
        | "max_subquery_depth"
        | "max_ast_depth"
        | "max_ast_elements"
        | "max_query_size"
        | "max_block_size"
        | "max_threads"
        | "max_network_bandwidth"
        | "min_execution_speed"
        | "timeout_before_checking_execution_speed"
        | "priority"
        | "extremes"
        | "allow_ddl"
        | "log_queries" => Binary::Number,
        "result_overflow_mode"
        | "read_overflow_mode"
        | "timeout_overflow_mode"
        | "group_by_overflow_mode"
        | "sort_overflow_mode"
        | "distinct_overflow_mode"
        | "set_overflow_mode"
        | "join_overflow_mode"
        | "totals_mode"
        | "load_balancing"
        | "distributed_product_mode" => Binary::Text,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(settings: &[Setting], ask_lz4: bool, revision: u64) -> Result<Vec<u8>, EncodeError> {
        let mut packet = Writer::new();
        encode(settings, ask_lz4, Revision::new(revision), &mut packet)?;
        Ok(packet.as_slice().to_vec())
    }

    fn texts(settings: &[(&str, u64, &str)]) -> Vec<u8> {
        let mut packet = Writer::new();
        for (name, flags, value) in settings {
            packet.text(name).varuint(*flags).text(value);
        }
        packet.text("").as_slice().to_vec()
    }

    #[test]
    fn limits_are_important_and_readonly_is_last() {
        let settings = [
            Setting::new("readonly", "1"),
            Setting::new("max_result_rows", "5"),
            Setting::new("output_format_json_quote_decimals", "1"),
            Setting::new("log_comment", "c"),
            Setting::new("SQL_tenant", "'a'"),
        ];
        let expected = [
            ("max_result_rows", 1, "5"),
            ("log_comment", 0, "c"),
            ("SQL_tenant", 3, "'a'"),
            ("network_compression_method", 1, "LZ4"),
            ("readonly", 1, "1"),
        ];
        assert_eq!(encoded(&settings, true, 54_429).unwrap(), texts(&expected));
    }

    #[test]
    fn a_profile_that_allows_nothing_is_not_asked_for_lz4() {
        assert_eq!(encoded(&[], true, 54_465).unwrap(), texts(&[]));
        let readonly = [Setting::new("readonly", "1")];
        assert_eq!(encoded(&readonly, true, 54_465).unwrap(), texts(&[("readonly", 1, "1")]));
    }

    #[test]
    fn old_servers_get_what_their_types_are_known_of() {
        let settings = [
            Setting::new("readonly", "1"),
            Setting::new("max_execution_time", "300"),
            Setting::new("limit", "5"),
            Setting::new("log_comment", "c"),
            Setting::new("extremes", "true"),
            Setting::new("result_overflow_mode", "throw"),
        ];
        let mut expected = Writer::new();
        expected.text("max_execution_time").varuint(300).text("extremes").varuint(1);
        expected.text("result_overflow_mode").text("throw").text("readonly").varuint(1).text("");
        assert_eq!(encoded(&settings, true, 54_428).unwrap(), expected.as_slice());
    }

    #[test]
    fn a_setting_that_cannot_be_sent_is_an_error() {
        let unknown = encoded(&[Setting::new("max_bytes_ratio", "1")], false, 54_428);
        assert_eq!(
            unknown,
            Err(EncodeError::SettingUnknownToOldServer { name: "max_bytes_ratio".to_owned() })
        );
        let value = encoded(&[Setting::new("readonly", "one")], false, 54_428);
        assert_eq!(value, Err(EncodeError::SettingValue { name: "readonly".to_owned() }));
        for revision in [54_428, 54_429] {
            let empty = encoded(&[Setting::new("", "1")], false, revision);
            assert_eq!(empty, Err(EncodeError::SettingName));
        }
    }
}
