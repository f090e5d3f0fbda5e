#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| housekey_core::clickhouse::native::fuzzing::check_frames(data));
