//! Commands that tell about the server and set how it talks: FEAT, OPTS (RFC 2389), HELP, SYST, STAT, LANG
//! (RFC 2640), TYPE, MODE, STRU, REST, ALLO.

use super::command::{Argument, TABLE};
use super::listing::Facts;
use super::reply::Reply;
use super::task::Task;
use super::{Rfc959, Security, folder};

/// Verbs a line of `HELP`.
const HELP_COLUMNS: usize = 8;

impl Rfc959 {
    /// `FEAT` (RFC 2389, section 3).
    pub(super) fn feat(&self) -> Reply {
        let mut lines: Vec<String> = Vec::new();
        if self.fx.config.tls != Security::Off {
            lines.extend(["AUTH TLS".into(), "PBSZ".into(), "PROT".into()]);
        }
        let fixed = [
            "AVBL",
            "CLNT",
            "EPRT",
            "EPSV",
            "HOST",
            "LANG EN*",
            "MDTM",
            "MFF Modify;UNIX.mode;",
            "MFMT",
            "REST STREAM",
            "SITE CHMOD;UTIME",
            "SIZE",
            "TVFS",
            "UTF8",
            "XCRC",
            "XMD5",
            "XSHA256",
        ];
        lines.extend(fixed.map(String::from));
        lines.push(format!("HASH {}", self.settings.hash.feature()));
        lines.push(format!("MLST {}", self.settings.facts.names("*")));
        lines.sort_unstable();
        Reply::lines(211, "Features:", lines, "End")
    }

    /// `OPTS` (RFC 2389, section 4).
    pub(super) fn opts(&mut self, argument: Argument<'_>) -> Reply {
        let word = argument.word();
        let (name, value) = word.split_once(' ').unwrap_or((word, ""));
        match name.to_ascii_uppercase().as_str() {
            "UTF8" | "UTF-8" => match value.trim().to_ascii_uppercase().as_str() {
                "" | "ON" | "NLST" => Reply::new(200, "Names are UTF-8"),
                _ => Reply::new(501, "Names are UTF-8, always"),
            },
            "HASH" => self.opts_hash(value.trim()),
            "MLST" => {
                self.settings.facts = Facts::parse(value.trim());
                let names = self.settings.facts.names("");
                Reply::new(200, format!("MLST OPTS {names}").trim_end().to_owned())
            }
            _ => Reply::new(501, "OPTS knows UTF8, MLST and HASH"),
        }
    }

    /// `HELP` (RFC 959, section 4.1.3).
    pub(super) fn help() -> Reply {
        let rows = TABLE.chunks(HELP_COLUMNS).map(|rows| {
            let names: Vec<String> = rows.iter().map(|row| format!("{:<8}", row.name)).collect();
            names.concat().trim_end().to_owned()
        });
        Reply::lines(214, "Commands:", rows, "What each does is in RFC959.md")
    }

    /// `STAT` without a path, in mid-transfer too.
    pub(super) fn status(&self) -> Reply {
        let config = &self.fx.config;
        let user = self.access.user().unwrap_or("nobody");
        let secured = if self.phase.secured {
            "within TLS"
        } else {
            "in plain"
        };
        let transfer = match &self.task {
            Task::Transfer(transfer) => transfer.describe(),
            Task::None
            | Task::Login
            | Task::Tls
            | Task::Listen
            | Task::Disk(..)
            | Task::Show(_) => "No transfer is under way".to_owned(),
        };
        let lines = [
            format!("Logged in as {user}, {secured}"),
            format!("Working folder {}", folder::absolute(&self.settings.here)),
            format!(
                "TYPE {}, MODE S, STRU F",
                if self.settings.ascii { "A" } else { "I" }
            ),
            transfer,
        ];
        Reply::lines(
            211,
            format!("{} status:", config.server),
            lines,
            "End of status",
        )
    }

    /// `LANG` (RFC 2640, section 4.1).
    pub(super) fn lang(argument: Argument<'_>) -> Reply {
        match argument.word().to_ascii_lowercase().as_str() {
            "" | "en" | "en-us" | "en-gb" => Reply::new(200, "The language is English"),
            _ => Reply::new(504, "The language is English: LANG EN"),
        }
    }

    /// `TYPE` (RFC 959, section 3.1.1). ASCII is taken, because clients want it for listings; files go as
    /// they are, as with most servers on Unix, and 150 says so.
    pub(super) fn r#type(&mut self, argument: Argument<'_>) -> Reply {
        let word = argument.word().to_ascii_uppercase();
        let mut parts = word.split_ascii_whitespace();
        match (parts.next(), parts.next(), parts.next()) {
            (Some("I"), None, _) | (Some("L"), Some("8"), None) | (Some("L8"), None, _) => {
                self.settings.ascii = false;
                Reply::new(200, "TYPE I: files go as they are")
            }
            (Some("A"), None | Some("N"), None) => {
                self.settings.ascii = true;
                Reply::new(200, "TYPE A for listings; files go as they are")
            }
            (Some("A" | "E" | "L"), _, _) => Reply::new(504, "TYPE knows A, A N, I and L 8"),
            _ => Reply::new(501, "TYPE knows A, A N, I and L 8"),
        }
    }

    /// `MODE` (RFC 959, section 3.4).
    pub(super) fn mode(argument: Argument<'_>) -> Reply {
        one_of(argument, "S", &["B", "C", "Z"], "MODE is S: a stream")
    }

    /// `STRU` (RFC 959, section 3.1.2).
    pub(super) fn stru(argument: Argument<'_>) -> Reply {
        one_of(argument, "F", &["R", "P"], "STRU is F: a file")
    }

    /// `REST` (RFC 3659, section 5).
    pub(super) fn rest(&mut self, argument: Argument<'_>) -> Reply {
        let word = argument.word();
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        // No file is longer than `off_t` can say.
        let offset = word
            .parse()
            .ok()
            .filter(|at| digits && i64::try_from(*at).is_ok());
        match offset {
            Some(offset) => {
                self.settings.rest = offset;
                Reply::new(350, format!("The next transfer begins at {offset}"))
            }
            None => Reply::new(501, "REST wants a number of bytes"),
        }
    }
}

fn one_of(argument: Argument<'_>, ours: &str, known: &[&str], words: &str) -> Reply {
    let word = argument.word().to_ascii_uppercase();
    if word == ours {
        Reply::new(200, words)
    } else if known.contains(&word.as_str()) {
        Reply::new(504, words)
    } else {
        Reply::new(501, words)
    }
}
