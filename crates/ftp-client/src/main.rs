//! The command `ftp-client`; all of it is in the library.

fn main() -> std::process::ExitCode {
    ftp_client::cli::main()
}
