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

/// A server that wants users and answers `login` so; how a ping of `anna` ends, and what is known of the session.
fn check_login(script: impl Fn(&mut Line) + Send + 'static) -> Result<ReplyHead> {
    let mut peer = Peer::start(1, move |_, line| {
        script(line);
        line.until_closed();
    });
    peer.options.login = Some(Login::new("anna", "hunter2").unwrap());
    let mut session = Session::connect(&peer.options, &peer.cancel).unwrap();
    for shown in [format!("{session:?}"), format!("{:?}", peer.options)] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("104, 117, 110"), "{shown}");
    }
    let result = ping(&mut session);
    assert_eq!(session.is_good(), result.is_ok());
    if result.is_ok() {
        assert_eq!(session.admitted().unwrap(), Some("Anna"));
    }
    drop(session);
    peer.join();
    result
}

/// Takes `hello`, `login` and `ping` before anything is answered, and answers `hello`.
fn take_three(line: &mut Line, login: &str) {
    line.expect("hello");
    let (head, _) = line.expect("login");
    assert_eq!((head.id, head.fin), (2, true));
    assert_eq!(head.user.as_deref(), Some("anna"));
    assert_eq!(head.password.unwrap().bytes(), b"hunter2");
    line.expect("ping");
    line.send(
        &format!(
            r#"{{"id":1,"fin":true,"version":1{login},"limits":{{"header":65536,"chunk":4096,"pipeline":3,"ping":9}}}}"#
        ),
        &[],
    );
}

#[test]
fn hello_login_and_request_leave_together() {
    let head = check_login(|line| {
        take_three(line, r#","login":"required""#);
        line.send(r#"{"id":2,"fin":true,"user":"Anna"}"#, &[]);
        line.send(r#"{"id":3,"fin":true}"#, b"abc");
    });
    assert_eq!(head.unwrap().len, 3);
}

#[test]
fn a_login_that_fails_ends_the_connection() {
    let failed = check_login(|line| {
        take_three(line, r#","login":"required""#);
        line.error(2, "login_failed");
        line.error(3, "login_required");
    })
    .unwrap_err();
    assert_eq!(failed.to_string(), "user anna: so it is (login_failed)");
    assert!(!failed.is_transient() && failed.advice().is_some());
    let none = check_login(|line| {
        take_three(line, "");
        line.error(2, "unknown_verb");
    })
    .unwrap_err();
    let why = "user anna: the server has no users (login_failed)";
    assert_eq!(none.to_string(), why);
    let endless = check_login(|line| {
        take_three(line, r#","login":"optional""#);
        line.send(r#"{"id":2,"user":"Anna"}"#, &[]);
    });
    assert!(matches!(endless, Err(Error::Protocol(_))), "{endless:?}");
}
