//! What a session takes from a server, and what it does not.

use super::*;
use crate::peer::{Line, Peer};

fn ping(session: &mut Session) -> Result<ReplyHead> {
    let id = session.begin(
        RequestHead {
            verb: Some("ping".into()),
            fin: true,
            ..RequestHead::default()
        },
        b"abc",
    )?;
    session.answer(id, Wait::USUAL)
}

/// A server that does this after `hello`; how a ping ends.
fn check(script: impl Fn(&mut Line) + Send + 'static) -> Result<ReplyHead> {
    let peer = Peer::start(1, move |_, line| {
        script(line);
        line.until_closed();
    });
    let mut session = Session::connect(&peer.options, &peer.cancel).unwrap();
    let result = ping(&mut session);
    assert_eq!(session.is_good(), result.is_ok());
    drop(session);
    peer.join();
    result
}

#[test]
fn hello_and_request_leave_together() {
    let head = check(|line| {
        // Nothing is answered before both are here.
        let (hello, _) = line.expect("hello");
        assert_eq!(hello.version, Some(1));
        let (ping, payload) = line.expect("ping");
        assert_eq!(payload, b"abc");
        line.send(
            r#"{"id":1,"fin":true,"version":1,"limits":{"header":65536,"chunk":4096,"pipeline":3,"ping":9}}"#,
            &[],
        );
        line.send(&format!(r#"{{"id":{},"fin":true}}"#, ping.id), b"abc");
    })
    .unwrap();
    assert_eq!(head.len, 3);
}

#[test]
fn servers_that_break_the_rules() {
    type Script = fn(&mut Line);
    let scripts: [(&str, Script); 9] = [
        ("too much payload", |line| {
            line.hello();
            line.send(r#"{"id":2,"fin":true,"len":1048577}"#, &[]);
        }),
        ("huge payload", |line| {
            line.hello();
            line.send(r#"{"id":2,"fin":true,"len":18446744073709551615}"#, &[]);
        }),
        ("another id", |line| {
            line.hello();
            line.send(r#"{"id":3,"fin":true}"#, &[]);
        }),
        ("the answer before hello's", |line| {
            line.send(r#"{"id":2,"fin":true}"#, &[]);
        }),
        ("id 0 without an error", |line| {
            line.hello();
            line.send(r#"{"id":0,"fin":true}"#, &[]);
        }),
        ("an answer without an end", |line| {
            line.hello();
            line.send(r#"{"id":2}"#, &[]);
        }),
        ("another version", |line| {
            line.send(r#"{"id":1,"fin":true,"version":2}"#, &[]);
        }),
        ("no limits", |line| {
            line.send(r#"{"id":1,"fin":true,"version":1}"#, &[]);
        }),
        ("hello without an end", |line| {
            line.send(
                r#"{"id":1,"version":1,"limits":{"header":1,"chunk":1,"pipeline":1,"ping":1}}"#,
                &[],
            );
        }),
    ];
    for (name, script) in scripts {
        let error = check(script).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{name}: {error}");
    }
}

#[test]
fn errors_of_the_connection_and_of_the_request() {
    let error = check(|line| line.error(0, "overloaded")).unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = check(|line| line.error(1, "unsupported_version")).unwrap_err();
    assert!(matches!(error, Error::Remote(_)), "{error}");
    let peer = Peer::start(1, |_, line| {
        line.hello();
        line.error(2, "not_found");
        line.send(r#"{"id":3,"fin":true,"len":3}"#, b"abc");
        line.until_closed();
    });
    let mut session = Session::connect(&peer.options, &peer.cancel).unwrap();
    assert!(matches!(ping(&mut session), Err(Error::Remote(_))));
    assert!(ping(&mut session).is_ok());
    assert_eq!(session.whole_payload().unwrap(), b"abc");
    drop(session);
    peer.join();
}
