//! One world: its sessions, its disk, its clock, and what may happen next.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use fastrand::Rng;
use ftp_proto::VPath;
use ftp_proto::session::Channel;
use ftp_proto::wire::Code;

use super::blows::{Blow, Target};
use super::climate::Climate;
use super::disk::Disk;
use super::found::{self, Found};
use super::fs::Fs;
use super::ftp::plan::{About, Op};
use super::link::End;
use super::player::{Leftover, Player};
use super::shell::{CONTROL, DATA, Session};
use super::summary::Summary;
use super::{ftp, native};

/// More steps than any world that moves on takes.
const STEPS: u32 = 400_000;

/// Who is in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sessions of the native dialect.
    Native,
    /// Sessions of standard FTP.
    Standard,
    /// Sessions of both, at the same files.
    Both,
    /// One session of standard FTP, which is interrupted in one way in one state; seeds go round.
    Struck,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(super) rng: Rng,
    pub(super) now: Instant,
    pub(super) climate: Climate,
    pub(super) disk: Disk,
    pub(super) sessions: Vec<Session>,
    pub(super) reference: Fs,
    /// What befalls whom, by step.
    pub(super) blows: VecDeque<(u32, usize, Blow)>,
    /// What is to be interrupted.
    pub(super) target: Option<Target>,
    /// How many clients there are; those that come back count on from there.
    pub(super) clients: usize,
    /// Clients that come back after a loss.
    pub(super) returns: u32,
    pub(super) found: Found,
    /// Every content that was or will be sent as a whole, or came of two such.
    pub(super) known: BTreeSet<Vec<u8>>,
    /// Every end of a file that was or will be sent.
    pub(super) meant: BTreeSet<Vec<u8>>,
    /// Paths beside which something may be kept.
    kept: BTreeSet<VPath>,
    renaming: Option<VPath>,
    /// No request is left whose effect is unknown.
    pub(super) certain: bool,
    pub(super) summary: Summary,
    pub(super) tells: bool,
    history: DefaultHasher,
}

/// Plays one world to its end.
pub(crate) fn play(kind: Kind, seed: u64, tells: bool) -> Summary {
    let mut world = found::world(kind, seed, tells);
    for step in 0.. {
        assert!(step < STEPS, "no end in sight");
        world.befall(step);
        if !world.step() {
            break;
        }
        world.judge();
    }
    world.check_end();
    world.summary
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Write,
    Deliver(Channel),
    Feed(Channel),
    Flush(Channel),
    Eof(Channel),
    Answer,
    Dial,
    WriteData,
    ResetData,
    CloseData,
    Run(u64),
    Home(u64),
}

impl World {
    /// A world in which nobody is yet.
    pub(super) fn empty(rng: Rng, climate: Climate, found: Found, tells: bool) -> Self {
        Self {
            rng,
            // Only differences of time are ever looked at.
            now: Instant::now(),
            climate,
            disk: Disk::default(),
            sessions: Vec::new(),
            reference: Fs::default(),
            blows: VecDeque::new(),
            target: None,
            clients: 0,
            returns: 0,
            found,
            known: BTreeSet::new(),
            meant: BTreeSet::new(),
            kept: BTreeSet::new(),
            renaming: None,
            certain: true,
            summary: Summary::default(),
            tells,
            history: DefaultHasher::new(),
        }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        for session in &mut self.sessions {
            session.expire(self.now);
        }
    }

    /// Lets one of all the things that may happen now happen; `false` at the end of the world.
    fn step(&mut self) -> bool {
        let events = self.events();
        if events.is_empty() {
            return self.pass_time();
        }
        let (index, event) = events[self.rng.usize(..events.len())];
        let (now, rng) = (self.now, &mut self.rng);
        let session = &mut self.sessions[index];
        match event {
            Event::Write => session.client.write(rng),
            Event::Deliver(channel) => session.deliver(channel, rng),
            Event::Feed(channel) => session.feed(channel, now, rng),
            Event::Flush(channel) => session.flush(channel, now, rng),
            Event::Eof(channel) => session.eof(channel, now),
            Event::Answer => session.answer(now, rng),
            Event::Dial => session.dial(now),
            Event::WriteData => {
                if let Some(data) = session.client.data() {
                    data.write(rng);
                }
            }
            Event::ResetData => session.lose(DATA, now),
            Event::CloseData => session.closed_data(now),
            Event::Run(file) => self.run(index, file),
            Event::Home(file) => {
                self.disk.heard((session.index, file));
                session.home(file, now);
            }
        }
        true
    }

    fn events(&self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        for (index, session) in self.sessions.iter().enumerate() {
            let client = &session.client;
            let mut add = |may: bool, event| {
                if may {
                    events.push((index, event));
                }
            };
            let open = session.end == End::Open;
            add(open && client.may_write(), Event::Write);
            for channel in [CONTROL, DATA] {
                add(session.may_deliver(channel), Event::Deliver(channel));
                add(session.may_feed(channel), Event::Feed(channel));
                add(session.may_flush(channel), Event::Flush(channel));
            }
            let done = client.is_done() && session.may_eof(CONTROL);
            add(done, Event::Eof(CONTROL));
            add(session.may_answer(), Event::Answer);
            if let Some(data) = client.look_at_data() {
                let there = session.link(DATA).is_some();
                add(open && data.may_dial(), Event::Dial);
                add(there && data.may_write(), Event::WriteData);
                add(there && data.is_reset(), Event::ResetData);
                let ends = data.is_closed() && session.may_eof(DATA);
                add(ends, Event::Eof(DATA));
                add(session.may_close_data(), Event::CloseData);
            }
            for (file, lane) in &session.lanes {
                add(lane.may_run(), Event::Run(*file));
                add(lane.is_away(), Event::Home(*file));
            }
        }
        events
    }

    /// A worker takes a trip; what gets its name by that is one whole thing.
    fn run(&mut self, index: usize, file: u64) {
        let before = self.disk.commits.len();
        let session = &mut self.sessions[index];
        session.run_lane(file, &mut self.disk, &mut self.rng);
        let Player::Ftp(_) = session.client else {
            self.disk.commits.truncate(before);
            return;
        };
        for (_, commit) in &self.disk.commits[before..] {
            let bytes = &*commit.bytes;
            if self.known.contains(bytes) {
                continue;
            }
            let (base, sent) = bytes.split_at(commit.base);
            let fits = base.is_empty() || self.known.iter().any(|whole| whole.starts_with(base));
            let steady = commit.path.as_str().starts_with("steady");
            let right = fits && !steady && self.meant.contains(sent);
            assert!(right || self.climate.tampered, "mixed: {commit:?}");
            self.known.insert(bytes.clone());
        }
    }

    /// Nothing can happen by itself: a client comes back, a deadline passes, or all is over.
    fn pass_time(&mut self) -> bool {
        if self.sessions.iter().all(Session::is_over) {
            return self.come_back();
        }
        let deadlines = self.sessions.iter();
        let deadlines = deadlines.filter_map(|session| session.machine.look().deadline());
        if let Some(at) = deadlines.min() {
            let dallies = |session: &Session| session.client.dallies();
            let may = self.climate.ends || self.sessions.iter().any(dallies);
            assert!(may, "stuck until a deadline: {:?}", self.sessions);
            self.wait(at.saturating_duration_since(self.now));
            return true;
        }
        // A peer that takes no bytes is cut when lingering has lasted long enough.
        for session in &mut self.sessions {
            if session.end != End::Gone {
                assert_eq!(session.end, End::Flushing, "stuck for ever: {session:?}");
                let reads = session.client.reads(CONTROL);
                assert!(!reads, "stuck while flushing: {session:?}");
                session.lose(CONTROL, self.now);
            }
        }
        true
    }

    /// Clients whose connection broke come back for the rest.
    fn come_back(&mut self) -> bool {
        self.judge();
        let mut back = false;
        for session in std::mem::take(&mut self.sessions) {
            session.check_end();
            if let Player::Ftp(client) = &session.client {
                client.check_end(session.was_lost);
                assert!(self.disk.take_commit(session.index).is_none() || !client.is_done());
            }
            back |= self.bury(session);
        }
        back
    }

    /// A session is over. Says whether its client comes back.
    pub(super) fn bury(&mut self, session: Session) -> bool {
        self.count_end(&session);
        session.history.hash(&mut self.history);
        self.disk.commits.retain(|(of, _)| *of != session.index);
        let done = session.client.is_done();
        self.certain &= done;
        if self.returns == 0 || done {
            return false;
        }
        self.returns -= 1;
        self.summary.returns += 1;
        // From here on the reference would have to guess what was done and not answered.
        self.climate.shared = true;
        let index = session.index + self.clients;
        match session.client.leftover() {
            Leftover::Native(plan) => self.connect_native(index, plan),
            Leftover::Ftp(plan) => self.connect_ftp(index, plan),
        }
        true
    }

    fn count_end(&mut self, session: &Session) {
        let end = match &session.client {
            Player::Native(client) => client.goodbye.map(Code::as_str),
            Player::Ftp(client) => client
                .goodbye
                .map(|code| if code == 421 { "421" } else { "221" }),
        };
        let done = if session.client.is_done() {
            "done"
        } else {
            "lost"
        };
        *self.summary.ends.entry(end.unwrap_or(done)).or_default() += 1;
        for (outcome, count) in &session.reports {
            if *outcome == "skipped" {
                *self.summary.failed.entry(outcome).or_default() += count;
            }
        }
    }

    /// Looks at the answers that came.
    fn judge(&mut self) {
        for index in 0..self.sessions.len() {
            match &mut self.sessions[index].client {
                Player::Native(client) => {
                    let answers = std::mem::take(&mut client.answers);
                    for answered in answers {
                        self.judge_native(index, &answered);
                    }
                }
                Player::Ftp(client) => {
                    let answers = std::mem::take(&mut client.answers);
                    for answered in answers {
                        self.judge_ftp(index, &answered);
                    }
                }
            }
        }
    }

    fn judge_native(&mut self, index: usize, answered: &native::client::Answered) {
        if self.tells {
            println!("{index} {:?} -> {:?}", answered.asked.req, answered.last);
        }
        match native::judge::judge(answered, &mut self.reference, self.climate) {
            None => self.summary.ok += 1,
            Some(code) => {
                assert_ne!(code, Code::Internal, "{answered:?}");
                *self.summary.failed.entry(code.as_str()).or_default() += 1;
            }
        }
    }

    fn judge_ftp(&mut self, index: usize, answered: &ftp::client::Answered) {
        if self.tells {
            println!("{index} {:?} -> {:?}", answered.asked, answered.last);
        }
        let code = answered.last.code;
        *self.summary.codes.entry(code).or_default() += 1;
        self.summary.ok += u64::from(code < 400);
        let storing = self.sessions[index].is_storing();
        let mut bench = ftp::judge::Bench {
            storing,
            session: self.sessions[index].index,
            reference: &mut self.reference,
            kept: &mut self.kept,
            renaming: &mut self.renaming,
            disk: &mut self.disk,
            known: &self.known,
            climate: self.climate,
        };
        ftp::judge::judge(answered, &mut bench);
        self.react(index, answered);
    }

    /// What a client does upon an answer that was not in its plan.
    fn react(&mut self, index: usize, answered: &ftp::client::Answered) {
        let Player::Ftp(client) = &mut self.sessions[index].client else {
            return;
        };
        let last = &answered.last;
        match &answered.asked.command.about {
            About::Login if last.code == 530 => client.do_next(Op::Login),
            About::Move(moved) if moved.resumes && last.code != 226 && last.code < 500 => {
                client.do_next(Op::Resume(moved.whole().clone()));
            }
            About::Resume(moved) => {
                let told = last.lines[0].strip_prefix("213 ");
                let at = told.map_or(0, |told| told.parse().unwrap());
                if at < moved.bytes.len() {
                    let rest = moved.rest(at, self.rng.bool(), &mut self.rng);
                    self.meant.insert(rest.sent().to_vec());
                    client.do_next(Op::Move(rest.into()));
                }
            }
            About::Nothing
            | About::Login
            | About::Secured
            | About::Protected
            | About::Meet(..)
            | About::Move(_)
            | About::Name(..) => {}
        }
    }

    fn check_end(&mut self) {
        self.disk.check_idle();
        self.summary.takeovers = self.disk.takeovers;
        self.summary.resumed = self.disk.resumed;
        self.summary.swept = self.disk.swept;
        self.summary.faults = self.disk.faults;
        if self.certain && !self.climate.shared {
            assert_eq!(self.disk.fs.contents(), self.reference.contents());
            self.summary.compared += 1;
        } else if !self.climate.tampered {
            self.check_whole();
        }
        self.disk.fs.contents().hash(&mut self.history);
        self.summary.history = self.history.finish();
    }

    /// Whatever stands under a name is one whole thing.
    pub(super) fn check_whole(&self) {
        for inode in self.disk.fs.files() {
            assert!(self.known.contains(&*inode.bytes.borrow()), "a mixed file");
        }
    }
}
