//! Bad networks between the real client and the real daemon: every fault, both ways, small, large and a tree. Each run
//! ends right or with the right exit code; the old file is never harmed; wrong bytes never get a name.

use std::fs;
use std::time::Duration;

use ftp_tests::files::{tree, write_random};
use ftp_tests::{Client, Fault, Options, Proxy, Ran, Scratch, Server, Way};

const MIB: u64 = 1 << 20;

/// What is moved.
#[derive(Clone, Copy, Debug)]
enum Load {
    Small,
    Large,
    Tree,
}

impl Load {
    /// Makes the files, and gives their bytes in all.
    fn plant(self, dir: &std::path::Path) -> u64 {
        match self {
            Self::Small => write_random(&dir.join("load/f"), 1, 3000),
            Self::Large => write_random(&dir.join("load/f"), 2, 12 * MIB),
            Self::Tree => {
                for n in 0..60 {
                    write_random(&dir.join(format!("load/d{}/f{n}", n % 5)), n, 20_000);
                }
            }
        }
        match self {
            Self::Small => 3000,
            Self::Large => 12 * MIB,
            Self::Tree => 60 * 20_000,
        }
    }
}

/// Every fault, with bytes at which it strikes in a load of `size`.
fn faults(size: u64) -> Vec<Fault> {
    let middle = size / 2;
    vec![
        Fault::Healthy,
        Fault::Latency(Duration::from_millis(3)),
        Fault::Dribble(20_000),
        Fault::CutAfter(0),
        Fault::CutAfter(7),
        Fault::CutAfter(middle),
        Fault::ResetAfter(7),
        Fault::ResetAfter(middle),
        Fault::FlipAt(2),
        Fault::FlipAt(30),
        Fault::FlipAt(middle),
        Fault::StallAfter(middle),
        Fault::BlackHole,
    ]
}

/// One run through a fault.
struct Case {
    server: Server,
    scratch: Scratch,
    way: Way,
}

impl Case {
    fn new(load: Load, way: Way) -> (Self, u64) {
        let server =
            Server::start(Options::new().args(["--durability", "none", "--stall-timeout", "3"]));
        let scratch = Scratch::new("network");
        let (from, to) = match way {
            Way::Up => (scratch.path(), server.root()),
            Way::Down => (server.root(), scratch.path()),
        };
        let size = load.plant(from);
        // What stands at the target already.
        for (name, _) in tree(&from.join("load")) {
            let old = to.join("load").join(name);
            fs::create_dir_all(old.parent().unwrap()).unwrap();
            fs::write(old, "old").unwrap();
        }
        (
            Self {
                server,
                scratch,
                way,
            },
            size,
        )
    }

    /// Moves the load through a proxy whose first `times` connections suffer.
    fn run(&self, fault: Fault, times: u64, retries: u32) -> Ran {
        let proxy = Proxy::start(self.server.addr(), fault, self.way, times);
        let verb = if self.way == Way::Up { "put" } else { "get" };
        Client::of(proxy.addr())
            .dir(self.scratch.path())
            .args([
                "-q",
                "-j",
                "1",
                "--timeout",
                "2",
                "--retries",
                &retries.to_string(),
            ])
            .args([verb, "-T", "load", "load"])
            .run()
    }

    /// Whether each target is new (`true`) or old (`false`); anything else fails the test.
    #[track_caller]
    fn audit(&self, what: &str) -> Vec<bool> {
        let (from, to) = match self.way {
            Way::Up => (self.scratch.join("load"), self.server.file("load")),
            Way::Down => (self.server.file("load"), self.scratch.join("load")),
        };
        let old = ftp_tests::files::sha256(b"old");
        let (new, now) = (tree(&from), tree(&to));
        let named = |name: &str| !name.contains(".muxftp-") && !name.ends_with("part");
        let now: Vec<_> = now.into_iter().filter(|(name, _)| named(name)).collect();
        assert_eq!(now.len(), new.len(), "{what}: {now:?}");
        now.iter()
            .zip(&new)
            .map(|((name, digest), (_, expected))| {
                assert!(
                    digest == expected || *digest == old,
                    "{what}: {name} is neither old nor new"
                );
                digest == expected
            })
            .collect()
    }
}

/// The exit codes that a fault may end in when nothing is tried again.
fn codes(fault: Fault) -> &'static [i32] {
    match fault {
        Fault::Healthy | Fault::Latency(_) | Fault::Dribble(_) => &[0],
        Fault::CutAfter(_) | Fault::ResetAfter(_) => &[5],
        // A flipped bit in a header may look like anything that a server would not say.
        Fault::FlipAt(at) if at < 100 => &[0, 1, 2, 3, 5, 9, 10, 14],
        Fault::FlipAt(_) => &[10, 14, 5, 9],
        Fault::StallAfter(_) | Fault::BlackHole => &[9, 5],
    }
}

/// Whether it strikes before the server's `hello` is through: a server that was never met is not tried again.
fn before_hello(fault: Fault) -> bool {
    match fault {
        Fault::CutAfter(at) | Fault::ResetAfter(at) | Fault::FlipAt(at) | Fault::StallAfter(at) => {
            at < 100
        }
        Fault::BlackHole => true,
        Fault::Healthy | Fault::Latency(_) | Fault::Dribble(_) => false,
    }
}

fn matrix(load: Load) {
    for way in [Way::Up, Way::Down] {
        let (case, size) = Case::new(load, way);
        for fault in faults(size) {
            let what = format!("{load:?} {way:?} {fault:?}");
            let (case, _) = Case::new(load, way);
            let ran = case.run(fault, u64::MAX, 0);
            let new = case.audit(&what);
            let all = new.iter().all(|new| *new);
            let allowed = codes(fault).contains(&ran.code);
            assert!(
                allowed || (ran.code == 11 && new.contains(&true)),
                "{what}: {ran:?}"
            );
            assert!(ran.code != 0 || all, "{what}: it said that all was well");
            // Once more on a network that has recovered after one bad connection.
            let ran = case.run(fault, 1, 5);
            let new = case.audit(&what);
            assert!(
                ran.code != 0 || new.iter().all(|new| *new),
                "{what}: it said that all was well"
            );
            if !before_hello(fault) {
                assert_eq!(ran.code, 0, "{what}, tried again: {ran:?}");
            }
        }
        drop(case);
    }
}

#[test]
fn faults_on_a_small_file() {
    matrix(Load::Small);
}

#[test]
fn faults_on_a_large_file() {
    matrix(Load::Large);
}

#[test]
fn faults_on_a_tree() {
    matrix(Load::Tree);
}
