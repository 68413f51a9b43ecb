//! libFuzzer's way into `ftp_server_fuzz::configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_server_fuzz::configuration(bytes));
