//! What each kind reads, refuses and shows.

use super::*;

#[test]
fn times_are_read() {
    let check = |text: &str, want: Option<u64>| {
        let min = Duration::ZERO;
        let got = Time { min }.read(text.as_ref());
        assert_eq!(got, want.map(Duration::from_millis), "{text}");
    };
    check("300", Some(300_000));
    check("0.5", Some(500));
    check("250ms", Some(250));
    check("10m", Some(600_000));
    check("2h", Some(7_200_000));
    check("2 h", Some(7_200_000));
    check("365d", Some(31_536_000_000));
    check("0", Some(0));
    for wrong in [
        "",
        "s",
        "-1",
        "+1",
        "1e3",
        "inf",
        "nan",
        "soon",
        "1  s",
        "1 ",
        " 1",
        "1y",
        "366d",
        "1.2.3",
        "99999999999999999999999",
        "1µs",
        "ms",
        ".",
    ] {
        check(wrong, None);
    }
    let min = Duration::from_millis(1);
    assert_eq!(Time { min }.read("0".as_ref()), None);
    assert_eq!(Time { min }.read("0.0001".as_ref()), None);
}

#[test]
fn sizes_and_rates_are_read() {
    let check = |text: &str, want: Option<u64>| {
        let size = Size {
            min: 0,
            max: 1 << 40,
        };
        assert_eq!(size.read(text.as_ref()), want, "{text}");
    };
    check("64 MiB", Some(64 << 20));
    check("64mib", Some(64 << 20));
    check("1.5 KiB", Some(1536));
    check("2 GB", Some(2_000_000_000));
    check("1 kb", Some(1000));
    check("7", Some(7));
    check("1 TiB", Some(1 << 40));
    for wrong in [
        "",
        "MiB",
        "-1",
        "0.5",
        "2 TiB",
        "64 M",
        "64 MiB/s",
        "9999999999999999999",
    ] {
        check(wrong, None);
    }
    let rate = Rate { max: 1 << 30 };
    assert_eq!(rate.read("10 MiB/s".as_ref()), Some(10 << 20));
    assert_eq!(rate.read("64".as_ref()), Some(64));
    assert_eq!(rate.read("2 GiB/s".as_ref()), None);
}

#[test]
fn networks_are_read() {
    let check = |text: &str, want: Option<&str>| {
        let got = Networks.read(text.as_ref());
        assert_eq!(got.map(|it| Networks.show(&it)).as_deref(), want, "{text}");
    };
    check("", Some("[]"));
    check("10.0.0.0/8", Some("[\"10.0.0.0/8\"]"));
    check(
        " 192.0.2.1, ::1 ,2001:db8::/32",
        Some("[\"192.0.2.1/32\", \"::1/128\", \"2001:db8::/32\"]"),
    );
    check("::ffff:192.0.2.1", Some("[\"192.0.2.1/32\"]"));
    for wrong in [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        ",",
        "10.0.0.0/8,",
        "localhost",
        "::1/129",
        "0",
    ] {
        check(wrong, None);
    }
    check(&vec!["::1"; NETWORKS + 1].join(","), None);
}

#[test]
fn what_is_shown_is_read_again() {
    fn check<K: Kind>(kind: &K, text: &str, shown: &str) {
        let value = kind.read(text.as_ref()).expect(text);
        assert_eq!(kind.show(&value), shown);
        let bare = shown.trim_matches('"');
        let again = kind.read(bare.as_ref()).expect(bare);
        assert_eq!(kind.show(&again), shown);
    }
    let min = Duration::ZERO;
    check(&Time { min }, "90", "\"90s\"");
    check(&Time { min }, "7200", "\"2h\"");
    check(&Time { min }, "0", "\"0s\"");
    check(&Time { min }, "1.5", "\"1500ms\"");
    check(
        &Size {
            min: 0,
            max: 1 << 40,
        },
        "65536KiB",
        "\"64 MiB\"",
    );
    check(
        &Size {
            min: 0,
            max: 1 << 40,
        },
        "1001",
        "\"1001 B\"",
    );
    check(&Rate { max: 1 << 40 }, "0", "\"0 B/s\"");
    check(&Switch, "YES", "true");
    check(&AutoCount { min: 1, max: 9 }, "auto", "\"auto\"");
    check(&Words(&[("a", 1), ("b", 2)]), "b", "\"b\"");
    check(&Folder, "/srv/x y", "\"/srv/x y\"");
    assert_eq!(quoted("a\"\\\n"), "\"a\\\"\\\\\\u000A\"");
}
