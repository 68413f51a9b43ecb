//! Every verb of the protocol text, spoken by hand.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use ftp_tests::files::{random_bytes, sha256};
use ftp_tests::peer::code;
use ftp_tests::{Options, Peer, Server};
use serde_json::{Value, json};

/// A daemon and a session with it.
fn pair() -> (Server, Peer) {
    let server = Server::start(Options::new().args(["--durability", "none"]));
    let peer = Peer::hello(server.addr());
    (server, peer)
}

fn good(head: &Value) {
    assert!(head["error"].is_null(), "{head}");
}

#[test]
fn hello_says_what_the_server_is() {
    let server = Server::start(Options::new());
    let mut peer = Peer::connect(server.addr());
    let (head, _) = peer.ask(
        json!({"verb": "hello", "version": 1, "chunk": 4096, "new": [1]}),
        b"",
    );
    assert_eq!(head["version"], 1, "{head}");
    assert_eq!(head["durability"], "full", "{head}");
    assert_eq!(head["limits"]["header"], 65_536, "{head}");
    assert_eq!(head["limits"]["chunk"], 1 << 20, "{head}");
    assert!(head["limits"]["pipeline"].as_u64().unwrap() >= 16, "{head}");
    assert!(head["limits"]["ping"].as_u64().unwrap() >= 64, "{head}");
    assert!(
        head["server"].as_str().unwrap().contains("muxftp"),
        "{head}"
    );
    assert!(head["features"].is_array(), "{head}");
    // The chunk that the client asked for holds for downloads.
    let bytes = random_bytes(1, 300_000);
    fs::write(server.file("f"), &bytes).unwrap();
    peer.send(
        &json!({"id": 9, "verb": "get", "path": "f", "fin": true}),
        b"",
    );
    let mut all = Vec::new();
    loop {
        let (head, payload) = peer.answer();
        assert!(payload.len() <= 4096, "{head}");
        all.extend(payload);
        if head["fin"] == true {
            break;
        }
    }
    assert!(all == bytes);
}

#[test]
fn put_keeps_times_and_modes() {
    let (server, mut peer) = pair();
    let head = json!({"verb": "put", "path": "a/b/c", "parents": true, "size": 5, "sha256": sha256(b"hello"),
        "mtime": 1_234_567_890, "mtime_ns": 123_456_789, "mode": 0o640});
    let (answer, _) = peer.ask(head, b"hello");
    assert_eq!(answer["sha256"], sha256(b"hello"), "{answer}");
    assert_eq!(answer["size"], 5);
    assert_eq!(answer["durability"], "none");
    let meta = fs::metadata(server.file("a/b/c")).unwrap();
    assert_eq!(
        (meta.mtime(), meta.mtime_nsec()),
        (1_234_567_890, 123_456_789)
    );
    assert_eq!(meta.permissions().mode() & 0o7777, 0o640);
    let (head, payload) = peer.ask(json!({"verb": "get", "path": "a/b/c"}), b"");
    assert_eq!(payload, b"hello");
    assert_eq!(head["mtime"], 1_234_567_890, "{head}");
    assert_eq!(head["mtime_ns"], 123_456_789);
    assert_eq!(head["mode"], 0o640);
    assert_eq!(head["size"], 5);
    let (head, _) = peer.ask(json!({"verb": "put", "path": "no/parents"}), b"x");
    assert_eq!(code(&head), "not_found");
    let (head, _) = peer.ask(json!({"verb": "put", "path": "a/b"}), b"x");
    assert_eq!(code(&head), "is_a_directory");
    let (head, _) = peer.ask(json!({"verb": "put", "path": "a/b/c/d"}), b"x");
    assert_eq!(code(&head), "not_a_directory");
    peer.still_works();
}

#[test]
fn put_obeys_if_exists() {
    let (server, mut peer) = pair();
    let mut put = |rule: &str, mtime: i64, text: &[u8]| {
        let head = json!({"verb": "put", "path": "f", "if_exists": rule, "mtime": mtime});
        let (head, _) = peer.ask(head, text);
        let now = fs::read_to_string(server.file("f")).unwrap();
        (head, now)
    };
    let (head, now) = put("fail", 1000, b"first");
    good(&head);
    assert_eq!(now, "first");
    let (head, now) = put("fail", 2000, b"second");
    assert_eq!((code(&head), &*now), ("exists", "first"));
    let (head, now) = put("skip", 2000, b"third");
    assert_eq!((&head["skipped"], &*now), (&json!(true), "first"));
    let (head, now) = put("newer", 1000, b"fourth");
    assert_eq!((&head["skipped"], &*now), (&json!(true), "first"));
    let (head, now) = put("newer", 1001, b"fifth");
    good(&head);
    assert_eq!(now, "fifth");
    let (head, now) = put("replace", 1, b"sixth");
    good(&head);
    assert_eq!(now, "sixth");
}

#[test]
fn what_was_said_is_compared() {
    let (server, mut peer) = pair();
    peer.put("f", b"old");
    for (more, bytes, expected) in [
        (
            json!({"sha256": sha256(b"other")}),
            "new",
            "digest_mismatch",
        ),
        (json!({"size": 4}), "new", "size_mismatch"),
        (json!({"size": 2}), "new", "size_mismatch"),
        (json!({"size": 0}), "new", "size_mismatch"),
    ] {
        let mut head = json!({"verb": "put", "path": "f"});
        for (name, value) in more.as_object().unwrap() {
            head[name] = value.clone();
        }
        let (answer, _) = peer.ask(head, bytes.as_bytes());
        assert_eq!(code(&answer), expected, "{more}");
        assert_eq!(answer["error"]["retryable"], true, "{answer}");
        assert_eq!(fs::read(server.file("f")).unwrap(), b"old");
    }
    ftp_tests::eventually("no temp file stays", ftp_tests::SOON, || {
        ftp_tests::files::leftovers(server.root()).is_empty()
    });
}

#[test]
fn get_and_hash_of_ranges() {
    let (server, mut peer) = pair();
    let bytes = random_bytes(3, 3_000_000);
    fs::write(server.file("f"), &bytes).unwrap();
    let (whole, _) = peer.ask(json!({"verb": "stat", "path": "f"}), b"");
    assert_eq!(
        (&whole["type"], &whole["size"]),
        (&json!("file"), &json!(3_000_000))
    );
    let etag = whole["etag"].as_str().unwrap().to_owned();
    for (offset, length) in [
        (0, 1),
        (1, 2_000_000),
        (2_999_999, 1),
        (3_000_000, 0),
        (100, 0),
    ] {
        let range = &bytes[offset..offset + length];
        let head = json!({"verb": "get", "path": "f", "offset": offset, "length": length, "if_etag": etag});
        let (head, payload) = peer.ask(head, b"");
        assert!(payload == range, "{head}");
        assert_eq!(head["sha256"], sha256(range), "{head}");
        let (head, _) = peer.ask(
            json!({"verb": "hash", "path": "f", "offset": offset, "length": length}),
            b"",
        );
        assert_eq!(head["sha256"], sha256(range), "{head}");
        assert_eq!(
            (&head["length"], &head["etag"]),
            (&json!(length), &json!(etag)),
            "{head}"
        );
    }
    // The rest of a file, with the digest of all of it: how a download goes on.
    let head = json!({"verb": "get", "path": "f", "offset": 1_000_000, "digest_from": 0});
    let (head, payload) = peer.ask(head, b"");
    assert!(payload == bytes[1_000_000..]);
    assert_eq!(head["sha256"], sha256(&bytes), "{head}");
    // More than there is ends with what there is.
    let beyond = json!({"verb": "hash", "path": "f", "offset": 5, "length": u64::MAX});
    let (head, _) = peer.ask(beyond, b"");
    assert_eq!(head["length"], 2_999_995, "{head}");
    assert_eq!(head["sha256"], sha256(&bytes[5..]), "{head}");
    for (more, expected) in [
        (json!({"offset": 3_000_001}), "bad_range"),
        (json!({"offset": u64::MAX}), "bad_range"),
        (json!({"offset": 5, "digest_from": 6}), "bad_request"),
        (json!({"if_etag": "something else"}), "changed"),
    ] {
        let mut head = more.clone();
        head["verb"] = "get".into();
        head["path"] = "f".into();
        assert_eq!(code(&peer.ask(head, b"").0), expected, "{more}");
    }
    fs::write(server.file("f"), b"another").unwrap();
    let (head, _) = peer.ask(json!({"verb": "get", "path": "f", "if_etag": etag}), b"");
    assert_eq!(code(&head), "changed");
}

#[test]
fn lists_come_in_sorted_pages() {
    let (server, mut peer) = pair();
    fs::create_dir(server.file("d")).unwrap();
    let mut names: Vec<_> = (0..500).map(|n| format!("name {n} ü")).collect();
    names.extend(["-dash".into(), "\"quoted\"".into(), "\u{1}control".into()]);
    for name in &names {
        fs::write(server.file("d").join(name), name).unwrap();
    }
    names.sort();
    let mut seen: Vec<String> = Vec::new();
    let mut head = json!({"verb": "list", "path": "d", "limit": 60});
    loop {
        let (answer, page) = peer.ask(head.clone(), b"");
        good(&answer);
        let page: Vec<Value> = serde_json::from_slice(&page).unwrap();
        assert!(!page.is_empty() && page.len() <= 60, "{}", page.len());
        for entry in &page {
            let name = entry["name"].as_str().unwrap();
            assert_eq!(
                (&entry["type"], &entry["size"]),
                (&json!("file"), &json!(name.len()))
            );
            seen.push(name.to_owned());
        }
        match answer.get("cursor") {
            Some(cursor) => head["cursor"] = cursor.clone(),
            None => break,
        }
    }
    assert_eq!(seen, names);
    let (head, page) = peer.ask(json!({"verb": "list", "path": ""}), b"");
    good(&head);
    let page: Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(
        (&page[0]["name"], &page[0]["type"]),
        (&json!("d"), &json!("dir"))
    );
    assert_eq!(
        code(&peer.ask(json!({"verb": "list", "path": "none"}), b"").0),
        "not_found"
    );
    assert_eq!(
        code(&peer.ask(json!({"verb": "list", "path": "d/-dash"}), b"").0),
        "not_a_directory"
    );
}

#[test]
fn folders_are_made_renamed_and_removed() {
    let (server, mut peer) = pair();
    let mut ask = |head: Value| {
        let (head, _) = peer.ask(head, b"");
        match head["error"]["code"].as_str() {
            Some(code) => code.to_owned(),
            None => "ok".to_owned(),
        }
    };
    for (head, expected) in [
        (json!({"verb": "mkdir", "path": "a"}), "ok"),
        (json!({"verb": "mkdir", "path": "a"}), "exists"),
        (json!({"verb": "mkdir", "path": "a", "parents": true}), "ok"),
        (json!({"verb": "mkdir", "path": "b/c/d"}), "not_found"),
        (
            json!({"verb": "mkdir", "path": "b/c/d", "parents": true}),
            "ok",
        ),
        (json!({"verb": "rename", "path": "b/c", "to": "a/c"}), "ok"),
        (
            json!({"verb": "rename", "path": "none", "to": "x"}),
            "not_found",
        ),
        (json!({"verb": "rename", "path": "a", "to": "b"}), "exists"),
        (
            json!({"verb": "rename", "path": "a", "to": "a/c/x"}),
            "denied",
        ),
        (json!({"verb": "rename", "path": "", "to": "x"}), "denied"),
        (
            json!({"verb": "rename", "path": "a", "to": "b", "if_exists": "skip"}),
            "bad_request",
        ),
        (
            json!({"verb": "rename", "path": "a", "to": "b", "if_exists": "replace"}),
            "ok",
        ),
        (json!({"verb": "remove", "path": "b"}), "not_empty"),
        (
            json!({"verb": "remove", "path": "b", "recursive": true}),
            "ok",
        ),
        (json!({"verb": "remove", "path": "b"}), "not_found"),
        (
            json!({"verb": "remove", "path": "", "recursive": true}),
            "denied",
        ),
        (json!({"verb": "stat", "path": "b"}), "not_found"),
        (json!({"verb": "stat", "path": ""}), "ok"),
    ] {
        assert_eq!(ask(head.clone()), expected, "{head}");
    }
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 0);
}

#[test]
fn a_read_only_server_takes_nothing() {
    let server = Server::start(Options::new().args(["--read-only"]));
    fs::write(server.file("f"), "text").unwrap();
    let mut peer = Peer::connect(server.addr());
    let (head, _) = peer.ask(json!({"verb": "hello", "version": 1}), b"");
    assert_eq!(head["read_only"], true, "{head}");
    for head in [
        json!({"verb": "put", "path": "g"}),
        json!({"verb": "mkdir", "path": "d"}),
        json!({"verb": "rename", "path": "f", "to": "g"}),
        json!({"verb": "remove", "path": "f"}),
    ] {
        let payload: &[u8] = if head["verb"] == "put" { b"x" } else { b"" };
        assert_eq!(
            code(&peer.ask(head.clone(), payload).0),
            "read_only",
            "{head}"
        );
    }
    assert_eq!(peer.get("f").unwrap(), b"text");
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 1);
}
