//! Where things go here.

use clap::Parser as _;

use super::super::args::{Args, Verb};
use super::*;

fn check(words: &[&str]) -> Result<(Vec<String>, Destination)> {
    let typed = ["ftp-client", "get"].iter().chain(words);
    let Verb::Get(args) = Args::try_parse_from(typed).unwrap().verb else {
        panic!("no get")
    };
    let (sources, destination) = plan(&args)?;
    let sources = sources.iter().map(|path| path.as_str().to_owned());
    Ok((sources.collect(), destination))
}

#[test]
fn as_cp_has_it() {
    let temp = tempfile::tempdir().unwrap();
    let there = temp.path().to_str().unwrap();
    let new = format!("{there}/new");
    let slashed = format!("{there}/made/");
    for (words, sources, destination) in [
        (&["a"][..], 1, Destination::Into(PathBuf::new())),
        (&["a", &new], 1, Destination::Exact(PathBuf::from(&new))),
        (&["a", there], 1, Destination::Into(temp.path().into())),
        (
            &["-T", "a", there],
            1,
            Destination::Exact(temp.path().into()),
        ),
        (&["a", "b", there], 2, Destination::Into(temp.path().into())),
        (
            &["a", "b", &slashed],
            2,
            Destination::Into(PathBuf::from(&slashed)),
        ),
        (
            &["-t", &new, "a", "b"],
            2,
            Destination::Into(PathBuf::from(&new)),
        ),
        (&["a", "b", "-"], 2, Destination::Stdout),
    ] {
        let (paths, found) = check(words).unwrap();
        assert_eq!((paths.len(), found), (sources, destination), "{words:?}");
    }
    assert!(temp.path().join("made").is_dir() && temp.path().join("new").is_dir());
    for words in [
        &["a", "b", "no-such-folder"][..],
        &["-T", "a"],
        &["-T", "a", "b", "c"],
        &["../a"],
    ] {
        assert!(matches!(check(words), Err(Error::Usage(_))), "{words:?}");
    }
}

#[test]
fn a_device_is_written_into_and_never_replaced() {
    let target = file_or_device(PathBuf::from("/dev/null")).unwrap();
    assert!(matches!(target, LocalTarget::Nothing));
    let target = file_or_device(PathBuf::from("/dev/full")).unwrap();
    assert!(matches!(target, LocalTarget::Stream(_)));
    let target = file_or_device(PathBuf::from("no-such-file")).unwrap();
    assert!(matches!(target, LocalTarget::File(_)));
}
