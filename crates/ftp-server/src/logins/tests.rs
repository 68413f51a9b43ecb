//! Every refusal is the same refusal, and the same work.

use ftp_access::password::{Cost, Hash, PASSWORD_BYTES};

use super::*;

#[test]
fn whatever_is_wrong_one_hash_is_computed_and_nothing_else_is_told() {
    let right = Password::new("right").unwrap();
    let hash = Hash::make(&right, Cost::default()).unwrap();
    let user = |name: &str, more: &str| {
        format!("[[user]]\nname = \"{name}\"\nroot = \"/none\"\npreset = \"full\"\n{more}\n")
    };
    let text = [
        user("anna", &format!("password = \"{hash}\"")),
        user("off", &format!("enabled = false\npassword = \"{hash}\"")),
        user(
            "away",
            &format!("allow-from = [\"192.0.2.7/32\"]\npassword = \"{hash}\""),
        ),
        user("machine", "certificates = [\"CN=machine\"]"),
    ]
    .concat();
    let users = Arc::new(Users::parse(&text).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk {
        users: Mutex::new(users.clone()),
        queue: Queue::default(),
        stores: Stores::new(ftp_store::Options::default()),
        bans: Arc::default(),
        quotas: Quotas::start(folder.path().to_owned(), &users).unwrap(),
    };
    let too_long = "x".repeat(PASSWORD_BYTES + 1);
    let names = ["anna", "off", "away", "machine", "nobody", "", &too_long];
    for name in names {
        for password in ["right", "wrong", "", &too_long] {
            if (name, password) == ("anna", "right") {
                continue;
            }
            let claim = Claim::Password(name.to_owned(), Secret::new(password.into()));
            let mut scratch = Scratch::default();
            let checked = desk.check(claim, IpAddr::from([192, 0, 2, 1]), &mut scratch);
            assert!(
                matches!(checked, Checked::Refused),
                "{name:.9}: {checked:?}"
            );
            assert_eq!(scratch.computed(), 1, "{name:.9}, {password:.9}");
        }
    }
}
