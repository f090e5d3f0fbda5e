//! Statements as strangers write them: the checker never panics and never contradicts itself.

#![no_main]

use housekey_core::sql::fuzzing::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| check(input));
