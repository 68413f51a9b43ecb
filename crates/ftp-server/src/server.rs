//! The daemon put together: sockets, pool, store, reactor, and the one line that names each dialect.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ftp_access::Users;
use ftp_access::bans::Policy;
use ftp_proto::native::Native;
use ftp_proto::session::{Dialect, Times};
use ftp_proto::wire::{Code, ErrorBody, ReplyHead, frame};
use ftp_proto::{Durability, Limits};
use ipnet::IpNet;

use crate::bans::Bans;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::pool::Mailbox;
pub use crate::reactor::Ended;
use crate::reactor::{Bounds, Cover, Front, Letter, Reactor};
use crate::session::{EndTimes, SecondRules};
pub use crate::session::{Rate, Rates};
use crate::sweeper::Sweeper;

mod ftp;
mod live;
mod start;
mod tls;

pub use ftp::{Digesting, FtpConfig, Masquerade, Resume, Told};
pub use ftp_store::BOOT_ID;
use live::Live;
pub use start::{Bound, Opened, StartError};
pub use tls::{Certificate, Oldest, TlsConfig, TlsOn, is_loopback};

/// What a server is to be. Everything that can grow has its bound here or in [`Limits`].
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The folder that is served.
    pub root: PathBuf,
    /// Who may log in, each with a folder of their own; absent: everybody has `root`.
    pub users: Option<Arc<Users>>,
    /// Where to listen; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Refuse every change.
    pub read_only: bool,
    /// How safe an upload is when it is answered.
    pub durability: Durability,
    /// How long a broken upload can be resumed before it is removed.
    pub partial_ttl: Duration,
    /// Loops that serve sessions, each on a thread of its own; at least one.
    pub reactors: usize,
    /// Threads that do disk work.
    pub workers: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most connections of one address at once.
    pub max_per_address: usize,
    /// Proxies: peers that must begin with a PROXY header, and are believed for whom they come.
    pub proxies: Vec<IpNet>,
    /// Bytes of all blocks and small answers at once.
    pub buffer_bytes: usize,
    /// Time to finish what is under way after a stop was asked.
    pub drain_time: Duration,
    /// Bounds of a session.
    pub limits: Limits,
    /// Encryption.
    pub tls: TlsConfig,
    /// What bandwidth there is.
    pub rates: Rates,
    /// Most transfers of one address at a time; `None` is no limit.
    pub transfers_per_address: Option<u32>,
    /// When addresses are banned that guess passwords; absent: never.
    pub bans: Option<Policy>,
    /// Standard FTP.
    pub ftp: FtpConfig,
    /// For tests: every disk job sleeps first.
    pub slow_disk: Option<Duration>,
}

/// A server that listens but does not run yet; made by [`Bound`], then [`Opened`].
pub struct Server {
    /// The first accepts.
    reactors: Vec<Reactor>,
    handle: Handle,
    addresses: Vec<SocketAddr>,
    metrics: Arc<Metrics>,
    /// Absent where nothing may be written.
    sweeper: Option<Sweeper>,
}

/// Stops a running server from another thread, or gives it a new configuration.
#[derive(Clone)]
pub struct Handle {
    mailboxes: Vec<Arc<Mailbox<Letter>>>,
    live: Arc<Live>,
    certificate: Option<Certificate>,
    logins: Option<Arc<Logins>>,
    bans: Arc<Bans>,
}

impl Handle {
    /// No new connections; what is under way finishes, within the drain time.
    pub fn drain(&self) {
        for mailbox in &self.mailboxes {
            mailbox.post(Letter::Drain);
        }
    }

    /// Takes over what may change while the server runs: caps, times, rates, the time to drain. Sessions that are under way
    /// obey it too, none is broken off by the change itself. Certificates are read again, for new handshakes. Everything else of
    /// `config` is let be.
    ///
    /// # Errors
    /// Says which certificate cannot be used; then nothing has changed.
    pub fn reload(&self, config: &ServerConfig) -> Result<(), ftp_tls::Error> {
        if let Some(certificate) = &self.certificate {
            certificate.reload(&config.tls)?;
        }
        self.live.swap(config);
        self.bans.set_policy(config.bans.clone());
        if let (Some(logins), Some(users)) = (&self.logins, &config.users) {
            logins.replace(users.clone());
        }
        let bounds = Arc::new(bounds(config));
        for mailbox in &self.mailboxes {
            mailbox.post(Letter::Reload(bounds.clone()));
        }
        Ok(())
    }

    /// Stop now.
    pub fn cut(&self) {
        for mailbox in &self.mailboxes {
            mailbox.post(Letter::Cut);
        }
    }
}

impl Server {
    /// Where the server listens, with real ports.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What it shows in a TLS handshake, if it speaks TLS anywhere.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.handle.certificate.as_ref()
    }

    /// A handle to stop it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until stopped.
    ///
    /// # Errors
    /// If a poll itself fails.
    pub fn run(mut self) -> io::Result<Ended> {
        let mut front = self.reactors.remove(0);
        let ended = thread::scope(|scope| {
            let mates = self
                .reactors
                .iter_mut()
                .map(|mate| scope.spawn(|| mate.run()));
            let mates: Vec<_> = mates.collect();
            let mut ended = front.run();
            if !matches!(ended, Ok(Ended::Drained)) {
                self.handle.cut();
            }
            for mate in mates {
                let its = mate
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a loop panicked")));
                if matches!(ended, Ok(Ended::Drained)) {
                    ended = its;
                }
            }
            ended
        });
        // Whoever changes files is gone before the figures are written down.
        drop(front);
        self.reactors.clear();
        self.sweeper = None;
        if let Some(logins) = &self.handle.logins {
            logins.close();
        }
        self.handle.bans.close();
        self.metrics.log();
        ended
    }
}

fn bounds(config: &ServerConfig) -> Bounds {
    Bounds {
        max_connections: config.max_connections,
        max_per_address: config.max_per_address,
        proxies: config.proxies.clone().into(),
        descriptor_ceiling: descriptor_ceiling(),
        buffer_bytes: config.buffer_bytes / config.reactors.max(1),
        drain_time: config.drain_time,
        end_times: EndTimes {
            stall: config.limits.stall_time,
            linger: config.limits.linger_time,
        },
        rates: config.rates,
        transfers_per_address: config.transfers_per_address,
        times: Times::of(&config.limits),
    }
}

/// The descriptor at which connections are turned away: an eighth of all, 16 to 512, is kept for files.
fn descriptor_ceiling() -> i32 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit
        .and_then(|limit| i32::try_from(limit).ok())
        .unwrap_or(i32::MAX);
    limit - (limit / 8).clamp(16, 512)
}

/// A last frame for somebody who is turned away.
fn refusal(live: &Live, code: Code, why: &str) -> Vec<u8> {
    let head = ReplyHead {
        fin: true,
        error: Some(ErrorBody::new(code, why)),
        ..ReplyHead::default()
    };
    let mut refusal = Vec::new();
    if frame::encode(&head, live.native().limits.header_bytes, &mut refusal).is_err() {
        refusal.clear();
    }
    refusal
}

/// Our own protocol.
struct NativeFront {
    live: Arc<Live>,
    refusal: Vec<u8>,
    banned: Vec<u8>,
    cover: Cover,
}

impl NativeFront {
    fn new(live: Arc<Live>, cover: Cover) -> Self {
        let why = "the server has too many connections; close some or try again later";
        let full = refusal(&live, Code::Overloaded, why);
        let why = "too many log-ins from your address have failed; try again later";
        let banned = refusal(&live, Code::LoginLater, why);
        Self {
            live,
            refusal: full,
            banned,
            cover,
        }
    }
}

impl Front for NativeFront {
    fn dialect(&self, now: Instant) -> Box<dyn Dialect> {
        Box::new(Native::new(self.live.native(), now))
    }

    fn refusal(&self) -> &[u8] {
        &self.refusal
    }

    fn banned(&self) -> &[u8] {
        &self.banned
    }

    fn cover(&self) -> Cover {
        self.cover.clone()
    }

    fn second(&self) -> Option<Arc<SecondRules>> {
        None
    }
}
