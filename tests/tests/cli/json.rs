//! `--json`: newline-delimited events on standard output, as `JSON.md` describes them.

use std::fs;

use ftp_tests::Scratch;
use ftp_tests::files::{sha256_of, write_random};
use serde_json::Value;

use crate::{client, server};

/// The events of one kind.
fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == kind)
        .collect()
}

/// A run begins with `start`, ends with `summary`, and every event says what it is.
#[track_caller]
fn framed(events: &[Value], verb: &str, exit: i32) {
    assert_eq!(
        (&events[0]["event"], &events[0]["verb"]),
        (&"start".into(), &verb.into())
    );
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["exit"]),
        (&"summary".into(), &exit.into()),
        "{last}"
    );
    assert!(events.iter().all(|event| event["event"].is_string()));
}

#[test]
fn a_transfer_tells_of_every_file() {
    let (server, scratch) = (server(), Scratch::new("json"));
    for n in 0..5_u64 {
        write_random(&scratch.join(format!("d/{n}")), n, n * 700_000);
    }
    let ran = client(&server)
        .args(["--json", "put"])
        .arg(scratch.join("d"))
        .run()
        .ok();
    assert_eq!(ran.stderr, "");
    let events = ran.events();
    framed(&events, "put", 0);
    let done = of(&events, "done");
    let mut moved = 0;
    for event in &done {
        if event["outcome"] != "moved" {
            continue;
        }
        moved += 1;
        let local = event["local"].as_str().unwrap();
        assert_eq!(event["sha256"], sha256_of(local.as_ref()), "{event}");
        assert_eq!(event["size"], fs::metadata(local).unwrap().len(), "{event}");
        assert_eq!(
            (&event["way"], &event["durability"]),
            (&"put".into(), &"none".into()),
            "{event}"
        );
        assert!(
            event["remote"].as_str().unwrap().starts_with("d/"),
            "{event}"
        );
    }
    assert_eq!(moved, 5);
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["failed"], &summary["bytes"]),
        (&0.into(), &7_000_000.into()),
        "{summary}"
    );
    let back = scratch.join("back");
    let ran = client(&server)
        .args(["--json", "get", "d"])
        .arg(&back)
        .run()
        .ok();
    let events = ran.events();
    framed(&events, "get", 0);
    assert_eq!(
        of(&events, "done")
            .iter()
            .filter(|event| event["outcome"] == "moved")
            .count(),
        5
    );
}

#[test]
fn failures_are_events_too() {
    let (server, scratch) = (server(), Scratch::new("json-fail"));
    fs::write(server.file("f"), "text").unwrap();
    let ran = client(&server)
        .dir(scratch.path())
        .args(["--json", "get", "f", "none", "-t", "."])
        .run()
        .exits(11);
    let events = ran.events();
    framed(&events, "get", 11);
    let errors = of(&events, "error");
    assert_eq!(errors.len(), 1, "{events:?}");
    let error = errors[0];
    assert_eq!(
        (&error["exit"], &error["code"]),
        (&3.into(), &"not_found".into()),
        "{error}"
    );
    assert_eq!(error["retryable"], false);
    assert!(error["message"].is_string());
    assert_eq!(of(&events, "done").len(), 1);
}

#[test]
fn what_is_asked_comes_as_events() {
    let server = server();
    fs::write(server.file("f"), "text").unwrap();
    let run = |args: &[&str]| client(&server).arg("--json").args(args).run().ok().events();
    let events = run(&["ls"]);
    assert_eq!(
        (
            &of(&events, "entry")[0]["name"],
            &of(&events, "entry")[0]["size"]
        ),
        (&"f".into(), &4.into())
    );
    let events = run(&["stat", "f"]);
    assert_eq!(
        (
            &of(&events, "stat")[0]["type"],
            &of(&events, "stat")[0]["size"]
        ),
        (&"file".into(), &4.into())
    );
    let events = run(&["hash", "f"]);
    assert_eq!(
        of(&events, "hash")[0]["sha256"],
        sha256_of(&server.file("f"))
    );
    let events = run(&["ping", "-c", "2", "-i", "0"]);
    assert_eq!(of(&events, "ping").len(), 2);
    assert!(of(&events, "ping")[0]["ms"].is_number());
    for args in [&["mkdir", "d"][..], &["mv", "f", "d"], &["rm", "-r", "d"]] {
        let events = run(args);
        assert_eq!(of(&events, "ok").len(), 1, "{args:?}: {events:?}");
    }
}
