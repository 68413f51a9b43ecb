//! What a client of standard FTP will ask for, drawn from the seed, and the command lines of it.

use std::rc::Rc;

use fastrand::Rng;
use ftp_proto::VPath;
use ftp_proto::rfc959::{State, Way};

use crate::names::{content, path};

/// What goes over a data connection, and how its client behaves.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) what: What,
    pub(crate) path: VPath,
    /// What is sent.
    pub(crate) bytes: Vec<u8>,
    meet: Meet,
    pub(crate) comes: Comes,
    /// After so many bytes the client breaks off.
    pub(crate) breaks: Option<(usize, How)>,
    /// An upload that breaks is gone on with, until all of it stands there.
    pub(crate) resumes: bool,
    /// What it is the rest of.
    whole: Option<Rc<Self>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// `REST` and `STOR`.
    Store(u64),
    Append,
    Unique,
    /// `REST` and `RETR`.
    Fetch(u64),
    List,
    Names,
    Facts,
}

/// How the data connection is agreed on.
#[derive(Clone, Copy, Debug)]
enum Meet {
    Pasv,
    Epsv,
    Port,
    Eprt,
    /// Not at all.
    Forgotten,
}

/// When the client makes or takes the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    AtOnce,
    /// When it has heard 150.
    Asked,
    Never,
    /// It comes, and neither sends nor takes anything.
    Deaf,
}

/// How a client breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By a reset.
    Reset,
    /// By an end that looks like any other.
    End,
}

/// Something to do, in one command or several.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// `USER` and `PASS`.
    Login,
    /// `AUTH TLS`.
    Tls,
    /// `PBSZ` and `PROT P`.
    Protect,
    Move(Rc<Move>),
    /// Asks how much of an upload is there, and goes on behind that.
    Resume(Rc<Move>),
    Name(Name, VPath),
    /// `RNFR` and `RNTO`.
    Rename(VPath, VPath),
    /// A line that nothing is expected of but an answer.
    Say(&'static str),
}

/// Commands with a path and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Dele,
    Rmd,
    Mkd,
    Size,
    Mdtm,
    Mlst,
    Hash,
    Xsha256,
    Cwd,
    Stat,
    Avbl,
    Rnfr,
    Rnto,
}

/// What an answer is judged by.
#[derive(Clone, Debug)]
pub(crate) enum About {
    Nothing,
    Login,
    Secured,
    Protected,
    /// The data connection for this is agreed on; the port, where it is the client's.
    Meet(Rc<Move>, Option<u16>),
    Move(Rc<Move>),
    /// How much of this upload is there.
    Resume(Rc<Move>),
    Name(Name, VPath),
}

/// One command line.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) line: String,
    pub(crate) about: About,
    /// Nothing is written behind it before it is answered.
    pub(crate) alone: bool,
}

const SAID: [&str; 17] = [
    "NOOP",
    "STAT",
    "PWD",
    "CDUP",
    "TYPE I",
    "TYPE A",
    "FEAT",
    "HELP",
    "SYST",
    "ALLO 5",
    "ABOR",
    "FROB",
    "SITE CHMOD 644 /a",
    "OPTS MLST type;size;",
    "MODE S",
    "RANG 1 0",
    "EPSV",
];

impl Command {
    pub(crate) fn new(line: impl Into<String>, about: About) -> Self {
        Self {
            line: line.into(),
            about,
            alone: false,
        }
    }

    /// What stands before the blank.
    pub(crate) fn verb(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    fn alone(self) -> Self {
        Self {
            alone: true,
            ..self
        }
    }
}

impl Move {
    pub(crate) fn draw(rng: &mut Rng, what: What, longest: usize) -> Self {
        let stores = matches!(what, What::Store(_) | What::Append | What::Unique);
        let bytes = if stores {
            content(rng, longest)
        } else {
            Vec::new()
        };
        Self {
            what,
            path: path(rng),
            meet: match rng.u32(..17) {
                0..=4 => Meet::Pasv,
                5..=9 => Meet::Epsv,
                10..=12 => Meet::Port,
                13..=15 => Meet::Eprt,
                _ => Meet::Forgotten,
            },
            comes: match rng.u32(..40) {
                0 => Comes::Never,
                1 => Comes::Deaf,
                2..=15 => Comes::Asked,
                _ => Comes::AtOnce,
            },
            breaks: (rng.u32(..8) == 0).then(|| {
                let how = if rng.bool() { How::Reset } else { How::End };
                (rng.usize(..=bytes.len().max(2000)), how)
            }),
            bytes,
            resumes: false,
            whole: None,
        }
    }

    /// One of the file `a`, without any trouble.
    pub(crate) fn of_a(rng: &mut Rng, what: What) -> Self {
        Self {
            path: VPath::parse("a").unwrap(),
            meet: if rng.bool() { Meet::Epsv } else { Meet::Eprt },
            comes: Comes::Asked,
            breaks: None,
            ..Self::draw(rng, what, 20_000)
        }
    }

    /// An upload of a file that always has the same content, so that its parts fit whoever sent them.
    fn steady(rng: &mut Rng, owner: usize) -> Self {
        let number = rng.u32(..3);
        let path = VPath::parse(&format!("steady{owner}-{number}")).unwrap();
        let len = 3000 + 9000 * number;
        let bytes = (0..len).map(|at| (at * (number + 3) / 7) as u8).collect();
        let breaks = rng.bool().then(|| {
            let how = if rng.u32(..3) > 0 {
                How::Reset
            } else {
                How::End
            };
            (rng.usize(..len as usize), how)
        });
        Self {
            path,
            bytes,
            // An early end would look like the end of the file.
            breaks: breaks.filter(|(_, how)| *how == How::Reset),
            resumes: true,
            ..Self::draw(rng, What::Store(0), 1)
        }
    }

    /// What is left of it behind the first `at` bytes, by `REST` or by `APPE`.
    pub(crate) fn rest(self: &Rc<Self>, at: usize, appends: bool, rng: &mut Rng) -> Self {
        let bytes = self.bytes[at..].to_vec();
        let len = bytes.len();
        Self {
            what: if appends && at > 0 {
                What::Append
            } else {
                What::Store(at as u64)
            },
            bytes,
            meet: Meet::Epsv,
            comes: Comes::Asked,
            breaks: (rng.u32(..3) == 0).then(|| (rng.usize(..=len), How::Reset)),
            whole: Some(Rc::clone(self)),
            ..Self::clone(self)
        }
    }

    /// The upload of which it may be the rest.
    pub(crate) fn whole(self: &Rc<Self>) -> &Rc<Self> {
        self.whole.as_ref().unwrap_or(self)
    }

    /// The client does its part, to the end.
    pub(crate) fn goes_well(&self) -> bool {
        self.breaks.is_none() && matches!(self.comes, Comes::AtOnce | Comes::Asked)
    }

    pub(crate) fn is_upload(&self) -> bool {
        matches!(self.what, What::Store(_) | What::Append | What::Unique)
    }

    /// What the server takes for the whole, if the client breaks off and it looks like an end.
    pub(crate) fn sent(&self) -> &[u8] {
        match self.breaks {
            Some((at, How::End)) => &self.bytes[..at.min(self.bytes.len())],
            Some((_, How::Reset)) | None => &self.bytes,
        }
    }

    fn line(&self) -> String {
        let verb = match self.what {
            What::Store(_) => "STOR",
            What::Append => "APPE",
            What::Unique => "STOU",
            What::Fetch(_) => "RETR",
            What::List => "LIST",
            What::Names => "NLST",
            What::Facts => "MLSD",
        };
        format!("{verb} /{}", self.path)
    }
}

impl Op {
    pub(crate) fn draw(rng: &mut Rng, longest: usize, owner: usize) -> Self {
        let offset = |rng: &mut Rng| if rng.bool() { 0 } else { rng.u64(..300) };
        let what = match rng.u32(..100) {
            0..=21 => What::Store(0),
            22..=25 => What::Store(offset(rng)),
            26..=30 => What::Append,
            31..=34 => What::Unique,
            35..=39 => return Self::Move(Rc::new(Move::steady(rng, owner))),
            40..=54 => What::Fetch(offset(rng)),
            55..=58 => What::List,
            59..=60 => What::Names,
            61..=63 => What::Facts,
            64..=68 => return Self::Rename(path(rng), path(rng)),
            69..=79 => return Self::Say(SAID[rng.usize(..SAID.len())]),
            _ => return Self::Name(Name::draw(rng), path(rng)),
        };
        Self::Move(Rc::new(Move::draw(rng, what, longest)))
    }

    /// The upload of which this sends the rest, if it does.
    pub(crate) fn whole(&self) -> Option<Rc<Move>> {
        match self {
            Self::Move(moved) => moved.whole.clone(),
            Self::Login
            | Self::Tls
            | Self::Protect
            | Self::Resume(_)
            | Self::Name(..)
            | Self::Rename(..)
            | Self::Say(_) => None,
        }
    }

    /// What leads to a state, if anything but a log-in is needed.
    pub(crate) fn towards(state: State, rng: &mut Rng) -> Vec<Self> {
        // Then there is something of a data connection that can break.
        let port = Self::Say("EPSV");
        let way = match state {
            State::Silent
            | State::Outside
            | State::LoggingIn
            | State::Securing
            | State::Idle
            | State::Ended => return Vec::new(),
            State::Asking => return vec![port, Self::Name(Name::Mlst, path(rng))],
            State::Showing => return vec![port, Self::Name(Name::Stat, VPath::root())],
            State::Stored | State::Agreed | State::Listening => Way::Upload,
            State::Preparing(way)
            | State::Connecting(way)
            | State::Handshaking(way)
            | State::Moving(way)
            | State::Finishing(way) => way,
        };
        let what = match way {
            Way::Download => What::Fetch(0),
            Way::Upload => What::Store(0),
            Way::Listing => What::List,
        };
        let drawn = Move::draw(rng, what, 20_000);
        let passive = matches!(
            state,
            State::Listening | State::Agreed | State::Preparing(_)
        );
        vec![Self::Move(Rc::new(Move {
            path: if way == Way::Listing {
                VPath::root()
            } else {
                VPath::parse("a").unwrap()
            },
            meet: if passive || rng.bool() {
                Meet::Epsv
            } else {
                Meet::Eprt
            },
            comes: if passive { Comes::AtOnce } else { Comes::Asked },
            breaks: None,
            ..drawn
        }))]
    }

    /// The command lines, the ports of the client's own being opened by `listen`.
    pub(crate) fn commands(&self, mut listen: impl FnMut(&Rc<Move>) -> u16) -> Vec<Command> {
        let named = |name: Name, path: &VPath| {
            let line = format!("{} /{path}", name.verb());
            Command::new(line, About::Name(name, path.clone()))
        };
        match self {
            Self::Login => vec![
                Command::new("USER ann", About::Nothing),
                Command::new("PASS x", About::Login),
            ],
            Self::Tls => vec![Command::new("AUTH TLS", About::Secured).alone()],
            Self::Protect => vec![
                Command::new("PBSZ 0", About::Nothing),
                Command::new("PROT P", About::Protected),
            ],
            Self::Move(moved) => {
                let mut commands = moved.meet.commands(moved, &mut listen);
                if let What::Store(at @ 1..) | What::Fetch(at @ 1..) = moved.what {
                    commands.push(Command::new(format!("REST {at}"), About::Nothing));
                }
                let about = About::Move(Rc::clone(moved));
                let last = Command::new(moved.line(), about);
                commands.push(if moved.resumes { last.alone() } else { last });
                commands
            }
            Self::Resume(moved) => {
                let line = format!("SIZE /{}", moved.path);
                vec![Command::new(line, About::Resume(Rc::clone(moved))).alone()]
            }
            Self::Name(name, path) => vec![named(*name, path)],
            Self::Rename(from, to) => vec![named(Name::Rnfr, from), named(Name::Rnto, to)],
            Self::Say(line) => vec![Command::new(*line, About::Nothing)],
        }
    }
}

impl Meet {
    fn commands(self, moved: &Rc<Move>, listen: &mut impl FnMut(&Rc<Move>) -> u16) -> Vec<Command> {
        let (line, port) = match self {
            Self::Pasv => ("PASV".to_owned(), None),
            Self::Epsv => ("EPSV".to_owned(), None),
            Self::Port => {
                let port = listen(moved);
                let [high, low] = port.to_be_bytes();
                (format!("PORT 192,0,2,7,{high},{low}"), Some(port))
            }
            Self::Eprt => {
                let port = listen(moved);
                (format!("EPRT |1|{}|{port}|", super::PEER), Some(port))
            }
            Self::Forgotten => return Vec::new(),
        };
        vec![Command::new(line, About::Meet(Rc::clone(moved), port))]
    }
}

impl Name {
    fn draw(rng: &mut Rng) -> Self {
        let all = [
            Self::Dele,
            Self::Rmd,
            Self::Mkd,
            Self::Mkd,
            Self::Size,
            Self::Mdtm,
            Self::Mlst,
            Self::Hash,
            Self::Xsha256,
            Self::Cwd,
            Self::Stat,
            Self::Avbl,
        ];
        all[rng.usize(..all.len())]
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Dele => "DELE",
            Self::Rmd => "RMD",
            Self::Mkd => "MKD",
            Self::Size => "SIZE",
            Self::Mdtm => "MDTM",
            Self::Mlst => "MLST",
            Self::Hash => "HASH",
            Self::Xsha256 => "XSHA256",
            Self::Cwd => "CWD",
            Self::Stat => "STAT",
            Self::Avbl => "AVBL",
            Self::Rnfr => "RNFR",
            Self::Rnto => "RNTO",
        }
    }
}
