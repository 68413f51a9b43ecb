//! Cut and corrupt: a transfer is broken off, then its partial, its source or its target is spoilt. Where other programs
//! write a wrong file and say that all is well, the next run here ends right.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ftp_tests::client::finish;
use ftp_tests::files::{random_bytes, sha256_of};
use ftp_tests::{Client, Fault, Options, Proxy, SOON, Scratch, Server, Way, eventually};
use rustix::process::Signal;

const MIB: usize = 1 << 20;
const SIZE: usize = 24 * MIB;
const CUT: u64 = 16 * MIB as u64;

/// What is done between the cut and the next run.
#[derive(Clone, Copy, Debug)]
enum Spoil {
    Nothing,
    /// A byte of the partial.
    FlipFirst,
    FlipMiddle,
    FlipLast,
    /// The partial loses its end.
    Truncate,
    /// The partial gets bytes that nobody sent.
    Extend,
    /// The partial becomes longer than the file.
    Overgrow,
    /// The partial holds zeros where bytes were.
    Zeros,
    /// The partial is gone.
    Remove,
    /// The source is another file of the same size.
    Source,
    /// The source has become shorter.
    SourceShorter,
    /// The source has become longer.
    SourceLonger,
}

const SPOILS: [Spoil; 12] = [
    Spoil::Nothing,
    Spoil::FlipFirst,
    Spoil::FlipMiddle,
    Spoil::FlipLast,
    Spoil::Truncate,
    Spoil::Extend,
    Spoil::Overgrow,
    Spoil::Zeros,
    Spoil::Remove,
    Spoil::Source,
    Spoil::SourceShorter,
    Spoil::SourceLonger,
];

impl Spoil {
    fn apply(self, partial: &Path, source: &Path) {
        let open = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(partial)
                .unwrap()
        };
        let len = fs::metadata(partial).unwrap().len();
        let flip = |at: u64| {
            let mut byte = [0];
            open().read_exact_at(&mut byte, at).unwrap();
            open().write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        };
        match self {
            Self::Nothing => {}
            Self::FlipFirst => flip(0),
            Self::FlipMiddle => flip(len / 2),
            Self::FlipLast => flip(len - 1),
            Self::Truncate => open().set_len(len - 100_001).unwrap(),
            Self::Extend => open().write_all_at(&random_bytes(9, 70_000), len).unwrap(),
            Self::Overgrow => open().set_len(SIZE as u64 + 5).unwrap(),
            Self::Zeros => open().write_all_at(&[0; 65_536], len / 3).unwrap(),
            Self::Remove => fs::remove_file(partial).unwrap(),
            Self::Source => fs::write(source, random_bytes(2, SIZE)).unwrap(),
            Self::SourceShorter => fs::write(source, random_bytes(1, SIZE / 2)).unwrap(),
            Self::SourceLonger => fs::write(source, random_bytes(1, SIZE + MIB)).unwrap(),
        }
    }
}

/// The largest file in a folder but `f` itself: the partial.
fn partial(dir: &Path) -> PathBuf {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "f")
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap_or_else(|| panic!("no partial in {}", dir.display()))
}

/// Cuts a transfer, spoils something, and runs it again.
fn case(way: Way, spoil: Spoil) {
    let what = format!("{way:?} {spoil:?}");
    let (root, scratch) = (Scratch::new("corrupt-root"), Scratch::new("corrupt"));
    let server = Server::start(
        Options::new()
            .root(root.path())
            .args(["--durability", "none"]),
    );
    let (source, target, verb) = match way {
        Way::Up => (scratch.join("f"), root.join("f"), "put"),
        Way::Down => (root.join("f"), scratch.join("f"), "get"),
    };
    fs::write(&source, random_bytes(1, SIZE)).unwrap();
    fs::write(&target, "old").unwrap();
    let proxy = Proxy::start(server.addr(), Fault::StallAfter(CUT), way, 100);
    let client = Client::of(proxy.addr())
        .dir(scratch.path())
        .args([verb, "f"])
        .spawn();
    eventually("the transfer is under way", SOON, || match way {
        Way::Up => proxy.sent_up() >= CUT,
        Way::Down => proxy.sent_down() >= CUT,
    });
    let keeper = if way == Way::Up {
        root.path()
    } else {
        scratch.path()
    };
    eventually("a partial has grown", SOON, || {
        fs::metadata(partial(keeper)).is_ok_and(|meta| meta.len() > CUT / 4)
    });
    client.signal(Signal::INT);
    finish(client, SOON).exits(130);
    drop(proxy);
    assert_eq!(fs::read(&target).unwrap(), b"old", "{what}");
    spoil.apply(&partial(keeper), &source);
    let ran = Client::of(server.addr())
        .dir(scratch.path())
        .args(["-q", verb, "f"])
        .run();
    assert_eq!(ran.code, 0, "{what}: {ran:?}");
    assert_eq!(sha256_of(&target), sha256_of(&source), "{what}: {ran:?}");
}

#[test]
fn a_spoilt_download_ends_right() {
    for spoil in SPOILS {
        case(Way::Down, spoil);
    }
}

#[test]
fn a_spoilt_upload_ends_right() {
    for spoil in SPOILS {
        case(Way::Up, spoil);
    }
}
