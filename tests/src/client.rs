//! The real command-line client, run to its end.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::process::Process;
use crate::server::program;

/// How long one run may take.
pub const RUN: Duration = Duration::from_secs(120);

/// A run of the client, being prepared.
pub struct Client {
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    stdin: Option<Vec<u8>>,
    dir: Option<PathBuf>,
    within: Duration,
}

/// A run of the client that has ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; 128 and the number for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Client {
    /// A client of the server at `addr`.
    #[must_use]
    pub fn of(addr: SocketAddr) -> Self {
        Self::bare().arg("--server").arg(addr.to_string())
    }

    /// A client that is told nothing.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            args: Vec::new(),
            env: Vec::new(),
            stdin: None,
            dir: None,
            within: RUN,
        }
    }

    /// With one more word.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more words.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With these bytes on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// In this folder.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// With a deadline of its own.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Starts it, with its output in pipes.
    #[must_use]
    pub fn spawn(&self) -> Process {
        let mut command = Command::new(program("ftp-client"));
        command.arg0("ftp-client").args(&self.args);
        command.env_clear().envs(self.env.iter().cloned());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(match self.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        });
        Process::spawn(&mut command)
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it does not end in time.
    #[must_use]
    pub fn run(self) -> Ran {
        let mut process = self.spawn();
        let within = self.within;
        if let (Some(bytes), Some(mut pipe)) = (self.stdin, process.child().stdin.take()) {
            // A client that stops reading early is allowed to.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        finish(process, within)
    }
}

/// Waits for a started client and gathers what it said.
///
/// # Panics
/// If it does not end `within` the time.
#[must_use]
pub fn finish(mut process: Process, within: Duration) -> Ran {
    use std::os::unix::process::ExitStatusExt;
    let stdout = gather(process.child().stdout.take().unwrap());
    let stderr = gather(process.child().stderr.take().unwrap());
    let status = process.wait(within);
    drop(process);
    let ran = Ran {
        code: status.map_or(-1, |status| {
            status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
        }),
        stdout: stdout.join().unwrap(),
        stderr: String::from_utf8_lossy(&stderr.join().unwrap()).into_owned(),
    };
    assert!(status.is_some(), "the client hangs ({within:?}): {ran:?}");
    ran
}

fn gather(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

impl Ran {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "stdout: {}\nstderr: {}",
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(2000)]),
            self.stderr
        );
        self
    }

    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Standard output as newline-delimited JSON.
    #[must_use]
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}
