//! Another user: from root to who has nothing but the files that are served.
//!
//! Looks names up as the system does (NSS), so before the sandbox. Changes all threads of the process (setresuid(3)).

use std::ffi::CString;
use std::fmt;

use nix::unistd::{
    Gid, Group, ResGid, ResUid, Uid, User, getgrouplist, getgroups, getresgid, getresuid,
    setgroups, setresgid, setresuid,
};

/// Whom to become: `NAME` with the groups it has, or `NAME:GROUP` with this group alone. Numbers do as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Name or number.
    pub(crate) user: String,
    /// Name or number.
    pub(crate) group: Option<String>,
}

impl Account {
    /// `NAME[:GROUP]`; `None` if a part is empty.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let odd = |part: &str| part.is_empty() || part.contains([':', '\0']);
        let sound = !odd(user) && !group.is_some_and(odd);
        sound.then(|| Self {
            user: user.to_owned(),
            group: group.map(str::to_owned),
        })
    }

    /// Becomes it, for good, and makes sure that there is no way back.
    ///
    /// # Errors
    /// If there is no such user or group, if this process may not become it, or if something of the old one stays.
    pub(crate) fn assume(&self) -> Result<(), String> {
        let (uid, gid, groups) = self.look_up()?;
        let now = getresuid().map_err(|error| format!("cannot tell who this is: {error}"))?;
        if !now.effective.is_root() {
            let same = now.real == uid && now.effective == uid && now.saved == uid;
            return same.then_some(()).ok_or_else(|| {
                format!(
                    "cannot become user {self}: only root can; start as root, or leave --user out"
                )
            });
        }
        let failed =
            |what: &'static str| move |error| format!("cannot become user {self}: {what}: {error}");
        setgroups(&groups).map_err(failed("setgroups"))?;
        setresgid(gid, gid, gid).map_err(failed("setresgid"))?;
        setresuid(uid, uid, uid).map_err(failed("setresuid"))?;
        if uid.is_root() {
            return Ok(());
        }
        let none = rustix::thread::CapabilitySets {
            effective: rustix::thread::CapabilitySet::empty(),
            permitted: rustix::thread::CapabilitySet::empty(),
            inheritable: rustix::thread::CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, none)
            .map_err(|error| format!("cannot become user {self}: capset: {error}"))?;
        self.check(uid, gid, &groups)
    }

    /// Nothing of the old user is left, and it cannot be had again.
    fn check(&self, uid: Uid, gid: Gid, groups: &[Gid]) -> Result<(), String> {
        let users = ResUid {
            real: uid,
            effective: uid,
            saved: uid,
        };
        let own = ResGid {
            real: gid,
            effective: gid,
            saved: gid,
        };
        let mut wanted = groups.to_vec();
        wanted.sort_unstable_by_key(|gid| gid.as_raw());
        let mut had = getgroups().unwrap_or_default();
        had.sort_unstable_by_key(|gid| gid.as_raw());
        let stays = if getresuid() != Ok(users) || getresgid() != Ok(own) || had != wanted {
            "its identity was not taken on as a whole"
        } else if setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok() {
            "root can be had again"
        } else {
            return Ok(());
        };
        Err(format!("cannot become user {self}: {stays}"))
    }

    fn look_up(&self) -> Result<(Uid, Gid, Vec<Gid>), String> {
        let user = match self.user.parse() {
            Ok(number) => User::from_uid(Uid::from_raw(number)),
            Err(_) => User::from_name(&self.user),
        };
        let user = user.map_err(|error| format!("cannot look user {} up: {error}", self.user))?;
        let (uid, own, name) = match (user, self.user.parse()) {
            (Some(user), _) => (user.uid, Some(user.gid), Some(user.name)),
            // A number needs no name.
            (None, Ok(number)) => (Uid::from_raw(number), None, None),
            (None, Err(_)) => return Err(format!("there is no user {}", self.user)),
        };
        if let Some(group) = &self.group {
            let gid = group_of(group)?;
            return Ok((uid, gid, vec![gid]));
        }
        let Some(gid) = own else {
            let user = &self.user;
            return Err(format!("user {user} has no group: say --user {user}:GROUP"));
        };
        let name = name.and_then(|name| CString::new(name).ok());
        let groups = name.map_or_else(|| Ok(vec![gid]), |name| getgrouplist(&name, gid));
        let groups =
            groups.map_err(|error| format!("cannot look the groups of {self} up: {error}"))?;
        Ok((uid, gid, groups))
    }
}

fn group_of(text: &str) -> Result<Gid, String> {
    if let Ok(number) = text.parse() {
        return Ok(Gid::from_raw(number));
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(format!("there is no group {text}")),
        Err(error) => Err(format!("cannot look group {text} up: {error}")),
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user)?;
        match &self.group {
            Some(group) => write!(f, ":{group}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read() {
        let account = |user: &str, group: Option<&str>| Account {
            user: user.to_owned(),
            group: group.map(str::to_owned),
        };
        assert_eq!(Account::parse("ftp"), Some(account("ftp", None)));
        assert_eq!(Account::parse("1:2"), Some(account("1", Some("2"))));
        for wrong in ["", ":", "ftp:", ":ftp", "a:b:c", "a\0"] {
            assert_eq!(Account::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(Account::parse("a:b").unwrap().to_string(), "a:b");
    }

    #[test]
    fn who_is_not_there_is_named() {
        let told = |text: &str| Account::parse(text).unwrap().assume().unwrap_err();
        assert!(told("no-such-user-0").contains("no user no-such-user-0"));
        assert!(told("nobody:no-such-group-0").contains("no group no-such-group-0"));
        assert!(told("4000000001").contains("--user 4000000001:GROUP"));
    }
}
