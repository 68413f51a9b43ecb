//! Jobs that share what is known of their folder, and uploads that look at their name last.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ftp_proto::IfExists;
use ftp_proto::session::{CreateOptions, DiskOp, FaultKind, Outcome};
use ftp_store::{Job, Nearby, Slot};

use crate::common::{Case, fault, fifo, home, put_steps, step, vpath};

fn options(bytes: &[u8], if_exists: IfExists) -> CreateOptions {
    CreateOptions {
        size: Some(bytes.len() as u64),
        mode: Some(0o644),
        parents: true,
        if_exists,
        ..CreateOptions::default()
    }
}

fn put_near(case: &Case, nearby: &mut Nearby, path: &str, bytes: &[u8]) -> Outcome {
    let slot = Slot::default();
    let steps = put_steps(path, bytes, options(bytes, IfExists::Replace));
    let mut done = home(case.store.run_near(Job::new(slot, steps), nearby));
    assert!(done.slot.is_empty());
    done.outcomes.pop().unwrap().1
}

#[test]
fn neighbours_arrive_where_each_belongs() {
    let case = Case::new();
    let other = Case::new();
    let mut nearby = Nearby::default();
    for path in ["a/b/1", "a/b/2", "a/1", "a/b/3", "1", "2", "a/bc/1"] {
        for (case, bytes) in [(&case, b"one"), (&other, b"two")] {
            let outcome = put_near(case, &mut nearby, path, bytes);
            assert!(matches!(outcome, Outcome::Committed { size: 3, .. }));
            assert_eq!(case.read(path), bytes, "{path}");
            let mode = fs::metadata(case.file(path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644);
        }
    }
}

#[test]
fn a_folder_that_is_gone_is_made_anew() {
    let case = Case::new();
    let mut nearby = Nearby::default();
    put_near(&case, &mut nearby, "d/1", b"1");
    fs::remove_dir_all(case.file("d")).unwrap();
    let outcome = put_near(&case, &mut nearby, "d/2", b"2");
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    assert_eq!(case.names("d"), ["2"]);
}

#[test]
fn after_a_change_of_names_the_path_is_looked_up_anew() {
    let case = Case::new();
    let mut nearby = Nearby::default();
    put_near(&case, &mut nearby, "d/1", b"1");
    let rename = DiskOp::Rename {
        from: vpath("d"),
        to: vpath("e"),
        replace: false,
    };
    let (slot, steps) = (Slot::default(), vec![step(rename)]);
    home(case.store.run_near(Job::new(slot, steps), &mut nearby));
    put_near(&case, &mut nearby, "d/2", b"2");
    assert_eq!(
        (case.names("d"), case.names("e")),
        (vec!["2".to_owned()], vec!["1".to_owned()])
    );
}

#[test]
fn a_name_that_is_taken_is_judged_alike_whether_it_is_looked_at_first_or_last() {
    let replace = IfExists::Replace;
    // The first upload of a store looks last; after one that met a name, the next looks first.
    for looks_first in [false, true] {
        for (name, if_exists, refusal) in [
            ("file", replace, None),
            ("link", replace, None),
            ("folder", replace, Some(FaultKind::IsADirectory)),
            ("to-folder", replace, Some(FaultKind::IsADirectory)),
            ("fifo", replace, Some(FaultKind::NotAFile)),
            ("file", IfExists::Fail, Some(FaultKind::Exists)),
            ("folder", IfExists::Fail, Some(FaultKind::IsADirectory)),
            ("free", IfExists::Fail, None),
        ] {
            let case = Case::new();
            case.plant("file", "old");
            case.plant("folder/inside", "old");
            case.link("file", "link");
            case.link("folder", "to-folder");
            fifo(&case.file("fifo"));
            if looks_first {
                case.put("file", b"old", options(b"old", replace));
            }
            let before = case.names("");
            let outcome = case.put(name, b"new", options(b"new", if_exists));
            if let Some(kind) = refusal {
                assert_eq!(fault(outcome).kind, kind, "{name} {looks_first}");
                assert_eq!(case.names(""), before);
                assert_eq!(case.read("file"), b"old");
            } else {
                assert!(
                    matches!(outcome, Outcome::Committed { .. }),
                    "{name} {outcome:?}"
                );
                assert_eq!(case.read(name), b"new");
            }
        }
    }
}
