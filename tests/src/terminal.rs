//! A program at a terminal, which `script(1)` makes; what it asks is waited for, and answered.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::deadline::SOON;
use crate::process::Process;

/// A program that believes a person sits before it.
pub struct Terminal {
    process: Process,
    input: ChildStdin,
    hears: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// Starts a command line of the shell, with these variables besides; `None` where there is no `script(1)`.
    #[must_use]
    pub fn start<V: AsRef<OsStr>>(line: &str, env: &[(&str, V)]) -> Option<Self> {
        let there = Command::new("script")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        there.ok()?;
        let mut command = Command::new("script");
        command.args(["-qefc", line, "/dev/null"]);
        for (name, value) in env {
            command.env(name, value);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Process::spawn(&mut command);
        let input = process.child().stdin.take().unwrap();
        let mut output = process.child().stdout.take().unwrap();
        let (said, hears) = mpsc::channel();
        thread::spawn(move || {
            let mut buf = [0; 1024];
            while let Ok(len @ 1..) = output.read(&mut buf) {
                if said.send(buf[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            process,
            input,
            hears,
            shown: String::new(),
        })
    }

    /// Waits until the screen shows this, and types a line. It may be echoed: a question is often shown before the echo is off.
    ///
    /// # Panics
    /// If it is not shown within [`SOON`].
    pub fn answer(&mut self, question: &str, line: &str) {
        self.press(question, &format!("{line}\n"));
    }

    /// As [`Terminal::answer`], with these keys alone: `\u{3}` is Ctrl-C.
    ///
    /// # Panics
    /// If it is not shown within [`SOON`].
    pub fn press(&mut self, question: &str, keys: &str) {
        while !self.shown.contains(question) {
            let more = self.hears.recv_timeout(SOON).expect(&self.shown);
            self.shown += &String::from_utf8_lossy(&more);
        }
        // Only what comes after it can be the next question.
        self.shown = self
            .shown
            .split_off(self.shown.find(question).unwrap() + question.len());
        self.input.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end: how it ended, and what was shown after the last answer.
    ///
    /// # Panics
    /// If it does not end within [`SOON`].
    #[must_use]
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = self.process.wait(SOON).expect("it ends");
        for more in &self.hears {
            self.shown += &String::from_utf8_lossy(&more);
        }
        (status, self.shown)
    }
}
