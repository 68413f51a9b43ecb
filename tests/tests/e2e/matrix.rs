//! The matrix verb × right × user × path on the real daemon, generated: every verb, by users who have one right, all but
//! one, or all; inside of the folder of their rule, beside it, outside, and through links. What is expected stands in the
//! table of rows; what must not change is looked at on the disk after each request.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ftp_access::{Right, Rights};
use ftp_proto::path::RESERVED_PREFIX;
use ftp_proto::wire::Request;
use ftp_tests::files::sha256;
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, SOON, Scratch, Server, eventually, users};
use serde_json::{Value, json};

use super::users::{PASSWORD, user, write};

/// The requests there are by name, and the name of each: a new one does not compile until it stands here, and fails
/// [`no_verb_is_without_a_row`] until [`rows`] has it.
macro_rules! requests {
    ($($name:ident)*) => {
        const REQUESTS: &[&str] = &[$(stringify!($name)),*];

        fn name(request: &Request) -> &'static str {
            match request {
                $(Request::$name { .. } => stringify!($name),)*
            }
        }
    };
}

requests! { Hello Ping Login Put Get List Stat Hash MakeDir Rename Remove Abort }

/// Any of these rights, or the code that is answered.
type Need = (&'static [Right], &'static str);

const LIST: Need = (&[Right::List], "denied");
const READ: Need = (&[Right::Read], "denied");
const WRITE: Need = (&[Right::Write], "denied");
const DELETE: Need = (&[Right::Delete], "denied");
const RENAME: Need = (&[Right::Rename], "denied");
const MKDIR: Need = (&[Right::Mkdir], "denied");
/// What a name stands for is told to who sees names or bytes; a file looks to others as if it were not there.
const SEE: Need = (&[Right::List, Right::Read], "not_found");
/// Who may not replace hears that something stands there.
const REPLACE: Need = (&[Right::Overwrite], "exists");
/// Who may not make folders does not have them made.
const PARENTS: Need = (&[Right::Mkdir], "not_found");

/// One request, and what it needs, in the order in which it is asked for.
struct Row {
    ask: Value,
    needs: &'static [Need],
    /// Whether the disk is another one afterwards.
    changes: bool,
}

/// Every verb that asks for something of the disk, on names that no other row has.
fn rows(folder: &str) -> Vec<Row> {
    let at = |name: &str| format!("{folder}/{name}");
    let look = |ask: Value, needs| Row {
        ask,
        needs,
        changes: false,
    };
    let change = |ask: Value, needs| Row {
        ask,
        needs,
        changes: true,
    };
    let skip = json!({"verb": "put", "path": at("skip"), "if_exists": "skip"});
    let onto = json!({"verb": "rename", "path": at("g"), "to": at("h"), "if_exists": "replace"});
    vec![
        look(json!({"verb": "list", "path": folder}), &[LIST]),
        look(json!({"verb": "stat", "path": folder}), &[]),
        look(json!({"verb": "stat", "path": at("read")}), &[SEE]),
        look(json!({"verb": "get", "path": at("read")}), &[READ]),
        look(json!({"verb": "hash", "path": at("read")}), &[READ]),
        change(json!({"verb": "put", "path": at("new")}), &[WRITE]),
        change(
            json!({"verb": "put", "path": at("deep/new"), "parents": true}),
            &[WRITE, PARENTS],
        ),
        change(
            json!({"verb": "put", "path": at("over")}),
            &[WRITE, REPLACE],
        ),
        look(skip, &[WRITE]),
        change(json!({"verb": "mkdir", "path": at("made")}), &[MKDIR]),
        change(
            json!({"verb": "mkdir", "path": at("more/made"), "parents": true}),
            &[MKDIR],
        ),
        change(
            json!({"verb": "rename", "path": at("f"), "to": at("named")}),
            &[RENAME],
        ),
        change(
            json!({"verb": "rename", "path": at("sub"), "to": at("bus")}),
            &[RENAME],
        ),
        change(onto, &[RENAME, REPLACE]),
        change(json!({"verb": "remove", "path": at("gone")}), &[DELETE]),
        change(json!({"verb": "remove", "path": at("empty")}), &[DELETE]),
        change(
            json!({"verb": "remove", "path": at("full"), "recursive": true}),
            &[DELETE],
        ),
    ]
}

/// What asks for nothing of the disk.
fn free() -> [Value; 4] {
    [
        json!({"verb": "hello", "version": 1}),
        json!({"verb": "ping"}),
        json!({"verb": "login", "user": "u", "password": "p"}),
        json!({"verb": "abort"}),
    ]
}

/// What the rows of a folder find there.
fn furnish(folder: &Path) {
    for dir in ["sub", "empty", "full/deep"] {
        fs::create_dir_all(folder.join(dir)).unwrap();
    }
    for file in ["read", "over", "skip", "f", "g", "h", "gone", "full/deep/x"] {
        fs::write(folder.join(file), format!("old {file}")).unwrap();
    }
}

/// Everything beneath a folder: what files hold, where links lead; without temp files of uploads under way.
fn picture(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with(RESERVED_PREFIX) {
            continue;
        }
        if path.is_symlink() {
            let to = fs::read_link(&path).unwrap();
            found.insert(name, format!("leads to {}", to.display()));
        } else if path.is_dir() {
            let within = picture(&path).into_iter();
            found.extend(within.map(|(below, what)| (format!("{name}/{below}"), what)));
            found.insert(name, "folder".to_owned());
        } else {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// A server with one user for each set of rights, which hold in the folder `rule` of their roots.
struct Place {
    home: Scratch,
    server: Server,
    users: Vec<(String, Rights)>,
}

impl Place {
    fn new(rule: &str) -> Self {
        let home = Scratch::new("matrix");
        furnish(&home.join("canary"));
        let mut text = String::new();
        let mut seats = Vec::new();
        for (number, rights) in users::sets().into_iter().enumerate() {
            let name = format!("u{number}");
            text += &user(home.path(), &name, &users::rule(rule, rights));
            for folder in ["in", "inner", "out"] {
                furnish(&home.join(&name).join(folder));
            }
            symlink(home.join("canary"), home.join(&name).join("in/away")).unwrap();
            seats.push((name, rights));
        }
        write(&home, &text);
        let file = home.join("users.toml").into_os_string();
        let args = ["--durability".into(), "none".into(), "--users".into(), file];
        let server = Server::start(Options::new().args(args));
        Self {
            home,
            server,
            users: seats,
        }
    }

    /// Runs all rows of a folder as a user; `rights` are those that the table asks for, `None` if none can help.
    fn run(&self, user: &str, rights: Option<Rights>, folder: &str) {
        let mut peer = Peer::login(self.server.addr(), user, PASSWORD);
        let looked_at = || [user, "canary"].map(|name| picture(&self.home.join(name)));
        let mut before = looked_at();
        for Row {
            ask,
            needs,
            changes,
        } in rows(folder)
        {
            let shown = format!("{user} {rights:?}: {ask}");
            let payload: &[u8] = if ask["verb"] == "put" { b"new" } else { b"" };
            let (answer, bytes) = peer.ask(ask, payload);
            let after = looked_at();
            let Some(rights) = rights else {
                assert!(answer["error"].is_object(), "{shown}: {answer}");
                assert!(bytes.is_empty() && after == before, "{shown}");
                continue;
            };
            let lacks = |(any, _): &&Need| !any.iter().any(|right| rights.has(*right));
            match needs.iter().find(lacks) {
                Some((_, expected)) => {
                    assert_eq!(code(&answer), *expected, "{shown}: {answer}");
                    assert!(bytes.is_empty() && after == before, "{shown}");
                }
                None => {
                    assert!(answer["error"].is_null(), "{shown}: {answer}");
                    assert_eq!(after != before, changes, "{shown}");
                }
            }
            before = after;
        }
        peer.still_works();
    }
}

#[test]
fn a_rule_of_a_folder_holds_there_and_nowhere_else() {
    let place = Place::new("/in");
    for (user, rights) in &place.users {
        // Beside it under a name that begins alike, outside, and through links, which may not lead out of a rule.
        for folder in ["inner", "out", "in/link", "in/away"] {
            place.run(user, None, folder);
        }
        place.run(user, Some(*rights), "in");
    }
}

#[test]
fn a_rule_of_the_root_holds_through_links_as_far_as_the_root() {
    let place = Place::new("/");
    for (user, rights) in &place.users {
        for folder in ["in/away", "../canary", "in/../../canary", "/etc"] {
            place.run(user, None, folder);
        }
        for folder in ["in", "in/link"] {
            place.run(user, Some(*rights), folder);
        }
    }
}

#[test]
fn no_verb_is_without_a_row() {
    let asks = rows("in").into_iter().map(|row| row.ask);
    let spoken: BTreeSet<_> = asks
        .chain(free())
        .map(|mut ask| {
            ask["id"] = 1.into();
            let head = serde_json::from_value(ask).unwrap();
            name(&Request::parse(head).unwrap())
        })
        .collect();
    for name in REQUESTS {
        assert!(spoken.contains(name), "{name} has no row");
    }
}

/// Begins an upload that can go on, and breaks it off after the bytes to `upto`; what is kept of an earlier one.
fn break_off(peer: &mut Peer, bytes: &[u8], upto: usize) -> Value {
    let id = peer.fresh();
    let put =
        json!({"id": id, "verb": "put", "path": "in/part", "size": bytes.len(), "resume": true});
    peer.send(&put, b"");
    let kept = peer.answer().0;
    if upto > 0 {
        assert_eq!(kept["offset"], 0, "{kept}");
        peer.send(&json!({"id": id, "offset": 0}), b"");
        peer.send(&json!({"id": id}), &bytes[..upto]);
    }
    peer.send(&json!({"id": id, "verb": "abort", "fin": true}), b"");
    assert_eq!(code(&peer.rest(id).0), "aborted");
    kept
}

/// Waits until so much of the upload is kept, and nothing else.
fn is_kept(peer: &mut Peer, bytes: &[u8], upto: usize) {
    eventually("what was sent is kept", SOON, || {
        let kept = break_off(peer, bytes, 0);
        if kept["offset"] == upto {
            assert_eq!(kept["sha256"], sha256(&bytes[..upto]), "{kept}");
        }
        kept["offset"] == upto
    });
}

#[test]
fn what_broke_is_its_owners_alone() {
    let home = Scratch::new("matrix-partials");
    let anna = user(home.path(), "anna", "preset = \"full\"");
    let bert = user(home.path(), "bert", "preset = \"full\"").replace("/bert\"", "/anna\"");
    write(&home, &format!("{anna}\n{bert}"));
    let file = home.join("users.toml").into_os_string();
    let server = Server::start(Options::new().args(["--users".into(), file]));
    let mut anna = Peer::login(server.addr(), "anna", PASSWORD);
    let mut bert = Peer::login(server.addr(), "bert", PASSWORD);
    let (hers, his) = (b"of anna...", b"by bert...");
    break_off(&mut anna, hers, 4);
    is_kept(&mut anna, hers, 4);
    // The same name, of the same size: he begins at 0, and sees nothing of hers.
    assert_eq!(break_off(&mut bert, his, 6)["offset"], 0);
    is_kept(&mut bert, his, 6);
    is_kept(&mut anna, hers, 4);
    let (_, page) = bert.ask(json!({"verb": "list", "path": "in"}), b"");
    let page: Vec<Value> = serde_json::from_slice(&page).unwrap();
    let names: Vec<_> = page
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["f", "link", "sub"]);
    // What he finishes, replaces, renames and removes under that name leaves hers.
    let id = bert.fresh();
    let put = json!({"id": id, "verb": "put", "path": "in/part", "size": 10, "resume": true});
    bert.send(&put, b"");
    assert_eq!(bert.answer().0["offset"], 6);
    bert.send(&json!({"id": id, "offset": 6}), b"");
    bert.send(
        &json!({"id": id, "fin": true, "sha256": sha256(his)}),
        &his[6..],
    );
    assert!(bert.rest(id).0["error"].is_null());
    assert_eq!(fs::read(home.join("anna/in/part")).unwrap(), his);
    is_kept(&mut anna, hers, 4);
    assert!(bert.put("in/part", b"again")["error"].is_null());
    is_kept(&mut anna, hers, 4);
    for ask in [
        json!({"verb": "rename", "path": "in/part", "to": "in/whole"}),
        json!({"verb": "remove", "path": "in/whole"}),
    ] {
        assert!(bert.ask(ask, b"").0["error"].is_null());
        is_kept(&mut anna, hers, 4);
    }
}
