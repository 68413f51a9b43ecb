//! The disk in scripts: operations as text, outcomes from text. For every dialect's scripts.

use std::fmt::Write as _;

use ftp_proto::session::{
    Content, CreateOptions, Digesting, DiskOp, Entry, Fault, FaultKind, Meta, Outcome, Partial,
};
use ftp_proto::{Digest, Durability, Kind, VPath};

pub(crate) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(crate) fn operation(op: &DiskOp) -> String {
    match op {
        DiskOp::Open { path, inline } => format!("open {path} inline={inline}"),
        DiskOp::Warm {
            offset,
            len,
            digest,
            last,
        } => {
            let digest = if *digest { " digest" } else { "" };
            let last = if *last { " last" } else { "" };
            format!("warm {offset}+{len}{digest}{last}")
        }
        DiskOp::Create { path, options } => creation(path, options),
        DiskOp::Continue { keep } => format!("continue keep={keep}"),
        DiskOp::Commit { digest, size } => {
            let digest = digest.map_or("none".into(), |digest| digest.to_string());
            let size = size.map_or("none".into(), |size| size.to_string());
            short(&format!("commit size={size} digest={digest}"))
        }
        DiskOp::Abort => "abort".into(),
        DiskOp::Release => "release".into(),
        DiskOp::List {
            path,
            after,
            entries,
            bytes,
        } => {
            let after = after.as_deref().unwrap_or("-");
            format!("list {path} after={after} entries={entries} bytes={bytes}")
        }
        DiskOp::Stat { path } => format!("stat {path}"),
        DiskOp::Size { path, resume, .. } => format!("size {path} resume={resume}"),
        DiskOp::Digest { path, offset, len } => format!("digest {path} {offset}+{len:?}"),
        DiskOp::Checksum {
            path,
            algorithm,
            offset,
            len,
        } => format!("sum {algorithm:?} {path} {offset}+{len:?}"),
        DiskOp::SetMeta { path, mtime, mode } => {
            let mut line = format!("set {path}");
            if let Some((seconds, ns)) = mtime {
                write!(line, " mtime={seconds}.{ns}").unwrap();
            }
            line + &mode.map_or(String::new(), |mode| format!(" mode={mode:o}"))
        }
        DiskOp::Space { path } => format!("space {path}"),
        DiskOp::MakeDir { path, parents } => format!("mkdir {path} parents={parents}"),
        DiskOp::Rename { from, to, replace } => format!("rename {from} {to} replace={replace}"),
        DiskOp::Remove { path, recursive } => format!("remove {path} recursive={recursive}"),
    }
}

fn creation(path: &VPath, options: &CreateOptions) -> String {
    let mut line = format!("create {path}");
    if let Some(size) = options.size {
        write!(line, " size={size}").unwrap();
    }
    if let Some((seconds, ns)) = options.mtime {
        write!(line, " mtime={seconds}.{ns}").unwrap();
    }
    if let Some(mode) = options.mode {
        write!(line, " mode={mode:o}").unwrap();
    }
    for (set, word) in [(options.parents, " parents"), (options.resume, " resume")] {
        line.push_str(if set { word } else { "" });
    }
    if let Some(start) = options.start {
        write!(line, " start={start:?}").unwrap();
    }
    line.push_str(match options.digesting {
        Digesting::Upload => "",
        Digesting::Unhurried => " unhurried",
        Digesting::OnDemand => " undigested",
    });
    if options.if_exists != ftp_proto::IfExists::Replace {
        write!(line, " if_exists={:?}", options.if_exists).unwrap();
    }
    line
}

/// Digests in their short form.
pub(crate) fn short(text: &str) -> String {
    let mut text = text.replace(EMPTY, "@empty");
    for byte in 0..=255u8 {
        let long = Digest([byte; 32]).to_string();
        if text.contains(&long) {
            text = text.replace(&long, &format!("@{byte:02x}"));
        }
    }
    text
}

pub(crate) fn meta(size: u64) -> Meta {
    Meta {
        kind: Kind::File,
        size,
        mtime: 5,
        mtime_ns: 6,
        mode: 0o644,
        etag: format!("e{size}"),
    }
}

/// `created [partial 3] · continued · committed 3 · skipped · opened 9 [digest] · content abc · warmed 3 [digest] · ended
/// · found 3 · sized 3 [4] · sized - 4 · digested 3 of 9 · listed a,b [more] · failed kind`; every digest is `@07`.
#[expect(clippy::too_many_lines, reason = "a table of words")]
pub(crate) fn parse_outcome(text: &str) -> Outcome {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |index: usize| words[index].parse::<u64>().unwrap();
    let digest = Digest([7; 32]);
    match words[0] {
        "created" => Outcome::Created {
            partial: (words.len() > 1).then(|| Partial {
                offset: number(2),
                digest,
            }),
        },
        "continued" => Outcome::Continued,
        "committed" => Outcome::Committed {
            size: number(1),
            digest: Some(digest),
            durability: Durability::Full,
        },
        "skipped" => Outcome::Skipped,
        "opened" => Outcome::Opened {
            meta: meta(number(1)),
            content: None,
            digest: (words.len() > 2).then_some(digest),
        },
        "content" => {
            let bytes = words.get(1).unwrap_or(&"").as_bytes().to_vec();
            Outcome::Opened {
                meta: meta(bytes.len() as u64),
                content: Some(Content { bytes, digest }),
                digest: None,
            }
        }
        "warmed" => Outcome::Warmed {
            len: number(1),
            digest: (words.len() > 2).then_some(digest),
        },
        "found_dir" => Outcome::Found(Meta {
            kind: Kind::Dir,
            ..meta(4096)
        }),
        "listed_none" => Outcome::Listed {
            entries: Vec::new(),
            next: words.get(2).map(|name| (*name).into()),
        },
        "summed" => Outcome::Summed {
            hex: "c0ffee".into(),
            len: number(1),
        },
        "room" => Outcome::Room {
            bytes: words.get(1).and_then(|word| word.parse().ok()),
        },
        "ended" => Outcome::Ended,
        "found" => Outcome::Found(meta(number(1))),
        "sized_dir" => Outcome::Sized {
            found: Some(Meta {
                kind: Kind::Dir,
                ..meta(4096)
            }),
            kept: None,
        },
        "sized" => Outcome::Sized {
            found: (words[1] != "-").then(|| meta(number(1))),
            kept: words.get(2).and_then(|word| word.parse().ok()),
        },
        "digested" => Outcome::Digested {
            digest,
            len: number(1),
            meta: meta(number(3)),
        },
        "listed" => Outcome::Listed {
            entries: words[1]
                .split(',')
                .map(|name| Entry {
                    name: name.into(),
                    meta: meta(1),
                })
                .collect(),
            next: words
                .get(2)
                .map(|_| words[1].rsplit(',').next().unwrap().into()),
        },
        "failed" => Outcome::Failed(Fault::new(fault_kind(words[1]), "it broke")),
        _ => panic!("no such outcome: {text:?}"),
    }
}

pub(crate) fn fault_kind(word: &str) -> FaultKind {
    match word {
        "not_found" => FaultKind::NotFound,
        "not_a_directory" => FaultKind::NotADirectory,
        "no_space" => FaultKind::NoSpace,
        "changed" => FaultKind::Changed,
        "digest_mismatch" => FaultKind::DigestMismatch,
        "exists" => FaultKind::Exists,
        "busy" => FaultKind::Busy,
        "bad_range" => FaultKind::BadRange,
        "io" => FaultKind::Io,
        _ => panic!("no such fault: {word:?}"),
    }
}
