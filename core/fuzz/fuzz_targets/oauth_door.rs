//! What strangers send to register and to sign in: nothing panics, and nothing leads elsewhere than it says.

#![no_main]

use housekey_core::oauth::fuzzing::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| check(input));
