//! A guest that is lent a ClickHouse and does whatever the request tells it to, so that a suite can hold every
//! attack beside what must come of it (`tests/suites/hostile`).
//!
//! The arguments of a `tools/call` are its orders: `act` is `run`, `look` or `memory`. It has the imports of
//! the real component, and none of its manners.

mod body;
mod look;
mod query;

use serde_json::{Value, json};

use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};

/// The bindings to the world of the real component.
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "hosted", generate_all });

    export!(Guest);

    /// What the runtime calls.
    struct Guest;

    impl exports::wasi::http::incoming_handler::Guest for Guest {
        fn handle(
            request: wasi::http::types::IncomingRequest,
            response_out: wasi::http::types::ResponseOutparam,
        ) {
            super::obey(&request, response_out);
        }
    }
}

fn obey(request: &IncomingRequest, out: ResponseOutparam) {
    let message = body::read(request);
    let message: Value = serde_json::from_slice(&message).unwrap_or_default();
    let orders = &message["params"]["arguments"];
    match orders["act"].as_str() {
        Some("run") => body::answer(out, query::run(orders).to_string().as_bytes()),
        Some("look") => body::answer(out, look::around(request).to_string().as_bytes()),
        // After a look and a query, so that all that they leave behind is there.
        Some("memory") => {
            let kept = (look::around(request), query::run(orders));
            body::answer(out, look::memory());
            drop(kept);
        }
        _ => body::answer(out, json!("there is no such act").to_string().as_bytes()),
    }
}
