//! What a line asks for: the verb, its argument, and the table of all verbs.

use super::line::Line;

/// A verb that is understood, if only to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Abor,
    Quit,
    Enter(Enter),
    Meet(Meet),
    Move(Move),
    Name(Name),
    Tell(Tell),
}

/// Verbs about who the client is, and how the connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enter {
    Acct,
    Auth,
    Ccc,
    Host,
    Pass,
    Pbsz,
    Prot,
    Rein,
    User,
}

/// Verbs about where the data connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meet {
    Eprt,
    Epsv,
    Pasv,
    Port,
}

/// Verbs about what goes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Appe,
    List,
    Mlsd,
    Nlst,
    Retr,
    Stor,
    Stou,
}

/// Verbs about what is done with names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Avbl,
    Cdup,
    Cwd,
    Dele,
    Hash,
    Mdtm,
    Mff,
    Mfmt,
    Mkd,
    Mlst,
    Pwd,
    Rmd,
    Rnfr,
    Rnto,
    Site,
    Size,
    Stat,
    Xcrc,
    Xmd5,
    Xsha256,
}

/// Verbs about what is told and set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    Allo,
    Clnt,
    Feat,
    Help,
    Lang,
    Mode,
    Noop,
    Opts,
    Rang,
    Rest,
    Stru,
    Syst,
    Type,
}

/// When a verb is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Also before the login.
    Always,
    /// Only after it.
    LoggedIn,
}

#[derive(Debug)]
/// A verb's row: how it is written, what it is, when it is taken, whether it needs an argument.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) verb: Verb,
    pub(super) when: When,
    pub(super) argument: bool,
}

const fn row(name: &'static str, verb: Verb, when: When, argument: bool) -> Row {
    Row {
        name,
        verb,
        when,
        argument,
    }
}

/// Every verb, in the order `HELP` shows them.
pub(super) const TABLE: &[Row] = &[
    row("ABOR", Verb::Abor, When::LoggedIn, false),
    row("ACCT", Verb::Enter(Enter::Acct), When::Always, false),
    row("ALLO", Verb::Tell(Tell::Allo), When::LoggedIn, true),
    row("APPE", Verb::Move(Move::Appe), When::LoggedIn, true),
    row("AUTH", Verb::Enter(Enter::Auth), When::Always, true),
    row("AVBL", Verb::Name(Name::Avbl), When::LoggedIn, false),
    row("CCC", Verb::Enter(Enter::Ccc), When::Always, false),
    row("CDUP", Verb::Name(Name::Cdup), When::LoggedIn, false),
    row("CLNT", Verb::Tell(Tell::Clnt), When::Always, false),
    row("CWD", Verb::Name(Name::Cwd), When::LoggedIn, false),
    row("DELE", Verb::Name(Name::Dele), When::LoggedIn, true),
    row("EPRT", Verb::Meet(Meet::Eprt), When::LoggedIn, true),
    row("EPSV", Verb::Meet(Meet::Epsv), When::LoggedIn, false),
    row("FEAT", Verb::Tell(Tell::Feat), When::Always, false),
    row("HASH", Verb::Name(Name::Hash), When::LoggedIn, true),
    row("HELP", Verb::Tell(Tell::Help), When::Always, false),
    row("HOST", Verb::Enter(Enter::Host), When::Always, true),
    row("LANG", Verb::Tell(Tell::Lang), When::Always, false),
    row("LIST", Verb::Move(Move::List), When::LoggedIn, false),
    row("MDTM", Verb::Name(Name::Mdtm), When::LoggedIn, true),
    row("MFF", Verb::Name(Name::Mff), When::LoggedIn, true),
    row("MFMT", Verb::Name(Name::Mfmt), When::LoggedIn, true),
    row("MKD", Verb::Name(Name::Mkd), When::LoggedIn, true),
    row("MLSD", Verb::Move(Move::Mlsd), When::LoggedIn, false),
    row("MLST", Verb::Name(Name::Mlst), When::LoggedIn, false),
    row("MODE", Verb::Tell(Tell::Mode), When::LoggedIn, true),
    row("NLST", Verb::Move(Move::Nlst), When::LoggedIn, false),
    row("NOOP", Verb::Tell(Tell::Noop), When::Always, false),
    row("OPTS", Verb::Tell(Tell::Opts), When::Always, true),
    row("PASS", Verb::Enter(Enter::Pass), When::Always, false),
    row("PASV", Verb::Meet(Meet::Pasv), When::LoggedIn, false),
    row("PBSZ", Verb::Enter(Enter::Pbsz), When::Always, true),
    row("PORT", Verb::Meet(Meet::Port), When::LoggedIn, true),
    row("PROT", Verb::Enter(Enter::Prot), When::Always, true),
    row("PWD", Verb::Name(Name::Pwd), When::LoggedIn, false),
    row("QUIT", Verb::Quit, When::Always, false),
    row("RANG", Verb::Tell(Tell::Rang), When::LoggedIn, true),
    row("REIN", Verb::Enter(Enter::Rein), When::Always, false),
    row("REST", Verb::Tell(Tell::Rest), When::LoggedIn, true),
    row("RETR", Verb::Move(Move::Retr), When::LoggedIn, true),
    row("RMD", Verb::Name(Name::Rmd), When::LoggedIn, true),
    row("RNFR", Verb::Name(Name::Rnfr), When::LoggedIn, true),
    row("RNTO", Verb::Name(Name::Rnto), When::LoggedIn, true),
    row("SITE", Verb::Name(Name::Site), When::LoggedIn, true),
    row("SIZE", Verb::Name(Name::Size), When::LoggedIn, true),
    row("STAT", Verb::Name(Name::Stat), When::LoggedIn, false),
    row("STOR", Verb::Move(Move::Stor), When::LoggedIn, true),
    row("STOU", Verb::Move(Move::Stou), When::LoggedIn, false),
    row("STRU", Verb::Tell(Tell::Stru), When::LoggedIn, true),
    row("SYST", Verb::Tell(Tell::Syst), When::Always, false),
    row("TYPE", Verb::Tell(Tell::Type), When::LoggedIn, true),
    row("USER", Verb::Enter(Enter::User), When::Always, true),
    row("XCRC", Verb::Name(Name::Xcrc), When::LoggedIn, true),
    row("XCUP", Verb::Name(Name::Cdup), When::LoggedIn, false),
    row("XCWD", Verb::Name(Name::Cwd), When::LoggedIn, false),
    row("XMD5", Verb::Name(Name::Xmd5), When::LoggedIn, true),
    row("XMKD", Verb::Name(Name::Mkd), When::LoggedIn, true),
    row("XPWD", Verb::Name(Name::Pwd), When::LoggedIn, false),
    row("XRMD", Verb::Name(Name::Rmd), When::LoggedIn, true),
    row("XSHA256", Verb::Name(Name::Xsha256), When::LoggedIn, true),
];

/// A line, read.
#[derive(Debug)]
pub(super) enum Command<'a> {
    /// Nothing but an end of line.
    Empty,
    /// A request of HTTP: somebody's browser is being misused (ALPACA, CVE-2021-3618).
    Http,
    /// No verb of ours.
    Unknown,
    /// More than a line may be.
    TooLong,
    /// A verb, and what stands behind it.
    Known(&'static Row, Argument<'a>),
}

/// What stands behind the verb and one space; bytes, because a password need not be text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument<'a>(pub(super) &'a [u8]);

/// Why an argument is no text that could stand in a reply or a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotText {
    /// Not UTF-8 (RFC 2640).
    Encoding,
    /// NUL or CR.
    Control,
}

impl<'a> Argument<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The argument as text, blanks and all.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn text(self) -> Result<&'a str, NotText> {
        if self.0.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(NotText::Control);
        }
        std::str::from_utf8(self.0).map_err(|_| NotText::Encoding)
    }

    /// The argument as a word of the protocol: trimmed, and empty if it is no text.
    pub(super) fn word(self) -> &'a str {
        self.text().unwrap_or_default().trim()
    }
}

/// Methods of HTTP that are no verbs of FTP.
const HTTP: [&str; 9] = [
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE",
];

/// Reads a line.
pub(super) fn parse(line: &Line) -> Command<'_> {
    if line.is_too_long() {
        return Command::TooLong;
    }
    let bytes = line.0.as_slice();
    if bytes.iter().all(|byte| matches!(byte, b' ' | b'\r')) {
        return Command::Empty;
    }
    let end = bytes.iter().position(|byte| *byte == b' ');
    let (verb, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    let argument = Argument(rest.get(1..).unwrap_or_default());
    let is = |name: &&str| verb.eq_ignore_ascii_case(name.as_bytes());
    if HTTP.iter().any(is) {
        return Command::Http;
    }
    match TABLE.iter().find(|row| is(&row.name)) {
        Some(row) => Command::Known(row, argument),
        None => Command::Unknown,
    }
}

/// The verb of a line, if it is one, and whether anything stands behind it.
pub(super) fn verb(line: &Line) -> Option<(Verb, bool)> {
    match parse(line) {
        Command::Known(row, argument) => Some((row.verb, !argument.is_empty())),
        Command::Empty | Command::Http | Command::Unknown | Command::TooLong => None,
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn line(text: &[u8]) -> Line {
        Line(Zeroizing::new(text.to_vec()))
    }

    #[test]
    fn one_blank_parts_verb_and_argument() {
        for (text, verb, rest) in [
            ("retr a", Verb::Move(Move::Retr), "a"),
            ("RETR  a ", Verb::Move(Move::Retr), " a "),
            ("XPWD", Verb::Name(Name::Pwd), ""),
            ("PASS ", Verb::Enter(Enter::Pass), ""),
        ] {
            let line = line(text.as_bytes());
            let Command::Known(row, argument) = parse(&line) else {
                panic!("{text}");
            };
            assert_eq!((row.verb, argument.text()), (verb, Ok(rest)), "{text}");
        }
    }

    #[test]
    fn what_is_no_verb_is_none() {
        assert!(matches!(parse(&line(b"")), Command::Empty));
        assert!(matches!(parse(&line(b"  ")), Command::Empty));
        assert!(matches!(parse(&line(b"GET / HTTP/1.1")), Command::Http));
        assert!(matches!(parse(&line(b"post /")), Command::Http));
        assert!(matches!(parse(&line(b"GETX")), Command::Unknown));
        assert!(matches!(parse(&line(b" NOOP")), Command::Unknown));
        assert!(matches!(parse(&line(b"Host: x")), Command::Unknown));
        assert!(matches!(parse(&line(b"\x16\x03\x01")), Command::Unknown));
    }

    #[test]
    fn an_argument_is_text_or_says_why_not() {
        assert_eq!(Argument(b"\xfc").text(), Err(NotText::Encoding));
        assert_eq!(Argument(b"a\0").text(), Err(NotText::Control));
        assert_eq!(Argument(b"a\rb").text(), Err(NotText::Control));
        assert_eq!(Argument("ü".as_bytes()).text(), Ok("ü"));
    }

    #[test]
    fn the_table_is_sorted_and_each_name_is_short() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        assert!(TABLE.iter().all(|row| row.name.len() <= 7));
    }
}
