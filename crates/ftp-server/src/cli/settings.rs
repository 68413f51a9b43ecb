//! The table of settings: the single place that names each. Flags, environment variables, keys of the file, help,
//! `CONFIG.md` and what a reload may change all come from here.
//!
//! A setting is added by a row here and by its use, mostly in `config`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ftp_proto::Durability;
use ipnet::IpNet;

use super::kind::{
    Addresses, AutoCount, Count, Folder, Form, Kind, MaybePath, Networks, Rate, Size, Switch, Time,
    Whose, Words,
};
use super::kind_ftp::{Masquerades, MaybeAddresses, PortRange};
use crate::sandbox::Mode;
use crate::sandbox::account::Account;
use crate::server::{Digesting, Masquerade, Oldest, Resume, TlsOn};

/// When a new value is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// By a reload, in sessions that are under way too.
    Live,
    /// By the next start.
    Restart,
}

/// Where the values of settings are taken from.
pub(super) trait Values {
    /// The value of a setting, read by its kind; `None` if it cannot be read.
    fn value<K: Kind>(&mut self, field: &'static str, kind: &K, default: &str) -> Option<K::Value>;
}

/// A row of the table.
pub(super) struct Setting {
    /// As Rust spells it: `idle_timeout`.
    pub(super) field: &'static str,
    /// What it is about: its heading in the help and on the page.
    pub(super) heading: &'static str,
    /// For people.
    pub(super) help: &'static [&'static str],
    pub(super) form: &'static dyn Form,
    /// As it would be typed.
    pub(super) default: &'static str,
    pub(super) reach: Reach,
    /// Not for people: it is for tests.
    pub(super) hidden: bool,
}

impl Setting {
    /// As people spell it: `idle-timeout`, the key in the file and, after `--`, the flag.
    pub(super) fn name(&self) -> String {
        self.field.replace('_', "-")
    }

    /// Its environment variable: `FTP_SERVER_IDLE_TIMEOUT`.
    pub(super) fn variable(&self) -> String {
        format!("FTP_SERVER_{}", self.field.to_ascii_uppercase())
    }
}

/// Headings, and beneath them one row a setting: its help, its field and type, its kind, its default as typed, what changes it.
macro_rules! settings {
    ($([$heading:literal] $(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty = $kind:expr, $default:literal, $reach:ident $(, $hidden:ident)?;
    )+)+) => {
        /// What every setting is.
        #[derive(Clone, Debug)]
        pub(super) struct Settings {
            $($( $(#[doc = $help])+ pub(super) $field: $type, )+)+
        }

        /// Every setting, in the order of the help.
        pub(super) const TABLE: &[Setting] = &[$($(
            Setting {
                field: stringify!($field),
                heading: $heading,
                help: &[$($help),+],
                form: &$kind,
                default: $default,
                reach: Reach::$reach,
                hidden: settings!(@hidden $($hidden)?),
            },
        )+)+];

        impl Settings {
            /// The value of each setting; `None` if one of them cannot be read; each is asked for all the same.
            pub(super) fn resolve(values: &mut impl Values) -> Option<Self> {
                $($( let $field = values.value(stringify!($field), &$kind, $default); )+)+
                Some(Self { $($( $field: $field?, )+)+ })
            }

            /// Every value as it would be written in the file, in the order of [`TABLE`].
            pub(super) fn shown(&self) -> Vec<String> {
                vec![$($( $kind.show(&self.$field), )+)+]
            }

            /// Takes back what needs a restart; names what was taken back.
            pub(super) fn keep(&mut self, old: &Self) -> Vec<String> {
                let waits = |field: &str| TABLE.iter().any(|row| row.field == field && row.reach == Reach::Restart);
                let mut kept = Vec::new();
                $($(
                    if waits(stringify!($field)) && $kind.show(&self.$field) != $kind.show(&old.$field) {
                        self.$field = old.$field.clone();
                        kept.push(stringify!($field).replace('_', "-"));
                    }
                )+)+
                kept
            }
        }
    };
    (@hidden) => { false };
    (@hidden hidden) => { true };
}

/// A time that may not be 0.
const POSITIVE: Time = Time {
    min: Duration::from_millis(1),
};

settings! {
    ["What is served"]
    /// The folder to serve.
    root: PathBuf = Folder, ".", Restart;
    /// The users file: who may log in, and what each may do where; read again on SIGHUP. With `none` there are no users, and
    /// everybody has the folder of `root`.
    users: Option<PathBuf> = MaybePath { absent: "none" }, "none", Restart;
    /// Where to listen; may be given more than once. Port 0 takes a free one.
    listen: Vec<SocketAddr> = Addresses, "127.0.0.1:2121", Restart;
    /// Without users, listen beyond loopback all the same: whoever reaches the port may read and write.
    allow_anonymous: bool = Switch, "false", Restart;
    /// Refuse every change.
    read_only: bool = Switch, "false", Restart;

    ["Storage"]
    /// How safe an upload is when it is answered: `full`, data, metadata and name are on stable storage; `data`, the
    /// name may need the next sync; `none`, the operating system writes when it likes.
    durability: Durability = DURABILITY, "full", Restart;
    /// How long a broken upload can be resumed before it is removed.
    partial_ttl: Duration = Time { min: Duration::ZERO }, "7d", Restart;

    ["Threads and memory"]
    /// Loops that serve connections, each on a thread of its own.
    reactors: usize = Count { min: 1, max: 256 }, "1", Restart;
    /// Threads for disk work; `auto` is one per core, at least 4.
    workers: Option<usize> = AutoCount { min: 1, max: 1024 }, "auto", Restart;
    /// Memory for payload on its way between network and disk, for all connections together.
    buffer_memory: u64 = Size { min: 1 << 20, max: 1 << 40 }, "64 MiB", Restart;

    ["Connections"]
    /// Most connections at once; more wait in the kernel.
    max_connections: usize = Count { min: 1, max: 10_000_000 }, "16384", Live;
    /// Most connections of one address (in IPv6, of one /64) at once; more are refused.
    max_per_address: usize = Count { min: 1, max: 10_000_000 }, "4096", Live;
    /// Most transfers of one address (in IPv6, of one /64) at once; more are refused, and may be tried again. A connection that
    /// has a file open is one, whatever waits behind it. 0 is no limit.
    max_transfers_per_address: usize = Count { min: 0, max: 1_000_000 }, "0", Live;
    /// Proxies in front of the server: who connects from these addresses must begin with a PROXY protocol header (version 1
    /// or 2) and is believed for whom it comes. From anybody else such a header is not looked at.
    proxy_from: Vec<IpNet> = Networks, "", Live;

    ["Guessing"]
    /// Ban an address (in IPv6, a /64) when more log-ins than that have failed from it. Its connections and log-ins are refused for
    /// `ban-time`. 0 bans nobody. A ban goes on after a restart: it is kept in
    /// `state-dir`.
    ban_after: usize = Count { min: 0, max: 1_000_000 }, "10", Live;
    /// The time in which one failed log-in is forgiven.
    ban_forgive: Duration = POSITIVE, "1m", Live;
    /// How long the first ban of an address is; each one that follows is twice as long.
    ban_time: Duration = POSITIVE, "1m", Live;
    /// How long a ban is at most, and how long after it the next one is longer.
    ban_time_max: Duration = POSITIVE, "1d", Live;
    /// Who is never banned: addresses and networks. A proxy that is not in `proxy-from` belongs here, for all who come by it
    /// have its address.
    ban_exempt: Vec<IpNet> = Networks, "", Live;

    ["Times"]
    /// Close a connection that says nothing for so long after it was made.
    hello_timeout: Duration = POSITIVE, "10s", Live;
    /// Close a connection without a request for so long.
    idle_timeout: Duration = POSITIVE, "5m", Live;
    /// Break off a transfer in which the peer moves less than `min-rate` for so long.
    stall_timeout: Duration = POSITIVE, "1m", Live;
    /// Least bytes a second of a transfer, taken over each `stall-timeout`; 0 asks for one byte in all.
    min_rate: u64 = Rate { max: 1_000_000_000 }, "64", Live;
    /// After a signal, let transfers finish for so long.
    drain_timeout: Duration = Time { min: Duration::ZERO }, "30s", Live;

    ["Bandwidth"]
    /// Most bytes a second from all peers together; 0 is no limit.
    upload_rate: u64 = BANDWIDTH, "0", Live;
    /// Most bytes a second to all peers together; 0 is no limit.
    download_rate: u64 = BANDWIDTH, "0", Live;
    /// Most bytes a second from each address; 0 is no limit.
    upload_rate_per_address: u64 = BANDWIDTH, "0", Live;
    /// Most bytes a second to each address; 0 is no limit.
    download_rate_per_address: u64 = BANDWIDTH, "0", Live;
    /// Most bytes a second from each connection; 0 is no limit.
    upload_rate_per_session: u64 = BANDWIDTH, "0", Live;
    /// Most bytes a second to each connection; 0 is no limit.
    download_rate_per_session: u64 = BANDWIDTH, "0", Live;

    ["TLS"]
    /// Where to speak TLS: `auto`, on every address beyond loopback; `on`, on all; `off`, on none, which beyond loopback
    /// needs `allow-plaintext` too.
    tls_mode: TlsOn = TLS, "auto", Restart;
    /// Let everybody on the way read and change what is sent beyond loopback.
    allow_plaintext: bool = Switch, "false", Restart;
    /// Certificate chain to show, in PEM form, the server's own first; `none`: one that signed itself, which a first start makes and keeps in
    /// `state-dir`.
    tls_cert: Option<PathBuf> = MaybePath { absent: "none" }, "none", Live;
    /// The key of `tls-cert`, in PEM form; `none`: it is in the same file.
    tls_key: Option<PathBuf> = MaybePath { absent: "none" }, "none", Live;
    /// Certificate authorities, in PEM form, whose client certificates are believed; `none`: no client is asked for one.
    tls_client_ca: Option<PathBuf> = MaybePath { absent: "none" }, "none", Live;
    /// The oldest version of TLS to speak.
    tls_min: Oldest = VERSIONS, "1.3", Live;

    ["Standard FTP"]
    /// Where to listen for standard FTP; may be given more than once. TLS begins when the client asks for it (`AUTH TLS`); beyond
    /// loopback it has to ask, unless `allow-plaintext` is given.
    ftp_listen: Vec<SocketAddr> = MaybeAddresses, "none", Restart;
    /// Where to listen for standard FTP with TLS from the first byte (FTPS, customarily port 990); may be given more than once.
    ftps_listen: Vec<SocketAddr> = MaybeAddresses, "none", Restart;
    /// The ports for FTP's data connections, to be opened in a firewall: `50000-50999`; `any`: whichever is free.
    ftp_passive_ports: Option<RangeInclusive<u16>> = PortRange, "any", Restart;
    /// The address that clients of FTP are told for data connections: `auto`, the one at which they reached the server; an IPv4 address, or a
    /// name that is looked up at the start. `NETWORK=ADDRESS`, besides, is for the clients of a network: `10.0.0.0/8=auto`.
    ftp_masquerade: Vec<Masquerade> = Masquerades, "auto", Restart;
    /// Connect to clients of FTP that ask for it (`PORT`, `EPRT`).
    ftp_active: bool = ON_OFF, "on", Restart;
    /// Whether FTP's data connections have to resume the TLS session of their control connection: `require`, or nobody proves that they belong
    /// to the same client; `prefer`, they may; `off`, nobody looks.
    ftp_data_tls_resume: Resume = RESUME, "require", Restart;
    /// When the SHA-256 of what standard FTP uploads is taken: `upload`, as its bytes come, so that `HASH` has it without reading; `on-demand`,
    /// when `HASH` asks, by reading the file: uploads cost less processor, and are whole and as durable all the same; `auto`, as its bytes come,
    /// but when `HASH` asks of an upload that comes faster than this machine can hash.
    ftp_digests: Digesting = DIGESTS, "auto", Restart;

    ["The process"]
    /// The folder for what the server makes and keeps; `auto` is `$STATE_DIRECTORY`, `$XDG_STATE_HOME/ftp-server` or
    /// `~/.local/state/ftp-server`. Servers that run at the same time should each have their own: in one that they share, each writes
    /// its bans and what it counted for quotas over the other's.
    state_dir: Option<PathBuf> = MaybePath { absent: "auto" }, "auto", Restart;
    /// Once the addresses are bound, go on as this user of the machine: `NAME` with its groups, or `NAME:GROUP` with this group alone;
    /// `none` changes nothing. Every file is opened as this user, so those of `users`, `tls-cert` and `tls-key` have to be readable
    /// for it, and `root` and `state-dir` its own.
    user: Option<Account> = Whose, "none", Restart;
    /// Give up what the server has no use for: paths besides the served folders, `state-dir` and the folders of the files it reads again
    /// (Landlock), system calls that are not in its list (seccomp), and new privileges. `auto`, as far as the kernel can; `on`, all of it, or no
    /// start; `off`, nothing.
    sandbox: Mode = MODES, "auto", Restart;

    ["Log"]
    /// Log lines for people (`text`) or for programs (`json`).
    log_format: LogFormat = FORMATS, "text", Restart;
    /// Log this and what is graver.
    log_level: LogLevel = LEVELS, "info", Live;
    /// For tests: every disk job sleeps so many milliseconds first.
    slow_disk_ms: usize = Count { min: 0, max: 600_000 }, "0", Restart, hidden;
}

const TLS: Words<TlsOn> = Words(&[
    ("auto", TlsOn::BeyondLoopback),
    ("on", TlsOn::Everywhere),
    ("off", TlsOn::Nowhere),
]);

const ON_OFF: Words<bool> = Words(&[("on", true), ("off", false)]);

const RESUME: Words<Resume> = Words(&[
    ("require", Resume::Require),
    ("prefer", Resume::Prefer),
    ("off", Resume::Off),
]);

const DIGESTS: Words<Digesting> = Words(&[
    ("auto", Digesting::Unhurried),
    ("upload", Digesting::Upload),
    ("on-demand", Digesting::OnDemand),
]);

const VERSIONS: Words<Oldest> = Words(&[("1.2", Oldest::Tls12), ("1.3", Oldest::Tls13)]);

/// A bandwidth.
const BANDWIDTH: Rate = Rate { max: 1 << 40 };

const DURABILITY: Words<Durability> = Words(&[
    ("full", Durability::Full),
    ("data", Durability::Data),
    ("none", Durability::None),
]);

const MODES: Words<Mode> = Words(&[("auto", Mode::Auto), ("on", Mode::On), ("off", Mode::Off)]);

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFormat {
    /// One line an event, control characters escaped.
    Text,
    /// One JSON object an event.
    Json,
}

const FORMATS: Words<LogFormat> = Words(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogLevel {
    /// Faults of the server's own.
    Error,
    /// What an operator should look at.
    Warn,
    /// Sessions and transfers.
    Info,
    /// Decisions.
    Debug,
    /// Every read and write.
    Trace,
}

const LEVELS: Words<LogLevel> = Words(&[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
]);

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
