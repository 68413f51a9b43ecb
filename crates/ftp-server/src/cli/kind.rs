//! Kinds of values: how each is read from text, what is allowed, how it is shown. Pure; knows no setting by name.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::sandbox::account::Account;

/// What a kind looks like from outside, whatever it holds.
pub(super) trait Form: Sync {
    /// The value's name in the help.
    fn metavar(&self) -> &'static str;
    /// What is allowed, for people: "a number from 1 to 256".
    fn allowed(&self) -> String;
    /// How it may be written in the file.
    fn shape(&self) -> Shape;
}

/// A kind of value.
pub(super) trait Kind: Form {
    /// What is held.
    type Value: Clone;
    /// Reads a value; `None` if it is not what [`Form::allowed`] says.
    fn read(&self, text: &OsStr) -> Option<Self::Value>;
    /// The value as it would be written in the file.
    fn show(&self, value: &Self::Value) -> String;
}

/// How a value may be written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Number,
    /// A number, or a number with a unit as text.
    Quantity,
    /// A text.
    Word,
    /// A path as text; a relative one begins at the file's own folder.
    Path,
    /// The same, or this word.
    MaybePath(&'static str),
    /// A text, or a list of them.
    List,
}

/// On or off.
pub(super) struct Switch;
/// A whole number.
pub(super) struct Count {
    pub(super) min: usize,
    pub(super) max: usize,
}
/// A whole number, or `auto`: then it is `None` and the machine decides.
pub(super) struct AutoCount {
    pub(super) min: usize,
    pub(super) max: usize,
}
/// Bytes.
pub(super) struct Size {
    pub(super) min: u64,
    pub(super) max: u64,
}
/// Bytes a second.
pub(super) struct Rate {
    pub(super) max: u64,
}
/// A time, in whole milliseconds, of at most a year.
pub(super) struct Time {
    pub(super) min: Duration,
}
/// One of some words.
pub(super) struct Words<T: 'static>(pub(super) &'static [(&'static str, T)]);
/// A folder.
pub(super) struct Folder;
/// A file or a folder, or the word for none: then it is `None`.
pub(super) struct MaybePath {
    pub(super) absent: &'static str,
}
/// Addresses to listen on, with commas between them.
pub(super) struct Addresses;

/// Networks, with commas between them; a bare address is a network of one. At most [`NETWORKS`].
pub(super) struct Networks;

/// A user of this machine, and a group; or `none`.
pub(super) struct Whose;

/// Most networks of one setting: each connection is compared with all of them.
const NETWORKS: usize = 256;
/// The longest time that can be asked for; more would be a slip.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Units of time, in milliseconds, the largest first.
const TIMES: [(&str, u64); 5] = [
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];
/// Units of size, the ones that are shown first, the largest of these first.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
];

impl Form for Switch {
    fn metavar(&self) -> &'static str {
        "BOOL"
    }
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::Switch
    }
}

impl Kind for Switch {
    type Value = bool;

    fn read(&self, text: &OsStr) -> Option<bool> {
        match text.to_str()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

impl Form for Count {
    fn metavar(&self) -> &'static str {
        "N"
    }
    fn allowed(&self) -> String {
        format!("a number from {} to {}", self.min, self.max)
    }
    fn shape(&self) -> Shape {
        Shape::Number
    }
}

impl Kind for Count {
    type Value = usize;

    fn read(&self, text: &OsStr) -> Option<usize> {
        let text = text.to_str()?;
        let number = text.parse().ok().filter(|_| is_digits(text))?;
        (self.min..=self.max).contains(&number).then_some(number)
    }

    fn show(&self, value: &usize) -> String {
        value.to_string()
    }
}

impl Form for AutoCount {
    fn metavar(&self) -> &'static str {
        "N"
    }
    fn allowed(&self) -> String {
        format!("a number from {} to {}, or auto,", self.min, self.max)
    }
    fn shape(&self) -> Shape {
        Shape::Quantity
    }
}

impl Kind for AutoCount {
    type Value = Option<usize>;

    fn read(&self, text: &OsStr) -> Option<Option<usize>> {
        if text == "auto" {
            return Some(None);
        }
        let (min, max) = (self.min, self.max);
        Count { min, max }.read(text).map(Some)
    }

    fn show(&self, value: &Option<usize>) -> String {
        value.map_or_else(|| quoted("auto"), |value| value.to_string())
    }
}

impl Form for Size {
    fn metavar(&self) -> &'static str {
        "SIZE"
    }
    fn allowed(&self) -> String {
        let (min, max) = (size_text(self.min), size_text(self.max));
        format!("a size from {min} to {max}, such as 64 MiB or 1 GB,")
    }
    fn shape(&self) -> Shape {
        Shape::Quantity
    }
}

impl Kind for Size {
    type Value = u64;

    fn read(&self, text: &OsStr) -> Option<u64> {
        let bytes = size(text.to_str()?)?;
        (self.min..=self.max).contains(&bytes).then_some(bytes)
    }

    fn show(&self, value: &u64) -> String {
        quoted(&size_text(*value))
    }
}

impl Form for Rate {
    fn metavar(&self) -> &'static str {
        "RATE"
    }
    fn allowed(&self) -> String {
        let max = size_text(self.max);
        format!("a rate from 0 to {max}/s, such as 64 or 10 MiB/s,")
    }
    fn shape(&self) -> Shape {
        Shape::Quantity
    }
}

impl Kind for Rate {
    type Value = u64;

    fn read(&self, text: &OsStr) -> Option<u64> {
        let text = text.to_str()?;
        let bytes = size(text.strip_suffix("/s").unwrap_or(text))?;
        (bytes <= self.max).then_some(bytes)
    }

    fn show(&self, value: &u64) -> String {
        quoted(&format!("{}/s", size_text(*value)))
    }
}

impl Form for Time {
    fn metavar(&self) -> &'static str {
        "TIME"
    }
    fn allowed(&self) -> String {
        let (min, max) = (time_text(self.min), time_text(LONGEST));
        format!("a time from {min} to {max}, in seconds or such as 500ms, 10m, 2h or 7d,")
    }
    fn shape(&self) -> Shape {
        Shape::Quantity
    }
}

impl Kind for Time {
    type Value = Duration;

    fn read(&self, text: &OsStr) -> Option<Duration> {
        let (number, unit) = quantity(text.to_str()?)?;
        let unit = if unit.is_empty() { "s" } else { unit };
        let (_, millis) = TIMES.iter().find(|(name, _)| *name == unit)?;
        let millis = (number * *millis as f64).round();
        let time = Duration::try_from_secs_f64(millis / 1000.0).ok()?;
        (self.min..=LONGEST).contains(&time).then_some(time)
    }

    fn show(&self, value: &Duration) -> String {
        quoted(&time_text(*value))
    }
}

impl<T: Sync> Form for Words<T> {
    fn metavar(&self) -> &'static str {
        "WORD"
    }
    fn allowed(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
        format!("one of {}", words.join(", "))
    }
    fn shape(&self) -> Shape {
        Shape::Word
    }
}

impl<T: Copy + PartialEq + Sync> Kind for Words<T> {
    type Value = T;

    fn read(&self, text: &OsStr) -> Option<T> {
        let found = self.0.iter().find(|(word, _)| text == *word);
        found.map(|(_, value)| *value)
    }

    fn show(&self, value: &T) -> String {
        let found = self.0.iter().find(|(_, known)| known == value);
        quoted(found.map_or("", |(word, _)| word))
    }
}

impl Form for Folder {
    fn metavar(&self) -> &'static str {
        "DIR"
    }
    fn allowed(&self) -> String {
        "the path of a folder".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::Path
    }
}

impl Kind for Folder {
    type Value = PathBuf;

    fn read(&self, text: &OsStr) -> Option<PathBuf> {
        let odd = text.is_empty() || text.as_encoded_bytes().contains(&0);
        (!odd).then(|| text.into())
    }

    fn show(&self, value: &PathBuf) -> String {
        quoted(&value.to_string_lossy())
    }
}

impl Form for MaybePath {
    fn metavar(&self) -> &'static str {
        "PATH"
    }
    fn allowed(&self) -> String {
        format!("a path, or {}", self.absent)
    }
    fn shape(&self) -> Shape {
        Shape::MaybePath(self.absent)
    }
}

impl Kind for MaybePath {
    type Value = Option<PathBuf>;

    fn read(&self, text: &OsStr) -> Option<Option<PathBuf>> {
        if text == self.absent {
            return Some(None);
        }
        Folder.read(text).map(Some)
    }

    fn show(&self, value: &Option<PathBuf>) -> String {
        match value {
            None => quoted(self.absent),
            Some(path) => Folder.show(path),
        }
    }
}

impl Form for Addresses {
    fn metavar(&self) -> &'static str {
        "ADDR"
    }
    fn allowed(&self) -> String {
        "an IP address and a port, such as 127.0.0.1:2121 or [::1]:2121,".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::List
    }
}

impl Kind for Addresses {
    type Value = Vec<SocketAddr>;

    fn read(&self, text: &OsStr) -> Option<Vec<SocketAddr>> {
        let parts = text.to_str()?.split(',');
        parts.map(|part| part.trim().parse().ok()).collect()
    }

    fn show(&self, value: &Vec<SocketAddr>) -> String {
        let all: Vec<_> = value
            .iter()
            .map(|address| quoted(&address.to_string()))
            .collect();
        format!("[{}]", all.join(", "))
    }
}

impl Form for Networks {
    fn metavar(&self) -> &'static str {
        "CIDR"
    }
    fn allowed(&self) -> String {
        "a network or an address, such as 10.0.0.0/8, 192.0.2.1 or 2001:db8::/32,".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::List
    }
}

impl Kind for Networks {
    type Value = Vec<IpNet>;

    fn read(&self, text: &OsStr) -> Option<Vec<IpNet>> {
        let text = text.to_str()?.trim();
        if text.is_empty() {
            return Some(Vec::new());
        }
        let parts: Vec<_> = text.split(',').map(network).collect::<Option<_>>()?;
        (parts.len() <= NETWORKS).then_some(parts)
    }

    fn show(&self, value: &Vec<IpNet>) -> String {
        let all: Vec<_> = value.iter().map(|it| quoted(&it.to_string())).collect();
        format!("[{}]", all.join(", "))
    }
}

impl Form for Whose {
    fn metavar(&self) -> &'static str {
        "NAME"
    }
    fn allowed(&self) -> String {
        "a user, or a user and a group, such as ftp or ftp:ftp, or none,".to_owned()
    }
    fn shape(&self) -> Shape {
        Shape::Word
    }
}

impl Kind for Whose {
    type Value = Option<Account>;

    fn read(&self, text: &OsStr) -> Option<Option<Account>> {
        let text = text.to_str().filter(|text| !text.starts_with('-'))?;
        if text == "none" {
            return Some(None);
        }
        Account::parse(text).map(Some)
    }

    fn show(&self, value: &Option<Account>) -> String {
        let text = value.as_ref().map(ToString::to_string);
        quoted(text.as_deref().unwrap_or("none"))
    }
}

/// A network; `None` if bits beyond its prefix are set, for one of the two would be a slip.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse().ok()?,
    };
    (network.trunc() == network).then_some(network)
}

/// A text as TOML writes it, on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A number and its unit.
fn quantity(text: &str) -> Option<(f64, &str)> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let digits = if unit.is_empty() {
        digits
    } else {
        digits.strip_suffix(' ').unwrap_or(digits)
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number = digits.parse().ok().filter(|_| plain)?;
    Some((number, unit))
}

/// Whole bytes.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = quantity(text)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, bytes) = SIZES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let bytes = number * *bytes as f64;
    // Beyond this a float does not tell one byte from the next; no bound is as high.
    let whole = bytes.fract() == 0.0 && bytes < (1_u64 << 53) as f64;
    whole.then_some(bytes as u64)
}

fn size_text(bytes: u64) -> String {
    let unit = SIZES
        .iter()
        .take(5)
        .find(|(_, unit)| bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) if bytes > 0 => format!("{} {name}", bytes / unit),
        Some(_) | None => format!("{bytes} B"),
    }
}

fn time_text(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let unit = TIMES.iter().find(|(_, unit)| millis.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) if millis > 0 => format!("{}{name}", millis / unit),
        Some(_) | None => format!("{millis}s"),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
