//! What one request owns: memory, descriptors, the log, the way out.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::abandoned::Life;
use super::engine::Hosted;
use super::means::{Means, Way};
use super::native_import::{Lender, View};
use super::outgoing::Hooks;

/// The data of a store.
pub(super) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    hooks: Hooks,
    lender: Option<Lender>,
    limits: StoreLimits,
}

/// Makes the store of one request.
pub(super) fn fresh(hosted: &Hosted, means: Means, life: Life) -> Store<State> {
    let Means { environment, way } = means;
    let (outgoing, lender) = match way {
        Way::Outgoing(outgoing) => (Some(outgoing), None),
        Way::Lender(lender) => (None, Some(*lender)),
    };
    let state = State {
        // No stdin, no stdout, no folders, no sockets; the clocks and the randomness are the system's.
        wasi: WasiCtx::builder().envs(&environment).stderr(Log).build(),
        http: WasiHttpCtx::new(),
        table: ResourceTable::new(),
        hooks: Hooks::new(outgoing, life),
        lender,
        limits: StoreLimitsBuilder::new().memory_size(hosted.limits.memory_bytes).memories(1).build(),
    };
    let mut store = Store::new(hosted.pre.engine(), state);
    store.limiter(|state| &mut state.limits);
    // A guest that computes gives way at each tick, so that other requests run and an abort takes effect.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
    store
}

impl State {
    /// What `housekey:clickhouse/native` works on.
    pub(super) fn lending(&mut self) -> View<'_> {
        View { lender: self.lender.as_mut(), table: &mut self.table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// The guest's standard error: whole lines go to this process's log.
struct Log;

impl IsTerminal for Log {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Log {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines::default())
    }
}

/// Bytes that a line may have before it is cut.
const LONGEST_LINE: usize = 8 << 10;

#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn flush_line(&mut self) {
        let line = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            tracing::warn!(target: "housekey::component", "component: {}", text.escape_debug());
        }
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        for byte in bytes {
            if *byte == b'\n' || self.0.len() >= LONGEST_LINE {
                self.flush_line();
            }
            if *byte != b'\n' {
                self.0.push(*byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush_line();
    }
}
