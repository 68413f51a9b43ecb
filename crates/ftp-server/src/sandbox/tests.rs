//! The walls from within: a child of the test takes them up and tries. What the kernel here cannot hold is skipped, in words.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::exit,
    clippy::print_stdout,
    reason = "the child tries what the server must not"
)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, exit};
use std::{env, fs, thread};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::*;

/// Tells a child of the test where to try.
const PLACE: &str = "MUXFTP_TEST_WALLS";
/// What a child says that tried everything it could.
const DONE: &str = "all tried";

/// Runs the test of that name again, as a process of its own; what it printed.
fn child(test: &str, place: &Path) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("sandbox::tests::{test}")])
        .args(["--nocapture", "--test-threads", "1"])
        .env(PLACE, place)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    let whole = output.status.success() && said.contains(DONE);
    assert!(whole, "{:?}\n{said}\n{why}", output.status);
    for skipped in said.lines().filter(|line| line.starts_with("skipped")) {
        println!("{skipped}");
    }
}

/// Ends a child within walls, where no more than this may be possible.
fn done() -> ! {
    println!("{DONE}");
    io::stdout().flush().unwrap();
    exit(0);
}

#[track_caller]
fn refused<T>(what: &str, result: io::Result<T>) {
    let Err(error) = result else {
        panic!("{what} is let through");
    };
    let (not_here, no_such_call) = (ErrorKind::PermissionDenied, ErrorKind::Unsupported);
    assert!(
        error.kind() == not_here || error.kind() == no_such_call,
        "{what}: {error}"
    );
}

#[test]
fn what_is_outside_stays_outside() {
    let Some(place) = env::var_os(PLACE).map(PathBuf::from) else {
        let scratch = tempfile::tempdir().unwrap();
        let place = scratch.path();
        for folder in ["root", "kept", "beyond"] {
            fs::create_dir(place.join(folder)).unwrap();
            fs::write(place.join(folder).join("f"), "x").unwrap();
        }
        symlink("../beyond/f", place.join("root/planted")).unwrap();
        child("what_is_outside_stays_outside", place);
        assert_eq!(fs::read(place.join("beyond/f")).unwrap(), b"x");
        return;
    };
    let folders = Folders {
        write: vec![place.join("root")],
        read: vec![place.join("kept"), place.join("missing")],
    };
    let parent = rustix::process::getppid();
    let walls = enter(Mode::Auto, &folders).unwrap();
    let stands = |what: &str| {
        let stands = walls.enforced.iter().any(|words| words.contains(what));
        if !stands {
            println!("skipped, {what} is not here: {:?}", walls.missing);
        }
        stands
    };
    if stands("Landlock") {
        assert_eq!(walls.absent, [place.join("missing")]);
        files(&place, &walls);
    }
    if stands("seccomp") {
        calls(&place, parent);
    }
    done();
}

fn files(place: &Path, walls: &Walls) {
    let (root, kept, beyond) = (place.join("root"), place.join("kept"), place.join("beyond"));
    fs::write(root.join("new"), "y").unwrap();
    fs::create_dir(root.join("folder")).unwrap();
    fs::rename(root.join("new"), root.join("folder/moved")).unwrap();
    fs::remove_file(root.join("folder/moved")).unwrap();
    fs::remove_dir(root.join("folder")).unwrap();
    assert_eq!(fs::read(kept.join("f")).unwrap(), b"x");
    refused("a write to what is read", fs::write(kept.join("f"), "y"));
    refused("a removal of what is read", fs::remove_file(kept.join("f")));
    refused("a file outside", fs::read(beyond.join("f")));
    refused("a write outside", fs::write(beyond.join("f"), "y"));
    refused("a new file outside", fs::write(beyond.join("g"), "y"));
    refused("a removal outside", fs::remove_file(beyond.join("f")));
    refused("the users of the machine", fs::read("/etc/passwd"));
    refused("a folder outside", fs::read_dir("/etc").map(drop));
    refused("a way out", fs::read(root.join("../beyond/f")));
    refused("a link that leads out", fs::read(root.join("planted")));
    refused(
        "a write to where a link leads",
        fs::write(root.join("planted"), "y"),
    );
    // The kernel says that these are two file systems, as it does of what it will not move.
    let moved = fs::rename(root.join("f"), beyond.join("g")).unwrap_err();
    let (denied, apart) = (ErrorKind::PermissionDenied, ErrorKind::CrossesDevices);
    assert!([denied, apart].contains(&moved.kind()), "{moved}");
    refused("a new link", symlink("/etc/passwd", root.join("link")));
    thread::spawn(move || refused("a file of a thread", fs::read(beyond.join("f"))))
        .join()
        .unwrap();
    let beyond = place.join("beyond");
    assert!(walls.let_write(&root.join("a/b")) && walls.let_read(&root.join("a/b")));
    assert!(walls.let_read(&kept.join("f")) && !walls.let_write(&kept.join("f")));
    assert!(!walls.let_read(&beyond.join("f")) && !walls.let_read(Path::new("/etc/passwd")));
    assert!(
        !walls.let_read(&root.join("planted")),
        "a link counts as where it leads"
    );
}

fn calls(place: &Path, parent: Option<rustix::process::Pid>) {
    let program = || Command::new("/bin/true");
    refused("a program", program().spawn().map(drop));
    refused("another program", Err::<(), _>(program().exec()));
    refused("a local socket", UnixStream::pair().map(drop));
    refused("datagrams", UdpSocket::bind("127.0.0.1:0").map(drop));
    refused("another root", std::os::unix::fs::chroot("/"));
    let root = rustix::fs::open(
        place.join("root"),
        rustix::fs::OFlags::PATH,
        rustix::fs::Mode::empty(),
    );
    let device = rustix::fs::mknodat(
        root.unwrap(),
        "device",
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::empty(),
        0,
    );
    refused("a device", device.map_err(io::Error::from));
    if let Some(parent) = parent {
        let signal = rustix::process::kill_process(parent, rustix::process::Signal::WINCH);
        refused("a signal to another", signal.map_err(io::Error::from));
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let set = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
    refused("a limit", set.map_err(io::Error::from));
    let own = Some(rustix::process::getpid());
    let lower = rustix::process::setpriority_process(own, 19);
    refused("another's priority", lower.map_err(io::Error::from));
    let lower = rustix::process::setpriority_pgrp(None, 19);
    refused("the priority of many", lower.map_err(io::Error::from));
    // What it is for still goes, on threads too.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let far = thread::spawn(move || {
        let program = Command::new("/bin/true").spawn();
        refused("a program of a thread", program.map(drop));
        rustix::process::nice(1).unwrap();
        TcpStream::connect(addr)
            .unwrap()
            .write_all(b"hello")
            .unwrap();
    });
    let mut heard = String::new();
    let (mut near, _) = listener.accept().unwrap();
    near.read_to_string(&mut heard).unwrap();
    far.join().unwrap();
    assert_eq!(heard, "hello");
}

#[test]
fn off_is_off() {
    let walls = enter(Mode::Off, &Folders::default()).unwrap();
    assert!(walls.enforced.is_empty() && walls.missing.is_empty());
    assert!(walls.let_read(Path::new("/etc/passwd")) && walls.let_write(Path::new("/etc")));
}

/// Makes this thread's kernel one that does not know a call; `false` if even that cannot be had here.
fn forget(call: i64) -> bool {
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let calls = BTreeMap::from([(call, Vec::new())]);
    let arch = env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, unknown, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    let done = apply_filter(&program);
    if let Err(error) = &done {
        println!("skipped: {error}");
    }
    done.is_ok()
}

/// What stands, and what is missing, where the kernel does not know a call; and what is said to who wants all of it.
fn without(call: i64) -> Option<(Walls, String)> {
    if !forget(call) {
        return None;
    }
    let folders = Folders {
        write: vec![env::temp_dir()],
        read: Vec::new(),
    };
    let all = thread::scope(|scope| {
        let folders = &folders;
        scope.spawn(|| enter(Mode::On, folders)).join().unwrap()
    });
    let walls = enter(Mode::Auto, &folders).unwrap();
    Some((walls, all.unwrap_err()))
}

#[test]
fn a_kernel_without_landlock_holds_the_rest_and_says_so() {
    if env::var_os(PLACE).is_none() {
        return child(
            "a_kernel_without_landlock_holds_the_rest_and_says_so",
            Path::new("/"),
        );
    }
    if let Some((walls, all)) = without(libc::SYS_landlock_create_ruleset) {
        assert!(
            all.contains("Linux 5.19") && all.contains("--sandbox auto"),
            "{all}"
        );
        let missing = walls.missing.join("; ");
        assert!(missing.contains("paths are not held"), "{missing}");
        assert!(walls.enforced.join(" ").contains("seccomp"), "{walls:?}");
        // Nothing is out of reach, so nothing is said to be.
        assert!(walls.let_write(Path::new("/etc/passwd")));
        fs::read("/etc/passwd").unwrap();
    }
    done();
}

#[test]
fn a_kernel_without_seccomp_holds_the_rest_and_says_so() {
    if env::var_os(PLACE).is_none() {
        return child(
            "a_kernel_without_seccomp_holds_the_rest_and_says_so",
            Path::new("/"),
        );
    }
    if let Some((walls, all)) = without(libc::SYS_seccomp) {
        let said = all.contains("system calls are not held") && all.contains("--sandbox auto");
        assert!(said, "{all}");
        let missing = walls.missing.join("; ");
        assert!(missing.contains("system calls are not held"), "{missing}");
        assert!(
            walls.enforced.contains(&"no_new_privs".to_owned()),
            "{walls:?}"
        );
        assert!(!walls.enforced.join(" ").contains("seccomp"), "{walls:?}");
    }
    done();
}
