//! curl, wget, lftp, ncftp, rclone and gFTP's engine, each file compared by its digest.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use ftp_tests::Scratch;
use ftp_tests::files::{sha256_of, tree, write_random};

use super::place::{
    COVERS, Cover, curl_succeeds, have, is_long, lftp, port, run, server, succeed, told,
};

/// Sizes and names that are worth a look.
const FILES: [(&str, u64); 4] = [
    ("empty", 0),
    ("one", 1),
    ("with two spaces", 70_000),
    ("größe-日本", 3_500_000),
];

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
        println!("skipped: 5 GB (scripts/interop.sh does it)");
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
    let help = run("wget", &["--help"]).stdout;
    let has_tls = String::from_utf8_lossy(&help).contains("--ftps-implicit");
    let (server, scratch) = (server(&[]), Scratch::new("wget"));
    for cover in COVERS {
        let (scheme, more): (_, &[&str]) = match cover {
            Cover::Plain => ("ftp", &[]),
            Cover::Explicit => ("ftps", &["--no-check-certificate"]),
            Cover::Implicit => ("ftps", &["--no-check-certificate", "--ftps-implicit"]),
        };
        if cover != Cover::Plain && !has_tls {
            println!("skipped: wget, {cover:?}: it is built without");
            continue;
        }
        for (name, len) in FILES {
            write_random(&server.file(name), 9, len);
            let back = scratch.join(name);
            let url = format!("{scheme}://127.0.0.1:{}/{name}", port(&server, cover));
            let args = ["-q", "-t", "1", "-O", back.to_str().unwrap(), &url];
            succeed("wget", &[&args, more].concat());
            let (found, sent) = (sha256_of(&back), sha256_of(&server.file(name)));
            assert_eq!(found, sent, "{cover:?}: {name}");
        }
    }
}

/// The engine of a graphical client. It shares no TLS sessions between its connections.
#[test]
fn gftp_puts_lists_and_gets() {
    if !have("gftp-text") {
        return;
    }
    let prefer = ["--ftp-data-tls-resume", "prefer"];
    let (server, scratch) = (server(&prefer), Scratch::new("gftp"));
    let (from, to) = (scratch.join("from"), scratch.join("to"));
    for (name, len) in FILES {
        write_random(&from.join(name), 6, len);
    }
    for (cover, scheme) in [(Cover::Plain, "ftp"), (Cover::Explicit, "ftps")] {
        let to = to.join(scheme);
        fs::create_dir_all(&to).unwrap();
        let (number, from_name, to_name) = (port(&server, cover), from.display(), to.display());
        let open = format!("open {scheme}://u:p@127.0.0.1:{number}");
        let put =
            format!("{open}\nmkdir {scheme}\ncd {scheme}\nlcd {from_name}\nmput *\nls\nquit\n");
        let said = told("gftp-text", scratch.path(), &put);
        assert_eq!(tree(&server.file(scheme)), tree(&from), "{said}");
        assert!(said.contains("größe-日本"), "{said}");
        let get = format!("{open}\ncd {scheme}\nlcd {to_name}\nmget *\nquit\n");
        let said = told("gftp-text", scratch.path(), &get);
        assert_eq!(tree(&to), tree(&from), "{said}");
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
            Cover::Plain => 10_000,
            Cover::Explicit | Cover::Implicit => 50,
        };
        let (from, to) = (
            scratch.join(format!("from-{cover:?}")),
            scratch.join(format!("to-{cover:?}")),
        );
        plant(&from, count);
        let there = format!("there-{cover:?}");
        let (from_name, to_name) = (from.display(), to.display());
        for (way, what) in [
            ("up", format!("mirror -R -P 4 {from_name} {there}")),
            ("down", format!("mirror -P 4 {there} {to_name}")),
        ] {
            let begun = Instant::now();
            lftp(&server, cover, &what);
            println!(
                "lftp {way}, {count} files, {cover:?}: {:.1?}",
                begun.elapsed()
            );
        }
        assert_eq!(tree(&server.file(&there)), tree(&from));
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
    for cover in COVERS {
        let (count, tls) = match cover {
            Cover::Plain if is_long() => (10_000, ""),
            Cover::Plain => (1_000, ""),
            Cover::Explicit => (50, ",explicit_tls=true,no_check_certificate=true"),
            Cover::Implicit => (50, ",tls=true,no_check_certificate=true"),
        };
        let (from, to) = (
            scratch.join(format!("from-{cover:?}")),
            scratch.join(format!("to-{cover:?}")),
        );
        plant(&from, count);
        let number = port(&server, cover);
        let there = format!(
            ":ftp,host=127.0.0.1,port={number},user=u,pass={}{tls}:r-{cover:?}",
            hidden.trim()
        );
        let config = ["--config", "/dev/null", "--retries", "1", "-q"];
        let rclone = |args: &[&str]| {
            let begun = Instant::now();
            succeed("rclone", &[args, &config[..]].concat());
            println!(
                "rclone {}, {count} files, {cover:?}: {:.1?}",
                args[0],
                begun.elapsed()
            );
        };
        rclone(&["copy", from.to_str().unwrap(), &there]);
        assert_eq!(tree(&server.file(format!("r-{cover:?}"))), tree(&from));
        rclone(&["check", "--download", from.to_str().unwrap(), &there]);
        rclone(&["sync", &there, to.to_str().unwrap()]);
        assert_eq!(tree(&to), tree(&from));
    }
}
