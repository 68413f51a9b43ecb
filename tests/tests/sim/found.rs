//! How a world begins: who is in it, what each wants, and how rough it is.

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;
use ftp_proto::native::Native;
use ftp_proto::rfc959::{Rfc959, Security};
use ftp_proto::session::Input;
use ftp_proto::{Durability, Limits, VPath, native, rfc959};

use super::blows::Target;
use super::climate::Climate;
use super::ftp::plan::{Op, What};
use super::ftp::strike::Strike;
use super::native::plan::{Habits, Req};
use super::player::{Machine, Player};
use super::shell::{Bounds, CONTROL, Session};
use super::world::{Kind, World};

/// Most times a client comes back.
const RETURNS: u32 = 6;

/// How often a client leads to the state where it is to be interrupted.
const CHANCES: u32 = 6;

/// What all sessions of a world have in common.
#[derive(Debug)]
pub(crate) struct Found {
    limits: Limits,
    native: Arc<native::Config>,
    standard: Arc<rfc959::Config>,
    /// Clients of standard FTP go into TLS.
    tls: bool,
}

impl Found {
    fn new(limits: Limits, tls: bool) -> Self {
        let server = "muxftp/sim".to_owned();
        let offered = if tls {
            Security::Offered
        } else {
            Security::Off
        };
        Self {
            native: Arc::new(native::Config {
                limits: limits.clone(),
                server: server.clone(),
                durability: Durability::Full,
                read_only: false,
                login: None,
            }),
            standard: Arc::new(rfc959::Config {
                limits: limits.clone(),
                server,
                active: true,
                digesting: ftp_proto::session::Digesting::Upload,
                login: true,
                tls: offered,
                implicit_tls: false,
                data_tls: offered,
                read_only: false,
            }),
            limits,
            tls,
        }
    }
}

/// The world of this seed.
pub(crate) fn world(kind: Kind, seed: u64, tells: bool) -> World {
    match kind {
        Kind::Native => of_native(Rng::with_seed(seed), tells),
        Kind::Standard => of_standard(seed, None, tells),
        Kind::Both => of_both(Rng::with_seed(seed), tells),
        Kind::Struck => {
            let targets = Strike::targets();
            let at = usize::try_from(seed).unwrap() % targets.len();
            let (state, strike) = targets[at];
            of_standard(seed, Some(Target { state, strike }), tells)
        }
    }
}

fn of_native(mut rng: Rng, tells: bool) -> World {
    let limits = draw_limits(&mut rng);
    let roughness = rng.u32(..10);
    let sessions = if roughness < 2 { 2 } else { 1 };
    let resumes = matches!(roughness, 0 | 2 | 3);
    let rough = roughness < 7;
    let climate = Climate {
        faults: rough && rng.bool(),
        shared: sessions > 1,
        tampered: false,
        ends: rough,
    };
    let mut world = World::empty(rng, climate, Found::new(limits, false), tells);
    world.returns = if resumes { RETURNS } else { 0 };
    let habits = Habits {
        requests: world.rng.usize(1..60),
        resumes,
        pings: !resumes && world.rng.u32(..12) == 0,
        longest: if resumes { 60_000 } else { 25_000 },
    };
    let mut plan = draw_requests(&mut world.rng, habits);
    world.begin(sessions, rough, resumes);
    for index in 0..sessions {
        world.connect_native(index, plan.clone());
        // Often both want the same, and meet on the same partials.
        if world.rng.bool() {
            plan = draw_requests(&mut world.rng, habits);
        }
    }
    world
}

/// Sessions of standard FTP; if there is a target, all is so that it can be hit.
fn of_standard(seed: u64, target: Option<Target>, tells: bool) -> World {
    let mut rng = Rng::with_seed(seed);
    let mut limits = draw_limits(&mut rng);
    if target.is_some() {
        // What is sent at once is in no state for long.
        limits.window_bytes = limits.window_bytes.min(5000);
        limits.page_bytes = 300;
    }
    let roughness = rng.u32(..10);
    let sessions = if roughness < 2 && target.is_none() {
        2
    } else {
        1
    };
    let rough = roughness < 7 && target.is_none();
    let climate = Climate {
        faults: rough && rng.bool(),
        shared: sessions > 1,
        tampered: false,
        ends: rough || target.is_some(),
    };
    let handshakes = |target: Target| {
        let state = format!("{:?}", target.state);
        state.starts_with("Handshaking") || state == "Securing"
    };
    let tls = target.is_some_and(handshakes) || rng.u32(..4) == 0;
    let mut world = World::empty(rng, climate, Found::new(limits, tls), tells);
    world.returns = if rough { RETURNS } else { 0 };
    world.target = target;
    world.begin(sessions, rough, false);
    if target.is_some() {
        world.fill();
    }
    for index in 0..sessions {
        let plan = world.draw_ops(index);
        world.connect_ftp(index, plan);
    }
    world
}

/// One or two sessions of each dialect, at the same files.
fn of_both(mut rng: Rng, tells: bool) -> World {
    let limits = draw_limits(&mut rng);
    let rough = rng.u32(..10) < 7;
    let climate = Climate {
        faults: rough && rng.bool(),
        shared: true,
        tampered: false,
        ends: rough,
    };
    let tls = rng.u32(..4) == 0;
    let mut world = World::empty(rng, climate, Found::new(limits, tls), tells);
    world.returns = if rough { RETURNS } else { 0 };
    let sessions = world.rng.usize(2..5);
    world.begin(sessions, rough, false);
    for index in 0..sessions {
        if index % 2 == 0 {
            let plan = world.draw_ops(index);
            world.connect_ftp(index, plan);
        } else {
            let habits = Habits {
                requests: world.rng.usize(1..30),
                resumes: world.rng.bool(),
                pings: false,
                longest: 25_000,
            };
            let plan = draw_requests(&mut world.rng, habits);
            world.connect_native(index, plan);
        }
    }
    world
}

impl World {
    fn begin(&mut self, clients: usize, rough: bool, resumes: bool) {
        self.clients = clients;
        if self.climate.faults {
            self.disk.fault_one_in = 20;
        }
        if rough {
            self.draw_blows(resumes);
        }
    }

    /// A listing of the root takes several pages.
    fn fill(&mut self) {
        for number in 0..16 {
            let path = VPath::parse(&format!("a folder with a long name, {number}")).unwrap();
            for fs in [&mut self.disk.fs, &mut self.reference] {
                fs.make_dir(&path, false).unwrap();
            }
        }
    }

    pub(super) fn connect_native(&mut self, index: usize, mut plan: VecDeque<Req>) {
        for req in &plan {
            if let Req::Put(put) = req {
                self.known.insert(put.bytes.clone());
            }
        }
        let rng = &mut self.rng;
        plan.push_front(Req::Hello {
            chunk: 4096 + rng.u32(..20_000),
        });
        let limits = &self.found.limits;
        let chunk = 1 + rng.usize(..limits.chunk_bytes as usize);
        // Some ask for more than the server said it takes.
        let ahead = if rng.u32(..3) == 0 {
            1000
        } else {
            1 + rng.usize(..2 * limits.pipeline)
        };
        let client = super::native::client::Client::new(plan, chunk, ahead, rng.bool());
        let answers = limits.pipeline as u64 * (2048 + u64::from(limits.ping_bytes));
        let page = u64::from(limits.page_bytes) + u64::from(limits.inline_bytes);
        let bounds = Bounds {
            control: 2 * limits.window_bytes + 2 * u64::from(limits.chunk_bytes) + answers + page,
            data: 0,
        };
        let machine = Native::new(Arc::clone(&self.found.native), self.now);
        let (machine, client) = (
            Machine::Native(Box::new(machine)),
            Player::Native(Box::new(client)),
        );
        let session = Session::new(index, machine, client, None, bounds);
        self.sessions.push(session);
    }

    fn draw_ops(&mut self, index: usize) -> VecDeque<Op> {
        let (rng, ops) = (&mut self.rng, self.target);
        let count = if ops.is_some() { 3 } else { rng.usize(1..40) };
        let longest = if rng.bool() { 3000 } else { 25_000 };
        let mut plan: VecDeque<Op> = (0..count).map(|_| Op::draw(rng, longest, index)).collect();
        if let Some(target) = self.target {
            // Something for it to be about, and several chances.
            let first = super::ftp::plan::Move::of_a(rng, What::Store(0));
            for _ in 0..CHANCES {
                for op in Op::towards(target.state, rng).into_iter().rev() {
                    plan.push_front(op);
                }
            }
            plan.push_front(Op::Move(first.into()));
        }
        plan
    }

    pub(super) fn connect_ftp(&mut self, index: usize, mut plan: VecDeque<Op>) {
        for op in &plan {
            if let Op::Move(moved) | Op::Resume(moved) = op {
                self.known.insert(moved.sent().to_vec());
                self.meant.insert(moved.sent().to_vec());
            }
        }
        let rng = &mut self.rng;
        let protects = self.found.tls && (self.target.is_some() || rng.u32(..3) > 0);
        let enters = [Op::Tls, Op::Login, Op::Protect];
        let enters = enters.into_iter().rev();
        for op in enters.filter(|op| protects || matches!(op, Op::Login)) {
            plan.push_front(op);
        }
        let ahead = match rng.u32(..3) {
            _ if self.target.is_some() => 1,
            0 => 1,
            1 => 1 + rng.usize(..5),
            _ => 100,
        };
        let (meddles, quits) = (rng.u32(..3) == 0 && self.target.is_none(), rng.bool());
        let client = super::ftp::client::Client::new(plan, ahead, meddles, quits);
        let limits = &self.found.limits;
        let (chunk, page) = (u64::from(limits.chunk_bytes), u64::from(limits.page_bytes));
        let bounds = Bounds {
            // The longest replies, HELP and FEAT, are shorter than this.
            control: limits.replies_bytes + 2 * page + 4096,
            data: limits.window_bytes + chunk + u64::from(limits.inline_bytes) + 2 * page,
        };
        let machine = Rfc959::new(Arc::clone(&self.found.standard), self.now);
        let (machine, client) = (
            Machine::Ftp(Box::new(machine)),
            Player::Ftp(Box::new(client)),
        );
        // Each client is a user, and goes on with nobody else's uploads.
        let owner = Some(format!("user{}", index % self.clients));
        let mut session = Session::new(index, machine, client, owner, bounds);
        session.second.rough = self.climate.faults;
        session.second.strict = self.climate.ends && self.target.is_none();
        let silent = |target: Target| target.state == rfc959::State::Silent;
        if !self.target.is_some_and(silent) {
            session.tell(opened(), self.now);
        }
        self.sessions.push(session);
    }
}

/// Control is there.
pub(super) fn opened() -> Input {
    let peer = Some((super::ftp::PEER, 40_000).into());
    Input::Opened {
        channel: CONTROL,
        peer,
    }
}

fn draw_requests(rng: &mut Rng, habits: Habits) -> VecDeque<Req> {
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
        held_bytes: pick(&[200, 2000, 16_384]) as usize,
        replies_bytes: pick(&[100, 2000, 65_536]),
        ..Limits::default()
    }
}
