//! Arbitrary keys, headers and claims.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| housekey_core::jose::fuzzing::check_jwt(input));
