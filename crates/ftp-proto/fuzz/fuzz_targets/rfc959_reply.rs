//! libFuzzer's way into `ftp_proto_fuzz::rfc959_reply`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_proto_fuzz::rfc959_reply(bytes));
