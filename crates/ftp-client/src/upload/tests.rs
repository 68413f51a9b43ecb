//! Uploads against scripted servers: what is sent, what is believed, what is tried again.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ftp_proto::wire::Code;
use ftp_proto::{IfExists, VPath};

use super::PutOptions;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::hash;
use crate::options::Options;
use crate::peer::{Line, Peer};
use crate::run::{LocalSource, PutSource, put_all};
use crate::transfer::{Event, Observer, Outcome, Silent, Summary};

const LARGE: usize = 9 << 20;

fn bytes(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    (0..len).map(|_| random.u8(..)).collect()
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("file");
    let mut file = tempfile::NamedTempFile::new_in(temp.path()).unwrap();
    file.write_all(bytes).unwrap();
    file.persist(&path).unwrap();
    (temp, path)
}

fn put(peer: &Peer, bytes: &[u8], options: &PutOptions) -> Result<Outcome> {
    let (_temp, path) = file(bytes);
    let mut client = Client::connect(&peer.options, &peer.cancel)?;
    client.put(&path, &VPath::parse("to").unwrap(), options)
}

/// One upload of `bytes` over `connections` of this script.
fn check(
    connections: usize,
    len: usize,
    script: impl FnMut(usize, &mut Line) + Send + 'static,
) -> Result<Outcome> {
    let peer = Peer::start(connections, script);
    let result = put(&peer, &bytes(len), &PutOptions::default());
    peer.join();
    result
}

#[test]
fn a_small_file_is_one_frame_with_its_digest() {
    let outcome = check(1, 1000, |_, line| {
        line.hello();
        let (head, payload) = line.expect("put");
        assert!(head.fin && head.parents);
        assert_eq!(head.size, Some(1000));
        assert_eq!(head.sha256, Some(hash::digest(&payload)));
        assert!(head.mtime.is_some() && head.mode.is_some());
        line.stored(head.id, &payload);
        line.until_closed();
    });
    assert!(matches!(outcome, Ok(Outcome::Moved { size: 1000, .. })));
}

#[test]
fn a_stored_file_must_be_the_sent_one() {
    for (what, reply) in [
        (
            "another digest",
            r#""size":1000,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
        ),
        ("no digest", r#""size":1000"#),
    ] {
        // Wrong bytes are tried once more, not for ever.
        let error = check(1, 1000, move |_, line| {
            line.hello();
            for _ in 0..2 {
                let (head, _) = line.expect("put");
                line.send(&format!(r#"{{"id":{},"fin":true,{reply}}}"#, head.id), &[]);
            }
            line.until_closed();
        })
        .unwrap_err();
        assert!(matches!(error, Error::Integrity(_)), "{what}: {error}");
    }
}

#[test]
fn success_for_bytes_that_were_not_sent_is_no_success() {
    let peer = Peer::start(1, |_, line| {
        line.hello();
        let (head, payload) = line.expect("put");
        line.stored(head.id, &payload);
        line.until_closed();
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let to = VPath::parse("to").unwrap();
    let error = client
        .put_reader(std::io::repeat(7), &to, &PutOptions::default())
        .unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    drop(client);
    peer.join();
}

#[test]
fn a_refusal_in_the_middle_ends_the_sending_and_the_connection_goes_on() {
    let peer = Peer::start(1, |_, line| {
        line.hello();
        let (head, _) = line.expect("put");
        line.error(head.id, "no_space");
        loop {
            let (frame, _) = line.frame().expect("abort comes");
            if frame.verb.as_deref() == Some("abort") {
                assert_eq!(frame.id, head.id);
                break;
            }
            assert_eq!(frame.id, head.id);
            // Not all of an endless stream, only what was on its way.
            assert!(!frame.fin);
        }
        let (head, _) = line.expect("stat");
        line.error(head.id, "not_found");
        line.until_closed();
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let to = VPath::parse("to").unwrap();
    let error = client
        .put_reader(std::io::repeat(7), &to, &PutOptions::default())
        .unwrap_err();
    assert_eq!(error.code(), Some(Code::NoSpace));
    assert_eq!(client.stat(&to).unwrap_err().code(), Some(Code::NotFound));
    drop(client);
    peer.join();
}

#[test]
fn a_stream_has_its_digest_at_its_end() {
    let peer = Peer::start(1, |_, line| {
        line.hello();
        let (head, payload) = line.expect("put");
        assert_eq!((head.size, head.resume, head.fin), (None, false, false));
        let (bytes, last) = line.rest_of_put(payload);
        assert_eq!(last.sha256, Some(hash::digest(&bytes)));
        line.stored(head.id, &bytes);
        line.until_closed();
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let sent = bytes(2_500_000);
    let outcome = client
        .put_reader(
            std::io::Cursor::new(sent),
            &VPath::parse("to").unwrap(),
            &PutOptions::default(),
        )
        .unwrap();
    assert!(matches!(
        outcome,
        Outcome::Moved {
            size: 2_500_000,
            ..
        }
    ));
    drop(client);
    peer.join();
}

#[test]
fn a_broken_upload_goes_on_where_the_server_says() {
    let part = 5_000_000;
    let expected = bytes(LARGE);
    let outcome = check(2, LARGE, move |number, line| {
        line.hello();
        let (head, payload) = line.expect("put");
        assert!(head.resume && payload.is_empty() && !head.fin);
        if number == 0 {
            line.send(&format!(r#"{{"id":{},"offset":0}}"#, head.id), &[]);
            let (first, _) = line.frame().unwrap();
            assert_eq!(first.offset, Some(0));
            line.cut();
            return;
        }
        let digest = hash::digest(&expected[..part]);
        line.send(
            &format!(
                r#"{{"id":{},"offset":{part},"sha256":"{digest}"}}"#,
                head.id
            ),
            &[],
        );
        let (first, payload) = line.frame().unwrap();
        assert_eq!(first.offset, Some(part as u64));
        let (rest, last) = line.rest_of_put(payload);
        assert!(rest == expected[part..]);
        assert_eq!(last.sha256, Some(hash::digest(&expected)));
        line.stored(head.id, &expected);
        line.until_closed();
    })
    .unwrap();
    assert!(matches!(outcome, Outcome::Moved { resumed, .. } if resumed == part as u64));
}

#[test]
fn a_wrong_part_is_started_over() {
    let expected = bytes(LARGE);
    let outcome = check(1, LARGE, move |_, line| {
        line.hello();
        let (head, _) = line.expect("put");
        let digest = hash::digest(b"of another file");
        line.send(
            &format!(
                r#"{{"id":{},"offset":4000000,"sha256":"{digest}"}}"#,
                head.id
            ),
            &[],
        );
        let (first, payload) = line.frame().unwrap();
        assert_eq!(first.offset, Some(0));
        let (all, _) = line.rest_of_put(payload);
        assert!(all == expected);
        line.stored(head.id, &all);
        line.until_closed();
    })
    .unwrap();
    assert!(matches!(outcome, Outcome::Moved { resumed: 0, .. }));
}

#[test]
fn a_file_that_changes_is_broken_off() {
    let (temp, path) = file(&bytes(LARGE));
    let changing = path.clone();
    let peer = Peer::start(1, move |_, line| {
        line.hello();
        let (head, _) = line.expect("put");
        std::fs::OpenOptions::new()
            .append(true)
            .open(&changing)
            .unwrap()
            .write_all(b"more")
            .unwrap();
        line.send(&format!(r#"{{"id":{},"offset":0}}"#, head.id), &[]);
        loop {
            let (frame, _) = line.frame().expect("abort comes");
            if frame.verb.as_deref() == Some("abort") {
                break;
            }
            assert!(!frame.fin, "never ended as if it were whole");
        }
        line.error(head.id, "aborted");
        line.until_closed();
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let error = client
        .put(&path, &VPath::parse("to").unwrap(), &PutOptions::default())
        .unwrap_err();
    assert!(matches!(error, Error::Changed(_)), "{error}");
    drop((client, temp));
    peer.join();
}

fn run_many(
    peer: &Peer,
    options: &Options,
    put: &PutOptions,
    count: usize,
    observer: &dyn Observer,
) -> Summary {
    let options = &Options {
        connections: 1,
        ..options.clone()
    };
    let temp = tempfile::tempdir().unwrap();
    let sources = (0..count)
        .map(|number| {
            let path = temp.path().join(format!("f{number}"));
            let file = tempfile::NamedTempFile::new_in(temp.path()).unwrap();
            file.persist(&path).unwrap();
            PutSource {
                local: LocalSource::Path(path),
                remote: VPath::parse(&format!("f{number}")).unwrap(),
            }
        })
        .collect();
    put_all(options, &peer.cancel, observer, None, sources, put)
}

#[test]
fn after_a_cut_only_what_was_not_answered_is_sent_again() {
    let again = Arc::new(AtomicUsize::new(usize::MAX));
    let begun = Arc::clone(&again);
    let peer = Peer::start(2, move |number, line| {
        line.hello();
        let mut next = 0;
        while let Some((head, payload)) = line.frame() {
            let number_of = |path: &str| path[1..].parse::<usize>().unwrap();
            let path = number_of(&head.path.unwrap());
            if number == 1 && next == 0 {
                // Some answers may have been lost with the connection.
                begun.store(path, Ordering::SeqCst);
                next = path;
            }
            assert_eq!(path, next);
            if number == 0 && path == 20 {
                line.cut();
                return;
            }
            line.stored(head.id, &payload);
            next += 1;
        }
        assert_eq!(next, 50);
    });
    let answered = AnsweredFirst::default();
    let summary = run_many(&peer, &peer.options, &PutOptions::default(), 50, &answered);
    assert_eq!((summary.done, summary.failed), (50, 0), "{summary:?}");
    peer.join();
    let answered = answered.1.into_inner().unwrap();
    assert_eq!(answered, Some(again.load(Ordering::SeqCst)));
}

/// Counts what is done before something is tried again.
#[derive(Default)]
struct AnsweredFirst(Mutex<usize>, Mutex<Option<usize>>);

impl Observer for AnsweredFirst {
    fn event(&self, event: &Event<'_>) {
        let mut count = self.0.lock().unwrap();
        *count += usize::from(matches!(event, Event::Done(..)));
        if matches!(event, Event::Retry { .. }) {
            self.1.lock().unwrap().get_or_insert(*count);
        }
    }
}

#[test]
fn a_file_stored_just_before_the_cut_does_not_exist_already() {
    let peer = Peer::start(2, |number, line| {
        line.hello();
        let (head, payload) = line.expect("put");
        if number == 0 {
            line.cut();
            return;
        }
        line.error(head.id, "exists");
        let (head, _) = line.expect("hash");
        let digest = hash::digest(&payload);
        line.send(
            &format!(
                r#"{{"id":{},"fin":true,"sha256":"{digest}","size":0}}"#,
                head.id
            ),
            &[],
        );
        line.until_closed();
    });
    let put = PutOptions {
        if_exists: IfExists::Fail,
        ..PutOptions::default()
    };
    let summary = run_many(&peer, &peer.options, &put, 1, &Silent);
    assert_eq!((summary.done, summary.failed), (1, 0), "{summary:?}");
    peer.join();
}

#[test]
fn what_somebody_else_stored_meanwhile_exists_already() {
    let peer = Peer::start(2, |number, line| {
        line.hello();
        let (head, _) = line.expect("put");
        if number == 0 {
            line.cut();
            return;
        }
        line.error(head.id, "exists");
        let (head, _) = line.expect("hash");
        let digest = hash::digest(b"another's");
        line.send(
            &format!(
                r#"{{"id":{},"fin":true,"sha256":"{digest}","size":9}}"#,
                head.id
            ),
            &[],
        );
        line.until_closed();
    });
    let put = PutOptions {
        if_exists: IfExists::Fail,
        ..PutOptions::default()
    };
    let summary = run_many(&peer, &peer.options, &put, 1, &Silent);
    assert_eq!((summary.done, summary.failed), (0, 1), "{summary:?}");
    let Error::Remote(why) = &summary.errors[0] else {
        panic!("{summary:?}");
    };
    assert_eq!(why.code, Code::Exists);
    peer.join();
}

#[test]
fn a_server_that_never_gets_further_is_given_up() {
    let peer = Peer::start(3, |_, line| {
        line.hello();
        line.expect("put");
        line.cut();
    });
    let options = Options {
        retries: 2,
        ..peer.options.clone()
    };
    let summary = run_many(&peer, &options, &PutOptions::default(), 1, &Silent);
    assert_eq!((summary.done, summary.failed), (0, 1));
    assert!(matches!(summary.errors[0], Error::Lost(_)), "{summary:?}");
    peer.join();
}

#[test]
fn a_server_that_was_never_met_is_not_waited_for() {
    let peer = Peer::start(1, |_, line| line.cut());
    let options = Options {
        retries: 50,
        timeout: Duration::from_secs(30),
        ..peer.options.clone()
    };
    let summary = run_many(&peer, &options, &PutOptions::default(), 3, &Silent);
    assert_eq!(summary.done, 0);
    assert!(summary.failed > 0);
    peer.join();
}
