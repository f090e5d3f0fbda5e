//! The black-box suite: every case on every host where it makes sense, against a real ClickHouse.
//!
//! `HOUSEKEY_TEST_HOSTS=native,stdio` runs some hosts only; words on the command line filter by name; `--list` lists.

mod alike;
mod auth;
mod cancel;
mod caps;
mod dynamic;
mod errors;
mod generator;
mod interserver;
mod misconfigured;
mod progress;
mod protocol;
mod refused;
mod resources;
mod rest;
mod shutdown;
mod tokens;
mod tools;
mod trace;
mod values;
mod visible;
mod who;

use std::env;
use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Completion, Trial};
use std::pin::Pin;
use system_tests::cell::Cell;
use system_tests::harness::{self, Verdict};
use system_tests::host::Host;
use system_tests::world::world;

/// Where a case makes sense.
#[derive(Clone, Copy)]
enum Scope {
    /// On every host.
    Everywhere,
    /// It is about HTTP.
    OverHttp,
    /// It is about standard input and output.
    OverStdio,
    /// It starts the `housekey` binary with settings that it must refuse.
    Launch,
    /// It gives the component settings that it must refuse, with nobody to check them before.
    Unchecked,
    /// It compares a host with the native one.
    Compared,
    /// A client goes away during a read.
    Cancelled,
    /// It tells the host to end.
    Signalled,
    /// A query and its refusal of the native host's own address rules.
    LoopbackNames,
    /// It needs a host that remembers earlier requests.
    Counted,
    /// It is about the native protocol.
    Member,
    /// It is about what a component cannot do.
    Edge,
    /// It is about files of the server, which only the native host over HTTP lends to its callers' tokens.
    Files,
}

/// The table of cells. Every pair is decided here: a new host or a new scope does not compile without it.
fn verdict(scope: Scope, host: Host) -> Verdict {
    use Host::{HostedComponent, LentComponent, NativeHttp, NativeTcp, Stdio, StockWasmtime};
    use Verdict::{Run, Skip};
    match (scope, host) {
        (
            Scope::Everywhere,
            NativeHttp | NativeTcp | Stdio | HostedComponent | LentComponent | StockWasmtime,
        )
        | (Scope::OverHttp, NativeHttp | NativeTcp | HostedComponent | LentComponent | StockWasmtime)
        | (Scope::OverStdio, Stdio)
        | (Scope::Member, NativeTcp | LentComponent)
        | (Scope::Launch, NativeHttp | NativeTcp | Stdio | HostedComponent | LentComponent)
        | (Scope::Unchecked, StockWasmtime)
        | (Scope::Compared, NativeTcp | HostedComponent | LentComponent | StockWasmtime)
        | (
            Scope::Cancelled,
            NativeHttp | NativeTcp | Stdio | HostedComponent | LentComponent | StockWasmtime,
        )
        | (Scope::Signalled, NativeHttp | NativeTcp | HostedComponent | LentComponent)
        | (Scope::LoopbackNames, NativeHttp | NativeTcp | LentComponent)
        | (Scope::Counted, NativeHttp | NativeTcp | HostedComponent | LentComponent)
        | (Scope::Edge, HostedComponent | StockWasmtime)
        | (Scope::Files, NativeHttp | NativeTcp | LentComponent) => Run,
        (Scope::Member, NativeHttp | Stdio | HostedComponent | StockWasmtime) => {
            Skip("the host speaks HTTP to ClickHouse here")
        }
        (Scope::OverHttp, Stdio) => Skip("the case is about HTTP"),
        (Scope::OverStdio, NativeHttp | NativeTcp | HostedComponent | LentComponent | StockWasmtime) => {
            Skip("the case is about stdio")
        }
        (Scope::Launch, StockWasmtime) => {
            Skip("wasmtime starts with any settings: see misconfigured::component")
        }
        (Scope::Unchecked, NativeHttp | NativeTcp | Stdio | HostedComponent | LentComponent) => {
            Skip("housekey checks its settings before it starts: see misconfigured::launch")
        }
        (Scope::Compared, NativeHttp) => Skip("it is what the others are compared with"),
        (Scope::Compared, Stdio) => Skip("stdio has no statuses and headers to compare"),
        (Scope::Signalled, Stdio) => Skip("the case is about HTTP"),
        (Scope::Signalled, StockWasmtime) => Skip("how a stock runtime ends is its own affair"),
        (Scope::LoopbackNames | Scope::Counted, Stdio) => Skip("the case is about HTTP"),
        (Scope::Counted, StockWasmtime) => Skip("a stock runtime keeps nothing between requests"),
        (Scope::Files, Stdio) => Skip("the case is about HTTP"),
        (Scope::Files, HostedComponent | StockWasmtime) => {
            Skip("a component has no files: see tokens::tls_at_the_edge")
        }
        (Scope::Edge, NativeHttp | NativeTcp | Stdio | LentComponent) => {
            Skip("the case is about the component that connects by itself")
        }
        (Scope::LoopbackNames, HostedComponent | StockWasmtime) => {
            Skip("the component does not know its address: only server.allowed_hosts guards Host there")
        }
    }
}

type Body = fn(Cell) -> Pin<Box<dyn Future<Output = Result<()>>>>;

struct Case {
    name: &'static str,
    scope: Scope,
    body: Body,
}

macro_rules! cases {
    ($($scope:ident { $($module:ident :: $case:ident),* $(,)? })*) => {
        &[$($(Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            scope: Scope::$scope,
            body: |cell| Box::pin($module::$case(cell)),
        }),*),*]
    };
}

const CASES: &[Case] = cases! {
    Everywhere {
        who::person_behind_the_gateway,
        who::login_of_the_token,
        who::login_of_the_operator,
        who::unusual_name,
        who::names_that_break_careless_quoting,
        visible::tables_of_others,
        visible::rows_of_others,
        visible::lists_of_tables,
        visible::people_whom_the_gateway_may_not_become,
        refused::by_housekey,
        refused::nothing_that_only_looks_like_a_write,
        refused::by_the_server_with_a_login,
        refused::by_the_server_behind_the_gateway,
        refused::settings_that_the_operator_allows,
        caps::five_hundred_rows,
        caps::limit_of_the_call,
        caps::limit_of_the_token,
        caps::limit_of_the_statement,
        caps::bytes,
        caps::one_huge_row,
        caps::subqueries_see_all_rows,
        caps::statements_without_a_limit,
        caps::profile_that_sets_nothing,
        caps::profile_that_constrains_our_settings,
        caps::profile_that_forbids_much,
        cancel::past_our_own_deadline,
        cancel::past_the_time_of_the_tool,
        who::rows_of_the_log_that_belong_together,
        values::every_type,
        values::large_text,
        values::empty_result,
        values::format_clause,
        values::profile_that_seals_the_format,
        errors::of_the_statement,
        errors::of_syntax_behind_the_gateway,
        errors::in_the_middle,
        errors::of_arguments,
        errors::nobody_listens,
        dynamic::tools_of_a_person,
        dynamic::rows_of_a_person,
        dynamic::hostile_values,
        dynamic::hostile_names,
        dynamic::rows_that_go_in,
        resources::catalogue,
        resources::structure,
        resources::odd_names,
        resources::names,
        resources::prompts,
        auth::denied_people,
        tokens::claims_narrow,
        tools::databases,
        tools::tables,
        tools::small_caps,
        tools::descriptions,
        tools::states,
        tools::searches,
        tools::explanations,
        tools::bound_values,
        tools::writes,
        trace::of_the_message,
        trace::that_is_none,
    }
    OverHttp {
        tokens::forms,
        tokens::paths,
        tokens::order,
        tokens::keys_and_dates,
        tokens::unknown_claims,
        tokens::chosen_servers,
        tokens::traces,
        rest::people,
        rest::caps,
        rest::refusals,
        rest::strangers,
        rest::nobody_listens,
        generator::strangers,
        generator::statuses,
        generator::bearer,
        auth::every_refusal,
        auth::unsigned_token,
        auth::tokens_without_identity,
        auth::tokens_that_choose_a_server,
        auth::places_of_the_token,
        protocol::stateless,
        protocol::headers_and_body,
        protocol::handshakes,
        protocol::batches,
        protocol::heads,
        protocol::large_bodies,
        protocol::origins,
        protocol::allowed_hosts,
        protocol::signs_of_life,
        protocol::paths,
        protocol::progress,
        progress::over_http,
        trace::of_the_header,
    }
    OverStdio {
        auth::stdio_without_a_token,
        auth::stdio_with_bad_tokens,
        auth::stdio_token_that_expires,
        protocol::stdio,
        progress::on_lines,
    }
    Launch { misconfigured::launch }
    Unchecked { misconfigured::component }
    Compared {
        alike::to_the_byte,
        rest::alike,
    }
    Cancelled {
        cancel::with_a_login,
        cancel::behind_the_gateway,
        cancel::in_a_profile_that_sets_nothing,
        cancel::of_one_who_cannot_replace_it,
    }
    Signalled { shutdown::running_queries_end }
    Member {
        interserver::people,
        interserver::reads_only,
        interserver::nobody,
        interserver::wrong_secrets,
        interserver::roles,
        cancel::under_a_cluster_secret,
    }
    LoopbackNames { protocol::rebound_names }
    Counted { generator::rate }
    Edge { tokens::tls_at_the_edge }
    Files { tokens::tls_claims }
};

fn main() -> ExitCode {
    let wanted = env::var("HOUSEKEY_TEST_HOSTS").unwrap_or_default();
    let is_wanted =
        |host: Host| wanted.is_empty() || wanted.split(',').any(|name| name.trim() == host.name());
    let trials = Host::ALL
        .into_iter()
        .filter(|host| is_wanted(*host))
        .flat_map(|host| CASES.iter().map(move |case| trial(case, host)))
        .collect();
    harness::run(trials)
}

fn trial(case: &'static Case, host: Host) -> Trial {
    let name = format!("{host}::{}", case.name);
    harness::trial(name, verdict(case.scope, host), move || async move {
        let cell = Cell { host, world: world().await? };
        (case.body)(cell).await?;
        Ok(Completion::Completed)
    })
}
