//! Commands that set a time or a mode, and what room there is: MFMT, MFF (draft-somers-ftp-mfxx), SITE UTIME, SITE CHMOD,
//! AVBL (draft-peterson-streamlined-ftp-command-extensions).

use super::command::Argument;
use super::reply::Reply;
use super::step::Step;
use super::time::{self, stamp};
use super::{Rfc959, folder};
use crate::VPath;
use crate::session::DiskOp;

/// What is to be set: time, mode.
type Wanted = (Option<(i64, u32)>, Option<u32>);

impl Rfc959 {
    /// `MFMT time path`.
    pub(super) fn mfmt(&mut self, argument: Argument<'_>) -> Result<(), Reply> {
        let (time, name) = split(argument)?;
        let time = time::parse(time).ok_or_else(no_time)?;
        let path = self.path(name, 550)?;
        let said = said(&path, Some(time), None);
        self.set(path, (Some(time), None), said);
        Ok(())
    }

    /// `MFF Modify=time;UNIX.mode=0644; path`: all of the facts, or none.
    pub(super) fn mff(&mut self, argument: Argument<'_>) -> Result<(), Reply> {
        let (facts, name) = split(argument)?;
        let (mtime, mode) = wanted(facts)?;
        let path = self.path(name, 550)?;
        let said = said(&path, mtime, mode);
        self.set(path, (mtime, mode), said);
        Ok(())
    }

    /// `SITE CHMOD 644 path`, `SITE UTIME time path` and `SITE UTIME path atime mtime ctime UTC`.
    pub(super) fn site(&mut self, argument: Argument<'_>) -> Result<(), Reply> {
        let (verb, rest) = split(argument)
            .map_err(|_| Reply::new(504, "SITE knows CHMOD and UTIME, each with arguments"))?;
        match verb.to_ascii_uppercase().as_str() {
            "CHMOD" => {
                let (mode, name) = split(rest)?;
                let mode = parse_mode(mode)?;
                let path = self.path(name, 550)?;
                self.set(path, (None, Some(mode)), Reply::new(200, "The mode is set"));
            }
            "UTIME" => {
                let (time, name) = utime(rest)?;
                let path = self.path(name, 550)?;
                self.set(path, (Some(time), None), Reply::new(200, "The time is set"));
            }
            _ => return Err(Reply::new(504, "SITE knows CHMOD and UTIME")),
        }
        Ok(())
    }

    /// `AVBL [folder]`: bytes, as a number alone.
    pub(super) fn avbl(&mut self, argument: Argument<'_>) -> Result<(), Reply> {
        let path = self.path(argument, 550)?;
        self.ask(DiskOp::Space { path }, Step::Room);
        Ok(())
    }

    fn set(&mut self, path: VPath, (mtime, mode): Wanted, said: Reply) {
        self.ask(DiskOp::SetMeta { path, mtime, mode }, Step::Say(said));
    }
}

/// What was set, as MFMT and MFF tell it.
fn said(path: &VPath, mtime: Option<(i64, u32)>, mode: Option<u32>) -> Reply {
    let mut facts = String::new();
    if let Some((seconds, nanos)) = mtime {
        facts.push_str(&format!("Modify={};", stamp(seconds, nanos)));
    }
    if let Some(mode) = mode {
        facts.push_str(&format!("UNIX.mode={mode:04o};"));
    }
    Reply::exact(213, format!("{facts} {}", folder::absolute(path)))
}

fn wanted(facts: &str) -> Result<Wanted, Reply> {
    let (mut mtime, mut mode) = (None, None);
    for fact in facts.split(';').filter(|fact| !fact.is_empty()) {
        let (name, value) = fact.split_once('=').unwrap_or((fact, ""));
        if name.eq_ignore_ascii_case("modify") && mtime.is_none() {
            mtime = Some(time::parse(value).ok_or_else(no_time)?);
        } else if name.eq_ignore_ascii_case("unix.mode") && mode.is_none() {
            mode = Some(parse_mode(value)?);
        } else {
            return Err(Reply::new(504, "MFF sets Modify and UNIX.mode, each once"));
        }
    }
    if mtime.is_none() && mode.is_none() {
        return Err(Reply::new(
            501,
            "MFF wants facts: Modify=…; or UNIX.mode=…;",
        ));
    }
    Ok((mtime, mode))
}

/// Octal digits; no set-id and no sticky bit.
fn parse_mode(text: &str) -> Result<u32, Reply> {
    let digits = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits && mode <= 0o777 => Ok(mode),
        Ok(_) | Err(_) => Err(Reply::new(501, "A mode is 0 to 777, in octal")),
    }
}

/// The two ways `SITE UTIME` is in use: the time before the name, or three times and `UTC` behind it.
fn utime(argument: Argument<'_>) -> Result<((i64, u32), Argument<'_>), Reply> {
    let text = argument.text().unwrap_or_default();
    let mut behind = text.rsplitn(5, ' ');
    let zone = behind.next().unwrap_or_default();
    if zone.eq_ignore_ascii_case("UTC")
        && let (Some(_changed), Some(modified), Some(_accessed), Some(name)) =
            (behind.next(), behind.next(), behind.next(), behind.next())
    {
        let time = time::parse(modified).ok_or_else(no_time)?;
        return Ok((time, Argument(name.as_bytes())));
    }
    let (time, name) = split(argument)?;
    Ok((time::parse(time).ok_or_else(no_time)?, name))
}

/// A word, and what stands behind one blank.
fn split(argument: Argument<'_>) -> Result<(&str, Argument<'_>), Reply> {
    let at = argument.0.iter().position(|byte| *byte == b' ');
    let parts = at.and_then(|at| argument.0.split_at_checked(at));
    let (word, rest) = parts.ok_or_else(|| Reply::new(501, "There is an argument missing"))?;
    let rest = Argument(rest.get(1..).unwrap_or_default());
    if rest.is_empty() {
        return Err(Reply::new(501, "There is a name missing"));
    }
    Ok((Argument(word).word(), rest))
}

fn no_time() -> Reply {
    Reply::new(501, "A time is YYYYMMDDHHMMSS, UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_and_small() {
        for (text, mode) in [("644", 0o644), ("0644", 0o644), ("0", 0), ("00777", 0o777)] {
            assert_eq!(parse_mode(text).unwrap(), mode, "{text}");
        }
        for text in ["", "8", "1777", "+644", "u+x", "00000644", "-1"] {
            assert!(parse_mode(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn utime_is_read_both_ways() {
        for (text, name) in [
            ("20260102030405 a b", "a b"),
            ("202601020304 a", "a"),
            (
                "a b 19990101000000 20260102030405 19990101000000 UTC",
                "a b",
            ),
        ] {
            let ((seconds, _), rest) = utime(Argument(text.as_bytes())).unwrap();
            assert!((1_767_323_040..=1_767_323_045).contains(&seconds), "{text}");
            assert_eq!(rest.text(), Ok(name), "{text}");
        }
        for text in ["", "a", "20260102030405", "x a", "a 1 2 3 UTC"] {
            assert!(utime(Argument(text.as_bytes())).is_err(), "{text:?}");
        }
    }
}
