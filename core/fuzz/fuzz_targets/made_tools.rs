//! Views, tables, comments and arguments as strangers write them: the tools that are made of them ask for nothing but
//! the one object, by its quoted name and with bound values.

#![no_main]

use housekey_core::tool::catalogue::fuzzing::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| check(input));
