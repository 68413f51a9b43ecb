//! libFuzzer's way into `ftp_proto_fuzz::rfc959_dialogue`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ftp_proto_fuzz::rfc959_dialogue(bytes));
