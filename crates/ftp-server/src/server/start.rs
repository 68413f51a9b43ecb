//! The start, in three steps, so that privileges can be given up between them: what needs them first (ports), then what the
//! server will open again while it runs (files), then threads, which inherit what was given up.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ftp_access::Users;
use ftp_proto::wire::Code;
use ftp_store::Store;
use mio::net::TcpListener;

use super::ftp::FtpFront;
use super::live::Live;
use super::tls::Certificate;
use super::{Handle, NativeFront, Server, ServerConfig, bounds, refusal};
use crate::bans::Bans;
use crate::logins::{Logins, Stores};
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::quotas::{self, Quotas};
use crate::reactor::{self, Commons, Cover, Desk, Listener, Mate, Reactor};
use crate::session::{Bandwidth, Entry, SecondRules, Transfers};
use crate::sweeper::Sweeper;

/// Orders that may wait for a worker.
const QUEUE: usize = 1024;

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The root cannot be served.
    Root(PathBuf, String),
    /// An address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The address that clients are to be told cannot be found out.
    Masquerade(String),
    /// The certificate, or what goes with it, cannot be used.
    Tls(ftp_tls::Error),
    /// The system refused something else.
    System(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(path, why) => write!(f, "cannot serve {}: {why}", path.display()),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: another program does already; choose another port with --listen"
            ),
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Masquerade(why) => write!(
                f,
                "cannot tell clients an address (--ftp-masquerade): {why}"
            ),
            Self::Tls(error) => write!(f, "cannot speak TLS: {error}"),
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Who listens, and the address with its real port.
type Socket = (SocketAddr, TcpListener);

/// A server whose addresses are bound; nothing else of it is there.
pub struct Bound {
    config: ServerConfig,
    /// For our own protocol.
    native: Vec<Socket>,
    /// For standard FTP; with TLS from the first byte, or not.
    ftp: Vec<(Socket, bool)>,
    /// How sessions of standard FTP come to data connections.
    rules: SecondRules,
}

/// A server whose files are open; no thread of it runs.
pub struct Opened {
    bound: Bound,
    files: Files,
    certificate: Option<Certificate>,
}

/// Where the files are.
enum Files {
    /// One folder for everybody.
    Open(Store),
    /// A folder for each, opened when they come.
    Users(Arc<Users>, Stores),
}

impl Bound {
    /// Looks up the names that addresses were given by, and binds the addresses.
    ///
    /// # Errors
    /// [`StartError`] says which cannot be had.
    pub fn new(config: ServerConfig) -> Result<Self, StartError> {
        let native = config.listen.iter().map(|address| listen(*address));
        let native = native.collect::<Result<_, _>>()?;
        let ftp = config.ftp.addresses();
        let ftp = ftp.map(|(address, implicit)| Ok((listen(address)?, implicit)));
        let ftp = ftp.collect::<Result<_, _>>()?;
        let rules = config.ftp.rules().map_err(StartError::Masquerade)?;
        Ok(Self {
            config,
            native,
            ftp,
            rules,
        })
    }

    /// Opens the root and the certificate; a first start makes one. Blocks for the disk.
    ///
    /// # Errors
    /// [`StartError`] says what cannot be opened.
    pub fn open(self) -> Result<Opened, StartError> {
        let config = &self.config;
        let options = ftp_store::Options {
            durability: config.durability,
            read_only: config.read_only,
            partial_ttl: config.partial_ttl,
            ..ftp_store::Options::default()
        };
        if config.users.is_some() {
            keep_state(&config.tls.state);
        }
        let files = match &config.users {
            Some(users) => Files::Users(users.clone(), Stores::new(options)),
            None => {
                quotas::forget(&quotas::folder(&config.tls.state));
                Store::open(&config.root, options)
                    .map(Files::Open)
                    .map_err(|error| StartError::Root(config.root.clone(), error.to_string()))?
            }
        };
        let certificate = Certificate::new(config).map_err(StartError::Tls)?;
        Ok(Opened {
            bound: self,
            files,
            certificate,
        })
    }
}

impl Opened {
    /// Starts the threads and makes the loops.
    ///
    /// # Errors
    /// [`StartError`] says what could not be had.
    pub fn start(self) -> Result<Server, StartError> {
        let Self {
            bound,
            files,
            certificate,
        } = self;
        let config = bound.config.clone();
        let live = Arc::new(Live::new(&config));
        let bans = Bans::start(config.bans.clone(), &config.tls.state)
            .map_err(|error| StartError::System("start what keeps bans", error))?;
        let bans = Arc::new(bans);
        let (entry, logins) = entry(files, &bans, &config)?;
        let (addresses, listeners) = serve(bound, &live, certificate.as_ref());
        let pool = Pool::start(config.workers, QUEUE, config.slow_disk)
            .map_err(|error| StartError::System("start the disk workers", error))?;
        let sweeper = (!config.read_only).then(|| sweep(entry.clone()));
        let sweeper = sweeper.transpose();
        let commons = Commons {
            pool: Arc::new(pool),
            entry,
            metrics: Arc::new(Metrics::default()),
            bounds: bounds(&config),
            bandwidth: Arc::<Bandwidth>::default(),
            transfers: Arc::<Transfers>::default(),
            bans: bans.clone(),
            last_id: Arc::default(),
        };
        let reactors = crew(&commons, config.reactors, listeners)
            .map_err(|error| StartError::System("start the loops", error))?;
        Ok(Server {
            handle: Handle {
                live,
                logins,
                bans,
                certificate,
                mailboxes: reactors
                    .iter()
                    .map(|reactor| reactor.mailbox().clone())
                    .collect(),
            },
            reactors,
            addresses,
            metrics: commons.metrics,
            sweeper: sweeper.map_err(|error| StartError::System("start the sweep", error))?,
        })
    }
}

fn listen(address: SocketAddr) -> Result<Socket, StartError> {
    reactor::listen(address)
        .and_then(|socket| Ok((socket.local_addr()?, socket)))
        .map_err(|error| StartError::Listen(address, error))
}

/// Makes the folder for figures of quotas and bans, which are written when there are some: a folder that is made later is in
/// reach of no sandbox.
fn keep_state(folder: &Path) {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    if let Err(error) = made {
        tracing::debug!(folder = %folder.display(), %error, "no folder for what is kept");
    }
}

/// How sessions begin.
fn entry(
    files: Files,
    bans: &Arc<Bans>,
    config: &ServerConfig,
) -> Result<(Entry, Option<Arc<Logins>>), StartError> {
    match files {
        Files::Open(store) => Ok((Entry::Open(Arc::new(store)), None)),
        Files::Users(users, stores) => {
            let quotas = Quotas::start(quotas::folder(&config.tls.state), &users);
            let quotas = quotas.map_err(|error| StartError::System("start the quotas", error))?;
            let logins = Logins::start(users, stores, bans.clone(), quotas);
            let logins = logins.map_err(|error| StartError::System("start the log-ins", error))?;
            let logins = Arc::new(logins);
            Ok((Entry::Users(logins.clone()), Some(logins)))
        }
    }
}

/// What comes to each socket is spoken by a dialect, within what the configuration says. The real addresses, and who serves.
fn serve(
    bound: Bound,
    live: &Arc<Live>,
    certificate: Option<&Certificate>,
) -> (Vec<SocketAddr>, Vec<Listener>) {
    let config = &bound.config;
    let security = certificate.map(|certificate| {
        let words = refusal(live, Code::BadFrame, "this port speaks TLS: use --tls");
        Arc::new(certificate.security(words))
    });
    let native = bound.native.into_iter().map(|(address, socket)| {
        let cover = match &security {
            Some(security) if config.tls.covers(&address) => Cover::First(security.clone()),
            Some(_) | None => Cover::Plain,
        };
        let front = NativeFront::new(live.clone(), cover);
        (address, Listener::new(socket, Box::new(front)))
    });
    let rules = Arc::new(bound.rules);
    let ftp = bound.ftp.into_iter().map(|((address, socket), implicit)| {
        let place = (address, implicit);
        let rules = rules.clone();
        let front = FtpFront::new(
            live.clone(),
            place,
            certificate.cloned(),
            &config.ftp,
            rules,
        );
        (address, Listener::new(socket, Box::new(front)))
    });
    native.chain(ftp).unzip()
}

/// Removes leftovers wherever files are.
fn sweep(entry: Entry) -> io::Result<Sweeper> {
    let each = move |visit: &mut dyn FnMut(&Store) -> bool| match &entry {
        Entry::Open(store) => visit(store),
        Entry::Users(logins) => logins.each_store(visit),
    };
    Sweeper::start(each, SystemTime::now)
}

/// `count` reactors, at least one: the first accepts for all.
fn crew(commons: &Commons, count: usize, listeners: Vec<Listener>) -> io::Result<Vec<Reactor>> {
    let reactors = (0..count.max(1)).map(|_| Reactor::new(commons.clone()));
    let mut reactors = reactors.collect::<io::Result<Vec<_>>>()?;
    if let Some((front, mates)) = reactors.split_first_mut() {
        for (number, mate) in mates.iter_mut().enumerate() {
            mate.serve(Desk::new(number, front.mailbox().clone()));
        }
        let mates = mates.iter().map(|mate| Mate::new(mate.mailbox().clone()));
        front.front(listeners, mates.collect())?;
    }
    Ok(reactors)
}
