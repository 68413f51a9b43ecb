//! Where things go on the server.

use clap::Parser as _;

use super::super::args::{Args, Verb};
use super::*;

/// The destination of a command line; only `there` is a folder on the server.
fn check(words: &[&str]) -> Result<(usize, Destination)> {
    let typed = ["ftp-client", "put"].iter().chain(words);
    let Verb::Put(args) = Args::try_parse_from(typed).unwrap().verb else {
        panic!("no put")
    };
    let (sources, destination) = plan(&args, &mut |path| Ok(path.as_str() == "there"))?;
    Ok((sources.len(), destination))
}

fn into(path: &str) -> Destination {
    Destination::Into(VPath::parse(path).unwrap())
}

fn exact(path: &str) -> Destination {
    Destination::Exact(VPath::parse(path).unwrap())
}

#[test]
fn as_cp_has_it() {
    for (words, sources, destination) in [
        (&["a"][..], 1, into("")),
        (&["a", "b"], 1, exact("b")),
        (&["a", "b/"], 1, into("b")),
        (&["a", "/"], 1, into("")),
        (&["a", "there"], 1, into("there")),
        (&["-T", "a", "there"], 1, exact("there")),
        (&["a", "b", "there"], 2, into("there")),
        (&["a", "b", "new/"], 2, into("new")),
        (&["-t", "new", "a", "b"], 2, into("new")),
        (&["-t", "new", "a"], 1, into("new")),
        (&["-", "x"], 1, exact("x")),
    ] {
        assert_eq!(check(words).unwrap(), (sources, destination), "{words:?}");
    }
    for words in [
        &["a", "b", "new"][..],
        &["-T", "a"],
        &["-T", "a", "b", "c"],
        &["a", "../b"],
        &["-t", "..", "a"],
    ] {
        assert!(matches!(check(words), Err(Error::Usage(_))), "{words:?}");
    }
}

#[test]
fn sources_give_their_names() {
    let placed = |source: &str, destination: &Destination| {
        place(OsStr::new(source), destination).map(|put| put.remote.as_str().to_owned())
    };
    assert_eq!(placed("x/a.txt", &into("d")).unwrap(), "d/a.txt");
    assert_eq!(placed("x/a.txt", &exact("d")).unwrap(), "d");
    assert_eq!(placed("x/dir/", &into("")).unwrap(), "dir");
    let here = std::env::current_dir().unwrap();
    let here = here.file_name().unwrap().to_str().unwrap();
    assert_eq!(placed(".", &into("d")).unwrap(), format!("d/{here}"));
    assert!(matches!(placed("/", &into("")), Err(Error::Usage(_))));
    assert!(matches!(placed("-", &into("")), Err(Error::Usage(_))));
    assert!(matches!(placed("a\nb", &into("")), Err(Error::Usage(_))));
}
