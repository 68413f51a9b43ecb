//! A new password: from a person at the terminal, twice, or from standard input. Never from the command line, which
//! everybody on the machine can read.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ftp_access::Password;
use ftp_access::password::{PASSWORD_BYTES, TooLong};
use rustix::process::{Resource, Rlimit, setrlimit};
use signal_hook::consts::SIGINT;

/// Why there is no password. For people.
#[derive(Debug)]
pub(super) enum AskError {
    /// There is no terminal.
    Nobody,
    /// Somebody left it empty. An empty password opens nothing.
    Empty,
    /// The two were not the same.
    Different,
    /// It is longer than is taken.
    TooLong,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// The terminal or standard input failed.
    Input(io::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str(
                "there is no terminal to ask for a password at: give it on standard input, with --password-stdin",
            ),
            Self::Empty => f.write_str("the password is empty: nothing was changed"),
            Self::Different => f.write_str("the two passwords differ: nothing was changed"),
            Self::Interrupted => f.write_str("interrupted: nothing was changed"),
            Self::TooLong => write!(f, "{TooLong}: nothing was changed"),
            Self::Input(error) => write!(f, "no password could be read: {error}"),
        }
    }
}

/// Asks a person, twice, without echo.
///
/// # Errors
/// There is nobody, or no usable answer.
pub(super) fn from_terminal(user: &str) -> Result<Password, AskError> {
    leave_no_core();
    if !io::stderr().is_terminal() {
        return Err(AskError::Nobody);
    }
    let asked = Arc::new(AtomicBool::new(false));
    // While it is asked Ctrl-C must not kill: the terminal would stay as it is, without echo.
    signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&asked))
        .map_err(AskError::Input)?;
    let answer = twice(user);
    asked.store(true, Ordering::SeqCst);
    answer
}

fn twice(user: &str) -> Result<Password, AskError> {
    let ask = |question: String| match rpassword::prompt_password(question) {
        Ok(typed) => Password::new(typed).map_err(|_| AskError::TooLong),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(AskError::Interrupted),
        Err(error) => Err(AskError::Input(error)),
    };
    let first = ask(format!("New password of {}: ", user.escape_debug()))?;
    if first.is_empty() {
        return Err(AskError::Empty);
    }
    let second = ask("The same again: ".to_owned())?;
    if first != second {
        return Err(AskError::Different);
    }
    Ok(first)
}

/// The first line of standard input, without its end.
///
/// # Errors
/// It is empty or too long, or cannot be read.
pub(super) fn from_standard_input() -> Result<Password, AskError> {
    leave_no_core();
    first_line(io::stdin())
}

fn first_line(input: impl AsFd) -> Result<Password, AskError> {
    // Room for all of it from the start, and no buffer beside: a password leaves no copy behind.
    let mut line = vec![0; PASSWORD_BYTES + 2];
    let mut len = 0;
    let end = loop {
        let room = line.get_mut(len..).filter(|room| !room.is_empty());
        let Some(room) = room else {
            break len;
        };
        let got = match rustix::io::read(&input, room) {
            Ok(0) => break len,
            Ok(got) => got,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(AskError::Input(error.into())),
        };
        let from = len;
        len += got;
        let fresh = line.get(from..len).unwrap_or_default();
        if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
            break from + at;
        }
    };
    let text = line.get(..end).unwrap_or_default();
    let end = text.strip_suffix(b"\r").unwrap_or(text).len();
    line.truncate(end);
    let password = Password::new(line).map_err(|_| AskError::TooLong)?;
    if password.is_empty() {
        return Err(AskError::Empty);
    }
    Ok(password)
}

/// A core dump would hold the password: this process leaves none.
fn leave_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Where even this is forbidden, nothing is lost but the precaution.
    let _ = setrlimit(Resource::Core, none);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::thread;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Password, AskError> {
        let (reader, mut writer) = io::pipe().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in pieces {
                    // Nobody reads beyond the first line.
                    let _ = writer.write_all(piece);
                }
            });
            first_line(reader)
        })
    }

    #[test]
    fn the_first_line_counts() {
        let same = |pieces: &[&[u8]], password: &str| {
            assert_eq!(read(pieces).unwrap(), Password::new(password).unwrap());
        };
        same(&[b"correct horse\nsecond\n"], "correct horse");
        same(&[b"correct ", b"horse\r\n"], "correct horse");
        same(&[b" no end "], " no end ");
        let longest = "x".repeat(PASSWORD_BYTES);
        same(&[longest.as_bytes(), b"\r", b"\n"], &longest);
    }

    #[test]
    fn what_is_no_password_is_refused() {
        for nothing in [&[][..], &[&b"\n"[..]], &[&b"\r\nx"[..]]] {
            assert!(matches!(read(nothing), Err(AskError::Empty)));
        }
        let long = [b'x'; PASSWORD_BYTES + 1];
        assert!(matches!(read(&[&long]), Err(AskError::TooLong)));
        assert!(matches!(read(&[&[b'x'; 100_000]]), Err(AskError::TooLong)));
    }
}
