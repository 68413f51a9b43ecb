//! Python's `ftplib`, plain and over TLS 1.2 and 1.3.

use super::place::{Cover, have, port, server, succeed};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/ftps.py");

pub(crate) fn python(what: &str, more: &[&str]) {
    if !have("python3") {
        return;
    }
    let server = server(more);
    let (ftp, ftps) = (port(&server, Cover::Plain), port(&server, Cover::Implicit));
    succeed(
        "python3",
        &["-B", SCRIPT, what, &ftp.to_string(), &ftps.to_string()],
    );
}

#[test]
fn fifty_transfers_in_plain() {
    python("plain", &[]);
}

#[test]
fn fifty_transfers_that_resume_the_tls_session() {
    python("resumed", &[]);
}

#[test]
fn a_data_connection_that_does_not_resume_is_refused() {
    python("fresh-refused", &[]);
}

#[test]
fn nor_one_that_resumes_somebody_elses_session() {
    python("foreign-refused", &[]);
}

#[test]
fn without_the_demand_it_is_taken() {
    python("fresh", &["--ftp-data-tls-resume", "prefer"]);
    python("fresh", &["--ftp-data-tls-resume", "off"]);
}

#[test]
fn an_upload_that_is_cut_within_tls_leaves_the_old_file() {
    python("cut", &[]);
}

#[test]
fn what_was_sent_in_plain_with_auth_is_dropped() {
    python("injected", &[]);
}
