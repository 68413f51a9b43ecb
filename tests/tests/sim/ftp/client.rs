//! The client of a session of standard FTP: writes the lines of its plan, reads replies, and checks that each command
//! gets its own, in order.

use std::collections::VecDeque;
use std::fmt;

use fastrand::Rng;
use ftp_proto::VPath;
use ftp_proto::rfc959::State;

use super::data::{Conn, Ends};
use super::plan::{About, Command, Name, Op, What};
use super::strike::Strike;
use super::{aftermath, codes};

/// A command that waits for its last reply.
pub(crate) struct Waiting {
    pub(crate) command: Command,
    /// The 1yz that was heard for it.
    pub(crate) first: Option<Reply>,
    /// It was interrupted so.
    pub(crate) hit: Option<(State, Strike)>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, first, .. } = self;
        write!(f, "{} ({first:?})", command.line)?;
        self.hit.map_or(Ok(()), |hit| write!(f, " hit: {hit:?}"))
    }
}

/// A reply, whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

/// A command, its last reply, and what went over its data connection.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) asked: Waiting,
    pub(crate) last: Reply,
    pub(crate) conn: Option<Conn>,
}

#[derive(Debug)]
pub(crate) struct Client {
    plan: VecDeque<Op>,
    /// The operation whose lines are being written.
    begun: Option<Op>,
    lines: VecDeque<Command>,
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) wire: Vec<u8>,
    inbox: Vec<u8>,
    /// Lines of a reply whose last one lacks.
    open: Option<Reply>,
    pub(crate) answers: Vec<Answered>,
    greeted: bool,
    /// 221 or 421 was heard: there is nothing more.
    pub(crate) goodbye: Option<u16>,
    pub(crate) data: Ends,
    ahead: usize,
    /// Now and then a command comes that is not in the plan.
    meddles: bool,
    quits: bool,
    pub(crate) reads: bool,
    pub(crate) sends: bool,
    /// It sent noise: replies answer nothing that is known.
    pub(crate) babbles: bool,
    struck: Option<Strike>,
}

impl Client {
    pub(crate) fn new(plan: VecDeque<Op>, ahead: usize, meddles: bool, quits: bool) -> Self {
        Self {
            plan,
            begun: None,
            lines: VecDeque::new(),
            waiting: VecDeque::new(),
            wire: Vec::new(),
            inbox: Vec::new(),
            open: None,
            answers: Vec::new(),
            greeted: false,
            goodbye: None,
            data: Ends::default(),
            ahead,
            meddles,
            quits,
            reads: true,
            sends: true,
            babbles: false,
            struck: None,
        }
    }

    /// Everything was asked and answered.
    pub(crate) fn is_done(&self) -> bool {
        self.greeted && self.has_asked_all() && self.waiting.is_empty()
    }

    fn has_asked_all(&self) -> bool {
        self.plan.is_empty() && self.lines.is_empty() && !self.quits
    }

    /// Whether there is a line that may be written now.
    pub(crate) fn may_write(&self) -> bool {
        let alone = self.waiting.back().is_some_and(|last| last.command.alone);
        let room = self.sends && self.greeted && self.wire.len() < 4096 && !alone;
        room && !self.has_asked_all() && self.waiting.len() < self.ahead
    }

    /// Writes one line.
    pub(crate) fn write(&mut self, rng: &mut Rng) {
        // Between two lines of an operation another one would change what the second means.
        if self.meddles && self.lines.is_empty() && rng.u32(..6) == 0 {
            let line = ["ABOR", "STAT", "NOOP"][rng.usize(..3)];
            return self.say(Command::new(line, About::Nothing));
        }
        if self.lines.is_empty() {
            let Some(op) = self.plan.pop_front() else {
                self.quits = false;
                return self.say(Command::new("QUIT", About::Nothing));
            };
            let data = &mut self.data;
            self.lines = op.commands(|moved| data.listen(moved)).into();
            self.begun = Some(op);
        }
        if let Some(command) = self.lines.pop_front() {
            self.say(command);
        }
    }

    /// Says something that is not in the plan, now.
    pub(crate) fn interrupt(&mut self, line: &str) {
        if line == "QUIT" {
            self.quits = false;
            self.sends = false;
        }
        self.say(Command::new(line, About::Nothing));
    }

    /// Keeps in mind what it is interrupted by, and in what.
    pub(crate) fn note(&mut self, state: State, strike: Strike) {
        self.struck = Some(strike);
        if let Some(first) = self.waiting.front_mut() {
            first.hit = Some((state, strike));
        }
    }

    /// Does this before all else.
    pub(crate) fn do_next(&mut self, op: Op) {
        self.plan.push_front(op);
    }

    fn say(&mut self, command: Command) {
        self.wire.extend_from_slice(command.line.as_bytes());
        self.wire.extend_from_slice(b"\r\n");
        self.waiting.push_back(Waiting {
            command,
            first: None,
            hit: None,
        });
    }

    /// Takes bytes of the server.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        while let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.inbox.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap();
            let line = line.strip_suffix("\r\n").expect("CR LF ends a line");
            assert!(!line.contains('\r'), "{line:?}");
            self.read_line(line);
        }
    }

    /// RFC 959, section 4.2.
    fn read_line(&mut self, line: &str) {
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
        let mark = line.as_bytes().get(3);
        let mut reply = self.open.take().unwrap_or_default();
        reply.lines.push(line.to_owned());
        match (reply.code, code, mark) {
            (0, Some(code), Some(b'-')) => self.open = Some(Reply { code, ..reply }),
            (0, Some(code), Some(b' ')) => self.take(Reply { code, ..reply }),
            (open, Some(code), Some(b' ')) if open == code => self.take(reply),
            (1.., None, _) => self.open = Some(reply),
            _ => panic!("no reply: {reply:?}"),
        }
    }

    fn take(&mut self, reply: Reply) {
        assert_eq!(self.goodbye, None, "a reply behind the last: {reply:?}");
        if reply.code == 421 {
            self.goodbye = Some(421);
            return;
        }
        if !self.greeted {
            assert_eq!(reply.code, 220, "the first of all: {reply:?}");
            self.greeted = true;
            return;
        }
        if self.babbles {
            return;
        }
        let at = self.whose(&reply);
        let asked = self.waiting.get_mut(at);
        let asked = asked.unwrap_or_else(|| panic!("nothing was asked: {reply:?}"));
        codes::check(asked.command.verb(), &reply);
        if reply.code < 200 {
            assert!(asked.first.is_none(), "a second 1yz: {asked:?} {reply:?}");
            asked.first = Some(reply);
            self.data.begin();
            return;
        }
        if let Some(asked) = self.waiting.remove(at) {
            self.end(asked, reply);
        }
    }

    /// Which command a reply belongs to: the first, or what is heard in mid-transfer right behind it.
    fn whose(&self, reply: &Reply) -> usize {
        let moves = |at: usize| {
            let about = self.waiting.get(at).map(|asked| &asked.command.about);
            matches!(about, Some(About::Move(_)))
        };
        let line = self.waiting.get(1).map(|asked| asked.command.line.as_str());
        let heard = match line {
            Some("STAT") => 211,
            Some("NOOP") => 200,
            Some(_) | None => return 0,
        };
        usize::from(moves(0) && reply.code == heard)
    }

    fn end(&mut self, asked: Waiting, last: Reply) {
        let mut conn = None;
        aftermath::check(&asked, &last, &self.waiting);
        match &asked.command.about {
            About::Meet(moved, Some(port)) if last.code == 200 => {
                self.data.agree(*port, moved, false);
            }
            About::Meet(moved, None) if matches!(last.code, 227 | 229) => {
                self.data.agree(told(&last), moved, true);
            }
            About::Move(_) => conn = self.data.finish(),
            About::Protected if last.code == 200 => self.data.protected = true,
            About::Nothing if last.code == 221 => self.goodbye = Some(221),
            About::Nothing
            | About::Login
            | About::Secured
            | About::Protected
            | About::Meet(..)
            | About::Resume(_)
            | About::Name(..) => {}
        }
        self.answers.push(Answered { asked, last, conn });
    }

    /// The session is over. Unless it was `lost`, everything was answered, or taken leave of.
    pub(crate) fn check_end(&self, lost: bool) {
        let cut_off = lost || !self.reads || self.babbles || self.goodbye.is_some();
        assert!(
            cut_off || self.waiting.is_empty(),
            "unanswered: {:?}",
            self.waiting
        );
        if let Some(strike) = self.struck.filter(|_| !lost) {
            aftermath::check_goodbye(strike, self.goodbye);
        }
        assert!(
            lost || !self.reads || self.open.is_none(),
            "{:?}",
            self.open
        );
    }

    /// The server may have to wait until its patience ends.
    pub(crate) fn dallies(&self) -> bool {
        let moves = |asked: &Waiting| matches!(asked.command.about, About::Move(_));
        self.data.dallies() || self.waiting.iter().any(moves) && !self.data.is_agreed()
    }

    /// Paths that unanswered uploads may have changed; `None` if more than that may be changed.
    pub(crate) fn unsettled(&self) -> Option<Vec<VPath>> {
        let mut paths = Vec::new();
        for asked in &self.waiting {
            match &asked.command.about {
                About::Move(moved) if moved.what == What::Unique => return None,
                About::Move(moved) => paths.push(moved.path.clone()),
                About::Name(Name::Dele | Name::Rmd | Name::Mkd | Name::Rnto, _) => return None,
                About::Nothing
                | About::Login
                | About::Secured
                | About::Protected
                | About::Meet(..)
                | About::Resume(_)
                | About::Name(..) => {}
            }
        }
        Some(paths)
    }

    /// The plan of a client that comes back: what was not answered, and the rest.
    pub(crate) fn leftover(self) -> VecDeque<Op> {
        let unfinished = self.begun.filter(|_| !self.waiting.is_empty());
        let rest = unfinished.into_iter().chain(self.plan);
        // Whoever comes back begins anew at the door.
        let enters = |op: &Op| matches!(op, Op::Login | Op::Tls | Op::Protect);
        // Nor does it send the rest of an upload before it has asked anew how much is there.
        let asks = |op: Op| match op.whole() {
            Some(whole) => Op::Resume(whole),
            None => op,
        };
        rest.filter(|op| !enters(op)).map(asks).collect()
    }
}

/// The port of a 227 or 229.
fn told(reply: &Reply) -> u16 {
    let line = reply.lines.last().unwrap();
    let inner = line.split(['(', ')']).nth(1).unwrap();
    if reply.code == 229 {
        return inner.trim_matches('|').parse().unwrap();
    }
    let mut numbers = inner
        .rsplit(',')
        .map(|number| number.parse::<u16>().unwrap());
    let low = numbers.next().unwrap();
    low + 256 * numbers.next().unwrap()
}
