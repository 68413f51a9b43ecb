//! A question to a person at the terminal that a line answers; shown while it is typed, or hidden.
//!
//! Ctrl-C or another signal ends it at once: nobody has to answer before they may go. The terminal is left as it was.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::fd::AsFd;

use ftp_proto::Secret;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use crate::cancel::Cancel;
use crate::error::{Error, Result, plain};

/// Most bytes of an answer.
const ANSWER_BYTES: u64 = 1024;
/// Most bytes of a hidden one: a terminal gives no longer line.
const HIDDEN_BYTES: usize = 4096;

/// What was typed, with the end of its line.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::Local`] if the terminal fails.
pub(super) fn ask(question: &str, cancel: &Cancel) -> Result<String> {
    cancel.check()?;
    let mut stderr = io::stderr().lock();
    stderr
        .write_all(question.as_bytes())
        .and_then(|()| stderr.flush())
        .map_err(|error| Error::local("ask", error))?;
    let stdin = io::stdin().lock();
    // A terminal gives whole lines, one a read: what is in the buffer is never the answer to the next question.
    wait(&stdin, cancel)?;
    let mut answer = String::new();
    stdin
        .take(ANSWER_BYTES)
        .read_line(&mut answer)
        .map_err(|error| Error::local("read an answer", error))?;
    Ok(answer)
}

/// What was typed at the controlling terminal while it showed nothing, without the end of its line.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::Usage`] if there is no terminal, or nothing was typed.
pub(super) fn ask_hidden(question: &str, cancel: &Cancel) -> Result<Secret> {
    cancel.check()?;
    let failed = |error: io::Error| {
        let why = plain(&error);
        Error::Usage(format!("no password could be asked for: {why}"))
    };
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let terminal = terminal.map_err(failed)?;
    let mut hidden = Hidden::new(&terminal).map_err(|error| failed(error.into()))?;
    (&terminal).write_all(question.as_bytes()).map_err(failed)?;
    wait(&terminal, cancel)?;
    let mut typed = vec![0; HIDDEN_BYTES];
    let len = (&terminal).read(&mut typed).map_err(failed)?;
    hidden.answered = true;
    typed.truncate(len);
    if typed.pop_if(|last| *last == b'\n').is_none() {
        let end = io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal ended");
        return Err(failed(end));
    }
    Ok(Secret::new(typed))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
    answered: bool,
}

impl<'a> Hidden<'a> {
    fn new(terminal: &'a File) -> rustix::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        // The end of the line alone is shown.
        let line = LocalModes::ECHONL | LocalModes::ICANON;
        modes.local_modes.insert(line);
        // No Ctrl-Z: a shell that takes over meanwhile may have it shown afterwards.
        modes.special_codes[SpecialCodeIndex::VSUSP] = 0;
        tcsetattr(terminal, OptionalActions::Now, &modes)?;
        Ok(Self {
            terminal,
            before,
            answered: false,
        })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // Where it was not answered, what is typed so far must not become the shell's next line.
        let when = if self.answered {
            OptionalActions::Now
        } else {
            OptionalActions::Flush
        };
        // There is nothing else to be done for a terminal that is gone.
        let _ = tcsetattr(self.terminal, when, &self.before);
        if !self.answered {
            let _ = (&mut &*self.terminal).write_all(b"\n");
        }
    }
}

/// Waits for a line, or for the switch.
fn wait(terminal: &impl AsFd, cancel: &Cancel) -> Result<()> {
    loop {
        let mut fds = [
            PollFd::new(terminal, PollFlags::IN),
            PollFd::from_borrowed_fd(cancel.fd(), PollFlags::IN),
        ];
        let ready = poll(&mut fds, None);
        cancel.check()?;
        match ready {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Error::local("wait for an answer", io::Error::from(error))),
        }
    }
}
