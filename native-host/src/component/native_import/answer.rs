//! An answer that is lent: the events of the host's own query, in batches, and never more than the caller may have.

use futures_util::FutureExt as _;
use housekey_core::clickhouse::{Column, Exception, Lines, QueryEvent, Rows, Taken};
use housekey_core::exchange::{Asked, Bound, Bounded};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::Pollable;

use super::bindings::housekey::clickhouse::native::{self, Event};
use crate::drive::RunningQuery;
use crate::host::Native;

/// Bytes of rows after which a batch is full.
const BATCH_BYTES: usize = 64 << 10;
/// Events other than rows that a batch may have.
const BATCH_EVENTS: usize = 64;
/// How often one query may begin anew because a profile refuses a setting. Each time at least one is left out.
const MOST_ATTEMPTS: u32 = 12;

/// A query under way for a guest. Dropping it cancels the query; [`LentAnswer::end`] lets it end by itself if it will.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct LentAnswer {
    native: Native,
    bound: Bound,
    asked: Asked,
    bounded: Bounded,
    running: RunningQuery,
    inspecting: Option<Inspecting>,
    attempts: u32,
    /// An event that has come and was not taken yet.
    waiting: Option<QueryEvent>,
    /// Rows that the guest got, and the bytes of their lines.
    rows: u64,
    bytes: u64,
    over: bool,
}

/// The question what else a profile forbids, before a query begins anew.
struct Inspecting {
    running: RunningQuery,
    rows: Rows,
    next: Bounded,
    /// What the guest hears if there is no way on.
    refusal: Exception,
}

impl LentAnswer {
    /// Begins a planned query.
    pub(super) fn begin(native: Native, bound: Bound, asked: Asked, bounded: Bounded) -> Self {
        let running = RunningQuery::begin(&native, &bounded.request, bounded.cancellation());
        Self {
            native,
            bound,
            asked,
            bounded,
            running,
            inspecting: None,
            attempts: 1,
            waiting: None,
            rows: 0,
            bytes: 0,
            over: false,
        }
    }

    /// What has come.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut batch = Batch::default();
        while !self.over && !batch.is_full() {
            // A future that is dropped here loses nothing: what it waited for, the next one waits for again.
            let event = self.waiting.take().or_else(|| self.next().now_or_never());
            let Some(event) = event else { break };
            self.hand(event, &mut batch);
        }
        batch.done()
    }

    /// Nothing more is wanted.
    pub(super) fn end(mut self) {
        self.running.end();
    }

    /// The next event, after what a profile refuses was left out. What is under way is kept in `self`, since this future
    /// may be dropped.
    async fn next(&mut self) -> QueryEvent {
        loop {
            if let Some(inspecting) = &mut self.inspecting {
                let event = inspecting.running.next().await;
                if inspecting.rows.accept(event) == Taken::Enough
                    && let Some(inspecting) = self.inspecting.take()
                    && let Some(refusal) = self.inspected(inspecting)
                {
                    return refusal;
                }
                continue;
            }
            let event = self.running.next().await;
            let QueryEvent::Exception(exception) = &event else { return event };
            if !self.begins_anew(exception) {
                return event;
            }
        }
    }

    /// Begins the same query without what the server refused, if that is what the exception says, or first asks what
    /// else it would refuse.
    fn begins_anew(&mut self, exception: &Exception) -> bool {
        if self.attempts >= MOST_ATTEMPTS {
            return false;
        }
        let Some(learned) = self.native.step(|env| self.bounded.learn(env, exception)) else { return false };
        let Ok(next) = self.native.step(|env| self.bound.plan(env, &self.asked)) else { return false };
        match self.native.step(|env| next.inspection(env, &learned)) {
            Some((request, limits)) => {
                let running = RunningQuery::begin(&self.native, &request, None);
                let (rows, refusal) = (Rows::new(limits), exception.clone());
                self.inspecting = Some(Inspecting { running, rows, next, refusal });
            }
            None => self.restart(next),
        }
        true
    }

    /// Begins anew with what the profile was found to forbid. Otherwise the refusal stands.
    fn inspected(&mut self, inspecting: Inspecting) -> Option<QueryEvent> {
        let Inspecting { mut running, rows, next, refusal } = inspecting;
        running.forget();
        self.native.step(|env| next.inspected(env, &rows.outcome()));
        match self.native.step(|env| self.bound.plan(env, &self.asked)) {
            Ok(next) => {
                self.restart(next);
                None
            }
            Err(_) => Some(QueryEvent::Exception(refusal)),
        }
    }

    fn restart(&mut self, next: Bounded) {
        self.running.forget();
        self.running = RunningQuery::begin(&self.native, &next.request, next.cancellation());
        self.bounded = next;
        self.attempts += 1;
    }

    fn hand(&mut self, event: QueryEvent, batch: &mut Batch) {
        self.native.watch().notice(&self.bounded.request, &event);
        match self.bounded.told(event) {
            QueryEvent::Rows(mut rows) => {
                let (fitting, beyond) = self.bounded.limits.fitting(self.rows, self.bytes, &rows);
                // The row beyond its limits tells a guest that keeps to them that there is more.
                rows.truncate(fitting.saturating_add(1));
                self.rows = self.rows.saturating_add(count(rows.len()));
                self.bytes = self.bytes.saturating_add(count(rows.text().len()));
                batch.rows(&rows);
                // Another one gets no more.
                if beyond.is_some() {
                    batch.event(Event::End);
                    self.over = true;
                    self.running.end();
                }
            }
            QueryEvent::Header(columns) => {
                let column = |Column { name, type_name }| native::Column { name, type_name };
                batch.event(Event::Header(columns.into_iter().map(column).collect()));
            }
            QueryEvent::Progress { read_rows, read_bytes, total_rows } => {
                batch.event(Event::Progress(native::Progress { read_rows, read_bytes, total_rows }));
            }
            QueryEvent::Exception(Exception { code, name, message, before_execution: _ }) => {
                self.running.forget();
                self.last(Event::Exception(native::Exception { code, name, message }), batch);
            }
            QueryEvent::End => {
                self.running.forget();
                self.last(Event::End, batch);
            }
            // These leave open whether the server is still at work.
            QueryEvent::RowTooLong => self.last(Event::RowTooLong, batch),
            QueryEvent::Broken(reason) => self.last(Event::Broken(reason), batch),
        }
    }

    fn last(&mut self, event: Event, batch: &mut Batch) {
        batch.event(event);
        self.over = true;
    }
}

#[async_trait]
impl Pollable for LentAnswer {
    async fn ready(&mut self) {
        if !self.over && self.waiting.is_none() {
            self.waiting = Some(self.next().await);
        }
    }
}

/// Events on their way over the border.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    lines: String,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.events.len() >= BATCH_EVENTS
    }

    fn rows(&mut self, rows: &Lines) {
        self.lines.push_str(rows.text());
        self.bytes += rows.text().len();
    }

    fn event(&mut self, event: Event) {
        self.close();
        self.events.push(event);
    }

    fn close(&mut self) {
        if !self.lines.is_empty() {
            self.events.push(Event::Rows(std::mem::take(&mut self.lines)));
        }
    }

    fn done(mut self) -> Vec<Event> {
        self.close();
        self.events
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
