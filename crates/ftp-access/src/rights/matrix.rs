//! The matrix verb × right × path, generated: every set of rights in the folder `in` against several at the root, every
//! operation, at paths inside, outside, at the edge, and that only look alike. What is expected stands in a
//! table of places, not in the code that is tested.

use ftp_proto::session::{
    Algorithm, CreateOptions, DiskOp, Entry, Fault, FaultKind, Meta, Outcome,
};
use ftp_proto::{IfExists, Kind, VPath};

use super::{Grant, Judgement, Links, Preset, Reveal, Right, Rights, Rules};

/// Which rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// That of the root.
    Outer,
    /// That of `in`.
    Inner,
    /// Both must allow it.
    Both,
    /// Nobody may.
    Never,
}

/// A path; which rule holds for its content, and which for its name.
const PLACES: [(&str, Held, Held); 10] = [
    ("", Held::Outer, Held::Never),
    ("a", Held::Outer, Held::Outer),
    ("a/in", Held::Outer, Held::Outer),
    ("i", Held::Outer, Held::Outer),
    ("inner", Held::Outer, Held::Outer),
    ("inner/x", Held::Outer, Held::Outer),
    ("IN", Held::Outer, Held::Outer),
    ("in", Held::Inner, Held::Both),
    ("in/x", Held::Inner, Held::Inner),
    ("in/x/in", Held::Inner, Held::Inner),
];

/// One combination of rights.
#[derive(Clone, Copy, Debug)]
struct Case {
    outer: Rights,
    inner: Rights,
}

impl Case {
    fn of(self, held: Held) -> Rights {
        match held {
            Held::Outer => self.outer,
            Held::Inner => self.inner,
            Held::Both => self.outer & self.inner,
            Held::Never => Rights::NONE,
        }
    }

    fn grant(self) -> Grant {
        let mut rules = Rules::everywhere(self.outer);
        rules.add(path("in"), self.inner).unwrap();
        Grant::new("anna", "/srv".into(), rules, true)
    }
}

fn every_case() -> impl Iterator<Item = Case> {
    let mut outers = vec![Rights::NONE, Rights::FULL];
    outers.extend(Right::ALL.map(|right| Rights::of(&[right])));
    outers.extend(Right::ALL.map(|left_out| {
        let rest = Right::ALL
            .into_iter()
            .filter(move |right| *right != left_out);
        rest.collect::<Rights>()
    }));
    outers.into_iter().flat_map(|outer| {
        (0..128_u8).map(move |bits| {
            let inner = Right::ALL
                .into_iter()
                .filter(|right| bits & right.bit() != 0);
            let inner = inner.collect();
            Case { outer, inner }
        })
    })
}

/// The kinds of operations by name, and the name of each: a new one does not compile until it stands here, and fails
/// [`no_operation_is_without_a_row`] until the tables below have it.
macro_rules! kinds {
    ($($kind:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($kind)),*];

        fn kind(op: &DiskOp) -> &'static str {
            match op {
                $(DiskOp::$kind { .. } => stringify!($kind),)*
            }
        }
    };
}

kinds! {
    Open Warm Create Continue Commit Abort Release List Stat Size Digest Checksum SetMeta Space MakeDir Rename Remove
}

fn path(text: &str) -> VPath {
    VPath::parse(text).unwrap()
}

/// An operation at a path, and the single right it needs of which rule. `List`, `Stat`, `Size` and
/// `Rename` have tests of their own.
fn simple(at: &str, content: Held, name: Held) -> Vec<(DiskOp, Right, Held)> {
    let path = path(at);
    let make_dir = |parents| DiskOp::MakeDir {
        path: path.clone(),
        parents,
    };
    let remove = |recursive| DiskOp::Remove {
        path: path.clone(),
        recursive,
    };
    let mut ops = vec![
        (
            DiskOp::Open {
                path: path.clone(),
                inline: 0,
            },
            Right::Read,
            content,
        ),
        (
            DiskOp::Digest {
                path: path.clone(),
                offset: 0,
                len: None,
            },
            Right::Read,
            content,
        ),
        (
            DiskOp::Checksum {
                path: path.clone(),
                algorithm: Algorithm::Crc32,
                offset: 0,
                len: None,
            },
            Right::Read,
            content,
        ),
        (
            DiskOp::SetMeta {
                path: path.clone(),
                mtime: None,
                mode: Some(0o600),
            },
            Right::Overwrite,
            name,
        ),
        (DiskOp::Space { path: path.clone() }, Right::Write, content),
        (
            DiskOp::Create {
                path: path.clone(),
                options: CreateOptions::default(),
            },
            Right::Write,
            name,
        ),
        (remove(false), Right::Delete, name),
    ];
    // The folder of a rule and the root are named by the administrator: see `folders_of_rules_can_be_made`.
    if at != "in" && !at.is_empty() {
        ops.push((make_dir(false), Right::Mkdir, name));
        ops.push((make_dir(true), Right::Mkdir, name));
    }
    // What else lies in the folder must be allowed as well; above `in` that is another rule, and the root is nobody's.
    if !at.is_empty() {
        ops.push((remove(true), Right::Delete, name));
    }
    ops
}

#[test]
fn each_verb_needs_its_right_at_its_place() {
    let mut allowed = 0;
    let mut refused = 0;
    for case in every_case() {
        let grant = case.grant();
        for (at, content, name) in PLACES {
            for (op, right, held) in simple(at, content, name) {
                let expected = case.of(held).has(right);
                match grant.judge(&op) {
                    Ok(_) => assert!(expected, "{case:?} allows {op:?}"),
                    Err(Fault { kind, detail }) => {
                        assert!(!expected, "{case:?} refuses {op:?}: {detail}");
                        assert_eq!(kind, FaultKind::Denied);
                        assert!(detail.contains("anna") && detail.contains(right.word()));
                    }
                }
                *(if expected { &mut allowed } else { &mut refused }) += 1;
            }
        }
    }
    assert!(allowed > 10_000 && refused > 10_000, "{allowed} {refused}");
}

#[test]
fn an_upload_is_narrowed_to_what_may_be_done() {
    for case in every_case() {
        let grant = case.grant();
        for (at, content, name) in PLACES {
            let rights = case.of(name);
            for if_exists in [
                IfExists::Replace,
                IfExists::Fail,
                IfExists::Skip,
                IfExists::Newer,
            ] {
                let options = CreateOptions {
                    if_exists,
                    parents: true,
                    resume: true,
                    ..CreateOptions::default()
                };
                let path = path(at);
                let mut op = DiskOp::Create { path, options };
                let Ok(judgement) = grant.judge(&op) else {
                    assert!(!rights.has(Right::Write));
                    continue;
                };
                judgement.apply(&mut op);
                let DiskOp::Create { options, .. } = op else {
                    unreachable!()
                };
                let kept = match if_exists {
                    IfExists::Skip => IfExists::Skip,
                    IfExists::Replace | IfExists::Fail | IfExists::Newer => IfExists::Fail,
                };
                let replaces = rights.has(Right::Overwrite);
                let expected = if replaces { if_exists } else { kept };
                assert_eq!(options.if_exists, expected, "{case:?} {at:?}");
                assert_eq!(options.parents, rights.has(Right::Mkdir));
                let reads = case.of(content).has(Right::Read);
                assert_eq!(options.resume, reads, "a partial may be another user's");
            }
        }
    }
}

/// A rename that would replace what stands there.
fn rename(from: &str, to: &str) -> DiskOp {
    DiskOp::Rename {
        from: path(from),
        to: path(to),
        replace: true,
    }
}

#[test]
fn a_rename_needs_both_ends_and_gives_no_right_that_was_not_there() {
    let mut allowed = 0;
    for case in every_case() {
        let grant = case.grant();
        for (from, from_content, from_name) in PLACES {
            for (to, to_content, to_name) in PLACES {
                let mut op = rename(from, to);
                let both = case.of(from_name) & case.of(to_name);
                let bound = [from, to].iter().any(|at| ["", "in"].contains(at));
                let grows = !case.of(from_content).contains(case.of(to_content));
                let expected = both.has(Right::Rename) && !bound && !grows;
                match grant.judge(&op) {
                    Ok(judgement) => {
                        assert!(expected, "{case:?} allows {op:?}");
                        judgement.apply(&mut op);
                        let DiskOp::Rename { replace, .. } = op else {
                            unreachable!()
                        };
                        assert_eq!(replace, case.of(to_name).has(Right::Overwrite));
                        allowed += 1;
                    }
                    Err(fault) => {
                        assert!(!expected, "{case:?} refuses {op:?}: {}", fault.detail);
                        assert_eq!(fault.kind, FaultKind::Denied);
                        // The right comes first, at either end, whatever else is wrong.
                        let lacks = fault.detail.contains("lacks the right `rename`");
                        assert_eq!(lacks, !both.has(Right::Rename), "{case:?} {op:?}");
                    }
                }
            }
        }
    }
    assert!(allowed > 1_000, "{allowed}");
}

/// What is asked of a place to see what stands there.
fn looks(at: &str) -> [DiskOp; 2] {
    let stat = DiskOp::Stat { path: path(at) };
    let size = DiskOp::Size {
        path: path(at),
        resume: true,
        owner: None,
    };
    [stat, size]
}

fn list(at: &str) -> DiskOp {
    DiskOp::List {
        path: path(at),
        after: None,
        entries: 10,
        bytes: 1000,
    }
}

#[test]
fn what_is_seen_is_what_may_be_seen() {
    for case in every_case() {
        let grant = case.grant();
        for (at, content, _) in PLACES {
            let way = at.is_empty() && !case.inner.is_empty();
            match grant.judge(&list(at)).map(|judgement| judgement.reveal) {
                Ok(Reveal::All) => assert!(case.of(content).has(Right::List)),
                Ok(Reveal::WayOnly { .. }) => assert!(way && !case.of(content).has(Right::List)),
                Ok(Reveal::Folders) => panic!("{case:?} {at:?}"),
                Err(_) => assert!(!way && !case.of(content).has(Right::List)),
            }
            // The folder above a place: only `in` stands in one folder and is another.
            let above = if content == Held::Inner && at != "in" {
                case.inner
            } else {
                case.outer
            };
            let listed = !at.is_empty() && above.has(Right::List);
            let known = case.of(content);
            let seen = listed || known.has(Right::List) || known.has(Right::Read);
            for mut look in looks(at) {
                let judged = grant.judge(&look);
                if let Ok(judgement) = &judged {
                    judgement.apply(&mut look);
                }
                match judged.map(|judgement| judgement.reveal) {
                    Ok(Reveal::All) => assert!(seen, "{case:?} {at:?}"),
                    Ok(Reveal::Folders) => assert!(!seen && (!known.is_empty() || way)),
                    Ok(Reveal::WayOnly { .. }) => panic!("{case:?} {at:?}"),
                    Err(_) => {
                        assert!(!seen && known.is_empty() && !way, "{case:?} {at:?}");
                        continue;
                    }
                }
                if let DiskOp::Size { resume, .. } = look {
                    assert_eq!(resume, known.has(Right::Read), "{case:?} {at:?}");
                }
            }
        }
    }
}

#[test]
fn folders_of_rules_can_be_made_by_who_may_make_folders_in_them() {
    for case in every_case() {
        let op = DiskOp::MakeDir {
            path: path("in"),
            parents: false,
        };
        let expected = case.inner.has(Right::Mkdir);
        assert_eq!(case.grant().judge(&op).is_ok(), expected, "{case:?}");
    }
}

#[test]
fn a_folder_with_all_that_is_in_it_needs_the_right_in_all_of_it() {
    let mut rules = Rules::everywhere(Rights::FULL);
    rules
        .add(path("a/kept"), Rights::of(&[Right::List]))
        .unwrap();
    let grant = Grant::new("anna", "/srv".into(), rules, true);
    let remove = |at: &str, recursive| {
        let path = path(at);
        grant.judge(&DiskOp::Remove { path, recursive }).is_ok()
    };
    assert!(!remove("a", true) && !remove("a/kept", true) && !remove("a/kept/x", true));
    // Not while something is in it, so the kept folder keeps it.
    assert!(remove("a", false) && remove("b", true) && remove("a/keptx", true));
    let rename = |from: &str, to: &str| {
        let (from, to) = (path(from), path(to));
        let replace = false;
        grant.judge(&DiskOp::Rename { from, to, replace }).is_ok()
    };
    assert!(!rename("a", "b") && !rename("b", "a") && !rename("a/kept", "b"));
    assert!(rename("b", "c") && rename("a/x", "b"));
}

/// What carries no path: what opened the file was judged.
fn steps() -> [DiskOp; 5] {
    [
        DiskOp::Warm {
            offset: 0,
            len: 1,
            digest: false,
            last: false,
        },
        DiskOp::Continue { keep: true },
        DiskOp::Commit {
            digest: None,
            size: None,
        },
        DiskOp::Abort,
        DiskOp::Release,
    ]
}

#[test]
fn steps_of_an_open_file_go_on() {
    let grant = Grant::new("anna", "/srv".into(), Rules::default(), true);
    for op in steps() {
        assert!(grant.judge(&op).is_ok(), "{op:?}");
    }
}

#[test]
fn no_operation_is_without_a_row() {
    let simple = simple("a", Held::Outer, Held::Outer);
    let ops = simple.into_iter().map(|(op, ..)| op);
    let ops = ops.chain(looks("a")).chain(steps());
    let ops: Vec<_> = ops.chain([list("a"), rename("a", "i")]).collect();
    for name in KINDS {
        assert!(ops.iter().any(|op| kind(op) == *name), "{name} has no row");
    }
}

#[test]
fn links_are_followed_only_where_they_cannot_change_the_rule() {
    let uniform = Grant::new("a", "/srv".into(), Rules::everywhere(Rights::FULL), true);
    let stat = DiskOp::Stat { path: path("x") };
    assert_eq!(uniform.judge(&stat).unwrap().links, Links::Follow);
    for case in every_case() {
        let expected = if case.inner == case.outer {
            Links::Follow
        } else {
            Links::Refuse
        };
        if let Ok(judgement) = case.grant().judge(&stat) {
            assert_eq!(judgement.links, expected);
        }
    }
}

#[test]
fn outcomes_show_no_more_than_may_be_seen() {
    let grant = Case {
        outer: Rights::NONE,
        inner: Preset::UploadOnly.rights(),
    }
    .grant();
    let judge = |op: &DiskOp| -> Judgement { grant.judge(op).unwrap() };
    let meta = |kind| Meta {
        kind,
        size: 7,
        mtime: 0,
        mtime_ns: 0,
        mode: 0o644,
        etag: String::new(),
    };
    let stat = judge(&DiskOp::Stat { path: path("in/x") });
    let folder = Outcome::Found(meta(Kind::Dir));
    assert_eq!(stat.review(folder.clone()), folder);
    let missing = stat.review(Outcome::Failed(Fault::new(
        FaultKind::NotFound,
        "some other story",
    )));
    for kind in [Kind::File, Kind::Link, Kind::Other] {
        let there = stat.review(Outcome::Found(meta(kind)));
        assert_eq!(there, missing, "a file looks as if it were not there");
    }
    // Nor does the size tell: of who asks there is only what broke of an upload of their own.
    let [_, size] = looks("in/x").map(|op| judge(&op));
    let sized = |kind: Option<Kind>, kept| {
        let found = kind.map(meta);
        size.review(Outcome::Sized { found, kept })
    };
    for kept in [None, Some(3)] {
        let absent = sized(None, kept);
        for kind in [Kind::File, Kind::Link, Kind::Other] {
            assert_eq!(sized(Some(kind), kept), absent, "{kind:?} {kept:?}");
        }
        let found = Some(meta(Kind::Dir));
        assert_eq!(sized(Some(Kind::Dir), kept), Outcome::Sized { found, kept });
    }
    assert_eq!(sized(None, None), missing);
    let list = judge(&list(""));
    let entries: [Entry; 3] = ["in", "inner", "secret"].map(|name| Entry {
        name: name.to_owned(),
        meta: meta(Kind::Dir),
    });
    let listed = |next: Option<&str>| {
        let (entries, next) = (entries.clone().into(), next.map(str::to_owned));
        let Outcome::Listed { entries, next } = list.review(Outcome::Listed { entries, next })
        else {
            panic!()
        };
        (entries, next)
    };
    // The next page is asked for even if this one is empty, and its cursor is no name that is hidden.
    let (entries, next) = listed(Some("hidden"));
    let next = next.unwrap();
    assert!("hidden" < next.as_str() && next.as_str() < "in", "{next:?}");
    for (at, next) in [(None, None), (Some("in"), None), (Some("secret"), None)] {
        assert_eq!(
            listed(at).1,
            next,
            "nothing to be shown comes behind {at:?}"
        );
    }
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["in"]);
}
