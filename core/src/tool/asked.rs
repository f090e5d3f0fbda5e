//! What a caller says beside a statement of their own: settings, parameters, seconds. The tools that take statements
//! share it, and so do their schemas.

use serde_json::{Map, Value, json};

use super::Call;
use super::arguments::Arguments;
use super::plan::Question;
use crate::clickhouse::{Parameter, Protocol, Setting, Statement};
use crate::config::Config;
use crate::identity::Access;
use crate::sql::{ReadOnlySql, Refusal, Rules, WritableSql, placeholders};

/// The argument that lowers the caps on rows.
pub(super) const LIMIT: &str = "limit";
/// Parameters that a call may have: what fits into a URL.
const MOST_PARAMETERS: usize = 256;

/// The properties of an input schema for a statement of the caller's own; `query` describes it.
pub(super) fn properties(config: &Config, query: &str) -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("query".into(), json!({ "type": "string", "description": query }));
    properties.insert(
        "parameters".into(),
        json!({
            "type": "object",
            "properties": {},
            "additionalProperties": true,
            "description": "Values for the placeholders {name:Type} of the statement, by name: strings, numbers, \
                booleans, null, arrays, or objects for maps. A value never becomes a part of the statement"
        }),
    );
    let settable = &config.server.tool_input_settings;
    if !settable.is_empty() {
        let names = settable.iter().map(|name| {
            let described =
                json!({ "type": "string", "description": format!("ClickHouse's setting {name}") });
            (name.clone(), described)
        });
        properties.insert(
            "settings".into(),
            json!({
                "type": "object",
                "properties": names.collect::<Map<_, _>>(),
                "additionalProperties": false,
                "description": "ClickHouse settings for this statement only, each value as a string"
            }),
        );
    }
    properties.insert(
        "timeout".into(),
        json!({
            "type": "integer",
            "minimum": 1,
            "description": "Whole seconds after which to give up; it can only lower the server's own cap"
        }),
    );
    properties
}

/// The property of a cap on rows.
pub(super) fn limit() -> Value {
    json!({
        "type": "integer",
        "minimum": 1,
        "description": "The most rows to return; it can only lower the server's own cap"
    })
}

/// The statement and what was said beside it.
pub(super) struct Asked<'a> {
    query: &'a str,
    settings: Vec<Setting>,
    parameters: Vec<Parameter>,
    rows: Option<u64>,
    seconds: Option<u64>,
}

impl<'a> Asked<'a> {
    /// Reads the arguments against [`properties`]; `what` says what `query` is, `more` is one argument more, which is
    /// read here when it is [`limit`].
    pub(super) fn read(call: &'a Call, what: &str, more: &str) -> Result<Self, String> {
        let settable = &call.config.server.tool_input_settings;
        let mut known = vec!["query", "parameters"];
        known.extend((!settable.is_empty()).then_some("settings"));
        known.push("timeout");
        known.push(more);
        let arguments = Arguments::read(&call.arguments, &known)?;
        Ok(Self {
            query: arguments.needed("query", what)?,
            settings: settings(arguments, settable)?,
            parameters: parameters(arguments)?,
            rows: if more == LIMIT { arguments.whole(more)? } else { None },
            seconds: arguments.whole("timeout")?,
        })
    }

    /// A statement that reads.
    pub(super) fn reading(&self, call: &Call) -> Result<ReadOnlySql, String> {
        let sql =
            ReadOnlySql::parse(self.query, &Rules::of(&call.config)).map_err(|told| told.to_string())?;
        check_reading(&sql, &call.access)?;
        self.check_placeholders(sql.text())?;
        Ok(sql)
    }

    /// A statement that writes, or one that reads.
    pub(super) fn any(&self, call: &Call) -> Result<Statement, String> {
        match WritableSql::parse(self.query, &Rules::of(&call.config)) {
            Ok(sql) => {
                check_writing(&sql, &call.access)?;
                // What a view asks for is given where it is read, so that only the server knows what is missing.
                self.check_unmentioned(&placeholders(sql.text()))?;
                Ok(Statement::Writable(sql))
            }
            Err(Refusal::OnlyReads { .. }) => self.reading(call).map(Statement::ReadOnly),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    /// The question that a checked statement becomes.
    pub(super) fn question(self, statement: Statement) -> Question {
        let Self { settings, parameters, rows, seconds, .. } = self;
        Question { statement, parameters, settings, rows, seconds }
    }

    fn check_placeholders(&self, sql: &str) -> Result<(), String> {
        let wanted = placeholders(sql);
        let has = |name: &String| self.parameters.iter().any(|given| given.name() == name);
        if let Some(missing) = wanted.iter().find(|name| !has(name)) {
            return Err(format!(
                "the statement asks for `{missing}`, and `parameters` has no value for it: give one"
            ));
        }
        self.check_unmentioned(&wanted)
    }

    fn check_unmentioned(&self, wanted: &[String]) -> Result<(), String> {
        match self.parameters.iter().find(|given| !wanted.iter().any(|name| name == given.name())) {
            None => Ok(()),
            Some(given) => {
                let name = given.name();
                Err(format!(
                    "the statement does not mention the parameter `{name}`: write {{{name}:Type}} where its value \
                     belongs, or leave it out"
                ))
            }
        }
    }
}

/// Whether a setting says in which zone times are shown.
pub(crate) fn is_time_zone(setting: &str) -> bool {
    setting.eq_ignore_ascii_case("session_timezone")
}

/// Why a statement that reads cannot be sent to where the caller's statements go.
fn check_reading(sql: &ReadOnlySql, access: &Access) -> Result<(), &'static str> {
    // Over the native protocol times come as numbers, and nothing tells us in which zone this one statement wants to
    // see them: 26.9 sends no packet with the zone of a clause, only with that of a query that reads `input()`.
    let native = access.endpoint.scheme.protocol() == Protocol::Tcp;
    if native && sql.settings().iter().any(|name| is_time_zone(name)) {
        return Err("`session_timezone` cannot be set in a statement here: use `toTimeZone(column, 'zone')`");
    }
    Ok(())
}

/// Why a statement that writes cannot be sent to where the caller's statements go: rows behind the statement are read
/// neither inside of `EXECUTE AS` nor over the native protocol.
pub(crate) fn check_writing(sql: &WritableSql, access: &Access) -> Result<(), &'static str> {
    let native = access.endpoint.scheme.protocol() == Protocol::Tcp;
    if sql.carries_data() && (native || access.run_as.is_wrapped()) {
        return Err(
            "rows after VALUES or FORMAT cannot be sent here: write INSERT INTO table (a, b) SELECT {a:Type}, \
                    {b:Type}, with the values in `parameters`, and join several rows by UNION ALL",
        );
    }
    if access.run_as.is_wrapped() && sql.wrappable().is_none() {
        return Err(
            "this statement cannot be run as somebody else: who may do what is not changed through this server",
        );
    }
    Ok(())
}

fn settings(arguments: Arguments<'_>, settable: &[String]) -> Result<Vec<Setting>, String> {
    let Some(given) = arguments.object("settings")? else { return Ok(Vec::new()) };
    let mut settings = Vec::with_capacity(given.len());
    for (name, value) in given {
        if !settable.contains(name) {
            let name: String = name.chars().take(64).collect();
            return Err(format!("`settings` may not have {name:?}: `{}` may be set", settable.join("`, `")));
        }
        match value {
            Value::String(value) => settings.push(Setting::new(name.clone(), value.clone())),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                return Err(format!("`settings.{name}` must be a string, such as \"1\""));
            }
        }
    }
    Ok(settings)
}

fn parameters(arguments: Arguments<'_>) -> Result<Vec<Parameter>, String> {
    let Some(given) = arguments.object("parameters")? else { return Ok(Vec::new()) };
    if given.len() > MOST_PARAMETERS {
        return Err(format!("`parameters` has {} values and may have {MOST_PARAMETERS}", given.len()));
    }
    let bind = |(name, value): (&String, &Value)| {
        Parameter::json(name, value).map_err(|told| format!("`parameters` cannot be sent: {told}"))
    };
    given.iter().map(bind).collect()
}

/// What was changed in a statement before it ran.
pub(super) fn notes(statement: &Statement) -> Vec<String> {
    let dropped = match statement {
        Statement::ReadOnly(sql) => sql.dropped_format(),
        Statement::Writable(_) => None,
    };
    dropped
        .map(|format| format!("The clause FORMAT {format} was dropped: results always come in this shape."))
        .into_iter()
        .collect()
}
