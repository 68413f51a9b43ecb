//! Many at once: transfers of all sizes, on one loop, beside connections that only stand there.

use std::sync::{Arc, Barrier};
use std::thread;

use ftp_tests::client::finish;
use ftp_tests::files::{random_bytes, sha256_of, write_random};
use ftp_tests::process::raise_descriptors;
use ftp_tests::{Client, Options, Peer, RUN, Scratch, Server};

const MIB: usize = 1 << 20;

/// The size of the `n`th file.
fn size(n: usize) -> usize {
    match n {
        7 | 77 | 177 => 64 * MIB,
        _ => [0, 1, 4096, MIB - 1, MIB, MIB + 1][n % 6],
    }
}

#[test]
fn four_hundred_transfers_beside_a_thousand_idle_connections() {
    raise_descriptors();
    let server = Server::start(Options::new());
    let addr = server.addr();
    Peer::hello(addr).still_works();
    let at_rest = server.process().threads();
    for n in 0..200 {
        write_random(&server.file(format!("down/{n}")), n as u64, size(n) as u64);
    }
    let mut idle: Vec<_> = (0..1000).map(|_| Peer::hello(addr)).collect();
    let start = Arc::new(Barrier::new(400));
    let transfers: Vec<_> = (0..400)
        .map(|n| {
            let start = Arc::clone(&start);
            let work = move || {
                let mut peer = Peer::hello(addr);
                let (n, up) = (n / 2, n % 2 == 0);
                let seed = if up { 1000 + n } else { n } as u64;
                let bytes = random_bytes(seed, size(n));
                start.wait();
                if up {
                    let answer = peer.put(&format!("up/{n}"), &bytes);
                    assert_eq!(answer["size"], bytes.len(), "{answer}");
                } else {
                    assert!(peer.get(&format!("down/{n}")).unwrap() == bytes, "down/{n}");
                }
            };
            thread::Builder::new().stack_size(MIB).spawn(work).unwrap()
        })
        .collect();
    for transfer in transfers {
        transfer.join().expect("a transfer");
    }
    for n in 0..200 {
        let expected = ftp_tests::files::sha256(&random_bytes(1000 + n as u64, size(n)));
        assert_eq!(
            sha256_of(&server.file(format!("up/{n}"))),
            expected,
            "up/{n}"
        );
    }
    for peer in &mut idle {
        peer.still_works();
    }
    let peak = server.peak_kib();
    println!("peak {peak} KiB, threads {:?}", server.process().threads());
    // The bound of the README's formula, well below the 150 MiB that are promised.
    let bound = 16 * 1024 + 1400 * 5 / 2 + 64 * 1024;
    assert!(peak < bound, "{peak} KiB");
    // One loop and the workers, however many the connections are.
    assert_eq!(server.process().threads().len(), at_rest.len());
}

#[test]
fn real_clients_at_once() {
    let server = Server::start(Options::new());
    let scratch = Scratch::new("clients");
    let clients: Vec<_> = (0..24)
        .map(|n| {
            let local = scratch.file(format!("up{n}"), n, n * 150_000);
            write_random(&server.file(format!("down{n}")), 100 + n, n * 150_000);
            let client = |verb: &str| Client::of(server.addr()).dir(scratch.path()).arg(verb);
            let put = client("put").arg(local).spawn();
            let get = client("get").arg(format!("down{n}")).spawn();
            (put, get)
        })
        .collect();
    for (n, (put, get)) in clients.into_iter().enumerate() {
        finish(put, RUN).ok();
        finish(get, RUN).ok();
        for name in [format!("up{n}"), format!("down{n}")] {
            assert_eq!(
                sha256_of(&server.file(&name)),
                sha256_of(&scratch.join(&name)),
                "{name}"
            );
        }
    }
}

#[test]
fn connections_leave_nothing_behind() {
    let server = Server::start(Options::new());
    Peer::hello(server.addr()).put("a", b"x");
    let before = server.descriptors();
    for n in 0..300 {
        let mut peer = Peer::hello(server.addr());
        match n % 3 {
            0 => drop(peer),
            1 => peer.reset(),
            _ => assert_eq!(peer.get("a").unwrap(), b"x"),
        }
    }
    ftp_tests::eventually("descriptors are as before", ftp_tests::SOON, || {
        server.descriptors() <= before
    });
}
