//! The client, as the suites run it.
fn main() -> std::process::ExitCode {
    ftp_client::cli::main()
}
