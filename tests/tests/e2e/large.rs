//! A very large file, both ways, by the real client.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use ftp_tests::files::{random_bytes, sha256_of};
use ftp_tests::{Client, Options, Scratch, Server};

const GIB: u64 = 1 << 30;

/// A sparse file with a few islands of bytes, the last of them at its very end.
fn sparse(path: &Path, size: u64) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (seed, at) in [0, GIB / 7, size / 2 - 3, size - 4096]
        .into_iter()
        .enumerate()
    {
        file.write_all_at(&random_bytes(seed as u64, 4096), at)
            .unwrap();
    }
}

#[test]
fn a_file_of_four_gibibytes_goes_both_ways() {
    let scratch = Scratch::new("large");
    let stat = rustix::fs::statvfs(scratch.path()).unwrap();
    let size = if stat.f_bavail * stat.f_frsize > 10 * GIB {
        4 * GIB + 1
    } else {
        println!("shortened to 1 GiB: less than 10 GiB of room in the temp folder");
        GIB + 1
    };
    let local = scratch.join("big");
    sparse(&local, size);
    let expected = sha256_of(&local);
    let server = Server::start(
        Options::new()
            .root(scratch.path())
            .args(["--durability", "none"]),
    );
    let client = || {
        Client::of(server.addr())
            .arg("-q")
            .within(Duration::from_secs(240))
    };
    client().arg("put").arg(&local).arg("stored").run().ok();
    let back = scratch.join("back");
    client().args(["get", "stored"]).arg(&back).run().ok();
    assert_eq!(fs::metadata(&back).unwrap().len(), size);
    assert_eq!(sha256_of(&back), expected);
    assert!(server.peak_kib() < 150 * 1024, "{} KiB", server.peak_kib());
}
