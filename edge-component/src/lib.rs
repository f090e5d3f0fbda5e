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
#[cfg(target_family = "wasm")]
mod fetch;
#[cfg(target_family = "wasm")]
mod outgoing;
#[cfg(target_family = "wasm")]
mod query;
#[cfg(target_family = "wasm")]
mod world;

/// The bindings to `wit/world.wit`. The generated code is the only unsafe code of this crate.
#[cfg(target_family = "wasm")]
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::wildcard_enum_match_arm)]
mod bindings {
    #[cfg(not(feature = "spin"))]
    wit_bindgen::generate!({ path: "../wit", world: "edge", generate_all });
    #[cfg(feature = "spin")]
    wit_bindgen::generate!({ path: "../wit", world: "spin", generate_all });

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
