//! The users file: what is read, what is refused and where, log-ins, and changes that lose nothing.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use ftp_proto::VPath;

use super::*;
use crate::password::Cost;
use crate::rights::{Preset, Right, Rights};

/// The password is `password`; the reference implementation's own test has it.
const HASH: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

fn good() -> String {
    format!(
        r#"# Who may come.
[[group]]
name = "staff"
root = "/srv/{{user}}"
preset = "read-only"
allow-from = ["10.0.0.0/8", "2001:db8::/32"]
[group.limits]
connections = 8
upload-rate = "10 MB/s"

# Anna first.
[[user]]
name = "anna"
password = "{HASH}"   # changed in May
groups = ["staff"]
[[user.rights]]
path = "/in"
allow = ["list", "write"]
[user.limits]
connections = 2
quota-bytes = "1 GiB"

[[user]]
name = "ben"
password = "{HASH}"
root = "/srv/shared"
preset = "full"
certificates = ["CN=ben", "ben@example.org"]

[[user]]
name = "off"
enabled = false
password = "{HASH}"
root = "/srv/shared"
preset = "full"

[[user]]
name = "machine"
certificates = ["CN=machine"]
root = "/srv/machine"
preset = "upload-only"

[anonymous]
enabled = true
root = "/srv/pub"
preset = "read-only"
"#
    )
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn path(text: &str) -> VPath {
    VPath::parse(text).unwrap()
}

#[test]
fn a_good_file_says_it_all() {
    let users = Users::parse(&good()).unwrap();
    let anna = users.find("anna").unwrap();
    assert_eq!(anna.grant().root().to_str(), Some("/srv/anna"));
    let rules = anna.grant().rules();
    let dropbox = Rights::of(&[Right::List, Right::Write]);
    assert_eq!(rules.within(&path("in/x")), dropbox);
    assert_eq!(rules.within(&path("inner")), Preset::ReadOnly.rights());
    let limits = *anna.limits();
    assert_eq!(limits.connections, Some(2), "the user's own comes first");
    assert_eq!(
        limits.upload_rate,
        Some(10_000_000),
        "the rest from the group"
    );
    assert_eq!(limits.quota_bytes, Some(1 << 30));
    assert_eq!((limits.transfers, limits.download_rate), (None, None));
    assert!(anna.admits(ip("10.1.2.3")) && anna.admits(ip("::ffff:10.1.2.3")));
    assert!(anna.admits(ip("2001:db8::1")) && !anna.admits(ip("192.0.2.1")));
    let ben = users.find("ben").unwrap();
    assert!(ben.admits(ip("192.0.2.1")), "no list, no limit");
    assert_eq!(ben.limits(), &UserLimits::default());
    assert_eq!(users.iter().count(), 4);
    for guest in [ANONYMOUS, FTP] {
        assert!(users.find(guest).unwrap().is_guest());
    }
    assert_eq!(Users::parse("").unwrap().iter().count(), 0);
    assert!(ben.summary().contains("/: list, read"), "{}", ben.summary());
}

#[test]
fn guests_come_only_where_they_are_switched_on() {
    for text in [
        "",
        "[anonymous]\nroot = \"/srv\"\npreset = \"read-only\"",
        "[anonymous]\nenabled = false\nroot = \"/srv\"\npreset = \"read-only\"",
    ] {
        let users = Users::parse(text).unwrap();
        assert!(users.find(ANONYMOUS).is_none() && users.find(FTP).is_none());
    }
}

/// A change of the good file, and the complaint: line, column, and words of the message.
const BAD: &[(&str, &str, usize, usize, &str)] = &[
    ("name = \"staff\"", "nmae = \"staff\"", 3, 1, "nmae"),
    ("[anonymous]", "[anonymouse]", 43, 2, "anonymouse"),
    ("quota-bytes", "quota_bytes", 21, 1, "quota_bytes"),
    ("\"1 GiB\"", "\"1 gig\"", 21, 15, "wanted"),
    ("\"1 GiB\"", "-1", 21, 15, "wanted"),
    ("\"10 MB/s\"", "0", 9, 15, "at least 1"),
    ("connections = 2", "connections = 0", 20, 15, "at least 1"),
    ("connections = 2", "connections = -2", 20, 15, "u32"),
    ("\"write\"]", "\"wirte\"]", 18, 18, "`write`"),
    ("\"/in\"", "\"/in/../out\"", 17, 8, "`..`"),
    ("\"/in\"", "\"//in\"", 17, 8, "absolute"),
    (
        "preset = \"full\"",
        "preset = \"all\"",
        27,
        10,
        "upload-only",
    ),
    ("\"10.0.0.0/8\"", "\"10.0.0.1/8\"", 6, 15, "10.0.0.0/8"),
    ("\"10.0.0.0/8\"", "\"example.org\"", 6, 15, "not an address"),
    (
        "[\"10.0.0.0/8\", \"2001:db8::/32\"]",
        "[]",
        6,
        14,
        "leave it out",
    ),
    (
        "groups = [\"staff\"]",
        "groups = [\"stuff\"]",
        15,
        11,
        "no group",
    ),
    ("name = \"ben\"", "name = \"anna\"", 23, 1, "already"),
    ("name = \"ben\"", "name = \"ftp\"", 23, 1, "guest"),
    ("name = \"ben\"", "name = \"../ben\"", 24, 8, "a name is"),
    ("name = \"ben\"", "name = \"\"", 24, 8, "a name is"),
    ("\"/srv/shared\"", "\"srv/shared\"", 26, 8, "absolute"),
    ("\"/srv/shared\"", "\"/srv/../etc\"", 26, 8, "without `..`"),
    ("\"CN=machine\"", "\"CN=ben\"", 39, 17, "already"),
    ("certificates = [\"CN=machine\"]\n", "", 37, 1, "neither"),
    ("root = \"/srv/machine\"\n", "", 37, 1, "no `root`"),
    ("preset = \"upload-only\"\n", "", 37, 1, "no rights"),
    ("name = \"off\"\n", "", 30, 1, "no `name`"),
    ("enabled = false", "enabled = \"no\"", 32, 11, "boolean"),
    (
        "enabled = true",
        "enabled = true\npassword = \"x\"",
        45,
        12,
        "guest",
    ),
    (
        "name = \"staff\"",
        "name = \"staff\"\nenabled = true",
        4,
        11,
        "group",
    ),
    ("name = \"anna\"", "name = \"anna", 13, 13, "string"),
];

#[test]
fn a_bad_file_is_refused_whole_with_its_place() {
    let mut misplaced = Vec::new();
    for (old, new, line, column, words) in BAD {
        let text = good();
        assert!(text.contains(old), "{old}");
        let error = Users::parse(&text.replacen(old, new, 1)).expect_err(new);
        assert!(error.message.contains(words), "{new}: {error}");
        if (error.line, error.column) != (*line, *column) {
            misplaced.push(format!("{new}: not {line}, {column}: {error}"));
        }
        assert!(!error.message.contains('\n') && !error.to_string().contains("CTFhFd"));
    }
    assert!(misplaced.is_empty(), "{misplaced:#?}");
}

#[test]
fn as_many_networks_as_are_compared_and_no_more() {
    let with = |count: usize| {
        let entries: Vec<_> = (0..count)
            .map(|n| format!("\"10.0.{}.{}\"", n / 256, n % 256))
            .collect();
        let list = "[\"10.0.0.0/8\", \"2001:db8::/32\"]";
        assert!(good().contains(list));
        Users::parse(&good().replace(list, &format!("[{}]", entries.join(", "))))
    };
    assert!(with(NETWORKS).is_ok());
    let error = with(NETWORKS + 1).unwrap_err();
    assert!(error.message.contains("1 to 256 networks"), "{error}");
}

#[test]
fn an_empty_or_foreign_hash_is_refused_at_load() {
    for bad in [
        "",
        "x",
        "*",
        "!",
        "password",
        "$1$salt$hash",
        "$2b$12$abc",
        "$argon2id$",
    ] {
        let error = Users::parse(&good().replacen(HASH, bad, 1)).expect_err(bad);
        assert_eq!((error.line, error.column), (14, 12), "{bad:?}: {error}");
    }
}

#[test]
fn log_ins() {
    let users = Users::parse(&good()).unwrap();
    let mut scratch = Scratch::default();
    let (near, far) = (ip("10.0.0.1"), ip("192.0.2.1"));
    let mut check = |name: &str, password: &str, peer| {
        let password = Password::new(password).unwrap();
        match users.check(name, &password, peer, &mut scratch) {
            Verdict::Accepted(user) => Ok(user.name().to_owned()),
            Verdict::Refused(why) => Err(why),
        }
    };
    assert_eq!(check("anna", "password", near), Ok("anna".into()));
    for (name, password, peer, why) in [
        ("anna", "Password", near, Refusal::WrongPassword),
        ("anna", "", near, Refusal::WrongPassword),
        ("anna", "password", far, Refusal::Address),
        ("Anna", "password", near, Refusal::Unknown),
        ("", "password", near, Refusal::Unknown),
        ("staff", "password", near, Refusal::Unknown),
        ("off", "password", near, Refusal::Disabled),
        ("machine", "password", near, Refusal::NoPassword),
        ("machine", "", near, Refusal::NoPassword),
    ] {
        assert_eq!(check(name, password, peer), Err(why), "{name} {password}");
    }
    assert_eq!(check("anonymous", "", far), Ok("anonymous".into()));
    assert_eq!(check("ftp", "me@example.org", far), Ok("anonymous".into()));
    let guarded = good().replace("[anonymous]", "[anonymous]\nallow-from = [\"10.0.0.0/8\"]");
    let guarded = Users::parse(&guarded).unwrap();
    let nothing = Password::new("").unwrap();
    for (name, peer, welcome) in [("ftp", near, true), ("anonymous", far, false)] {
        let verdict = guarded.check(name, &nothing, peer, &mut Scratch::default());
        let refused = verdict == Verdict::Refused(Refusal::Address);
        assert_eq!(refused, !welcome, "{name}");
    }
    let by_certificate = |name: &str| users.check_certificate(name, far);
    assert!(
        matches!(by_certificate("CN=machine"), Verdict::Accepted(user) if user.name() == "machine")
    );
    assert_eq!(
        by_certificate("CN=anna"),
        Verdict::Refused(Refusal::Unknown)
    );
    let off = good().replace("name = \"machine\"", "name = \"machine\"\nenabled = false");
    let off = Users::parse(&off).unwrap();
    assert_eq!(
        off.check_certificate("CN=machine", far),
        Verdict::Refused(Refusal::Disabled)
    );
    // Even where somebody hashed it, an empty password opens nothing.
    let nothing = Password::new("").unwrap();
    let hash = Hash::make(&nothing, Cost::default()).unwrap();
    let users = Users::parse(&passwd(&good(), "ben", &hash).unwrap()).unwrap();
    assert_eq!(
        users.check("ben", &nothing, far, &mut scratch),
        Verdict::Refused(Refusal::WrongPassword)
    );
}

#[test]
fn an_unknown_name_costs_what_a_known_one_costs() {
    let users = Users::parse(&good()).unwrap();
    let known = Hash::parse(HASH).unwrap().cost();
    // The memory that was worked on tells how much work it was: as much, whatever the refusal.
    for (name, password) in [
        ("anna", "wrong"),
        // Not from there.
        ("anna", "password"),
        ("ben", "wrong"),
        ("ben", ""),
        ("nobody", "wrong"),
        ("", "wrong"),
        ("off", "wrong"),
        ("off", "password"),
        ("machine", "wrong"),
    ] {
        let mut scratch = Scratch::default();
        let password = Password::new(password).unwrap();
        let verdict = users.check(name, &password, ip("192.0.2.1"), &mut scratch);
        assert_eq!(scratch.computed(), 1, "{name}: {verdict:?}");
        assert!(matches!(verdict, Verdict::Refused(_)), "{name}");
        let worked = format!("Scratch({} KiB)", known.memory_kib);
        assert_eq!(format!("{scratch:?}"), worked, "{name}: {verdict:?}");
    }
    for name in ["nobody", "root", "", "machine", &"x".repeat(9999)] {
        assert_eq!(users.likely_cost(name), known, "{name}");
    }
    let nobody_at_all = Users::default().likely_cost("anna");
    assert_eq!(nobody_at_all, Cost::default());
    // Of several costs each name has one, always the same.
    let light = HASH.replace("m=65536,t=2", "m=19456,t=2");
    let mixed = Users::parse(&good().replacen(HASH, &light, 1)).unwrap();
    let mut seen = Vec::new();
    for n in 0..200 {
        let name = format!("user{n}");
        let cost = mixed.likely_cost(&name);
        assert_eq!(cost, mixed.likely_cost(&name));
        if !seen.contains(&cost) {
            seen.push(cost);
        }
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn live_sessions_stand_or_fall_with_the_new_file() {
    let peer = ip("10.0.0.1");
    let before = Users::parse(&good()).unwrap();
    let anna = before.find("anna").unwrap();
    let standing = |text: &str| Users::parse(text).unwrap().standing(anna, peer);
    assert!(standing(&good()).is_some());
    let wider = good().replace("\"write\"]", "\"write\", \"read\"]");
    assert_ne!(standing(&wider).unwrap().grant(), anna.grant());
    assert!(standing(&remove(&good(), "anna").unwrap()).is_none());
    let disabled = good().replace("name = \"anna\"", "name = \"anna\"\nenabled = false");
    assert!(standing(&disabled).is_none());
    assert!(standing(&good().replace("10.0.0.0/8", "10.1.0.0/16")).is_none());
    let other = Hash::make(&Password::new("new").unwrap(), Cost::default()).unwrap();
    assert!(standing(&passwd(&good(), "anna", &other).unwrap()).is_none());
}

fn cleo() -> NewUser {
    NewUser {
        name: "cleo".into(),
        hash: Some(HASH.into()),
        groups: vec!["staff".into()],
        ..NewUser::default()
    }
}

#[test]
fn changes_keep_everything_else() {
    let other = HASH.replace("t=2", "t=3");
    let changed = passwd(&good(), "anna", &other).unwrap();
    assert_eq!(changed, good().replacen(HASH, &other, 1));
    let new = cleo();
    let added = add(&good(), &new).unwrap();
    let without = good();
    for line in without.lines() {
        assert!(added.contains(line), "{line}");
    }
    let users = Users::parse(&added).unwrap();
    assert_eq!(users.iter().count(), 5);
    assert_eq!(users.find("cleo").unwrap().limits().connections, Some(8));
    assert_eq!(
        users.find("anna"),
        Users::parse(&good()).unwrap().find("anna")
    );
    assert_eq!(remove(&added, "cleo").unwrap().trim(), good().trim());
}

#[test]
fn changes_of_comments_and_of_nothing() {
    let new = cleo();
    let from_nothing = NewUser {
        root: Some("/srv/x".into()),
        preset: Some(Preset::Full),
        ..new
    };
    let from_nothing = NewUser {
        groups: Vec::new(),
        ..from_nothing
    };
    let first = add("# my users\n", &from_nothing).unwrap();
    assert!(first.starts_with("# my users\n") && first.contains("[[user]]"));
    assert_eq!(remove(&first, "cleo").unwrap(), "");
    let spaced = add("# the head\n\n# cleo\n", &from_nothing).unwrap();
    assert_eq!(remove(&spaced, "cleo").unwrap(), "# the head\n\n");
    let two = format!("{spaced}{}", first.replace("cleo", "dora"));
    let one = remove(&two, "cleo").unwrap();
    assert!(
        one.starts_with("# the head\n\n# my users\n[[user]]\nname = \"dora\""),
        "{one}"
    );
}

#[test]
fn changes_that_are_refused() {
    let new = cleo();
    for (outcome, expected) in [
        (
            add(
                &good(),
                &NewUser {
                    name: "anna".into(),
                    ..new.clone()
                },
            ),
            "already",
        ),
        (
            add(
                &good(),
                &NewUser {
                    name: "ftp".into(),
                    ..new.clone()
                },
            ),
            "already",
        ),
        (
            add(
                &good(),
                &NewUser {
                    name: "a b".into(),
                    ..new.clone()
                },
            ),
            "a name is",
        ),
        (
            add(
                &good(),
                &NewUser {
                    groups: vec![],
                    ..new.clone()
                },
            ),
            "no `root`",
        ),
        (
            add(
                &good(),
                &NewUser {
                    hash: Some("x".into()),
                    ..new
                },
            ),
            "PHC",
        ),
        (passwd(&good(), "zoe", HASH), "no user"),
        (passwd(&good(), "anna", ""), "empty"),
        (remove(&good(), "zoe"), "no user"),
        (remove("[[user]]\nx = 1", "zoe"), "not good"),
        (remove("", "zoe"), "no user"),
    ] {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn changes_at_the_same_time_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = UsersFile::at(dir.path().join("users.toml"));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let file = &file;
            scope.spawn(move || {
                for n in 0..5 {
                    let new = NewUser {
                        name: format!("u{worker}-{n}"),
                        hash: Some(HASH.into()),
                        root: Some("/srv".into()),
                        preset: Some(Preset::Full),
                        ..NewUser::default()
                    };
                    file.edit(|text| add(text, &new)).unwrap();
                    // Whoever reads meanwhile finds a whole file.
                    assert!(file.load().unwrap().find(&new.name).is_some());
                }
            });
        }
    });
    assert_eq!(file.load().unwrap().iter().count(), 20);
    let mode = fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_others_can_read_or_that_is_bad_is_not_used_and_not_changed() {
    let dir = tempfile::tempdir().unwrap();
    let file = UsersFile::at(dir.path().join("users.toml"));
    assert!(
        matches!(file.load(), Err(LoadError::Io(..))),
        "no file, no users"
    );
    file.edit(|_| Ok(good())).unwrap();
    for (mode, taken) in [(0o600, true), (0o640, true), (0o644, false), (0o660, false)] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(file.load().is_ok(), taken, "{mode:o}");
        assert_eq!(file.edit(|text| Ok(text.to_owned())).is_ok(), taken);
    }
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::read_to_string(file.path()).unwrap();
    assert!(file.edit(|text| remove(text, "zoe")).is_err());
    assert_eq!(fs::read_to_string(file.path()).unwrap(), before);
}
