//! Whole exchanges: any head, any body, any events of ClickHouse.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| housekey_core::exchange::fuzzing::check(data));
