//! What a partial promises: the old file until the new one is whole, one writer a name, nothing left behind.

use std::path::Path;

use super::*;

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn scene() -> (tempfile::TempDir, Arc<Folder>, &'static OsStr) {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(temp.path()).unwrap();
    (temp, folder, OsStr::new("a.txt"))
}

fn put(path: &Path, text: &str) {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file.persist(path).unwrap();
}

#[test]
fn the_old_file_stands_until_commit() {
    let (temp, folder, name) = scene();
    let path = temp.path().join(name);
    put(&path, "old");
    let partial = Partial::create(&folder, name).unwrap();
    partial.write_at(b"new", 0).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(temp.path()), [".a.txt.muxftp-part", "a.txt"]);
    drop(partial);
    assert_eq!(names(temp.path()), ["a.txt"]);
    let partial = Partial::create(&folder, name).unwrap();
    partial.write_at(b"new", 0).unwrap();
    partial
        .commit(Meta {
            mtime: Some((1_000_000_000, 5)),
            mode: Some(0o100_640),
            sync: true,
        })
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!((meta.mtime(), meta.mtime_nsec()), (1_000_000_000, 5));
    assert_eq!(meta.mode() & 0o7777, 0o640);
    assert_eq!(names(temp.path()), ["a.txt"]);
}

#[test]
fn what_was_kept_is_found_and_what_is_locked_is_left_alone() {
    let (temp, folder, name) = scene();
    assert!(Partial::reopen(&folder, name).unwrap().is_none());
    let partial = Partial::create(&folder, name).unwrap();
    partial.write_at(b"half", 0).unwrap();
    // A second writer of the same name, at the same time.
    assert!(Partial::reopen(&folder, name).unwrap().is_none());
    let second = Partial::create(&folder, name).unwrap();
    assert_ne!(second.temp, partial.temp);
    second.write_at(b"second", 0).unwrap();
    second.commit(Meta::default()).unwrap();
    partial.keep();
    assert_eq!(names(temp.path()), [".a.txt.muxftp-part", "a.txt"]);
    let found = Partial::reopen(&folder, name).unwrap().unwrap();
    assert_eq!(found.len().unwrap(), 4);
    drop(found);
    assert_eq!(names(temp.path()), ["a.txt"]);
}

#[test]
fn a_leftover_is_taken_over_empty_and_a_planted_one_is_not_touched() {
    let (temp, folder, name) = scene();
    let leftover = temp.path().join(".a.txt.muxftp-part");
    put(&leftover, "of a process that was killed");
    let partial = Partial::create(&folder, name).unwrap();
    assert_eq!(
        (partial.len().unwrap(), &partial.temp),
        (0, &temp_name(name, false))
    );
    drop(partial);
    let outside = tempfile::tempdir().unwrap();
    let canary = outside.path().join("canary");
    put(&canary, "alive");
    std::os::unix::fs::symlink(&canary, &leftover).unwrap();
    let partial = Partial::create(&folder, name).unwrap();
    partial.write_at(b"new", 0).unwrap();
    partial.commit(Meta::default()).unwrap();
    assert_eq!(std::fs::read(&canary).unwrap(), b"alive");
    std::fs::remove_file(&leftover).unwrap();
    std::fs::hard_link(&canary, &leftover).unwrap();
    let partial = Partial::create(&folder, name).unwrap();
    partial.write_at(b"newer", 0).unwrap();
    partial.commit(Meta::default()).unwrap();
    assert_eq!(std::fs::read(&canary).unwrap(), b"alive");
    assert_eq!(std::fs::read(temp.path().join(name)).unwrap(), b"newer");
}

#[test]
fn temp_names_fit_and_differ() {
    let long = "ü".repeat(127);
    let longer = "x".repeat(255);
    for name in ["a", long.as_str(), longer.as_str()] {
        let name = OsStr::new(name);
        for unique in [false, true] {
            let temp = temp_name(name, unique);
            assert!(temp.len() <= NAME_BYTES && is_partial_name(&temp));
        }
        assert_eq!(temp_name(name, false), temp_name(name, false));
        assert_ne!(temp_name(name, true), temp_name(name, true));
    }
    let (one, two) = (format!("{longer}1"), format!("{longer}2"));
    assert_ne!(
        temp_name(OsStr::new(&one), false),
        temp_name(OsStr::new(&two), false)
    );
    assert!(!is_partial_name(OsStr::new("a.muxftp-part")));
}

#[test]
fn a_small_one_gets_its_mode_whatever_the_folder_gives() {
    let (temp, folder, name) = scene();
    let path = temp.path().join(name);
    // 0666 is cut by every usual mask, 0600 by none; twice each: looked at, and known.
    for mode in [0o600, 0o600, 0o666, 0o666, 0o444, 0o600] {
        let partial = Partial::create_small(&folder, name, mode).unwrap();
        // Another run for the same target cannot come to it.
        let other = Partial::create(&folder, name).unwrap();
        partial.write_at(b"new", 0).unwrap();
        other.write_at(b"spoilt", 0).unwrap();
        drop(other);
        partial
            .commit(Meta {
                mode: Some(mode),
                ..Meta::default()
            })
            .unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(temp.path()), ["a.txt"]);
    }
}
