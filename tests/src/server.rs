//! The real daemon, on a free loopback port, with a root of its own.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::deadline::{SOON, eventually};
use crate::files::Scratch;
use crate::process::{Process, readable};

/// Finds one of this package's programs: cargo puts them one folder above the test's own binary.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let mut dir = std::env::current_exe().unwrap();
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    let path = dir.join(format!("shim-{name}"));
    assert!(
        path.exists(),
        "{} is not built: run the suites with cargo",
        path.display()
    );
    path
}

/// How a daemon is started.
#[derive(Default)]
pub struct Options {
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    root: Option<PathBuf>,
    listen: Option<String>,
    descriptors: Option<u64>,
    nobody: bool,
    bare: bool,
}

impl Options {
    /// As a person would start it, but on port 0 and with a JSON log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With these words added.
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

    /// Over a root that belongs to somebody else and stays.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// On this address.
    #[must_use]
    pub fn listen(mut self, addr: impl ToString) -> Self {
        self.listen = Some(addr.to_string());
        self
    }

    /// With at most so many descriptors.
    #[must_use]
    pub fn descriptors(mut self, most: u64) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Without privileges, so that permissions bite even where the tests run as root. Its root is made its own.
    #[must_use]
    pub fn nobody(mut self) -> Self {
        self.nobody = true;
        self
    }

    /// With no argument of the harness's own.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }
}

/// A running daemon; killed when dropped.
pub struct Server {
    process: Process,
    addrs: Vec<SocketAddr>,
    root: PathBuf,
    log: PathBuf,
    ended: Option<ExitStatus>,
    _scratch: Scratch,
}

impl Server {
    /// Starts a daemon and waits until it listens.
    ///
    /// # Panics
    /// With its log, if it does not within [`SOON`].
    #[must_use]
    pub fn start(options: Options) -> Self {
        match Self::try_start(options) {
            Ok(server) => server,
            Err(failed) => panic!(
                "the server did not start ({:?}):\n{}",
                failed.status, failed.log
            ),
        }
    }

    /// Starts a daemon that may refuse.
    ///
    /// # Errors
    /// What it said before it ended.
    pub fn try_start(options: Options) -> Result<Self, Failed> {
        let scratch = Scratch::new("server");
        let log = scratch.join("log");
        let root = options.root.unwrap_or_else(|| scratch.join("root"));
        if !root.exists() && !options.bare {
            fs::create_dir(&root).unwrap();
        }
        let mut command = limited(&program("ftp-server"), options.descriptors);
        if options.nobody && rustix::process::geteuid().is_root() {
            command = as_nobody(&scratch, &root);
        }
        command
            .env_clear()
            // What one keeps is no other's.
            .env("XDG_STATE_HOME", scratch.join("state"))
            .envs(options.env)
            .current_dir(scratch.path());
        if !options.bare {
            let listen = options.listen.unwrap_or_else(|| "127.0.0.1:0".into());
            command.arg("--root").arg(&root).args(["--listen", &listen]);
            command.args(["--log-format", "json"]);
        }
        command.args(options.args);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&log).unwrap());
        let mut process = Process::spawn(&mut command);
        match first_line(&mut process) {
            Some(addrs) => Ok(Self {
                process,
                addrs,
                root,
                log,
                ended: None,
                _scratch: scratch,
            }),
            None => Err(Failed {
                status: process.wait(SOON),
                log: fs::read_to_string(log).unwrap(),
            }),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Where it listens besides: the native addresses first, then those of standard FTP, then those of FTPS.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Its root folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A name beneath its root.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Resident memory now, in KiB.
    #[must_use]
    pub fn rss_kib(&self) -> u64 {
        self.process.status("VmRSS")
    }

    /// The most memory it ever had resident, in KiB.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        self.process.status("VmHWM")
    }

    /// Open descriptors.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.process.descriptors()
    }

    /// Everything it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The key that it shows over TLS, as `--pin` takes it.
    #[must_use]
    pub fn pin(&self) -> String {
        let mut pin = None;
        eventually("the server tells its key", SOON, || {
            let log = self.log();
            let at = log.find("\"fingerprint\":\"SHA256:").map(|at| at + 15);
            pin = at.and_then(|at| log.get(at..at + 50)).map(str::to_owned);
            pin.is_some()
        });
        pin.unwrap_or_default()
    }

    /// The log's whole lines, read as JSON, without words to a person.
    ///
    /// # Panics
    /// If a line is not.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let log = self.log();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole
            .lines()
            .filter(|line| !line.starts_with("ftp-server: "))
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }

    /// Asks it to stop: SIGTERM.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.ended = self.process.wait(SOON);
    }

    /// Sends any signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether it has ended, or ends within a time.
    pub fn ends_within(&mut self, within: Duration) -> bool {
        self.process.wait(within).is_some()
    }

    /// Waits for the end and gives the exit code.
    ///
    /// # Panics
    /// After `within`, or if a signal ended it.
    pub fn wait(&mut self, within: Duration) -> i32 {
        let status = self.process.wait(within);
        let Some(status) = status else {
            panic!("the server still runs after {within:?}:\n{}", self.log());
        };
        status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {status}\n{}", self.log()))
    }

    /// What it printed on standard output after the first line; the daemon must have ended.
    #[must_use]
    pub fn rest_of_stdout(&mut self) -> String {
        let mut rest = String::new();
        if let Some(stdout) = self.process.child().stdout.as_mut() {
            stdout.read_to_string(&mut rest).unwrap();
        }
        rest
    }
}

/// A program under a limit of descriptors, which the shell sets before it becomes the program.
fn limited(program: &Path, descriptors: Option<u64>) -> Command {
    let Some(most) = descriptors else {
        let mut command = Command::new(program);
        command.arg0("ftp-server");
        return command;
    };
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {most}; exec \"$0\" \"$@\""));
    command.arg(program);
    command
}

/// The daemon as user and group `nobody`, from a copy that everybody can reach.
fn as_nobody(scratch: &Scratch, root: &Path) -> Command {
    const NOBODY: u32 = 65_534;
    let copy = scratch.join("ftp-server");
    fs::copy(program("ftp-server"), &copy).unwrap();
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
    chown(root, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(copy);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// A daemon that refused to start.
#[derive(Debug)]
pub struct Failed {
    /// How it ended.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard error.
    pub log: String,
}

/// Reads `listening on ADDR, ADDR`; `None` if the process ends before.
fn first_line(process: &mut Process) -> Option<Vec<SocketAddr>> {
    let stdout = process.child().stdout.as_mut()?;
    let end = Instant::now() + SOON;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let left = end.saturating_duration_since(Instant::now());
        assert!(readable(stdout, left), "the server says nothing");
        let mut byte = [0];
        if stdout.read(&mut byte).unwrap() == 0 {
            return None;
        }
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).unwrap();
    let addrs = line.trim_end().strip_prefix("listening on ");
    let addrs = addrs.unwrap_or_else(|| panic!("an odd first line: {line:?}"));
    Some(
        addrs
            .split(", ")
            .map(|addr| addr.parse().unwrap())
            .collect(),
    )
}
