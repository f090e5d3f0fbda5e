//! Queries word for word as ordered, and what came of each.

use serde_json::{Value, json};

use crate::bindings::housekey::clickhouse::native::{
    self, Answer, Event, Limits, Parameter, Query, Setting, Trace,
};

/// Begins the ordered query so often, and looks at the answers only after that, or in turn at each, or at none.
pub(crate) fn run(orders: &Value) -> Value {
    let times = orders["times"].as_u64().unwrap_or(1);
    let begin = |turn| native::run(&query(&orders["query"], turn));
    if orders["in_turn"] == true {
        let is_read = orders["unread"] != true;
        let in_turn = (0..times).map(|turn| match begin(turn) {
            Ok(answer) if is_read => outcome(&answer),
            Ok(_dropped) => json!({ "rows": "", "failed": "nobody has read it" }),
            Err(reason) => json!({ "refused": reason }),
        });
        return in_turn.collect();
    }
    let begun: Vec<_> = (0..times).map(begin).collect();
    begun
        .into_iter()
        .map(|begun| match begun {
            Ok(answer) => outcome(&answer),
            Err(reason) => json!({ "refused": reason }),
        })
        .collect()
}

fn query(ordered: &Value, turn: u64) -> Query {
    let mut sql = text(&ordered["sql"]).replace("TURN", &turn.to_string());
    // Longer than a request may be: made here.
    let padding = ordered["padding"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    sql.extend(std::iter::repeat_n(' ', padding.unwrap_or_default()));
    sql.push_str(&text(&ordered["tail"]));
    let settings = ordered["settings"].as_array().into_iter().flatten();
    let parameters = ordered["parameters"].as_array().into_iter().flatten();
    Query {
        id: text(&ordered["id"]),
        sql,
        parameters: parameters
            .map(|parameter| Parameter { name: text(&parameter[0]), value: text(&parameter[1]) })
            .collect(),
        settings: settings
            .map(|setting| Setting { name: text(&setting[0]), value: text(&setting[1]) })
            .collect(),
        limits: Limits { rows: ordered["rows"].as_u64(), row_bytes: u64::MAX, seconds: u64::MAX },
        trace: ordered["traceparent"].as_str().map(|parent| Trace {
            traceparent: parent.to_owned(),
            tracestate: text(&ordered["tracestate"]),
        }),
        progress: ordered["progress"].as_bool().unwrap_or_default(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn outcome(answer: &Answer) -> Value {
    let mut rows = String::new();
    loop {
        answer.subscribe().block();
        for event in answer.next() {
            match event {
                Event::Header(_) | Event::Progress(_) => {}
                Event::Rows(lines) => rows.push_str(&lines),
                Event::RowTooLong => return json!({ "rows": rows, "failed": "a row is too long" }),
                Event::Exception(exception) => return json!({ "rows": rows, "failed": exception.message }),
                Event::Broken(reason) => return json!({ "rows": rows, "failed": reason }),
                Event::End => return json!({ "rows": rows }),
            }
        }
    }
}
