#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tune_fuzz::saved_plan(bytes));
