//! One world: its sessions, its disk, its clock, and what befalls them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use ftp_proto::native::Config;
use ftp_proto::session::{Dialect, Input};
use ftp_proto::wire::Code;
use ftp_proto::{Durability, Limits};

use super::client::Client;
use super::disk::Disk;
use super::fs::Fs;
use super::judge::{self, Climate};
use super::plan::{Habits, Req};
use super::shell::{End, Session};

/// More steps than any world that moves on takes.
const STEPS: u32 = 400_000;
/// Most times a client comes back.
const RETURNS: u32 = 6;

/// What happened in one world or in many.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) ok: u64,
    failed: BTreeMap<&'static str, u64>,
    ends: BTreeMap<&'static str, u64>,
    takeovers: u64,
    resumed: u64,
    swept: u64,
    faults: u64,
    returns: u64,
    compared: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        for (what, count) in &other.failed {
            *self.failed.entry(what).or_default() += count;
        }
        for (what, count) in &other.ends {
            *self.ends.entry(what).or_default() += count;
        }
        self.takeovers += other.takeovers;
        self.resumed += other.resumed;
        self.swept += other.swept;
        self.faults += other.faults;
        self.returns += other.returns;
        self.compared += other.compared;
    }

    /// What is rare, and must happen in a gate's worth of seeds.
    pub(crate) fn rare(&self) -> Vec<(&'static str, u64)> {
        let failed = [
            "aborted",
            "changed",
            "busy",
            "io",
            "shutting_down",
            "digest_mismatch",
            "size_mismatch",
            "bad_range",
            "not_empty",
            "exists",
            "is_a_directory",
            "not_a_directory",
            "skipped",
        ];
        let count = |of: &BTreeMap<_, u64>, what| of.get(what).copied().unwrap_or(0);
        let mut rare: Vec<_> = failed
            .iter()
            .map(|what| (*what, count(&self.failed, *what)))
            .collect();
        for what in ["timeout", "bad_frame", "shutting_down", "lost"] {
            rare.push((what, count(&self.ends, what)));
        }
        rare.push(("takeover", self.takeovers));
        rare.push(("resumed", self.resumed));
        rare.push(("expired", self.swept));
        rare.push(("return", self.returns));
        rare.push(("compared to the end", self.compared));
        rare
    }
}

/// What befalls a session.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Lost,
    Eof,
    Drain,
    Babble,
    Deaf,
    Mute,
    Truncate,
    Sweep,
    Wait,
}

struct World {
    rng: Rng,
    now: Instant,
    config: Arc<Config>,
    climate: Climate,
    disk: Disk,
    sessions: Vec<Session>,
    reference: Fs,
    /// What befalls whom, by step.
    blows: VecDeque<(u32, usize, Blow)>,
    /// Clients that come back after a loss.
    returns: u32,
    /// Every content that was or will be sent as a whole.
    known: BTreeSet<Vec<u8>>,
    /// No request is left whose effect is unknown.
    certain: bool,
    summary: Summary,
    tells: bool,
}

/// Plays one world to its end.
pub(crate) fn play(seed: u64, tells: bool) -> Summary {
    let mut world = World::new(Rng::with_seed(seed), tells);
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

impl World {
    fn new(mut rng: Rng, tells: bool) -> Self {
        // Only differences of time are ever looked at.
        let now = Instant::now();
        let limits = draw_limits(&mut rng);
        let kind = rng.u32(..10);
        let sessions = if kind < 2 { 2 } else { 1 };
        let resumes = kind == 0 || kind == 2 || kind == 3;
        let rough = kind < 7;
        let mut world = Self {
            climate: Climate {
                faults: rough && rng.bool(),
                shared: sessions > 1,
                tampered: false,
                ends: rough,
            },
            config: Arc::new(Config {
                limits,
                server: "muxftp/sim".into(),
                durability: Durability::Full,
                read_only: false,
                login: None,
            }),
            rng,
            now,
            disk: Disk::default(),
            sessions: Vec::new(),
            reference: Fs::default(),
            blows: VecDeque::new(),
            returns: if resumes { RETURNS } else { 0 },
            known: BTreeSet::new(),
            certain: true,
            summary: Summary::default(),
            tells,
        };
        if world.climate.faults {
            world.disk.fault_one_in = 20;
        }
        let habits = Habits {
            requests: world.rng.usize(1..60),
            resumes,
            pings: !resumes && world.rng.u32(..12) == 0,
            longest: if resumes { 60_000 } else { 25_000 },
        };
        let mut plan = draw_plan(&mut world.rng, habits);
        for index in 0..sessions {
            world.connect(index, plan.clone());
            // Often both want the same, and meet on the same partials.
            if world.rng.bool() {
                plan = draw_plan(&mut world.rng, habits);
            }
        }
        if rough {
            world.draw_blows(resumes, sessions);
        }
        world
    }

    fn connect(&mut self, index: usize, mut plan: VecDeque<Req>) {
        for req in &plan {
            if let Req::Put(put) = req {
                self.known.insert(put.bytes.clone());
            }
        }
        let rng = &mut self.rng;
        plan.push_front(Req::Hello {
            chunk: 4096 + rng.u32(..20_000),
        });
        let chunk = 1 + rng.usize(..self.config.limits.chunk_bytes as usize);
        // Some ask for more than the server said it takes.
        let ahead = if rng.u32(..3) == 0 {
            1000
        } else {
            1 + rng.usize(..2 * self.config.limits.pipeline)
        };
        let client = Client::new(plan, chunk, ahead, rng.bool());
        let session = Session::new(index, &self.config, client, self.now);
        self.sessions.push(session);
    }

    fn draw_blows(&mut self, resumes: bool, sessions: usize) {
        let rng = &mut self.rng;
        let mut blows = Vec::new();
        for _ in 0..rng.u32(1..4) {
            let blow = match rng.u32(..9) {
                _ if resumes && rng.bool() => Blow::Lost,
                _ if resumes && rng.u32(..4) == 0 => Blow::Sweep,
                0 => Blow::Lost,
                1 => Blow::Eof,
                2 => Blow::Drain,
                3 => Blow::Babble,
                4 => Blow::Deaf,
                5 => Blow::Mute,
                6 => Blow::Truncate,
                7 => Blow::Sweep,
                _ => Blow::Wait,
            };
            blows.push((rng.u32(..900), rng.usize(..sessions), blow));
        }
        blows.sort_by_key(|(step, ..)| *step);
        self.blows = blows.into();
    }

    /// Deals what is due at this step.
    fn befall(&mut self, step: u32) {
        while let Some(&(at, index, blow)) = self.blows.front() {
            if at > step {
                break;
            }
            self.blows.pop_front();
            let (now, pause) = (self.now, Duration::from_secs(self.rng.u64(..400)));
            let Some(session) = self
                .sessions
                .iter_mut()
                .rev()
                .find(|session| session.index % 2 == index)
            else {
                continue;
            };
            if self.tells {
                println!("{step}: {blow:?}");
            }
            let open = session.end != End::Gone;
            match blow {
                Blow::Lost if open => session.lose(now),
                Blow::Eof if session.may_eof() => session.eof(now),
                Blow::Drain if open => session.tell(Input::Drain, now),
                Blow::Babble => session.client.babble(&mut self.rng),
                Blow::Deaf => session.client.reads = false,
                Blow::Mute => session.client.sends = false,
                Blow::Truncate if session.is_reading() => self.truncate(),
                // Worth the blow only while somebody reads.
                Blow::Truncate if !session.is_over() => {
                    self.blows.push_front((step + 1, index, blow));
                    break;
                }
                Blow::Sweep => self.disk.sweep(),
                Blow::Wait => self.wait(pause),
                Blow::Lost | Blow::Eof | Blow::Drain | Blow::Truncate => {}
            }
        }
    }

    /// Files become shorter behind the server's back.
    fn truncate(&mut self) {
        for inode in self.disk.fs.files() {
            let mut bytes = inode.bytes.borrow_mut();
            let len = self.rng.usize(..=bytes.len());
            bytes.truncate(len);
        }
        self.climate.shared = true;
        self.climate.tampered = true;
    }

    fn wait(&mut self, time: Duration) {
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
            Event::Deliver => session.deliver(rng),
            Event::Feed => session.feed(now, rng),
            Event::Flush => session.flush(now, rng),
            Event::Eof => session.eof(now),
            Event::Run(file) => session.run_lane(file, &mut self.disk, rng),
            Event::Home(file) => session.home(file, now),
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
            add(session.may_deliver(), Event::Deliver);
            add(session.may_feed(), Event::Feed);
            add(session.may_flush(), Event::Flush);
            add(client.is_done() && session.may_eof(), Event::Eof);
            for (file, lane) in &session.lanes {
                add(lane.may_run(), Event::Run(*file));
                add(lane.is_away(), Event::Home(*file));
            }
        }
        events
    }

    /// Nothing can happen by itself: a client comes back, a deadline passes, or all is over.
    fn pass_time(&mut self) -> bool {
        if self.sessions.iter().all(Session::is_over) {
            return self.come_back();
        }
        let deadline = self
            .sessions
            .iter()
            .filter_map(|session| session.machine.deadline())
            .min();
        if let Some(at) = deadline {
            assert!(
                self.climate.ends,
                "stuck until a deadline: {:?}",
                self.sessions
            );
            self.wait(at.saturating_duration_since(self.now));
            return true;
        }
        // A peer that takes no bytes is cut when lingering has lasted long enough.
        for session in &mut self.sessions {
            if session.end != End::Gone {
                assert_eq!(session.end, End::Flushing, "stuck for ever: {session:?}");
                assert!(!session.client.reads, "stuck while flushing: {session:?}");
                session.lose(self.now);
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
            self.count_end(&session);
            let index = session.index;
            self.certain &= session.client.is_done();
            if self.returns > 0 && !session.client.is_done() {
                self.returns -= 1;
                self.summary.returns += 1;
                // From here on the reference would have to guess what was done and not answered.
                self.climate.shared = true;
                let plan = session.client.leftover();
                self.connect(index + 2, plan);
                back = true;
            }
        }
        back
    }

    fn count_end(&mut self, session: &Session) {
        let end = match session.client.goodbye {
            Some(code) => code.as_str(),
            None if session.client.is_done() => "done",
            None => "lost",
        };
        *self.summary.ends.entry(end).or_default() += 1;
        for (outcome, count) in &session.reports {
            if *outcome == "skipped" {
                *self.summary.failed.entry(outcome).or_default() += count;
            }
        }
    }

    /// Looks at the answers that came.
    fn judge(&mut self) {
        for session in &mut self.sessions {
            for answered in session.client.answers.drain(..) {
                if self.tells {
                    println!(
                        "{} {:?} -> {:?}",
                        session.index, answered.asked.req, answered.last
                    );
                }
                match judge::judge(&answered, &mut self.reference, self.climate) {
                    None => self.summary.ok += 1,
                    Some(code) => {
                        assert_ne!(code, Code::Internal, "{answered:?}");
                        *self.summary.failed.entry(code.as_str()).or_default() += 1;
                    }
                }
            }
        }
    }

    fn check_end(&mut self) {
        self.summary.takeovers = self.disk.takeovers;
        self.summary.resumed = self.disk.resumed;
        self.summary.swept = self.disk.swept;
        self.summary.faults = self.disk.faults;
        if self.certain && !self.climate.shared {
            assert_eq!(self.disk.fs.contents(), self.reference.contents());
            self.summary.compared += 1;
        } else if !self.climate.tampered {
            for inode in self.disk.fs.files() {
                assert!(self.known.contains(&*inode.bytes.borrow()), "a mixed file");
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Write,
    Deliver,
    Feed,
    Flush,
    Eof,
    Run(u64),
    Home(u64),
}

fn draw_plan(rng: &mut Rng, habits: Habits) -> VecDeque<Req> {
    (0..habits.requests)
        .map(|_| Req::draw(rng, habits))
        .collect()
}

fn draw_limits(rng: &mut Rng) -> Limits {
    let mut pick = |of: &[u64]| of[rng.usize(..of.len())];
    Limits {
        chunk_bytes: pick(&[4096, 9000, 16_384]) as u32,
        pipeline: pick(&[1, 2, 5, 16]) as usize,
        window_bytes: pick(&[1, 5000, 40_000]),
        inline_bytes: pick(&[0, 100, 5000]) as u32,
        page_bytes: pick(&[300, 5000]) as u32,
        swallow_bytes: pick(&[20_000, 1 << 20]),
        ..Limits::default()
    }
}
