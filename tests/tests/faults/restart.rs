//! The daemon dies and comes back, five times within one file: the client goes on each time, in one invocation, and
//! sends little twice.

use std::time::Duration;

use ftp_tests::client::finish;
use ftp_tests::files::{sha256_of, write_random};
use ftp_tests::{Client, Fault, Options, Proxy, RUN, SOON, Scratch, Server, Way, eventually};

const MIB: u64 = 1 << 20;
const DEATHS: u64 = 5;

/// Runs one transfer of `size` bytes through the deaths; the bytes that were sent, in all.
fn survive(way: Way, size: u64) -> u64 {
    let root = Scratch::new("restart-root");
    let scratch = Scratch::new("restart");
    let mut server = Server::start(Options::new().root(root.path()));
    let addr = server.addr();
    let (from, to) = match way {
        Way::Up => (scratch.join("f"), root.join("f")),
        Way::Down => (root.join("f"), scratch.join("f")),
    };
    write_random(&from, 5, size);
    // As fast as it goes: what lies in the kernel's buffers when the server dies is sent in vain.
    let proxy = Proxy::start(addr, Fault::Healthy, way, u64::MAX);
    let sent = || match way {
        Way::Up => proxy.sent_up(),
        Way::Down => proxy.sent_down(),
    };
    let verb = if way == Way::Up { "put" } else { "get" };
    let mut client = Client::of(proxy.addr())
        .dir(scratch.path())
        .args(["-v", "--retries", "5", verb, "f"])
        .spawn();
    for death in 1..=DEATHS {
        let point = death * size / (DEATHS + 1);
        eventually("the transfer goes on", RUN, || {
            sent() >= point || client.wait(Duration::ZERO).is_some()
        });
        server.kill();
        server = Server::start(Options::new().root(root.path()).listen(addr));
    }
    let ran = finish(client, RUN).ok();
    assert_eq!(sha256_of(&to), sha256_of(&from), "{}", ran.stderr);
    let attempts = ran.stderr.matches("attempt").count() as u64;
    assert!(attempts >= DEATHS, "{}", ran.stderr);
    eventually("the server is well", SOON, || {
        server.process().status("Threads") > 0
    });
    sent()
}

#[test]
fn an_upload_survives_five_deaths_of_the_server() {
    let size = 480 * MIB;
    let sent = survive(Way::Up, size);
    println!(
        "{sent} bytes sent for {size}: {:.3}",
        sent as f64 / size as f64
    );
    assert!(sent <= size + size / 10, "{sent} bytes for {size}");
}

#[test]
fn a_download_survives_five_deaths_of_the_server() {
    let size = 480 * MIB;
    let sent = survive(Way::Down, size);
    println!(
        "{sent} bytes sent for {size}: {:.3}",
        sent as f64 / size as f64
    );
    assert!(sent <= size + size / 10, "{sent} bytes for {size}");
}
