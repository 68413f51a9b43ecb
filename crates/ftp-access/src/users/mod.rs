//! Users: who they are, how they log in, what each may do.
//!
//! The file is TOML ([`read`](Users::parse)); it is taken whole or refused whole, with line and column. A set of
//! users never changes: after a change of the file there is a new set, and live sessions ask it with
//! [`Users::standing`] whether they may go on.

mod edit;
mod file;
mod read;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;

use crate::password::{Cost, Hash, Password, Scratch, idle};
use crate::rights::Grant;

pub use edit::{EditError, NewUser, add, passwd, remove};
pub use file::{LoadError, USERS_FILE_BYTES, UsersFile};
pub use read::FileError;

/// Most users.
pub const USERS: usize = 100_000;
/// Most groups, and most groups of one user.
pub const GROUPS: usize = 1024;
/// Longest name of a user or a group, in bytes.
pub const NAME_BYTES: usize = 64;
/// Most networks in an allow-list.
pub const NETWORKS: usize = 256;
/// Most certificate names of one user.
pub const CERTIFICATES: usize = 64;
/// Who a guest logs in as.
pub const ANONYMOUS: &str = "anonymous";
/// Also a guest's name (RFC 1635).
pub const FTP: &str = "ftp";

/// How much a user may use. `None` is no limit of the user's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UserLimits {
    /// Connections at a time.
    pub connections: Option<u32>,
    /// Transfers at a time.
    pub transfers: Option<u32>,
    /// Bytes per second towards the server, over all sessions.
    pub upload_rate: Option<u64>,
    /// Bytes per second from the server, over all sessions.
    pub download_rate: Option<u64>,
    /// Bytes stored.
    pub quota_bytes: Option<u64>,
    /// Files stored.
    pub quota_files: Option<u64>,
}

/// One user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    guest: bool,
    enabled: bool,
    hash: Option<Hash>,
    grant: Grant,
    limits: UserLimits,
    /// From where; anywhere if there is none.
    networks: Vec<IpNet>,
    certificates: Vec<String>,
}

/// All users of one reading of the file.
#[derive(Debug, Default)]
pub struct Users {
    by_name: BTreeMap<String, Arc<User>>,
    /// Certificate name to user name.
    by_certificate: HashMap<String, String>,
    anonymous: Option<Arc<User>>,
    /// What the hashes cost, one for each user who has one.
    costs: Vec<Cost>,
}

/// What became of a log-in.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is this user.
    Accepted(Arc<User>),
    /// It is not. The peer is told no more than that.
    Refused(Refusal),
}

/// Why, for the log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such user.
    Unknown,
    /// The password is not theirs.
    WrongPassword,
    /// The user has no password, only certificates.
    NoPassword,
    /// The user is switched off.
    Disabled,
    /// Not from this address.
    Address,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown user",
            Self::WrongPassword => "wrong password",
            Self::NoPassword => "user without a password",
            Self::Disabled => "user is disabled",
            Self::Address => "address is not on the user's list",
        })
    }
}

impl User {
    /// Their name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.grant.user()
    }

    /// Whether anybody may be this user.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.guest
    }

    /// Whether they may log in at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether they can log in with a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.hash.is_some()
    }

    /// What they may do.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// How much they may use.
    #[must_use]
    pub fn limits(&self) -> &UserLimits {
        &self.limits
    }

    /// The certificate names that stand for them.
    #[must_use]
    pub fn certificates(&self) -> &[String] {
        &self.certificates
    }

    /// Whether they may come from there. IPv4 within IPv6 counts as IPv4.
    #[must_use]
    pub fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&peer))
    }

    fn refusal(&self, peer: IpAddr) -> Option<Refusal> {
        if !self.enabled {
            Some(Refusal::Disabled)
        } else if !self.admits(peer) {
            Some(Refusal::Address)
        } else {
            None
        }
    }
}

impl Users {
    /// Everybody with a name of their own, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// The guest, if guests are let in.
    #[must_use]
    pub fn anonymous(&self) -> Option<&Arc<User>> {
        self.anonymous.as_ref()
    }

    /// The user of that name; for [`ANONYMOUS`] and [`FTP`] the guest.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<User>> {
        if name == ANONYMOUS || name == FTP {
            self.anonymous.as_ref()
        } else {
            self.by_name.get(name)
        }
    }

    /// Is it them? Tens of milliseconds of work, and as much whether the user is unknown, switched off, without a
    /// password, at a wrong address, or gives a wrong password; only guests cost nothing.
    #[must_use]
    pub fn check(
        &self,
        name: &str,
        password: &Password,
        peer: IpAddr,
        scratch: &mut Scratch,
    ) -> Verdict {
        let user = self.find(name);
        if let Some(guest) = user.filter(|user| user.guest) {
            return match guest.refusal(peer) {
                None => Verdict::Accepted(Arc::clone(guest)),
                Some(why) => Verdict::Refused(why),
            };
        }
        let right = match user.and_then(|user| user.hash.as_ref()) {
            Some(hash) => hash.verify(password, scratch),
            None => {
                idle(self.likely_cost(name), password, scratch);
                false
            }
        };
        let Some(user) = user else {
            return Verdict::Refused(Refusal::Unknown);
        };
        if let Some(why) = user.refusal(peer) {
            return Verdict::Refused(why);
        }
        if user.hash.is_none() {
            return Verdict::Refused(Refusal::NoPassword);
        }
        if !right || password.is_empty() {
            return Verdict::Refused(Refusal::WrongPassword);
        }
        Verdict::Accepted(Arc::clone(user))
    }

    /// Whom a verified client certificate of that name stands for.
    #[must_use]
    pub fn check_certificate(&self, certificate: &str, peer: IpAddr) -> Verdict {
        let name = self.by_certificate.get(certificate);
        let Some(user) = name.and_then(|name| self.by_name.get(name)) else {
            return Verdict::Refused(Refusal::Unknown);
        };
        match user.refusal(peer) {
            None => Verdict::Accepted(Arc::clone(user)),
            Some(why) => Verdict::Refused(why),
        }
    }

    /// May a session that was let in by an earlier set go on? The user as they are now, or `None` if they are gone,
    /// switched off, no longer let in from there, or have another password.
    #[must_use]
    pub fn standing(&self, before: &User, peer: IpAddr) -> Option<Arc<User>> {
        let now = self.find(before.name())?;
        let same = now.hash == before.hash && now.guest == before.guest;
        (same && now.refusal(peer).is_none()).then(|| Arc::clone(now))
    }

    /// What work a name without a hash is: that of some user, always the same one for a name, so that neither the
    /// usual cost nor an unusual one tells who is there.
    fn likely_cost(&self, name: &str) -> Cost {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let Ok(count) = u64::try_from(self.costs.len()) else {
            return Cost::default();
        };
        let hash = KEY.get_or_init(RandomState::new).hash_one(name);
        let at = hash
            .checked_rem(count)
            .and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.costs.get(at))
            .copied()
            .unwrap_or_default()
    }
}
