//! Counts the system calls of the real programs: server and client on loopback, each beneath `strace -f -c`.
//!
//! Tracing slows both down, so how much is batched together may differ a little from a free run.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ftp_tests::process::Process;
use ftp_tests::{Scratch, eventually, files};
use rustix::process::Signal;

use crate::tally::Tally;

const FILES: u64 = 1000;
const FILE_BYTES: u64 = 4096;
const MIB: u64 = 256;
/// For one transfer under strace.
const PATIENCE: Duration = Duration::from_secs(300);

/// What both ends did.
struct Counted {
    server: Tally,
    client: Tally,
}

/// Prints system calls per small file and per MiB, put and get.
///
/// # Errors
/// If a program is missing or fails.
pub(crate) fn print() -> Result<(), Box<dyn Error>> {
    let scratch = Scratch::new("hot-paths-calls");
    for number in 0..FILES {
        let name = format!("tree/{}/{number}", number / 100);
        files::write_random(&scratch.join(name), number, FILE_BYTES);
    }
    scratch.file("large", 7, MIB << 20);
    println!("system calls, less those of a run that does nothing:");
    for durability in ["none", "full"] {
        let run = Run {
            scratch: &scratch,
            durability,
        };
        fs::create_dir(run.root())?;
        let nothing = run.count(&["ls"])?;
        let small = format!("file of {FILE_BYTES} bytes");
        for (what, operations, words) in [
            (format!("put, a {small}"), FILES, ["put", "tree", "tree"]),
            (format!("get, a {small}"), FILES, ["get", "tree", "back"]),
            ("put, a MiB".into(), MIB, ["put", "large", "large"]),
            ("get, a MiB".into(), MIB, ["get", "large", "came"]),
        ] {
            let counted = run.count(&words)?;
            println!("\n--durability {durability}: {what}");
            row("server", counted.server.less(&nothing.server), operations);
            row("client", counted.client.less(&nothing.client), operations);
        }
        fs::remove_dir_all(scratch.join("back"))?;
        fs::remove_file(scratch.join("came"))?;
    }
    Ok(())
}

fn row(end: &str, tally: Tally, operations: u64) {
    let each = |count: u64| count as f64 / operations as f64;
    print!("  {end} {:7.2} :", each(tally.total()));
    for (name, count) in tally.most(8) {
        print!(" {name} {:.2}", each(count));
    }
    println!();
}

/// One way to serve.
struct Run<'a> {
    scratch: &'a Scratch,
    durability: &'a str,
}

impl Run<'_> {
    fn root(&self) -> PathBuf {
        self.scratch.join(self.durability)
    }

    /// Starts a server, lets the client do `words`, stops the server.
    fn count(&self, words: &[&str]) -> Result<Counted, Box<dyn Error>> {
        let (server_calls, client_calls) =
            (self.scratch.join("server"), self.scratch.join("client"));
        let mut command = traced("ftp-server", &server_calls)?;
        command.arg("--root").arg(self.root());
        command.args(["--listen", "127.0.0.1:0", "--log-level", "warn"]);
        command.args(["--durability", self.durability]);
        command.stdout(Stdio::piped());
        let mut server = Process::spawn(&mut command);
        let stdout = server.child().stdout.take();
        let mut line = String::new();
        BufReader::new(stdout.ok_or("no output")?).read_line(&mut line)?;
        let addr = line.trim_end().strip_prefix("listening on ");

        let mut command = traced("ftp-client", &client_calls)?;
        command.args(["-q", "--server", addr.ok_or("the server does not listen")?]);
        command.args(words).current_dir(self.scratch.path());
        command.stdout(Stdio::null());
        ended("ftp-client", &mut Process::spawn(&mut command))?;
        server.signal(Signal::TERM);
        ended("ftp-server", &mut server)?;
        Ok(Counted {
            server: tally(&server_calls),
            client: tally(&client_calls),
        })
    }
}

/// A program beneath strace, which is no parent of it: signals and the exit code are the program's own.
fn traced(program: &str, table: &Path) -> Result<Command, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name(program);
    if !path.exists() {
        return Err(format!("{} is not built", path.display()).into());
    }
    // What an earlier run left would be taken for this one's.
    File::create(table)?;
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-c", "-qq", "-o"]).arg(table);
    command.arg(path).stdin(Stdio::null());
    Ok(command)
}

fn ended(name: &str, process: &mut Process) -> Result<(), Box<dyn Error>> {
    let status = process.wait(PATIENCE).ok_or("it takes too long")?;
    if !status.success() {
        return Err(format!("{name}: {status}").into());
    }
    Ok(())
}

/// The table, once strace has written it: that is after the program's end.
fn tally(table: &Path) -> Tally {
    let mut tally = None;
    eventually("strace writes its table", PATIENCE, || {
        let text = fs::read_to_string(table).unwrap_or_default();
        tally = Tally::parse(&text);
        tally.is_some()
    });
    tally.unwrap_or_default()
}
