//! The users file: any text is read or refused with its place, and what is read keeps its promises through changes.

use ftp_access::rights::Preset;
use ftp_access::users::{NewUser, Users, add, passwd, remove};
use ftp_proto::VPath;

/// A hash that is good enough to be read.
const HASH: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// Bytes as a users file.
pub fn users_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let users = match Users::parse(text) {
        Ok(users) => users,
        Err(error) => {
            let lines = text.matches('\n').count() + 1;
            assert!((1..=lines).contains(&error.line) && error.column >= 1);
            assert!(!error.message.is_empty() && !error.message.contains('\n'));
            return;
        }
    };
    for user in users.iter() {
        assert!(!user.is_guest() && user.grant().root().is_absolute());
        assert!(user.has_password() || !user.certificates().is_empty());
        assert!(!user.summary().contains("argon2"));
        // Nobody's name of the root can be touched, whatever the rules.
        assert!(user.grant().rules().of_name(&VPath::root()).is_empty());
    }
    changes(text, &users);
}

/// Where users are written as tables, each change does what it says and nothing else.
fn changes(text: &str, users: &Users) {
    let names: Vec<_> = users.iter().map(|user| user.name().to_owned()).collect();
    if let Some(name) = names.first() {
        if let Ok(changed) = passwd(text, name, HASH) {
            let after = Users::parse(&changed).expect("changed into something bad");
            assert!(after.find(name).is_some_and(|user| user.has_password()));
            assert_eq!(after.iter().count(), names.len());
        }
        if let Ok(changed) = remove(text, name) {
            let after = Users::parse(&changed).expect("changed into something bad");
            assert!(after.find(name).is_none());
            for other in names.iter().skip(1) {
                assert_eq!(after.find(other), users.find(other));
            }
        }
    }
    let new = NewUser {
        name: "somebody-new".into(),
        hash: Some(HASH.into()),
        root: Some("/srv".into()),
        preset: Some(Preset::Full),
        ..NewUser::default()
    };
    if let Ok(changed) = add(text, &new) {
        let after = Users::parse(&changed).expect("changed into something bad");
        assert!(after.find(&new.name).is_some());
        for name in &names {
            assert_eq!(after.find(name), users.find(name));
        }
    }
}
