//! Each command's beginning: who may give it, when, with what; the work itself is done elsewhere.

use std::net::SocketAddr;
use std::time::Instant;

use super::command::{
    self, Argument, Command, Enter, Meet, Move, Name, NotText, Row, Tell, Verb, When,
};
use super::data::Data;
use super::download::Download;
use super::hash::Hash;
use super::line::Line;
use super::listing::Format;
use super::pages::Pages;
use super::ports::{self, Passive};
use super::reply::{self, Reply};
use super::step::Step;
use super::task::Task;
use super::transfer::What;
use super::upload::Upload;
use super::{Rfc959, folder};
use crate::session::{Algorithm, Start};
use crate::{Kind, VPath};

/// What `STOU` varies where no name was given.
const UNNAMED: Argument<'static> = Argument(b"upload");

/// What a command answers at once; `None` if its reply comes later.
type Begun = Result<Option<Reply>, Reply>;

impl Rfc959 {
    /// Begins a command. Says whether it was one.
    pub(super) fn execute(&mut self, line: &Line, now: Instant) -> bool {
        match command::parse(line) {
            Command::Empty => return false,
            Command::Http => {
                let words = "This is FTP; whoever speaks HTTP here was misled";
                self.fx.reply(&Reply::new(421, words));
                self.end(true, "the client speaks HTTP", now);
            }
            Command::Unknown => {
                self.wrong(&Reply::new(500, "No such command; HELP lists them"), now)
            }
            Command::TooLong => self.wrong(&Reply::new(500, "The line is too long"), now),
            Command::Known(row, argument) => self.known(row, argument, now),
        }
        true
    }

    /// A command that is none, or is not one now. Before the login, few of those are taken.
    fn wrong(&mut self, reply: &Reply, now: Instant) {
        self.fx.reply(reply);
        if self.access.is_admitted() {
            return;
        }
        self.access.wrong_commands += 1;
        if self.access.wrong_commands >= self.fx.config.limits.wrong_commands {
            self.fx
                .reply(&Reply::new(421, "Too many commands out of place: goodbye"));
            self.end(true, "too many commands out of place before a login", now);
        }
    }

    fn known(&mut self, row: &Row, argument: Argument<'_>, now: Instant) {
        if row.when == When::LoggedIn && !self.access.is_admitted() {
            return self.wrong(&Reply::new(530, "Log in first: USER and PASS"), now);
        }
        if row.argument && argument.is_empty() {
            return self.wrong(
                &Reply::new(501, format!("{} wants an argument", row.name)),
                now,
            );
        }
        if row.verb != Verb::Name(Name::Rnto) {
            self.settings.rename_from = None;
        }
        let begun = match row.verb {
            Verb::Quit => {
                self.fx.reply(&Reply::new(221, "Goodbye"));
                return self.end(true, "the client said goodbye", now);
            }
            // What was under way has ended when it was heard.
            Verb::Abor => {
                self.data.drop(&mut self.fx);
                Ok(Some(Reply::new(226, "Nothing is under way any more")))
            }
            Verb::Enter(verb) => Ok(self.begin_entering(verb, argument)),
            Verb::Meet(verb) => self.begin_meeting(verb, argument),
            Verb::Move(verb) => self.begin_moving(verb, argument, now).inspect_err(|_| {
                // No client waits for what will not come, and none takes its end for an empty file.
                self.data.drop(&mut self.fx);
            }),
            Verb::Name(verb) => self.begin_naming(verb, argument),
            Verb::Tell(verb) => Ok(Some(self.begin_telling(verb, argument))),
        };
        match begun {
            Ok(None) => {}
            Ok(Some(reply)) | Err(reply) => self.fx.reply(&reply),
        }
        self.begin_tls();
    }

    fn begin_entering(&mut self, verb: Enter, argument: Argument<'_>) -> Option<Reply> {
        Some(match verb {
            Enter::User => self.user(argument),
            Enter::Pass => return self.pass(argument),
            Enter::Acct => Reply::new(502, "There are no accounts beside users"),
            Enter::Rein => self.rein(),
            Enter::Host => self.host(argument),
            Enter::Auth => self.auth(argument),
            Enter::Pbsz => self.pbsz(argument),
            Enter::Prot => self.prot(argument),
            // RFC 4217, section 6: it would take the protection away from what follows.
            Enter::Ccc => Reply::new(534, "The control connection stays within TLS"),
        })
    }

    fn begin_meeting(&mut self, verb: Meet, argument: Argument<'_>) -> Begun {
        let word = argument.word();
        if verb == Meet::Epsv && word.eq_ignore_ascii_case("ALL") {
            self.settings.epsv_all = true;
            return Ok(Some(Reply::new(200, "EPSV from now on")));
        }
        if self.settings.epsv_all && verb != Meet::Epsv {
            return Err(Reply::new(503, "After EPSV ALL there is only EPSV"));
        }
        if matches!(verb, Meet::Port | Meet::Eprt) && !self.fx.config.active {
            let words = "This server connects to no client; use EPSV or PASV";
            return Err(Reply::new(500, words));
        }
        let malformed = || Reply::new(501, "PORT wants h1,h2,h3,h4,p1,p2");
        match verb {
            Meet::Port => self.meet_at(ports::parse_port(word).ok_or_else(malformed)?),
            Meet::Eprt => self.meet_at(ports::parse_eprt(word)?),
            Meet::Epsv => {
                ports::check_epsv(word, self.peer)?;
                Ok(self.open_port(Passive::Epsv))
            }
            Meet::Pasv => Ok(self.open_port(Passive::Pasv)),
        }
    }

    fn meet_at(&mut self, target: SocketAddr) -> Begun {
        ports::check_target(target, self.peer)?;
        self.data.drop(&mut self.fx);
        self.data = Data::Active(target);
        Ok(Some(Reply::new(200, "The server will connect there")))
    }

    fn open_port(&mut self, how: Passive) -> Option<Reply> {
        self.data.drop(&mut self.fx);
        self.fx.listen();
        self.data = Data::Asked(how);
        self.task = Task::Listen;
        None
    }

    fn begin_moving(&mut self, verb: Move, argument: Argument<'_>, now: Instant) -> Begun {
        let offset = std::mem::take(&mut self.settings.rest);
        if self.settings.range.take().is_some() {
            return Err(Reply::new(
                504,
                "RANG is for HASH; REST says where a transfer begins",
            ));
        }
        let ascii = self.settings.ascii;
        let (path, what) = match verb {
            Move::List => self.listing(without_options(argument)?, Format::Long)?,
            Move::Nlst => self.listing(without_options(argument)?, Format::Names)?,
            Move::Mlsd => self.listing(argument, Format::Facts(self.settings.facts))?,
            Move::Retr => {
                let path = self.path(argument, 550)?;
                let download = Download::new(path.clone(), offset, ascii);
                (path, What::Download(download))
            }
            Move::Stor | Move::Appe => {
                self.check_writable()?;
                let path = self.path(argument, 553)?;
                let start = self.start(verb == Move::Appe, &path, offset)?;
                let digesting = self.fx.config.digesting;
                let upload = Upload::new(path.clone(), start, digesting, ascii);
                (path, What::Upload(upload))
            }
            Move::Stou => {
                self.check_writable()?;
                if offset > 0 {
                    return Err(Reply::new(504, "STOU begins a new file; REST is for STOR"));
                }
                let named = !argument.is_empty();
                let path = self.path(if named { argument } else { UNNAMED }, 553)?;
                let digesting = self.fx.config.digesting;
                let upload = Upload::unique(path.clone(), digesting, ascii);
                (path, What::Upload(upload))
            }
        };
        self.begin_transfer(path, what, now).map(|()| None)
    }

    fn listing(&self, argument: Argument<'_>, format: Format) -> Result<(VPath, What), Reply> {
        let path = self.path(argument, 550)?;
        Ok((path.clone(), What::Listing(Pages::new(path, format))))
    }

    /// Where an upload begins. What `SIZE` told before it holds no longer.
    fn start(&mut self, appends: bool, path: &VPath, offset: u64) -> Result<Start, Reply> {
        let told = self.settings.told.take();
        if !appends {
            return Ok(Start::At(offset));
        }
        if offset > 0 {
            return Err(Reply::new(
                504,
                "APPE begins at the end; REST says where STOR begins",
            ));
        }
        let told = told.filter(|(about, _)| about == path);
        Ok(Start::End {
            told: told.map(|(_, len)| len),
        })
    }

    /// The folder that `RMD` names. That of the root is no question of rights.
    fn removable(&self, argument: Argument<'_>) -> Result<VPath, Reply> {
        let path = self.path(argument, 550)?;
        if path.is_root() {
            return Err(Reply::new(550, "The root cannot be removed"));
        }
        Ok(path)
    }

    fn begin_naming(&mut self, verb: Name, argument: Argument<'_>) -> Begun {
        let changes = matches!(
            verb,
            Name::Mkd
                | Name::Rmd
                | Name::Dele
                | Name::Rnfr
                | Name::Rnto
                | Name::Mff
                | Name::Mfmt
                | Name::Site
        );
        if changes {
            self.check_writable()?;
            self.settings.told = None;
        }
        match verb {
            Name::Pwd => return Ok(Some(self.pwd())),
            Name::Stat if argument.is_empty() => return Ok(Some(self.status())),
            Name::Stat => {
                let path = self.path(without_options(argument)?, 550)?;
                self.show(path);
            }
            Name::Cdup => {
                let path = self.path(Argument(b".."), 550)?;
                self.look(path.clone(), Step::Enter(path));
            }
            Name::Cwd => {
                let path = self.path(argument, 550)?;
                self.look(path.clone(), Step::Enter(path));
            }
            Name::Mkd => {
                let path = self.path(argument, 553)?;
                self.mkd(path);
            }
            Name::Rmd => {
                let path = self.removable(argument)?;
                self.look(path.clone(), Step::Remove(path, Kind::Dir));
            }
            Name::Dele => {
                let path = self.path(argument, 550)?;
                self.look(path.clone(), Step::Remove(path, Kind::File));
            }
            Name::Rnfr => {
                let path = self.path(argument, 550)?;
                self.look(path.clone(), Step::RenameFrom(path));
            }
            Name::Rnto => {
                let Some(from) = self.settings.rename_from.take() else {
                    return Err(Reply::new(503, "RNFR first"));
                };
                let to = self.path(argument, 553)?;
                self.rnto(from, to);
            }
            Name::Size => self.size(self.path(argument, 550)?),
            Name::Mdtm => self.look(self.path(argument, 550)?, Step::Time),
            Name::Mlst => {
                let path = self.path(argument, 550)?;
                self.look(path.clone(), Step::Facts(path));
            }
            Name::Site => self.site(argument)?,
            Name::Mfmt => self.mfmt(argument)?,
            Name::Mff => self.mff(argument)?,
            Name::Avbl => self.avbl(argument)?,
            Name::Hash => self.hash(self.path(argument, 550)?),
            Name::Xsha256 => self.xsum(argument, Hash::Sha256)?,
            Name::Xcrc => self.xsum(argument, Hash::Other(Algorithm::Crc32))?,
            Name::Xmd5 => self.xsum(argument, Hash::Other(Algorithm::Md5))?,
        }
        Ok(None)
    }

    fn begin_telling(&mut self, verb: Tell, argument: Argument<'_>) -> Reply {
        match verb {
            Tell::Type => self.r#type(argument),
            Tell::Mode => Self::mode(argument),
            Tell::Stru => Self::stru(argument),
            Tell::Rest => self.rest(argument),
            Tell::Rang => self.rang(argument),
            Tell::Allo => Reply::new(202, "Room is made as it is needed"),
            Tell::Feat => self.feat(),
            Tell::Opts => self.opts(argument),
            Tell::Help => Self::help(),
            Tell::Syst => Reply::new(215, "UNIX Type: L8"),
            Tell::Noop => Reply::new(200, "Here"),
            Tell::Clnt => Reply::new(200, "Noted"),
            Tell::Lang => Self::lang(argument),
        }
    }

    /// The path an argument means; `code` is said where it cannot be one.
    pub(super) fn path(&self, argument: Argument<'_>, code: u16) -> Result<VPath, Reply> {
        let text = argument.text().map_err(|why| match why {
            NotText::Encoding => Reply::new(501, "Names are UTF-8, and this is not"),
            NotText::Control => Reply::new(501, "A name holds neither NUL nor CR"),
        })?;
        folder::resolve(&self.settings.here, text).map_err(|error| reply::bad_path(code, &error))
    }

    pub(super) fn check_writable(&self) -> Result<(), Reply> {
        if self.fx.config.read_only {
            return Err(Reply::new(550, "This server takes no changes"));
        }
        Ok(())
    }
}

/// `LIST -la folder`: options of `ls` change nothing, but what is not done must not look as if it were.
fn without_options(argument: Argument<'_>) -> Result<Argument<'_>, Reply> {
    let mut rest = argument.0;
    while rest.first() == Some(&b'-') {
        let end = rest.iter().position(|byte| *byte == b' ');
        let (options, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if options.contains(&b'R') {
            return Err(Reply::new(
                504,
                "Folders are listed one at a time, without -R",
            ));
        }
        rest = behind.trim_ascii_start();
    }
    Ok(Argument(rest))
}
