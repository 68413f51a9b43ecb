//! `ls`: folders of the server, page by page; nothing is gathered but the folders still to come.

use ftp_proto::wire::{Code, ListEntry};
use ftp_proto::{Kind, VPath};

use super::Scene;
use super::args::Ls;
use super::exit::Exit;
use super::json::Line;
use super::manage::{each, parse};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::text;

pub(super) fn run(scene: &Scene, args: &Ls) -> Result<Exit> {
    let paths = parse(&args.paths)?;
    let titles = args.recursive || paths.len() > 1;
    let mut first = true;
    each(scene, &paths, |client, path| {
        // Depth first: the folders of a folder come before its siblings.
        let mut pending = vec![path.clone()];
        while let Some(folder) = pending.pop() {
            if titles {
                if !first {
                    scene.out.line("")?;
                }
                scene.out.line(&format!("{}:", shown(&folder)))?;
            }
            first = false;
            let mut inner = Vec::new();
            one(scene, client, args, &folder, &mut inner)?;
            pending.extend(inner.into_iter().rev());
        }
        Ok(())
    })
}

/// Lists one folder (or tells of one file); with `-R` the folders in it are gathered.
fn one(
    scene: &Scene,
    client: &mut Client,
    args: &Ls,
    folder: &VPath,
    inner: &mut Vec<VPath>,
) -> Result<()> {
    let result = client.list(folder, &mut |entry| {
        scene.cancel.check()?;
        let path = folder.join(&entry.name).map_err(|error| {
            Error::Protocol(format!("a listing names {:?}: {error}", entry.name))
        })?;
        print(scene, args, &path, &entry)?;
        if args.recursive && entry.kind == Kind::Dir {
            inner.push(path);
        }
        Ok(())
    });
    match result {
        Err(Error::Remote(body)) if body.code == Code::NotADirectory => {
            let stat = client.stat(folder)?;
            let entry = ListEntry {
                name: folder.as_str().to_owned(),
                kind: stat.kind,
                size: stat.size,
                mtime: stat.mtime.0,
                mtime_ns: stat.mtime.1,
                mode: stat.mode,
            };
            print(scene, args, folder, &entry)
        }
        other => other,
    }
}

fn print(scene: &Scene, args: &Ls, path: &VPath, entry: &ListEntry) -> Result<()> {
    let path = path.as_str();
    scene.out.json(&Line::Entry { path, entry })?;
    scene.out.line(&row(args, entry))
}

fn row(args: &Ls, entry: &ListEntry) -> String {
    let name = text::escape(&entry.name);
    if !args.long {
        return name;
    }
    let kind = match entry.kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Link => 'l',
        Kind::Other => '?',
    };
    let size = if args.human {
        text::short_size(entry.size)
    } else {
        entry.size.to_string()
    };
    format!(
        "{kind}{} {size:>12} {} {name}",
        text::mode(entry.mode),
        text::time(entry.mtime)
    )
}

fn shown(path: &VPath) -> String {
    text::escape(&path.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let args = |long, human| Ls {
            paths: vec![],
            long,
            human,
            recursive: false,
            all: false,
            help: None,
        };
        let entry = ListEntry {
            name: "a\x1b[2J".into(),
            kind: Kind::Dir,
            size: 2048,
            mtime: 0,
            mtime_ns: 0,
            mode: 0o755,
        };
        assert_eq!(row(&args(false, false), &entry), "a\\x1b[2J");
        assert_eq!(
            row(&args(true, false), &entry),
            "drwxr-xr-x         2048 1970-01-01 00:00:00 a\\x1b[2J"
        );
        assert_eq!(
            row(&args(true, true), &entry),
            "drwxr-xr-x         2.0K 1970-01-01 00:00:00 a\\x1b[2J"
        );
    }
}
