//! Sequences of messages of several clients: any turns, in any order.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    housekey_core::exchange::fuzzing::model::check(data);
});
