//! libFuzzer's way into `ftp_access_fuzz::users_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_access_fuzz::users_file(bytes));
