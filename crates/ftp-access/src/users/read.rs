//! From the text of the users file to [`Users`]. A file that cannot be understood in any part is refused whole.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use ftp_proto::VPath;
use ipnet::IpNet;
use toml::{Spanned, Value};

use super::shape::{self, Entry};
use super::{
    ANONYMOUS, CERTIFICATES, FTP, GROUPS, NAME_BYTES, NETWORKS, USERS, User, UserLimits, Users,
};
use crate::password::Hash;
use crate::rights::{Grant, Preset, Right, Rights, Rules};
use crate::size;

/// Longest name in a certificate that is taken, in bytes.
const CERTIFICATE_BYTES: usize = 1024;

/// What is wrong with the file, and where. Lines and columns begin at 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is wrong, and what to do. It never holds a hash.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
        } = self;
        write!(f, "line {line}, column {column}: {message}")
    }
}

impl std::error::Error for FileError {}

/// A complaint, with the bytes it is about.
struct Wrong(Range<usize>, String);

type Checked<T> = Result<T, Wrong>;

impl Users {
    /// Reads a users file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let file: shape::File = toml::from_str(text).map_err(|error| {
            let at = error.span().unwrap_or_default();
            place(text, &Wrong(at, error.message().to_owned()))
        })?;
        build(&file).map_err(|wrong| place(text, &wrong))
    }
}

fn place(text: &str, Wrong(at, message): &Wrong) -> FileError {
    let mut end = at.start.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    FileError {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        message: message.trim_end().replace('\n', "; "),
    }
}

fn wrong<T>(at: Range<usize>, message: impl Into<String>) -> Checked<T> {
    Err(Wrong(at, message.into()))
}

type Groups<'a> = HashMap<&'a str, &'a Entry>;

fn build(file: &shape::File) -> Checked<Users> {
    let groups = groups(&file.group)?;
    let mut users = Users::default();
    for entry in &file.user {
        if users.by_name.len() >= USERS {
            return wrong(entry.span(), format!("more than {USERS} users"));
        }
        let (at, entry) = (entry.span(), entry.get_ref());
        let name = name(entry, at.clone(), "user")?;
        if name == ANONYMOUS || name == FTP {
            let message =
                format!("`{name}` is the guest's name; switch guests on in `[anonymous]`");
            return wrong(at, message);
        }
        let user = user(name, entry, at.clone(), &groups, false)?;
        if user.hash.is_none() && user.certificates.is_empty() {
            let message = format!(
                "user `{name}` has neither `password` nor `certificates`; set one with `ftp-server user passwd {name}`"
            );
            return wrong(at, message);
        }
        for certificate in entry.certificates.iter().flat_map(Spanned::get_ref) {
            let taken = users
                .by_certificate
                .insert(certificate.get_ref().clone(), name.to_owned());
            if let Some(other) = taken {
                let message = format!("this certificate stands for user `{other}` already");
                return wrong(certificate.span(), message);
            }
        }
        users.costs.extend(user.hash.as_ref().map(Hash::cost));
        if users
            .by_name
            .insert(name.to_owned(), Arc::new(user))
            .is_some()
        {
            return wrong(at, format!("there is a user `{name}` already"));
        }
    }
    if let Some(entry) = &file.anonymous {
        users.anonymous = guest(entry.get_ref(), entry.span(), &groups)?;
    }
    Ok(users)
}

fn groups(entries: &[Spanned<Entry>]) -> Checked<Groups<'_>> {
    let mut groups = Groups::new();
    for spanned in entries {
        let (at, entry) = (spanned.span(), spanned.get_ref());
        let name = name(entry, at.clone(), "group")?;
        forbid(entry.password.as_ref(), "a group has no `password`")?;
        forbid(
            entry.enabled.as_ref(),
            "a group has no `enabled`; users have",
        )?;
        forbid(entry.certificates.as_ref(), "a group has no `certificates`")?;
        forbid(entry.groups.as_ref(), "a group is in no other group")?;
        // What is wrong in a group is wrong even if nobody is in it.
        user(name, entry, at.clone(), &Groups::new(), true)?;
        if groups.insert(name, entry).is_some() {
            return wrong(at, format!("there is a group `{name}` already"));
        }
        if groups.len() > GROUPS {
            return wrong(at, format!("more than {GROUPS} groups"));
        }
    }
    Ok(groups)
}

fn guest(entry: &Entry, at: Range<usize>, groups: &Groups<'_>) -> Checked<Option<Arc<User>>> {
    forbid(entry.name.as_ref(), "the guest has no `name`")?;
    forbid(entry.password.as_ref(), "the guest has no `password`")?;
    forbid(
        entry.certificates.as_ref(),
        "the guest has no `certificates`",
    )?;
    let on = entry.enabled.as_ref().is_some_and(|on| *on.get_ref());
    let mut user = user(ANONYMOUS, entry, at, groups, false)?;
    user.guest = true;
    user.enabled = true;
    Ok(on.then(|| Arc::new(user)))
}

fn forbid<T>(value: Option<&Spanned<T>>, message: &str) -> Checked<()> {
    match value {
        Some(value) => wrong(value.span(), message),
        None => Ok(()),
    }
}

fn name<'a>(entry: &'a Entry, at: Range<usize>, what: &str) -> Checked<&'a str> {
    let Some(name) = &entry.name else {
        return wrong(at, format!("this {what} has no `name`"));
    };
    let text = name.get_ref();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    let first = text.bytes().next();
    if text.len() > NAME_BYTES
        || !text.bytes().all(plain)
        || !first.is_some_and(|byte| byte.is_ascii_alphanumeric())
    {
        let message = format!(
            "a name is 1 to {NAME_BYTES} of A-Z a-z 0-9 . _ @ + -, with a letter or digit first"
        );
        return wrong(name.span(), message);
    }
    Ok(text)
}

/// A user with what the groups give: for each setting the user's own first, then the groups in their order. A
/// `template` is a group that is only looked at.
fn user(
    name: &str,
    entry: &Entry,
    at: Range<usize>,
    groups: &Groups<'_>,
    template: bool,
) -> Checked<User> {
    let mut sources = vec![entry];
    for group in entry.groups.iter().flat_map(Spanned::get_ref) {
        match groups.get(group.get_ref().as_str()) {
            Some(found) => sources.push(found),
            None => {
                return wrong(
                    group.span(),
                    format!("there is no group `{}`", group.get_ref()),
                );
            }
        }
        if sources.len() > GROUPS {
            return wrong(group.span(), format!("more than {GROUPS} groups"));
        }
    }
    let root = match sources.iter().find_map(|source| source.root.as_ref()) {
        Some(root) => folder(root, name)?,
        None if template => PathBuf::new(),
        None => {
            return wrong(
                at,
                format!("`{name}` has no `root`: the folder that is their `/`"),
            );
        }
    };
    let rules = rules(&sources)?;
    if rules.iter().next().is_none() && !template {
        let message = format!(
            "`{name}` has no rights: set `preset` to \"read-only\", \"upload-only\" or \"full\", or add `rights`"
        );
        return wrong(at, message);
    }
    let mut networks = Vec::new();
    if let Some(list) = sources.iter().find_map(|source| source.allow_from.as_ref()) {
        networks = allow_list(list)?;
    }
    let hash = match &entry.password {
        Some(text) => match Hash::parse(text.get_ref()) {
            Ok(hash) => Some(hash),
            Err(error) => return wrong(text.span(), error.to_string()),
        },
        None => None,
    };
    Ok(User {
        guest: false,
        enabled: entry.enabled.as_ref().is_none_or(|on| *on.get_ref()),
        hash,
        grant: Grant::new(name, root, rules, entry.name.is_some()),
        limits: limits(&sources)?,
        networks,
        certificates: certificates(entry)?,
    })
}

fn folder(root: &Spanned<String>, name: &str) -> Checked<PathBuf> {
    let text = root.get_ref();
    let path = PathBuf::from(text.replace("{user}", name));
    let climbs = path
        .components()
        .any(|part| matches!(part, std::path::Component::ParentDir));
    if !path.is_absolute() || climbs || text.contains('\0') {
        let message = "`root` is an absolute path of the host, without `..`; `{user}` in it is the user's name";
        return wrong(root.span(), message);
    }
    Ok(path)
}

fn rules(sources: &[&Entry]) -> Checked<Rules> {
    let mut rules = Rules::default();
    for source in sources {
        let mut own = Rules::default();
        if let Some(preset) = &source.preset {
            let Some(known) = Preset::from_word(preset.get_ref()) else {
                let words = list(Preset::ALL.map(Preset::word));
                return wrong(preset.span(), format!("no such preset; there are {words}"));
            };
            add(&mut own, VPath::root(), known.rights(), preset.span())?;
        }
        for rule in &source.rights {
            let text = rule.path.get_ref();
            let path = match VPath::parse(text.strip_prefix('/').unwrap_or(text)) {
                Ok(path) => path,
                Err(error) => return wrong(rule.path.span(), error.to_string()),
            };
            add(&mut own, path, rights(&rule.allow)?, rule.path.span())?;
        }
        for (folder, rights) in own.iter() {
            match rules.add(folder.clone(), rights) {
                // The earlier source wins.
                Ok(()) | Err(crate::rights::RulesError::Twice) => {}
                Err(error) => {
                    let at = source.rights.last().map(|rule| rule.path.span());
                    return wrong(at.unwrap_or_default(), error.to_string());
                }
            }
        }
    }
    Ok(rules)
}

fn add(rules: &mut Rules, folder: VPath, rights: Rights, at: Range<usize>) -> Checked<()> {
    rules
        .add(folder, rights)
        .map_err(|error| Wrong(at, error.to_string()))
}

fn rights(words: &[Spanned<String>]) -> Checked<Rights> {
    let mut rights = Rights::NONE;
    for word in words {
        match Right::from_word(word.get_ref()) {
            Some(right) => rights = rights | Rights::of(&[right]),
            None => {
                let words = list(Right::ALL.map(Right::word));
                return wrong(word.span(), format!("no such right; there are {words}"));
            }
        }
    }
    Ok(rights)
}

fn list<const N: usize>(words: [&str; N]) -> String {
    words.map(|word| format!("`{word}`")).join(", ")
}

fn allow_list(list: &Spanned<Vec<Spanned<String>>>) -> Checked<Vec<IpNet>> {
    let entries = list.get_ref();
    if entries.is_empty() || entries.len() > NETWORKS {
        let message = format!(
            "`allow-from` has 1 to {NETWORKS} networks; leave it out to allow every address"
        );
        return wrong(list.span(), message);
    }
    let mut networks = Vec::new();
    for entry in entries {
        let text = entry.get_ref();
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => match text.parse::<IpNet>() {
                Ok(network) => network,
                Err(_) => {
                    let message =
                        "not an address or a network, as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32";
                    return wrong(entry.span(), message);
                }
            },
        };
        if network.addr() != network.network() {
            let message = format!(
                "the network has bits beyond its mask; `{}`?",
                network.trunc()
            );
            return wrong(entry.span(), message);
        }
        networks.push(network);
    }
    Ok(networks)
}

fn certificates(entry: &Entry) -> Checked<Vec<String>> {
    let Some(list) = &entry.certificates else {
        return Ok(Vec::new());
    };
    if list.get_ref().len() > CERTIFICATES {
        return wrong(
            list.span(),
            format!("more than {CERTIFICATES} certificates"),
        );
    }
    let mut names = Vec::new();
    for name in list.get_ref() {
        let text = name.get_ref();
        if text.trim().is_empty() || text.len() > CERTIFICATE_BYTES {
            return wrong(name.span(), "an empty or overlong certificate name");
        }
        names.push(text.clone());
    }
    Ok(names)
}

fn limits(sources: &[&Entry]) -> Checked<UserLimits> {
    let all = || sources.iter().map(|source| &source.limits);
    Ok(UserLimits {
        connections: at_least_one(all().find_map(|limits| limits.connections.as_ref()))?,
        transfers: at_least_one(all().find_map(|limits| limits.transfers.as_ref()))?,
        upload_rate: rate(all().find_map(|limits| limits.upload_rate.as_ref()))?,
        download_rate: rate(all().find_map(|limits| limits.download_rate.as_ref()))?,
        quota_bytes: sized(
            all().find_map(|limits| limits.quota_bytes.as_ref()),
            size::bytes,
            size::SIZE_FORM,
        )?,
        quota_files: all().find_map(|limits| limits.quota_files.as_ref().map(|n| *n.get_ref())),
    })
}

fn at_least_one(value: Option<&Spanned<u32>>) -> Checked<Option<u32>> {
    match value {
        Some(zero) if *zero.get_ref() == 0 => wrong(
            zero.span(),
            "at least 1; leave it out for no limit, or switch the user off with `enabled = false`",
        ),
        other => Ok(other.map(|value| *value.get_ref())),
    }
}

fn rate(value: Option<&Spanned<Value>>) -> Checked<Option<u64>> {
    let rate = sized(value, size::rate, size::RATE_FORM)?;
    match (rate, value) {
        (Some(0), Some(value)) => wrong(
            value.span(),
            "at least 1 byte per second; leave it out for no limit",
        ),
        (rate, _) => Ok(rate),
    }
}

fn sized(
    value: Option<&Spanned<Value>>,
    read: fn(&str) -> Option<u64>,
    form: &str,
) -> Checked<Option<u64>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let number = if let Some(number) = value.get_ref().as_integer() {
        u64::try_from(number).ok()
    } else {
        value.get_ref().as_str().and_then(read)
    };
    match number {
        Some(number) => Ok(Some(number)),
        None => wrong(value.span(), format!("wanted: {form}")),
    }
}
