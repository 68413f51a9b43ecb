//! Downloads that are not to be verified: what is believed then, and what is not.

use std::sync::{Arc, Mutex};

use ftp_proto::VPath;

use super::GetOptions;
use crate::error::Error;
use crate::hash;
use crate::options::Options;
use crate::peer::{Line, Peer};
use crate::run::{GetSource, LocalTarget, get_all};
use crate::transfer::{Event, Observer, Outcome, Summary};

/// Notes what of it was verified.
#[derive(Default)]
struct Seen(Mutex<Vec<bool>>);

impl Observer for Seen {
    fn event(&self, event: &Event<'_>) {
        if let Event::Done(_, Outcome::Moved { verified, .. }) = event {
            self.0.lock().unwrap().push(*verified);
        }
    }
}

/// One `get` of `from`, over so many connections of this script; what was told of it.
fn check(
    (connections, local, verify): (usize, LocalTarget, bool),
    script: impl FnMut(usize, &mut Line) + Send + 'static,
) -> (Summary, Vec<bool>) {
    let peer = Peer::start(connections, script);
    let options = Options {
        retries: 3,
        ..peer.options.clone()
    };
    let source = GetSource {
        remote: VPath::parse("from").unwrap(),
        size: None,
        local,
    };
    let seen = Arc::new(Seen::default());
    let get = GetOptions {
        verify,
        ..GetOptions::default()
    };
    let summary = get_all(&options, &peer.cancel, &*seen, None, vec![source], &get);
    peer.join();
    let verified = seen.0.lock().unwrap().clone();
    (summary, verified)
}

/// A file of so many bytes, the first `sent` of them, and a digest that is of something else.
fn wrong(line: &mut Line, id: u64, size: usize, sent: usize) {
    line.send(&format!(r#"{{"id":{id},"size":{size},"etag":"e"}}"#), &[]);
    let mut left = sent;
    while left > 0 {
        let now = left.min(300_000);
        line.send(&format!(r#"{{"id":{id}}}"#), &vec![7; now]);
        left -= now;
    }
    let digest = hash::digest(b"another");
    line.send(
        &format!(r#"{{"id":{id},"fin":true,"sha256":"{digest}"}}"#),
        &[],
    );
}

#[test]
fn the_digest_is_believed_and_the_size_is_not() {
    for size in [3, 300_000, 5_000_000] {
        for (sent, arrives) in [(size, true), (size - 1, false)] {
            let temp = tempfile::tempdir().unwrap();
            let to = temp.path().join("to");
            let (summary, verified) =
                check((1, LocalTarget::File(to.clone()), false), move |_, line| {
                    line.hello();
                    // Where it ends too early it is asked for once more, and no other time.
                    while let Some((head, _)) = line.frame() {
                        wrong(line, head.id, size, sent);
                    }
                });
            assert_eq!(
                (summary.done, summary.unverified, to.exists()),
                (arrives.into(), arrives.into(), arrives),
                "{size}"
            );
            assert_eq!(verified, if arrives { vec![false] } else { Vec::new() });
            if arrives {
                assert!(std::fs::read(&to).unwrap() == vec![7; size]);
            } else {
                assert!(
                    matches!(summary.errors[..], [Error::Integrity(_)]),
                    "{summary:?}"
                );
            }
            assert_eq!(
                std::fs::read_dir(temp.path()).unwrap().count(),
                usize::from(arrives)
            );
        }
    }
}

#[test]
fn what_is_gone_on_with_is_verified() {
    let all: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    for right in [true, false] {
        let temp = tempfile::tempdir().unwrap();
        let to = temp.path().join("to");
        let mut file = all.clone();
        let (summary, verified) = check(
            (3, LocalTarget::File(to.clone()), false),
            move |number, line| {
                line.hello();
                let (head, _) = line.expect("get");
                if number == 0 {
                    let begin = format!(r#"{{"id":{},"size":3000000,"etag":"e"}}"#, head.id);
                    line.send(&begin, &file[..1_000_000]);
                    line.send(
                        &format!(r#"{{"id":{}}}"#, head.id),
                        &file[1_000_000..1_500_000],
                    );
                    line.cut();
                    return;
                }
                assert_eq!((head.offset, head.digest_from), (Some(1_500_000), Some(0)));
                if !right {
                    // The beginning was another on its way.
                    file[5] ^= 1;
                }
                line.file(head.id, &file, 1_500_000);
                if !right {
                    let (head, _) = line.expect("get");
                    assert_eq!(head.offset, None);
                    line.file(head.id, &file, 0);
                }
                line.until_closed();
            },
        );
        // A wrong one is got anew from its start, unverified as at first.
        assert_eq!((summary.done, summary.failed), (1, 0), "{summary:?}");
        assert_eq!(verified, [right]);
        let got = std::fs::read(&to).unwrap();
        assert_eq!((got.len(), got[5] == all[5]), (3_000_000, right));
    }
}

#[test]
fn nothing_takes_all_and_keeps_none() {
    for (verify, sent, done) in [
        (false, 5_000_001, 1),
        (false, 5_000_000, 0),
        (true, 5_000_001, 0),
    ] {
        let (summary, verified) = check((1, LocalTarget::Nothing, verify), move |_, line| {
            line.hello();
            let (head, _) = line.expect("get");
            wrong(line, head.id, 5_000_001, sent);
            line.until_closed();
        });
        assert_eq!(
            (summary.done, summary.failed),
            (done, 1 - done),
            "{summary:?}"
        );
        assert_eq!(summary.bytes, done * 5_000_001);
        assert_eq!(verified.len() as u64, done);
    }
}

#[test]
fn nothing_goes_on_behind_what_came_if_it_is_the_same_file() {
    for (etag, done) in [(r#","etag":"e""#, 1), ("", 0)] {
        let (summary, verified) = check((2, LocalTarget::Nothing, false), move |number, line| {
            if number == 1 && etag.is_empty() {
                // Nothing is asked any more.
                assert!(
                    line.frame()
                        .is_none_or(|(head, _)| head.verb.as_deref() == Some("hello"))
                );
                return line.until_closed();
            }
            line.hello();
            let (head, _) = line.expect("get");
            if number == 0 {
                let begin = format!(r#"{{"id":{},"size":3000000{etag}}}"#, head.id);
                line.send(&begin, &[1; 1_000_000]);
                line.cut();
                return;
            }
            assert_eq!(
                (head.offset, head.if_etag),
                (Some(1_000_000), Some("e".into()))
            );
            line.file(head.id, &[1; 3_000_000], 1_000_000);
            line.until_closed();
        });
        assert_eq!(
            (summary.done, summary.failed),
            (done, 1 - done),
            "{summary:?}"
        );
        assert_eq!(verified, vec![false; usize::try_from(done).unwrap()]);
    }
}
