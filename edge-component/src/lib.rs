//! Housekey as a WASI HTTP component: glue between `wasi:http` and core, which takes every decision.
//!
//! The component answers one request at a time and blocks on pollables meanwhile; runtimes run as many instances as
//! there are requests. What can be tested without a runtime is in [`convert`] and [`settings`]; the rest exists
//! for WebAssembly only, so that the workspace also builds and lints natively.
//!
//! Deliberately absent: anything that traps. There is no `unwrap`, no index and no panic; a wrong setting is an
//! answer with status 500 that names the key.

pub mod convert;
pub mod settings;

#[cfg(target_family = "wasm")]
mod client;
#[cfg(target_family = "wasm")]
mod drive;
#[cfg(all(target_family = "wasm", not(feature = "hosted")))]
mod fetch;
#[cfg(all(target_family = "wasm", not(feature = "hosted")))]
mod outgoing;
#[cfg(all(target_family = "wasm", feature = "hosted"))]
mod over_host;
#[cfg(all(target_family = "wasm", not(feature = "hosted")))]
mod over_http;
#[cfg(target_family = "wasm")]
mod query;
#[cfg(target_family = "wasm")]
#[cfg_attr(feature = "hosted", allow(dead_code, reason = "the host says in words what went wrong"))]
mod trouble;
#[cfg(target_family = "wasm")]
mod world;

/// How queries travel.
#[cfg(all(target_family = "wasm", feature = "hosted"))]
use over_host as way;
#[cfg(all(target_family = "wasm", not(feature = "hosted")))]
use over_http as way;

#[cfg(all(feature = "hosted", feature = "spin"))]
compile_error!("an artefact is for Spin or for Housekey's own host: choose one feature");

/// The bindings to `wit/world.wit`. The generated code is the only unsafe code of this crate.
#[cfg(target_family = "wasm")]
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::wildcard_enum_match_arm)]
mod bindings {
    #[cfg(not(any(feature = "hosted", feature = "spin")))]
    wit_bindgen::generate!({ path: "../wit", world: "edge", generate_all });
    #[cfg(feature = "spin")]
    wit_bindgen::generate!({ path: "../wit", world: "spin", generate_all });
    #[cfg(feature = "hosted")]
    wit_bindgen::generate!({ path: "../wit", world: "hosted", generate_all });

    export!(Component);

    /// What the runtime calls.
    struct Component;

    impl exports::wasi::http::incoming_handler::Guest for Component {
        fn handle(
            request: wasi::http::types::IncomingRequest,
            response_out: wasi::http::types::ResponseOutparam,
        ) {
            super::drive::serve(request, response_out);
        }
    }
}

#[cfg(test)]
mod spin_manifest;
