//! Sizes and rates as people write them: `4096`, `"64 MiB"`, `"10 MB/s"`.
//!
//! `k`, `M`, `G`, `T` with `B` are powers of 1000, with `iB` of 1024. Whole numbers only; nothing is rounded.

/// What a size may look like, for messages.
pub const SIZE_FORM: &str = "a number of bytes, as 4096, \"500 kB\" or \"64 MiB\"";
/// What a rate may look like, for messages.
pub const RATE_FORM: &str = "bytes per second, as 1000000, \"500 kB/s\" or \"10 MiB/s\"";

/// Reads a size in bytes.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000_u64.pow(2),
        "GB" => 1000_u64.pow(3),
        "TB" => 1000_u64.pow(4),
        "KiB" | "kiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Reads a rate in bytes per second; `/s` may be left out.
#[must_use]
pub fn rate(text: &str) -> Option<u64> {
    let text = text.trim_end();
    bytes(text.strip_suffix("/s").unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            (" 12 B ", Some(12)),
            ("500 kB", Some(500_000)),
            ("10MB", Some(10_000_000)),
            ("64 MiB", Some(64 << 20)),
            ("2TiB", Some(2 << 40)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744073709551615 kB", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5 GB", None),
            ("1 mb", None),
            ("1 M", None),
            ("١", None),
        ] {
            assert_eq!(bytes(text), expected, "{text:?}");
        }
        assert_eq!(rate("10 MB/s"), Some(10_000_000));
        assert_eq!(rate("10 MB"), Some(10_000_000));
        assert_eq!(rate("10 MB/h"), None);
        assert_eq!(bytes("10 MB/s"), None);
    }
}
