//! Many connections on one `mio` loop: so many at work at once, the next begins when one has ended.

use std::error::Error;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::Digest;
use mio::{Events, Interest, Poll, Token};
use sha2::{Digest as _, Sha256};

use crate::args::{Args, Language, Mode};
use crate::conn::{Conn, Piece, Script};
use crate::language::{self, Reader};
use crate::report::Report;

/// Bytes of a frame of an upload.
const CHUNK: usize = 1 << 20;
/// Bytes that are read at once: large, so that the generator costs little.
const BUFFER: usize = 256 * 1024;

/// What a pool is to do.
pub(crate) struct Plan {
    addr: SocketAddr,
    language: Language,
    user: String,
    connections: usize,
    at_once: usize,
    sources: u8,
    /// Connection n runs script n modulo their number.
    scripts: Vec<Script>,
    /// Whether a connection stays when its work is done.
    keep: bool,
    patience: Duration,
}

impl Plan {
    /// Makes a plan of what was typed.
    ///
    /// # Errors
    /// A language that cannot do what is asked.
    pub(crate) fn of(args: &Args) -> Result<Self, Box<dyn Error>> {
        let greeting = language::greeting(args.language, &args.path);
        let script = |request, times| Script {
            greeting: greeting.clone(),
            request,
            times,
        };
        let asked = || vec![Piece::Own(language::ask(args.language, &args.path))];
        let scripts = match args.mode {
            Mode::Idle | Mode::Connects | Mode::Ping => vec![script(asked(), 0)],
            Mode::Requests => vec![script(asked(), args.requests)],
            Mode::Transfers => transfers(args)?,
        };
        Ok(Self {
            addr: args.addr,
            language: args.language,
            user: args.user.clone(),
            connections: args.connections,
            at_once: args.at_once.max(1),
            sources: args.sources.max(1),
            scripts,
            keep: matches!(args.mode, Mode::Idle | Mode::Requests),
            patience: args.patience(),
        })
    }

    fn script(&self, number: usize) -> Option<&Script> {
        self.scripts.get(number % self.scripts.len())
    }

    /// Only a plan with several source addresses names any.
    fn source(&self, number: usize) -> Ipv4Addr {
        if self.sources == 1 {
            return Ipv4Addr::UNSPECIFIED;
        }
        let last = u8::try_from(number % usize::from(self.sources)).unwrap_or(0);
        Ipv4Addr::new(127, 0, 0, last.saturating_add(1))
    }
}

/// A script for each file.
fn transfers(args: &Args) -> Result<Vec<Script>, Box<dyn Error>> {
    if args.language == Language::Ftp || (args.put.is_some() && args.language == Language::Http) {
        return Err("only native and http transfer, and only native puts".into());
    }
    let shared: Arc<[u8]> = vec![0; CHUNK].into();
    let digest = args.put.map(digest_of_zeros);
    Ok((0..args.files.max(1))
        .map(|number| {
            let path = args.path.replace("{}", &number.to_string());
            let first = match (args.put, digest) {
                (Some(size), Some(digest)) => upload(&path, size, digest, &shared),
                _ => vec![Piece::Own(language::get(args.language, &path))],
            };
            match args.language {
                // HTTP has no greeting: the transfer is the first thing said.
                Language::Http => Script {
                    greeting: language::get(args.language, &path),
                    request: first,
                    times: 0,
                },
                Language::Native | Language::Ftp => Script {
                    greeting: language::greeting(args.language, &path),
                    request: first,
                    times: 1,
                },
            }
        })
        .collect())
}

fn upload(path: &str, size: u64, digest: Digest, shared: &Arc<[u8]>) -> Vec<Piece> {
    let mut pieces = vec![Piece::Own(language::put(path, size, digest))];
    let mut left = size;
    while left > 0 {
        let len = left.min(CHUNK as u64);
        left -= len;
        pieces.push(Piece::Own(language::more(len, left == 0)));
        pieces.push(if len == CHUNK as u64 {
            Piece::Shared(Arc::clone(shared))
        } else {
            Piece::Own(vec![0; usize::try_from(len).unwrap_or(0)])
        });
    }
    pieces
}

fn digest_of_zeros(size: u64) -> Digest {
    let block = vec![0; CHUNK];
    let mut hash = Sha256::new();
    let mut left = size;
    while left > 0 {
        let len = left.min(CHUNK as u64);
        hash.update(
            block
                .get(..usize::try_from(len).unwrap_or(0))
                .unwrap_or_default(),
        );
        left -= len;
    }
    Digest(hash.finalize().into())
}

/// The loop.
pub(crate) struct Pool {
    plan: Plan,
    poll: Poll,
    conns: Vec<Option<Conn>>,
    buffer: Vec<u8>,
    report: Report,
    at_work: usize,
}

impl Pool {
    /// A pool without connections.
    ///
    /// # Errors
    /// As `epoll_create1` says.
    pub(crate) fn new(plan: Plan) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            poll: Poll::new()?,
            conns: Vec::with_capacity(plan.connections),
            buffer: vec![0; BUFFER],
            report: Report::default(),
            at_work: 0,
            plan,
        })
    }

    /// Does all of the plan.
    ///
    /// # Errors
    /// The first connection that failed, or the time is up.
    pub(crate) fn run(&mut self) -> Result<Report, Box<dyn Error>> {
        self.report = Report::default();
        let end = Instant::now() + self.plan.patience;
        let mut events = Events::with_capacity(1024);
        while self.conns.len() < self.plan.connections || self.at_work > 0 {
            while self.at_work < self.plan.at_once && self.conns.len() < self.plan.connections {
                self.begin()?;
            }
            self.turn(&mut events, end)?;
        }
        Ok(self.report.take())
    }

    /// Asks every connection that is open once, all at the same time.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn ask_all(&mut self) -> Result<Report, Box<dyn Error>> {
        self.report = Report::default();
        let end = Instant::now() + self.plan.patience;
        let mut events = Events::with_capacity(1024);
        for number in 0..self.conns.len() {
            let Some(script) = self.plan.script(number) else {
                continue;
            };
            if let Some(Some(conn)) = self.conns.get_mut(number) {
                conn.ask(&script.request);
                self.at_work += 1;
            }
            self.drive(number)?;
        }
        while self.at_work > 0 {
            self.turn(&mut events, end)?;
        }
        Ok(self.report.take())
    }

    fn begin(&mut self) -> Result<(), Box<dyn Error>> {
        let number = self.conns.len();
        let script = self.plan.script(number).ok_or("no script")?;
        let reader = Reader::new(self.plan.language);
        let mut conn = Conn::open(self.plan.addr, self.plan.source(number), reader, script)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(conn.stream(), Token(number), both)?;
        self.conns.push(Some(conn));
        self.at_work += 1;
        Ok(())
    }

    fn turn(&mut self, events: &mut Events, end: Instant) -> Result<(), Box<dyn Error>> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("{} connections are not done in time", self.at_work).into());
        }
        match self.poll.poll(events, Some(left)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in &*events {
            self.drive(event.token().0)?;
        }
        Ok(())
    }

    fn drive(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let Some(slot) = self.conns.get_mut(number) else {
            return Ok(());
        };
        let (Some(conn), Some(script)) = (slot.as_mut(), self.plan.script(number)) else {
            return Ok(());
        };
        let progress = conn
            .drive(script, &self.plan.user, &mut self.buffer)
            .map_err(|error| format!("connection {number}: {error}"))?;
        self.report.bytes += progress.payload;
        if progress.done {
            self.report.times.push(conn.began.elapsed());
            self.at_work -= 1;
            if !self.plan.keep {
                *slot = None;
            }
        }
        Ok(())
    }
}
