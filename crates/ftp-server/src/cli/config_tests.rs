//! What comes out of what was typed, through the whole of it.

use super::*;
use crate::cli::layers::Sources;
use crate::cli::{args, decide};

fn sources(args: &[&str]) -> Result<Sources, String> {
    let args = [&["ftp-server"], args].concat();
    let matches = args::command().try_get_matches_from(args);
    let matches = matches.map_err(|error| error.to_string())?;
    Ok(args::sources(&matches, |_| None).1)
}

fn config(args: &[&str]) -> Result<Config, String> {
    match decide(&sources(args)?) {
        Ok((_, config)) => Ok(config),
        Err(problems) => Err(problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()),
    }
}

#[test]
fn the_defaults() {
    let config = config(&[]).unwrap();
    let server = &config.server;
    assert_eq!(server.root.as_os_str(), ".");
    assert_eq!(server.listen, ["127.0.0.1:2121".parse().unwrap()]);
    assert!(!server.read_only && server.slow_disk.is_none());
    assert_eq!(server.durability, Durability::Full);
    assert_eq!(server.partial_ttl, Duration::from_secs(7 * 24 * 3600));
    assert!(server.workers >= WORKERS);
    assert_eq!(
        (server.max_connections, server.max_per_address),
        (16_384, 4096)
    );
    assert_eq!(server.buffer_bytes, 64 << 20);
    assert_eq!(server.drain_time, Duration::from_secs(30));
    assert_eq!(server.limits, Limits::default());
    assert_eq!(
        (config.log_format, config.log_level),
        (LogFormat::Text, LogLevel::Info)
    );
}

#[test]
fn every_flag_arrives() {
    let check = |args: &[&str], holds: &dyn Fn(&Config) -> bool| {
        let config = config(args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        assert!(holds(&config), "{args:?}: {config:?}");
    };
    let seconds = Duration::from_secs;
    check(&["--root", "/srv"], &|it| {
        it.server.root.as_os_str() == "/srv"
    });
    check(&["--listen", "127.0.0.1:0", "--listen", "[::1]:9"], &|it| {
        it.server.listen.len() == 2
    });
    check(&["--listen", "127.0.0.1:0,[::1]:9"], &|it| {
        it.server.listen.len() == 2
    });
    check(&["--read-only"], &|it| it.server.read_only);
    check(&["--durability", "data"], &|it| {
        it.server.durability == Durability::Data
    });
    check(&["--durability", "none"], &|it| {
        it.server.durability == Durability::None
    });
    check(&["--partial-ttl", "1h"], &|it| {
        it.server.partial_ttl == seconds(3600)
    });
    check(&["--workers", "7"], &|it| it.server.workers == 7);
    check(&["--max-connections", "8"], &|it| {
        it.server.max_connections == 8
    });
    check(&["--max-per-address", "9"], &|it| {
        it.server.max_per_address == 9
    });
    check(&["--buffer-memory", "2 MiB"], &|it| {
        it.server.buffer_bytes == 2 << 20
    });
    check(&["--hello-timeout", "1"], &|it| {
        it.server.limits.hello_time == seconds(1)
    });
    check(&["--idle-timeout", "10m"], &|it| {
        it.server.limits.idle_time == seconds(600)
    });
    check(&["--stall-timeout", "3"], &|it| {
        it.server.limits.stall_time == seconds(3) && it.server.limits.floor_bytes == 192
    });
    check(&["--min-rate", "1 KiB/s", "--stall-timeout", "2"], &|it| {
        it.server.limits.floor_bytes == 2048
    });
    check(&["--drain-timeout", "0"], &|it| {
        it.server.drain_time.is_zero()
    });
    check(&["--log-format", "json"], &|it| {
        it.log_format == LogFormat::Json
    });
    check(&["--log-level", "trace"], &|it| {
        it.log_level == LogLevel::Trace
    });
    check(&["--slow-disk-ms", "2000"], &|it| {
        it.server.slow_disk == Some(seconds(2))
    });
    check(&["--slow-disk-ms", "0"], &|it| {
        it.server.slow_disk.is_none()
    });
}

/// Each in its own place, and each alone.
#[test]
fn every_limit_of_use_arrives() {
    type Place = fn(&mut Rates) -> &mut Option<u64>;
    let rates: [(&str, Place); 6] = [
        ("upload-rate", |it| &mut it.upload.all),
        ("upload-rate-per-address", |it| &mut it.upload.per_address),
        ("upload-rate-per-session", |it| &mut it.upload.per_session),
        ("download-rate", |it| &mut it.download.all),
        ("download-rate-per-address", |it| {
            &mut it.download.per_address
        }),
        ("download-rate-per-session", |it| {
            &mut it.download.per_session
        }),
    ];
    for (name, place) in rates {
        let server = config(&[&format!("--{name}=5 kB/s")]).unwrap().server;
        let mut expected = Rates::default();
        *place(&mut expected) = Some(5000);
        assert_eq!(server.rates, expected, "{name}");
    }
    let server = config(&["--max-transfers-per-address=6"]).unwrap().server;
    assert_eq!(server.transfers_per_address, Some(6));
    assert_eq!(config(&[]).unwrap().server.transfers_per_address, None);
    let words = [
        "--ban-after=3",
        "--ban-forgive=4s",
        "--ban-time=5s",
        "--ban-time-max=6s",
        "--ban-exempt=10.0.0.0/8",
    ];
    let bans = config(&words).unwrap().server.bans.unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(
        (bans.points, bans.fade, bans.first, bans.longest),
        (3, seconds(4), seconds(5), seconds(6))
    );
    assert_eq!(bans.allow, ["10.0.0.0/8".parse().unwrap()]);
    assert!(config(&["--ban-after=0"]).unwrap().server.bans.is_none());
}

#[test]
fn what_is_wrong_is_said() {
    let check = |args: &[&str], word: &str| {
        let error = config(args).expect_err("it is wrong");
        assert!(error.contains(word), "{args:?}: {error}");
    };
    check(&["--listen", "localhost"], "127.0.0.1:2121");
    check(&["--workers", "0"], "from 1 to 1024");
    check(&["--workers", "many"], "--workers");
    check(&["--max-connections=-1"], "--max-connections");
    check(&["--idle-timeout", "soon"], "--idle-timeout");
    check(&["--hello-timeout", "0"], "from 1ms to 365d");
    check(&["--buffer-memory", "64"], "such as 64 MiB");
    check(&["--durability", "some"], "full, data, none");
    check(&["--log-level", "loud"], "info");
    check(&["file"], "unrecognized");
    check(&["check", "file"], "unexpected argument");
}

#[test]
fn beyond_loopback_only_when_it_is_said() {
    let listen = |address: &str| config(&["--listen", address]);
    for inside in [
        "127.0.0.1:1",
        "127.9.9.9:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(listen(inside).is_ok(), "{inside}");
    }
    for beyond in [
        "0.0.0.0:1",
        "[::]:1",
        "192.168.0.1:1",
        "[fe80::1]:1",
        "127.0.0.1:1,8.8.8.8:1",
    ] {
        let error = listen(beyond).expect_err(beyond);
        assert!(error.contains("--allow-anonymous"), "{error}");
        let allowed = config(&["--allow-anonymous", "--listen", beyond]);
        assert!(allowed.is_ok(), "{allowed:?}");
    }
}

#[test]
fn what_is_said_of_tls_together() {
    use crate::server::{Oldest, TlsOn};

    let beyond = ["--allow-anonymous", "--listen", "0.0.0.0:1,127.0.0.1:2"];
    let with = |more: &[&str]| config(&[&beyond, more].concat()).map(|it| it.server);
    let server = with(&[]).unwrap();
    assert_eq!(server.tls.on, TlsOn::BeyondLoopback);
    let covered: Vec<_> = server
        .listen
        .iter()
        .map(|it| server.tls.covers(it))
        .collect();
    assert_eq!(covered, [true, false]);
    assert_eq!(server.tls.oldest, Oldest::Tls13);
    let error = with(&["--tls-mode", "off"]).unwrap_err();
    assert!(error.contains("--allow-plaintext"), "{error}");
    let server = with(&["--tls-mode", "off", "--allow-plaintext"]).unwrap();
    assert!(!server.listen.iter().any(|it| server.tls.covers(it)));
    assert!(
        config(&["--tls-mode", "off"]).is_ok(),
        "loopback needs no words"
    );
    let server = with(&["--tls-mode", "on", "--tls-min", "1.2"]).unwrap();
    assert!(server.listen.iter().all(|it| server.tls.covers(it)));
    assert_eq!(server.tls.oldest, Oldest::Tls12);
    // One file may hold both.
    let Loaded { mut settings, .. } = decide(&sources(&[]).unwrap()).unwrap().0;
    settings.tls_cert = Some("c.pem".into());
    let files = tls(&settings).unwrap().files;
    assert_eq!(files, Some(("c.pem".into(), "c.pem".into())));
    let error = with(&["--tls-key", "k.pem"]).unwrap_err();
    assert!(error.contains("--tls-cert"), "{error}");
}
