//! Every refusal is the same refusal, and the same work.

use std::sync::mpsc;

use ftp_access::password::{Cost, Hash, PASSWORD_BYTES};

use super::*;

/// Nobody is banned yet.
fn desk(users: &str, state: &std::path::Path) -> Desk {
    let users = Arc::new(Users::parse(users).unwrap());
    Desk {
        users: Mutex::new(users.clone()),
        queue: Queue::default(),
        stores: Stores::new(ftp_store::Options::default()),
        bans: Arc::default(),
        quotas: Quotas::start(state.to_owned(), &users).unwrap(),
    }
}

#[test]
fn whatever_is_wrong_one_hash_is_computed_and_nothing_else_is_told() {
    let right = Password::new("right").unwrap();
    let hash = Hash::make(&right, Cost::default()).unwrap();
    let user = |name: &str, more: &str| {
        format!("[[user]]\nname = \"{name}\"\nroot = \"/none\"\npreset = \"full\"\n{more}\n")
    };
    let text = [
        user("anna", &format!("password = \"{hash}\"")),
        user("off", &format!("enabled = false\npassword = \"{hash}\"")),
        user(
            "away",
            &format!("allow-from = [\"192.0.2.7/32\"]\npassword = \"{hash}\""),
        ),
        user("machine", "certificates = [\"CN=machine\"]"),
    ]
    .concat();
    let folder = tempfile::tempdir().unwrap();
    let desk = desk(&text, folder.path());
    let too_long = "x".repeat(PASSWORD_BYTES + 1);
    let names = ["anna", "off", "away", "machine", "nobody", "", &too_long];
    for name in names {
        for password in ["right", "wrong", "", &too_long] {
            if (name, password) == ("anna", "right") {
                continue;
            }
            let claim = Claim::Password(name.to_owned(), Secret::new(password.into()));
            let mut scratch = Scratch::default();
            let checked = desk.check(claim, IpAddr::from([192, 0, 2, 1]), &mut scratch);
            assert!(
                matches!(checked, Checked::Refused),
                "{name:.9}: {checked:?}"
            );
            assert_eq!(scratch.computed(), 1, "{name:.9}, {password:.9}");
        }
    }
}

/// Asked of twice: before it waits, and when its turn comes, as guesses that wait may be many.
#[test]
fn who_is_banned_is_not_worth_a_hash() {
    let peer = IpAddr::from([192, 0, 2, 1]);
    let folder = tempfile::tempdir().unwrap();
    let desk = desk("", folder.path());
    desk.bans.set_policy(Some(ftp_access::bans::Policy {
        points: 1,
        ..Default::default()
    }));
    let claim = || Claim::Password("anna".to_owned(), Secret::new(b"guess".to_vec()));
    let mut scratch = Scratch::default();
    while desk.bans.remaining(peer, Instant::now()).is_none() {
        desk.check(claim(), peer, &mut scratch);
    }
    let before = scratch.computed();
    let checked = desk.check(claim(), peer, &mut scratch);
    assert!(matches!(checked, Checked::Later(BANNED, _)), "{checked:?}");
    assert_eq!(scratch.computed(), before);
    // No thread takes anything from this desk.
    let logins = Logins {
        desk: Arc::new(desk),
        threads: Vec::new(),
    };
    let ask = Ask {
        key: Key::from_usize(1),
        peer,
        claim: claim(),
        home: Arc::new(Nowhere),
    };
    let checked = logins.ask(ask);
    assert!(
        matches!(checked, Some(Checked::Later(BANNED, _))),
        "{checked:?}"
    );
}

struct Nowhere;

impl Home for Nowhere {
    fn take(&self, verdict: Ruling) {
        panic!("{verdict:?}");
    }
}

/// Where a verdict is waited for: a thread that brings one to a stranger is held until the test lets it go.
struct Door {
    arrived: mpsc::Sender<()>,
    held: Option<Mutex<mpsc::Receiver<()>>>,
}

impl Home for Door {
    fn take(&self, _: Ruling) {
        self.arrived.send(()).unwrap();
        if let Some(held) = &self.held {
            // Over when the other end is dropped.
            let _over = lock(held).recv();
        }
    }
}

#[test]
fn who_was_let_in_before_is_answered_while_strangers_hold_all_threads_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let desk = desk("", folder.path());
    let logins = Logins::start(
        desk.users(),
        Stores::new(ftp_store::Options::default()),
        Arc::default(),
        desk.quotas,
    )
    .unwrap();
    let ask = |peer: [u8; 4], home: Arc<Door>| {
        let asked = logins.ask(Ask {
            key: Key::from_usize(1),
            peer: IpAddr::from(peer),
            claim: Claim::Certificate("nobody".to_owned()),
            home,
        });
        assert!(asked.is_none());
    };
    let soon = Duration::from_secs(30);
    let (arrived, arrivals) = mpsc::channel();
    let mut doors = Vec::new();
    for stranger in 0..=COMMON {
        let (door, held) = mpsc::channel();
        doors.push(door);
        let home = Door {
            arrived: arrived.clone(),
            held: Some(Mutex::new(held)),
        };
        let host = u8::try_from(stranger).unwrap();
        ask([198, 51, 100, host], Arc::new(home));
    }
    for _ in 0..COMMON {
        arrivals.recv_timeout(soon).unwrap();
    }
    let friend = [192, 0, 2, 9];
    logins.desk.queue.remember(IpAddr::from(friend), true);
    let (told, answers) = mpsc::channel();
    let home = Door {
        arrived: told,
        held: None,
    };
    ask(friend, Arc::new(home));
    answers.recv_timeout(soon).unwrap();
    let third = arrivals.try_recv();
    drop(doors);
    assert!(third.is_err(), "a stranger has the reserved thread");
    arrivals.recv_timeout(soon).unwrap();
}
