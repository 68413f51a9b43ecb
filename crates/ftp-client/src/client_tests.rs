//! Small requests that fail for the moment: which are asked again, and which are not.

use super::*;
use crate::peer::{Line, Peer};

const STAT: &str = r#""type":"file","size":3,"mtime":0,"mode":420,"etag":"e""#;

/// The client of a peer that cuts the first connection in its first request, and answers this on the second.
fn after_a_cut<T>(
    answer: &'static str,
    work: impl FnOnce(&mut Client) -> Result<T>,
) -> (Result<T>, usize) {
    let (seen, count) = std::sync::mpsc::channel();
    let peer = Peer::start(2, move |number, line: &mut Line| {
        line.hello();
        while let Some((head, _)) = line.frame() {
            seen.send(()).unwrap();
            if number == 0 {
                line.cut();
                return;
            }
            line.send(&format!(r#"{{"id":{},"fin":true{answer}}}"#, head.id), &[]);
        }
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let result = work(&mut client);
    drop(client);
    peer.join();
    (result, count.try_iter().count())
}

#[test]
fn what_may_be_asked_twice_is() {
    let path = VPath::parse("a").unwrap();
    let (result, asked) = after_a_cut(r#","type":"file","size":3,"etag":"e""#, |client| {
        client.stat(&path)
    });
    assert_eq!((result.unwrap().size, asked), (3, 2));
    let (result, asked) = after_a_cut("", |client| client.make_dir(&path, true));
    assert!(result.is_ok());
    assert_eq!(asked, 2);
}

#[test]
fn what_may_have_been_done_is_not_asked_again() {
    let path = VPath::parse("a").unwrap();
    for work in [
        (|client, path| client.rename(path, path, false)) as fn(&mut Client, &VPath) -> Result<()>,
        |client, path| client.remove(path, false),
        |client, path| client.make_dir(path, false),
    ] {
        let (result, asked) = after_a_cut("", |client| work(client, &path));
        assert!(matches!(result, Err(Error::Lost(_))), "{result:?}");
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_server_that_says_not_now_is_asked_later() {
    let peer = Peer::start(1, |_, line| {
        line.hello();
        let (head, _) = line.expect("rename");
        line.error(head.id, "busy");
        let (head, _) = line.expect("rename");
        line.send(&format!(r#"{{"id":{},"fin":true}}"#, head.id), &[]);
        let (head, _) = line.expect("stat");
        line.error(head.id, "not_found");
        let (head, _) = line.expect("stat");
        line.send(&format!(r#"{{"id":{},"fin":true,{STAT}}}"#, head.id), &[]);
        line.until_closed();
    });
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let path = VPath::parse("a").unwrap();
    client.rename(&path, &path, true).unwrap();
    assert!(matches!(client.stat(&path), Err(Error::Remote(_))));
    assert_eq!(client.stat(&path).unwrap().size, 3);
    drop(client);
    peer.join();
}

/// A client of a peer that wants users: it says "not now, in so many seconds" once, then lets in.
fn told_later(seconds: u64) -> (Result<Stat>, usize) {
    let (seen, count) = std::sync::mpsc::channel();
    let mut peer = Peer::start(2, move |number, line: &mut Line| {
        line.hello();
        let (head, _) = line.expect("login");
        seen.send(()).unwrap();
        let id = head.id;
        if number == 0 {
            line.send(
                &format!(
                    r#"{{"id":{id},"fin":true,"error":{{"code":"login_later","message":"full","retryable":true,"retry_after":{seconds}}}}}"#
                ),
                &[],
            );
        } else {
            line.send(&format!(r#"{{"id":{id},"fin":true,"user":"anna"}}"#), &[]);
            let (head, _) = line.expect("stat");
            line.send(&format!(r#"{{"id":{},"fin":true,{STAT}}}"#, head.id), &[]);
        }
        line.until_closed();
    });
    peer.options.login = Some(crate::Login::new("anna", "hunter2").unwrap());
    let mut client = Client::connect(&peer.options, &peer.cancel).unwrap();
    let result = client.stat(&VPath::parse("a").unwrap());
    drop(client);
    peer.join();
    (result, count.try_iter().count())
}

#[test]
fn not_now_is_waited_for_within_reason() {
    let started = Instant::now();
    let (result, asked) = told_later(1);
    assert_eq!((result.unwrap().size, asked), (3, 2));
    assert!(started.elapsed() >= Duration::from_secs(1));
    let (result, asked) = told_later(100_000);
    let code = result.unwrap_err().code();
    assert_eq!((code, asked), (Some(ftp_proto::wire::Code::LoginLater), 1));
}
