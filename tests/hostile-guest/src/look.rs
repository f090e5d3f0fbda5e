//! All that a guest can see without a query.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::bindings::wasi::cli::environment;
use crate::bindings::wasi::http::types::IncomingRequest;

/// The bytes of a page of WebAssembly's memory.
const PAGE: usize = 64 << 10;

static LOOKS: AtomicU64 = AtomicU64::new(0);

/// The process and the head of the request, and how often this instance has looked before.
pub(crate) fn around(request: &IncomingRequest) -> Value {
    let headers = request.headers().entries().into_iter();
    let headers = headers.map(|(name, value)| json!([name, String::from_utf8_lossy(&value)]));
    json!({
        "environment": environment::get_environment(),
        "arguments": environment::get_arguments(),
        "folder": environment::initial_cwd(),
        "method": format!("{:?}", request.method()),
        "scheme": format!("{:?}", request.scheme()),
        "authority": request.authority(),
        "path": request.path_with_query(),
        "headers": headers.collect::<Value>(),
        "looks_before": LOOKS.fetch_add(1, Ordering::Relaxed),
    })
}

/// Every byte of this instance's memory but the first, whose address is null.
pub(crate) fn memory() -> &'static [u8] {
    let length = core::arch::wasm32::memory_size::<0>() * PAGE - 1;
    // SAFETY: the memory is there from zero to its size and never shrinks. What is written while this is read,
    // the stack of this very thread, is read as bytes by the host alone.
    unsafe { core::slice::from_raw_parts(core::ptr::without_provenance(1), length) }
}
