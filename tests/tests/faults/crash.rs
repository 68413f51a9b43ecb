//! kill -9 of the daemon at random points of uploads: a target is the old file or the new one, what was answered is
//! there, what was interrupted goes on. `MUXFTP_CRASH_ROUNDS` and `MUXFTP_SEED` ask for more or for the same again.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use ftp_tests::files::{leftovers, random_bytes, sha256, sha256_of};
use ftp_tests::peer::frame;
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually};
use serde_json::{Value, json};

use crate::knob;

const TARGETS: u64 = 6;
const MIB: usize = 1 << 20;
/// By then the server has swept for the second time.
const SWEPT: Duration = Duration::from_secs(240);

/// What one target may hold after a crash.
#[derive(Default, Clone)]
struct Ledger {
    /// The last version that the server answered as stored.
    stored: Option<u64>,
    /// The version that was under way when the server died.
    open: Option<u64>,
}

/// The bytes of a version: sizes from nothing to some MiB.
fn version(seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let size = match rng.u8(..) {
        0..60 => rng.usize(..5000),
        60..160 => rng.usize(..300_000),
        _ => rng.usize(..6 * MIB),
    };
    random_bytes(seed, size)
}

/// A session that fails instead of panicking: its server is about to die.
struct Fragile(TcpStream);

impl Fragile {
    fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        let mut this = Self(stream);
        this.send(
            &json!({"id": 1, "verb": "hello", "version": 1, "fin": true}),
            b"",
        )?;
        this.answer()?;
        Ok(this)
    }

    fn send(&mut self, head: &Value, payload: &[u8]) -> io::Result<()> {
        self.0.write_all(&frame(head, payload))
    }

    fn answer(&mut self) -> io::Result<Value> {
        let mut prelude = [0; 4];
        self.0.read_exact(&mut prelude)?;
        let mut head = vec![0; u32::from_be_bytes(prelude) as usize];
        self.0.read_exact(&mut head)?;
        Ok(serde_json::from_slice(&head)?)
    }

    /// Uploads, going on with what is there; the offset it went on from.
    fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<usize> {
        let mut from = 0;
        if bytes.len() > MIB {
            let size = bytes.len();
            self.send(
                &json!({"id": 2, "verb": "put", "path": path, "size": size, "resume": true}),
                b"",
            )?;
            let interim = self.answer()?;
            assert!(interim["error"].is_null(), "{interim}");
            let offset = usize::try_from(interim["offset"].as_u64().unwrap()).unwrap();
            assert!(offset <= size, "{interim}");
            if offset > 0 && interim["sha256"] == sha256(&bytes[..offset]) {
                from = offset;
            }
            self.send(&json!({"id": 2, "offset": from}), b"")?;
        } else {
            self.send(&json!({"id": 2, "verb": "put", "path": path}), b"")?;
        }
        for chunk in bytes[from..].chunks(MIB / 4) {
            self.send(&json!({"id": 2}), chunk)?;
        }
        self.send(&json!({"id": 2, "fin": true, "sha256": sha256(bytes)}), b"")?;
        let answer = self.answer()?;
        assert!(answer["error"].is_null(), "{answer}");
        assert_eq!(answer["sha256"], sha256(bytes));
        Ok(from)
    }
}

/// Uploads version after version to one target until the server dies.
fn write_until_death(
    addr: SocketAddr,
    target: u64,
    seeds: &mut fastrand::Rng,
    mut ledger: Ledger,
) -> Ledger {
    let Ok(mut session) = Fragile::connect(addr) else {
        return ledger;
    };
    loop {
        let seed = seeds.u64(..);
        ledger.open = Some(seed);
        if session.put(&format!("t{target}"), &version(seed)).is_err() {
            return ledger;
        }
        ledger.stored = Some(seed);
        ledger.open = None;
    }
}

/// Looks at every target; the number of those that were replaced although nobody was told.
fn audit(root: &std::path::Path, ledgers: &mut HashMap<u64, Ledger>, round: u64) {
    for (target, ledger) in ledgers {
        let path = root.join(format!("t{target}"));
        let digest = path.exists().then(|| sha256_of(&path));
        let is = |seed: Option<u64>| digest == seed.map(|seed| sha256(&version(seed)));
        if ledger.open.is_some() && is(ledger.open) {
            ledger.stored = ledger.open;
            continue;
        }
        assert!(
            is(ledger.stored),
            "round {round}: t{target} is neither the old file nor the new one: {digest:?}"
        );
    }
}

#[test]
fn killed_at_any_point_nothing_is_lost() {
    let rounds = knob("MUXFTP_CRASH_ROUNDS", 20);
    let seed = knob("MUXFTP_SEED", fastrand::u64(..1 << 32));
    println!("seed {seed} (MUXFTP_SEED={seed} does the same again)");
    let mut rng = fastrand::Rng::with_seed(seed);
    let scratch = Scratch::new("crash");
    let mut ledgers: HashMap<u64, Ledger> = (0..TARGETS).map(|n| (n, Ledger::default())).collect();
    let (mut interrupted, mut resumed) = (0, 0);
    for round in 0..rounds {
        let mut server = Server::start(Options::new().root(scratch.path()));
        let addr = server.addr();
        let writers: Vec<_> = ledgers
            .clone()
            .into_iter()
            .map(|(target, ledger)| {
                let mut seeds = rng.fork();
                thread::spawn(move || (target, write_until_death(addr, target, &mut seeds, ledger)))
            })
            .collect();
        let end = Instant::now() + Duration::from_micros(rng.u64(1_000..150_000));
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        server.kill();
        for writer in writers {
            let (target, ledger) = writer.join().expect("a writer");
            ledgers.insert(target, ledger);
        }
        audit(scratch.path(), &mut ledgers, round);
        // What was interrupted goes on, on a server of its own.
        let server = Server::start(Options::new().root(scratch.path()));
        for (target, ledger) in &mut ledgers {
            if let Some(seed) = ledger.open.take() {
                let bytes = version(seed);
                let mut session = Fragile::connect(server.addr()).unwrap();
                let from = session.put(&format!("t{target}"), &bytes).unwrap();
                interrupted += 1;
                resumed += u64::from(from > 0);
                ledger.stored = Some(seed);
            }
        }
        audit(scratch.path(), &mut ledgers, round);
        Peer::hello(server.addr()).still_works();
    }
    println!(
        "{rounds} kills, {interrupted} uploads interrupted, {resumed} of them went on from a partial"
    );
    assert!(interrupted > 0, "no upload was interrupted");
    // The sweep leaves what is younger than a minute alone, so only the long form waits for it.
    let _last = Server::start(Options::new().root(scratch.path()));
    if rounds >= 100 {
        eventually("the dead servers' temp files are swept", SWEPT, || {
            let mut left = leftovers(scratch.path());
            left.retain(|name| name.contains(".muxftp-t"));
            left.is_empty()
        });
    }
    let names = fs::read_dir(scratch.path()).unwrap().count() as u64;
    assert!(names >= TARGETS, "{names} names");
}
