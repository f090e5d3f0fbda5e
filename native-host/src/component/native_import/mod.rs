//! `housekey:clickhouse/native`: ClickHouse as the host lends it to a guest, for one caller.
//!
//! The caller is bound to the store before the guest exists, and core plans each of its queries anew
//! ([`housekey_core::exchange::Bound`]). The guest has no name for a server, a login or a person, so it cannot ask for
//! another one.

mod answer;

use housekey_core::exchange::{Asked, Bound};
use housekey_core::trace::TraceContext;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::{DynPollable, subscribe};

use super::store::State;
use crate::host::Native;
use answer::LentAnswer;
use bindings::housekey::clickhouse::native;

/// Answers that a guest may have open at once. Ours has one.
const MOST_OPEN: u32 = 8;
/// Queries that one request may come to: an array of messages has a hundred elements.
const MOST_QUERIES: u32 = 200;
/// Characters of a guest's own name for a query that the log shows.
const LONGEST_NAME: usize = 64;

#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::wildcard_enum_match_arm)]
mod bindings {
    pub use super::answer::LentAnswer;

    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "
            package housekey:lender;
            world lender { import housekey:clickhouse/native@0.1.0; }
        ",
        world: "housekey:lender/lender",
        imports: { default: trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "housekey:clickhouse/native.answer": LentAnswer,
        },
    });
}

/// What a store is lent.
pub(crate) struct Lender {
    native: Native,
    bound: Bound,
    begun: u32,
    open: u32,
}

impl Lender {
    /// Lends the host's connections to the guest of one request, for its caller.
    pub(crate) fn new(native: Native, bound: Bound) -> Self {
        Self { native, bound, begun: 0, open: 0 }
    }

    fn run(&mut self, query: native::Query) -> Result<LentAnswer, String> {
        let name: String = query.id.chars().take(LONGEST_NAME).collect();
        let (asked, name) = (asked(query), name.escape_debug());
        if self.open >= MOST_OPEN || self.begun >= MOST_QUERIES {
            tracing::warn!("the component's query {name} is refused: it has asked for too many");
            return Err("there are too many queries for one request".into());
        }
        self.begun += 1;
        let bounded = self.native.step(|env| self.bound.plan(env, &asked)).map_err(|refusal| {
            tracing::warn!("the component's query {name} is refused: {refusal}");
            refusal.to_string()
        })?;
        tracing::debug!(query_id = bounded.request.query_id, "the component's query {name}");
        self.open += 1;
        Ok(LentAnswer::begin(self.native.clone(), self.bound.clone(), asked, bounded))
    }
}

/// A store as this interface sees it.
pub(super) struct View<'a> {
    /// Absent in the store of a guest that is lent nothing, which is not linked with this interface.
    pub(super) lender: Option<&'a mut Lender>,
    pub(super) table: &'a mut ResourceTable,
}

struct Lending;

impl HasData for Lending {
    type Data<'a> = View<'a>;
}

/// Lets guests import the interface.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    native::add_to_linker::<_, Lending>(linker, State::lending)
}

impl native::Host for View<'_> {
    fn run(&mut self, query: native::Query) -> wasmtime::Result<Result<Resource<LentAnswer>, String>> {
        let Some(lender) = &mut self.lender else { return Ok(Err("nothing is lent here".into())) };
        match lender.run(query) {
            Ok(answer) => Ok(Ok(self.table.push(answer)?)),
            Err(reason) => Ok(Err(reason)),
        }
    }
}

impl native::HostAnswer for View<'_> {
    fn subscribe(&mut self, answer: Resource<LentAnswer>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table, answer)
    }

    fn next(&mut self, answer: Resource<LentAnswer>) -> wasmtime::Result<Vec<native::Event>> {
        Ok(self.table.get_mut(&answer)?.take())
    }

    fn drop(&mut self, answer: Resource<LentAnswer>) -> wasmtime::Result<()> {
        self.table.delete(answer)?.end();
        if let Some(lender) = &mut self.lender {
            lender.open = lender.open.saturating_sub(1);
        }
        Ok(())
    }
}

fn asked(query: native::Query) -> Asked {
    let native::Query { id: _, sql, parameters, settings, limits, trace, progress } = query;
    let native::Limits { rows, row_bytes, seconds } = limits;
    let settings = settings.into_iter().map(|native::Setting { name, value }| (name, value)).collect();
    let parameters = parameters.into_iter().map(|native::Parameter { name, value }| (name, value)).collect();
    let trace = trace.and_then(|native::Trace { traceparent, tracestate }| {
        TraceContext::parse(&traceparent, [tracestate.as_str()])
    });
    Asked { sql, parameters, settings, rows, row_bytes, seconds, trace, progress }
}
