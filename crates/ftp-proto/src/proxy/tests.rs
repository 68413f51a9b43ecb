//! Headers as the specification has them, and everything that is nearly one.

use super::*;

fn header(len: usize, source: Option<&str>) -> Reading {
    let source = source.map(|source| source.parse().unwrap());
    Reading::Header(Header { len, source })
}

/// A header of version 2.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap();
    [BINARY, &[command, family], &len.to_be_bytes(), body].concat()
}

const V4: &[u8] = b"\xC0\x00\x02\x01\xC0\x00\x02\x02\xDE\xAD\x00\x15";
const V6: [u8; 36] = {
    let mut body = [0; 36];
    (body[0], body[1], body[2], body[3]) = (0x20, 0x01, 0x0d, 0xb8);
    (body[15], body[31], body[33], body[35]) = (1, 2, 80, 21);
    body
};

/// Whole headers, and what each tells.
fn whole() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let mut mapped = V6;
    mapped[..16].copy_from_slice(b"\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\x02\x07");
    let tlv = [V4, b"\x03\0\x04abcd", &[0; 300]].concat();
    vec![
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 57005 21\r\n".to_vec(), Some("192.0.2.1:57005")),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".to_vec(), Some("255.255.255.255:65535")),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n".to_vec(), Some("192.0.2.1:0")),
        (b"PROXY TCP6 2001:db8::1 ::2 80 21\r\n".to_vec(), Some("[2001:db8::1]:80")),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::2 80 21\r\n".to_vec(), Some("192.0.2.7:80")),
        (b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n".to_vec(), Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n".to_vec(), None),
        (v2(0x21, 0x11, V4), Some("192.0.2.1:57005")),
        (v2(0x21, 0x11, &tlv), Some("192.0.2.1:57005")),
        (v2(0x21, 0x21, &V6), Some("[2001:db8::1]:80")),
        (v2(0x21, 0x21, &mapped), Some("192.0.2.7:80")),
        (v2(0x21, 0x31, &[b'/'; 216]), None),
        (v2(0x21, 0x00, b""), None),
        (v2(0x21, 0x00, b"anything"), None),
        (v2(0x20, 0x00, b""), None),
        (v2(0x20, 0x11, V4), None),
        (v2(0x20, 0xEE, b"anything"), None),
        (v2(0x21, 0x00, &[0; HEADER_MAX - FIXED]), None),
    ]
}

#[test]
fn whole_headers_are_read_and_nothing_behind_them() {
    for (bytes, source) in whole() {
        assert_eq!(read(&bytes), header(bytes.len(), source), "{bytes:?}");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Reading::More, "{cut} of {bytes:?}");
        }
        for rest in [&b"\r\n"[..], b"PROXY ", b"\0\0\0\x10{}", &[0xFF; 5000]] {
            let more = [&bytes, rest].concat();
            assert_eq!(read(&more), header(bytes.len(), source), "{bytes:?}");
        }
    }
}

#[test]
fn what_is_no_header_is_told_at_once() {
    let check = |bytes: &[u8], want: Wrong| {
        assert_eq!(read(bytes), Reading::Wrong(want), "{bytes:?}");
        assert!(!want.why().is_empty());
    };
    for bytes in [
        &b"G"[..],
        b"\0",
        b"PROXY\t",
        b"proxy ",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\x16\x03\x01",
        b"\r\r",
    ] {
        check(bytes, Wrong::Signature);
    }
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 ::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n",
        "PROXY TCP6 [::1] ::2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY \u{ff}TCP4\r\n",
    ] {
        check(line.as_bytes(), Wrong::Line);
    }
    check(&[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(), Wrong::Long);
    let most = [b"PROXY ", &[b'x'; TEXT_MAX - 6 - 1][..]].concat();
    assert_eq!(read(&most), Reading::More);
    check(&[&most[..], b"\n"].concat(), Wrong::Line);
    check(&[&most[..], b"x"].concat(), Wrong::Long);
    for command in (0..=255).filter(|it| ![0x20, 0x21].contains(it)) {
        check(&v2(command, 0x11, V4)[..13], Wrong::Command);
    }
    for family in (0..=255).filter(|it| ![0x00, 0x11, 0x21, 0x31].contains(it)) {
        check(&v2(0x21, family, &[0; 300])[..14], Wrong::Address);
    }
    check(&v2(0x21, 0x11, &V4[..11])[..FIXED], Wrong::Address);
    check(&v2(0x21, 0x21, &V6[..35])[..FIXED], Wrong::Address);
    check(&v2(0x21, 0x31, &[0; 215])[..FIXED], Wrong::Address);
    check(
        &v2(0x21, 0x11, &[0; HEADER_MAX - FIXED + 1])[..FIXED],
        Wrong::Long,
    );
    check(&v2(0x20, 0x00, &[0; 65_535])[..FIXED], Wrong::Long);
}

#[test]
fn every_address_comes_back_as_it_was_told() {
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..20_000 {
        let port = rng.u16(..);
        let (v4, v6) = (
            Ipv4Addr::from_bits(rng.u32(..)),
            Ipv6Addr::from_bits(rng.u128(..)),
        );
        let address: IpAddr = if rng.bool() { v4.into() } else { v6.into() };
        let (word, family, raw) = match address {
            IpAddr::V4(it) => ("TCP4", 0x11, it.octets().repeat(2)),
            IpAddr::V6(it) => ("TCP6", 0x21, it.octets().repeat(2)),
        };
        let line = format!("PROXY {word} {address} {address} {port} 21\r\n").into_bytes();
        let body = [&raw[..], &port.to_be_bytes(), &[0, 21]].concat();
        for bytes in [line, v2(0x21, family, &body)] {
            let source = Some(SocketAddr::new(address.to_canonical(), port));
            let want = Reading::Header(Header {
                len: bytes.len(),
                source,
            });
            assert_eq!(read(&bytes), want);
        }
    }
}

#[test]
fn more_bytes_never_change_an_answer() {
    let mut rng = fastrand::Rng::with_seed(5);
    let seeds = whole();
    for _ in 0..5_000 {
        let mut bytes = seeds[rng.usize(..seeds.len())].0.clone();
        for _ in 0..rng.usize(..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bytes.extend((0..rng.usize(..50)).map(|_| rng.u8(..)));
        let mut told = Reading::More;
        for cut in 0..=bytes.len() {
            let now = read(&bytes[..cut]);
            assert!(
                told == Reading::More || told == now,
                "{told:?}, then {now:?}"
            );
            assert!(now != Reading::More || cut < HEADER_MAX, "no end");
            if let Reading::Header(it) = now {
                assert!(it.len <= cut && it.len <= HEADER_MAX);
            }
            told = now;
        }
    }
}
