//! A question to a person at the terminal that a line answers.
//!
//! Ctrl-C ends it at once: nobody has to answer before they may go.

use std::io::{self, BufRead as _, Read as _, Write as _};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// Most bytes of an answer.
const ANSWER_BYTES: u64 = 1024;

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
    loop {
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::from_borrowed_fd(cancel.fd(), PollFlags::IN),
        ];
        let ready = poll(&mut fds, None);
        cancel.check()?;
        match ready {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(Error::local("wait for an answer", io::Error::from(error))),
        }
    }
    let mut answer = String::new();
    stdin
        .take(ANSWER_BYTES)
        .read_line(&mut answer)
        .map_err(|error| Error::local("read an answer", error))?;
    Ok(answer)
}
