//! Who answers if it is no muxftp server: by what it says first. Pure; of its words no more than a line is kept, and nothing but plain letters.

/// Most bytes of its words that are told.
const SAID_BYTES: usize = 80;

/// What is wrong, from the first bytes that came instead of an answer; `None` if they are no text.
pub(super) fn recognise(bytes: &[u8]) -> Option<String> {
    let plain = |byte: &u8| (b' '..=b'~').contains(byte);
    let said = bytes.iter().take(SAID_BYTES).take_while(|it| plain(it));
    let said: String = said.map(|byte| char::from(*byte)).collect();
    // The length of a header has four bytes, and none of a bearable length is text.
    if said.len() < 4 {
        return None;
    }
    let code = said.get(..3).is_some_and(|code| {
        code.bytes().all(|byte| byte.is_ascii_digit())
            && matches!(said.as_bytes().get(3), Some(b' ' | b'-'))
    });
    let mail = said.to_ascii_uppercase().contains("SMTP");
    let speaks = if code && !mail {
        "it speaks FTP: use curl or lftp, or the port of ftp-server's --listen"
    } else if said.starts_with("HTTP/") {
        "it speaks HTTP: use the port of ftp-server's --listen"
    } else if said.starts_with("SSH-") {
        "it speaks SSH: use sftp, or the port of ftp-server's --listen"
    } else {
        "use the port of ftp-server's --listen"
    };
    Some(format!(
        "what answers there is no muxftp server (it says `{said}`); {speaks}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_known_by_their_first_words() {
        for (bytes, said, speaks) in [
            (
                &b"220 muxftp/0.1.0 ready\r\n"[..],
                "220 muxftp/0.1.0 ready",
                "FTP",
            ),
            (b"220-Welcome\r\n220 x\r\n", "220-Welcome", "FTP"),
            (
                b"HTTP/1.1 400 Bad Request\r\n",
                "HTTP/1.1 400 Bad Request",
                "HTTP",
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2", "SSH"),
        ] {
            let told = recognise(bytes).unwrap();
            assert!(told.contains(&format!("`{said}`")), "{told}");
            assert!(told.contains(&format!("it speaks {speaks}:")), "{told}");
        }
        for bytes in [&b"220 mx.example ESMTP\r\n"[..], b"+OK pop ready\r\n"] {
            let told = recognise(bytes).unwrap();
            assert!(!told.contains("speaks"), "{told}");
        }
        let told = recognise(b"220 \x1b[2J").unwrap();
        assert!(told.contains("`220 `"), "{told}");
        let told = recognise(&[b'x'; 9999]).unwrap();
        assert!(
            told.contains(&format!("`{}`", "x".repeat(SAID_BYTES))),
            "{told}"
        );
        for bytes in [&b""[..], b"abc", b"abc\xff", &[0xff; 10], &[0, 0, 0, 0]] {
            assert_eq!(recognise(bytes), None, "{bytes:?}");
        }
    }
}
