//! What has gone wrong in FTP servers before, over real sockets.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use ftp_tests::files::{random_bytes, write_random};
use ftp_tests::{SOON, eventually};
use socket2::{Domain, Socket, Type};

use super::control::Control;
use super::place::server;

/// From another address of this machine.
fn connect_from_elsewhere(to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from: SocketAddr = "127.0.0.2:0".parse().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn nobody_is_connected_to_but_the_client_itself() {
    let server = server(&[]);
    let mut control = Control::enter(&server);
    control.expect("PORT 127,0,0,2,200,1", "500");
    control.expect("EPRT |1|127.0.0.2|51201|", "500");
    control.expect("PORT 127,0,0,1,0,25", "504");
    control.expect("EPRT |1|127.0.0.1|1023|", "504");
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = here.local_addr().unwrap().port();
    write_random(&server.file("file"), 1, 100_000);
    control.expect(&format!("EPRT |1|127.0.0.1|{port}|"), "200");
    control.say("RETR file");
    let (mut data, _) = here.accept().unwrap();
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, random_bytes(1, 1 << 20)[..100_000]);
    assert!(control.reply().starts_with("150"));
    assert!(control.reply().starts_with("226"));
}

#[test]
fn active_mode_can_be_switched_off() {
    let server = server(&["--ftp-active", "off"]);
    write_random(&server.file("file"), 1, 10);
    let mut control = Control::enter(&server);
    // Somebody is there, and is not visited.
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    here.set_nonblocking(true).unwrap();
    let port = here.local_addr().unwrap().port();
    let (high, low) = (port >> 8, port & 255);
    for line in [
        format!("EPRT |1|127.0.0.1|{port}|"),
        format!("PORT 127,0,0,1,{high},{low}"),
    ] {
        let refused = control.expect(&line, "500");
        assert!(refused.contains("use EPSV or PASV"), "{refused}");
    }
    control.expect("RETR file", "425");
    let visit = here.accept().map(|(_, from)| from);
    let nobody = visit
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    assert!(nobody, "{visit:?}");
    assert_eq!(control.get("file").len(), 10);
}

#[test]
fn a_stranger_gets_no_data_connection() {
    let server = server(&[]);
    write_random(&server.file("secret"), 2, 50_000);
    let mut control = Control::enter(&server);
    let address = control.passive();
    let mut thief = connect_from_elsewhere(address);
    let mut stolen = Vec::new();
    // Closed with nothing said: an end or a reset.
    match thief.read_to_end(&mut stolen) {
        Ok(len) => assert_eq!(len, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    control.say("RETR secret");
    let mut data = TcpStream::connect(address).unwrap();
    data.read_to_end(&mut stolen).unwrap();
    assert_eq!(stolen.len(), 50_000);
    assert!(control.reply().starts_with("150"));
    assert!(control.reply().starts_with("226"));
    assert!(
        TcpStream::connect(address).is_err(),
        "the port takes one connection"
    );
    eventually("the log tells", SOON, || {
        server.log().contains("from another address")
    });
}

#[test]
fn who_hangs_up_with_all_it_wanted_has_got_it() {
    let server = server(&[]);
    write_random(&server.file("empty"), 1, 0);
    let mut control = Control::enter(&server);
    let address = control.passive();
    // A reset, as it comes about when a client knows the length and closes before it hears our end.
    let data = Socket::from(TcpStream::connect(address).unwrap());
    data.set_linger(Some(Duration::ZERO)).unwrap();
    drop(data);
    control.expect("RETR empty", "150");
    let reply = control.reply();
    assert!(reply.starts_with("226"), "{reply:?}");
}

#[test]
fn a_browser_is_hung_up_on() {
    let server = server(&[]);
    for verb in ["GET / HTTP/1.1", "POST /x HTTP/1.1"] {
        let mut control = Control::open(&server);
        control.say(verb);
        control.say("USER u");
        while !control.reply().is_empty() {}
    }
}

#[test]
fn open_ports_are_one_a_session_and_end_with_it() {
    let server = server(&[]);
    let before = server.descriptors();
    let mut sessions: Vec<_> = (0..100).map(|_| Control::enter(&server)).collect();
    for control in &mut sessions {
        for _ in 0..3 {
            control.expect("EPSV", "229");
        }
    }
    let most = before + 2 * sessions.len();
    assert!(
        server.descriptors() <= most,
        "{} > {most}",
        server.descriptors()
    );
    drop(sessions);
    eventually("the ports close", SOON, || server.descriptors() <= before);
}

/// The client means to be connected to after all: nobody else finds the port open.
#[test]
fn a_port_that_is_not_wanted_any_more_is_closed() {
    let server = server(&[]);
    let mut control = Control::enter(&server);
    let address = control.passive();
    control.expect("PORT 127,0,0,1,200,1", "200");
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// The bytes are out, and the client never closes its end.
#[test]
fn a_data_connection_that_is_kept_ends_all_the_same() {
    let server = server(&[]);
    write_random(&server.file("f"), 3, 1000);
    let mut control = Control::enter(&server);
    let before = server.descriptors();
    let mut data = TcpStream::connect(control.passive()).unwrap();
    control.expect("RETR f", "150");
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 1000);
    assert!(control.reply().starts_with("226"));
    eventually("the server lets go", SOON, || {
        server.descriptors() <= before
    });
    control.expect("NOOP", "200");
    drop(data);
}

#[test]
fn a_small_range_of_ports_is_enough_for_many_transfers() {
    let low = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let low = low.min(60_000);
    let range = format!("{low}-{}", low + 20);
    let server = server(&[
        "--ftp-passive-ports",
        &range,
        "--ftp-masquerade",
        "127.0.0.1",
    ]);
    let mut control = Control::enter(&server);
    for turn in 0..100 {
        control.put("file", format!("{turn}").as_bytes());
        assert_eq!(control.get("file"), format!("{turn}").as_bytes());
        let port = control.passive().port();
        assert!((low..=low + 20).contains(&port), "{port}");
    }
}

#[test]
fn clients_are_told_the_address_that_their_network_is_told() {
    for (masquerade, told) in [
        ("auto", [127, 0, 0, 1]),
        ("203.0.113.5", [203, 0, 113, 5]),
        ("localhost", [127, 0, 0, 1]),
        ("203.0.113.5,127.0.0.0/8=auto", [127, 0, 0, 1]),
        ("203.0.113.5,127.0.0.0/8=203.0.113.9", [203, 0, 113, 9]),
        ("203.0.113.5,10.0.0.0/8=auto", [203, 0, 113, 5]),
    ] {
        let server = server(&["--ftp-masquerade", masquerade]);
        let address = Control::enter(&server).passive();
        assert_eq!(address.ip(), IpAddr::from(told), "{masquerade}");
    }
}
