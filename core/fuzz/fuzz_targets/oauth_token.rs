#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| housekey_core::oauth::token_fuzzing::check(input));
