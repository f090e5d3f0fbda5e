//! Queries by `housekey:clickhouse/native`, where the host holds the login and knows the caller. Nothing of a request
//! that says where it goes or as whom leaves this component, for the host would not listen.

use std::collections::VecDeque;

use housekey_core::clickhouse::{Column, Exception, Lines, QueryEvent, QueryRequest, Statement};
use housekey_core::fetch::{Document, FetchFailure, FetchRequest};

use crate::bindings::housekey::clickhouse::native::{self, Event, Limits, Parameter, Query, Setting, Trace};
use crate::trouble::Trouble;
use crate::world::{Deadline, Glance};

/// Settings that the host chooses for every query.
const OF_THE_HOST: [&str; 2] = ["readonly", "cancel_http_readonly_queries_on_client_close"];

/// The answer to a query, as it arrives. Dropping it ends the query on the server.
pub(crate) struct Answer {
    events: VecDeque<QueryEvent>,
    answer: Option<native::Answer>,
    seconds: u64,
}

impl Answer {
    /// Hands a query to the host. What is wrong with it becomes the answer.
    pub(crate) fn begin(
        request: &QueryRequest,
        _: &Deadline,
        _: &mut dyn FnMut() -> bool,
    ) -> Result<Self, Trouble> {
        if request.data.is_some() {
            let told = "the host takes no data beside a statement".to_owned();
            let events = VecDeque::from([QueryEvent::Broken(told)]);
            return Ok(Self { events, answer: None, seconds: 0 });
        }
        let (answer, refusal) = match native::run(&query(request)) {
            Ok(answer) => (Some(answer), None),
            Err(reason) => (None, Some(QueryEvent::Broken(reason))),
        };
        Ok(Self { events: refusal.into_iter().collect(), answer, seconds: request.deadline_seconds })
    }

    /// The next event, if it comes within so many milliseconds.
    pub(crate) fn next(
        &mut self,
        deadline: &Deadline,
        milliseconds: u64,
    ) -> Result<Option<QueryEvent>, Trouble> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        let Some(answer) = &self.answer else { return Err(Trouble::Broken("it ended early".into())) };
        let ready = answer.subscribe();
        let glance = deadline.glance_at(&ready, milliseconds);
        drop(ready);
        match glance {
            Glance::Over => Ok(Some(QueryEvent::late(self.seconds))),
            Glance::NotYet => Ok(None),
            Glance::Ready => {
                for event in answer.next() {
                    self.receive(event);
                }
                Ok(self.events.pop_front())
            }
        }
    }

    fn receive(&mut self, event: Event) {
        let event = match event {
            Event::Rows(lines) => {
                let rows = Lines::from(lines);
                if rows.is_empty() {
                    return;
                }
                QueryEvent::Rows(rows)
            }
            Event::Header(columns) => {
                let column = |native::Column { name, type_name }| Column { name, type_name };
                QueryEvent::Header(columns.into_iter().map(column).collect())
            }
            Event::Progress(native::Progress { read_rows, read_bytes, total_rows }) => {
                QueryEvent::Progress { read_rows, read_bytes, total_rows }
            }
            Event::RowTooLong => QueryEvent::RowTooLong,
            Event::Exception(native::Exception { code, name, message }) => {
                // What could be had by asking again, the host has asked for.
                QueryEvent::Exception(Exception { code, name, message, before_execution: false })
            }
            Event::Broken(reason) => QueryEvent::Broken(reason),
            Event::End => QueryEvent::End,
        };
        self.events.push_back(event);
    }
}

fn query(request: &QueryRequest) -> Query {
    let sql = match &request.statement {
        Statement::ReadOnly(sql) => sql.text(),
        // The host takes it for what it is, and refuses it unless the tool is one that writes.
        Statement::Writable(sql) => sql.text(),
    };
    let settings = request.settings.iter().filter(|setting| !OF_THE_HOST.contains(&&*setting.name));
    Query {
        id: request.query_id.clone(),
        sql: sql.to_owned(),
        parameters: request
            .parameters
            .iter()
            .map(|parameter| Parameter {
                name: parameter.name().to_owned(),
                value: parameter.as_written().to_owned(),
            })
            .collect(),
        settings: settings
            .map(|setting| Setting { name: setting.name.clone().into_owned(), value: setting.value.clone() })
            .collect(),
        limits: Limits {
            rows: request.inner.limit,
            row_bytes: u64::try_from(request.limits.row_bytes).unwrap_or(u64::MAX),
            seconds: request.deadline_seconds,
        },
        trace: request
            .trace
            .as_ref()
            .map(|trace| Trace { traceparent: trace.parent(), tracestate: trace.state.clone() }),
        progress: request.progress,
    }
}

/// There is nothing to be done after the reply: the host ends what nobody wants.
pub(crate) enum Leftover {}

impl Leftover {
    /// Never called.
    pub(crate) fn end(self) {
        match self {}
    }
}

/// Drops the answer, by which the host learns that nothing more is wanted.
pub(crate) fn leave(answer: Option<Answer>, _: &QueryRequest) -> Option<Leftover> {
    drop(answer);
    None
}

/// The answer went with the conversation, and the query with the answer.
pub(crate) fn abandon(_: &QueryRequest) {}

/// Documents from elsewhere are the host's to fetch, and no tool of this release asks for one.
pub(crate) fn fetch(_: &FetchRequest) -> Result<Document, FetchFailure> {
    Err(FetchFailure::Forbidden)
}
