//! Dates: from seconds to a calendar's day and back (proleptic Gregorian, UTC), and RFC 3659's time-val.

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A moment, as a calendar and a clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Civil {
    /// Of a time in seconds since 1970.
    pub(super) fn of(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Days since 0000-03-01, in eras of 400 years that begin in March, so that a leap day is the last.
        let days = days + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let dom = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let small = |number: i64| u8::try_from(number).unwrap_or(0);
        Self {
            year: year + era * 400 + carry,
            month: small(month),
            day: small(dom),
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
        }
    }

    /// Seconds since 1970; `None` if there is no such day or time. A leap second counts as the one after.
    fn seconds(self) -> Option<i64> {
        let valid = (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        if !valid {
            return None;
        }
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = if month <= 2 { self.year - 1 } else { self.year };
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = era * 146_097 + year * 365 + year / 4 - year / 100 + of_year - 719_468;
        let time = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60;
        let seconds = days * DAY + time + i64::from(self.second);
        // The 31st of a month that has none is another day.
        let back = Self::of(days * DAY);
        (back.month == self.month && back.day == self.day).then_some(seconds)
    }
}

/// `YYYYMMDDHHMMSS`, and `.sss` where there are milliseconds (RFC 3659, section 2.3).
pub(super) fn stamp(seconds: i64, nanos: u32) -> String {
    let at = Civil::of(seconds);
    let text = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    );
    match nanos / 1_000_000 {
        0 => text,
        millis => format!("{text}.{millis:03}"),
    }
}

/// Reads a time-val; one without seconds too, as `SITE UTIME` has it.
pub(super) fn parse(text: &str) -> Option<(i64, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole.len(), 12 | 14) || !digits(whole) || !digits(fraction) || fraction.len() > 9
    {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to)?.parse::<u8>().ok();
    let at = Civil {
        year: whole.get(..4)?.parse().ok()?,
        month: part(4, 6)?,
        day: part(6, 8)?,
        hour: part(8, 10)?,
        minute: part(10, 12)?,
        second: if whole.len() == 14 { part(12, 14)? } else { 0 },
    };
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some((at.seconds()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_round() {
        for (seconds, text) in [
            (0, "19700101000000"),
            (-1, "19691231235959"),
            (951_782_400, "20000229000000"),
            (1_767_323_045, "20260102030405"),
            (4_107_542_399, "21000228235959"),
            (4_107_542_400, "21000301000000"),
        ] {
            assert_eq!(stamp(seconds, 0), text);
            assert_eq!(parse(text), Some((seconds, 0)), "{text}");
        }
        for day in (-800_000..800_000).step_by(37) {
            let seconds = day * DAY + 12_345;
            assert_eq!(Civil::of(seconds).seconds(), Some(seconds));
        }
        assert_eq!(stamp(0, 5_000_000), "19700101000000.005");
        assert_eq!(parse("19700101000000.25"), Some((0, 250_000_000)));
        assert_eq!(parse("197001010001"), Some((60, 0)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026",
            "20260230000000",
            "20261301000000",
            "20260101240000",
            "20260101006000",
            "2026010100000x",
            "+0260101000000",
            "20260101000000.1234567890",
            "20260101000000.x",
            "２０２６０１",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn any_time_has_a_date() {
        for seconds in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let date = Civil::of(seconds);
            assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
        }
    }
}
