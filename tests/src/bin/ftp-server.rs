//! The daemon, as the suites start it.
fn main() -> std::process::ExitCode {
    ftp_server::cli::main()
}
