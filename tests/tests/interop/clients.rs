//! curl, wget, lftp, ncftp and rclone, each file compared by its digest.

use std::fs::{self, File};
use std::path::Path;

use ftp_tests::Scratch;
use ftp_tests::files::{sha256_of, tree, write_random};

use super::place::{COVERS, Cover, curl_succeeds, have, lftp, port, run, server, succeed};

/// Sizes and names that are worth a look.
const FILES: [(&str, u64); 4] = [
    ("empty", 0),
    ("one", 1),
    ("with two spaces", 70_000),
    ("größe-日本", 3_500_000),
];

/// Whether the long cases are wanted, too.
fn is_long() -> bool {
    std::env::var_os("MUXFTP_LONG").is_some()
}

#[test]
fn curl_puts_and_gets() {
    if !have("curl") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("curl"));
    let back = scratch.join("back");
    for cover in COVERS {
        // As it comes, and active; curl 7.88 mixes that up with TLS.
        for more in [&[][..], &["-P", "-"]] {
            if more.contains(&"-P") && cover != Cover::Plain {
                continue;
            }
            for (name, len) in FILES {
                let local = scratch.file(name, 7, len);
                let put = [more, &["-T", local.to_str().unwrap()]].concat();
                curl_succeeds(&server, cover, name, &put);
                assert_eq!(
                    sha256_of(&server.file(name)),
                    sha256_of(&local),
                    "{cover:?} {more:?}"
                );
                let get = [more, &["-o", back.to_str().unwrap()]].concat();
                let _ = fs::remove_file(&back);
                curl_succeeds(&server, cover, name, &get);
                if len > 0 {
                    assert_eq!(sha256_of(&back), sha256_of(&local), "{cover:?} {more:?}");
                }
            }
        }
    }
}

#[test]
fn curl_resumes_its_tls_session_of_either_version() {
    if !have("curl") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("curl-tls"));
    let local = scratch.file("local", 8, 300_000);
    for cover in [Cover::Explicit, Cover::Implicit] {
        for version in ["1.2", "1.3"] {
            let name = format!("{cover:?}-{version}");
            let put = ["--tls-max", version, "-T", local.to_str().unwrap()];
            curl_succeeds(&server, cover, &name, &put);
            assert_eq!(sha256_of(&server.file(&name)), sha256_of(&local));
            let back = scratch.join("back");
            let get = ["--tls-max", version, "-o", back.to_str().unwrap()];
            curl_succeeds(&server, cover, &name, &get);
            assert_eq!(sha256_of(&back), sha256_of(&local));
        }
    }
}

#[test]
fn curl_resumes_a_download() {
    if !have("curl") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("curl-resume"));
    write_random(&server.file("whole"), 3, 2_000_000);
    for cover in COVERS {
        let part = scratch.file(format!("part-{cover:?}"), 3, 2_000_000);
        File::options()
            .write(true)
            .open(&part)
            .unwrap()
            .set_len(777_777)
            .unwrap();
        curl_succeeds(
            &server,
            cover,
            "whole",
            &["-C", "-", "-o", part.to_str().unwrap()],
        );
        assert_eq!(sha256_of(&part), sha256_of(&server.file("whole")));
    }
}

#[test]
fn five_gigabytes_with_holes_come_and_go() {
    if !is_long() || !have("curl") {
        println!("skipped: 5 GB (MUXFTP_LONG is not set)");
        return;
    }
    let (server, scratch) = (server(&["--durability", "none"]), Scratch::new("curl-5g"));
    let (local, back) = (scratch.join("large"), scratch.join("back"));
    File::create(&local)
        .unwrap()
        .set_len(5_000_000_001)
        .unwrap();
    curl_succeeds(
        &server,
        Cover::Plain,
        "large",
        &["-T", local.to_str().unwrap()],
    );
    let whole = sha256_of(&local);
    assert_eq!(sha256_of(&server.file("large")), whole);
    curl_succeeds(
        &server,
        Cover::Plain,
        "large",
        &["-o", back.to_str().unwrap()],
    );
    assert_eq!(sha256_of(&back), whole);
}

#[test]
fn wget_gets() {
    if !have("wget") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("wget"));
    for (name, len) in FILES {
        write_random(&server.file(name), 9, len);
        let back = scratch.join(name);
        let url = format!("ftp://127.0.0.1:{}/{name}", port(&server, Cover::Plain));
        succeed(
            "wget",
            &["-q", "-t", "1", "-O", back.to_str().unwrap(), &url],
        );
        assert_eq!(sha256_of(&back), sha256_of(&server.file(name)), "{name}");
    }
}

/// A tree of many small files, some in folders of folders.
fn plant(dir: &Path, count: u64) {
    for number in 0..count {
        let name = format!("a {}/b{}/ü{number}", number % 7, number % 3);
        write_random(&dir.join(name), number, number % 5_000);
    }
}

#[test]
fn lftp_mirrors_both_ways() {
    if !have("lftp") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("lftp"));
    for cover in COVERS {
        let count = match cover {
            Cover::Plain if is_long() => 10_000,
            Cover::Plain => 1_000,
            Cover::Explicit | Cover::Implicit => 50,
        };
        let (from, to) = (
            scratch.join(format!("from-{cover:?}")),
            scratch.join(format!("to-{cover:?}")),
        );
        plant(&from, count);
        let there = format!("there-{cover:?}");
        let (from_name, to_name) = (from.display(), to.display());
        lftp(
            &server,
            cover,
            &format!("mirror -R -P 4 {from_name} {there}"),
        );
        assert_eq!(tree(&server.file(&there)), tree(&from));
        lftp(&server, cover, &format!("mirror -P 4 {there} {to_name}"));
        assert_eq!(tree(&to), tree(&from));
    }
}

#[test]
fn ncftp_puts_and_gets() {
    if !have("ncftpput") || !have("ncftpget") {
        return;
    }
    let (server, scratch) = (server(&[]), Scratch::new("ncftp"));
    let number = port(&server, Cover::Plain).to_string();
    let flags = ["-u", "u", "-p", "p", "-P", number.as_str()];
    let local = scratch.file("file", 4, 1_234_567);
    let back = scratch.join("back");
    fs::create_dir(&back).unwrap();
    let put = [&flags[..], &["127.0.0.1", "/", local.to_str().unwrap()]].concat();
    succeed("ncftpput", &put);
    assert_eq!(sha256_of(&server.file("file")), sha256_of(&local));
    let get = [&flags[..], &["127.0.0.1", back.to_str().unwrap(), "/file"]].concat();
    succeed("ncftpget", &get);
    assert_eq!(sha256_of(&back.join("file")), sha256_of(&local));
}

#[test]
fn rclone_copies_and_checks() {
    if !have("rclone") {
        return;
    }
    // Its connections share one memory of TLS sessions, so one resumes what another began.
    let prefer = ["--ftp-data-tls-resume", "prefer"];
    let (server, scratch) = (server(&prefer), Scratch::new("rclone"));
    let hidden = run("rclone", &["obscure", "p"]).stdout;
    let hidden = String::from_utf8(hidden).unwrap();
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    plant(&from, 100);
    for cover in COVERS {
        let tls = match cover {
            Cover::Plain => "",
            Cover::Explicit => ",explicit_tls=true,no_check_certificate=true",
            Cover::Implicit => ",tls=true,no_check_certificate=true",
        };
        let number = port(&server, cover);
        let there = format!(
            ":ftp,host=127.0.0.1,port={number},user=u,pass={}{tls}:r-{cover:?}",
            hidden.trim()
        );
        let config = ["--config", "/dev/null", "--retries", "1", "-q"];
        let rclone = |args: &[&str]| succeed("rclone", &[args, &config[..]].concat());
        rclone(&["copy", from.to_str().unwrap(), &there]);
        assert_eq!(tree(&server.file(format!("r-{cover:?}"))), tree(&from));
        rclone(&["check", "--download", from.to_str().unwrap(), &there]);
        rclone(&["sync", &there, to.to_str().unwrap()]);
        assert_eq!(tree(&to), tree(&from));
    }
}
