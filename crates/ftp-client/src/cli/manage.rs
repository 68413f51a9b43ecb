//! The small verbs: `stat`, `mkdir`, `mv`, `rm`. Each does one path after the other over one connection.

use ftp_proto::VPath;
use ftp_proto::wire::Code;

use super::Scene;
use super::args::{Mkdir, Mv, Rm};
use super::exit::Exit;
use super::json::Line;
use super::put::is_folder;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::remote::remote_arg;
use crate::text;
use crate::transfer::Summary;

pub(super) fn stat(scene: &Scene, paths: &[String]) -> Result<Exit> {
    let paths = parse(paths)?;
    let many = paths.len() > 1;
    let mut first = true;
    each(scene, &paths, |client, path| {
        let stat = client.stat(path)?;
        scene.out.json(&Line::stat(path.as_str(), &stat))?;
        if many && !first {
            scene.out.line("")?;
        }
        first = false;
        let kind = serde_json::to_value(stat.kind).unwrap_or_default();
        for (name, value) in [
            ("path", text::escape(&path.to_string())),
            ("type", kind.as_str().unwrap_or("other").to_owned()),
            ("size", format!("{} ({})", stat.size, text::size(stat.size))),
            (
                "mtime",
                format!("{}.{:09} UTC", text::time(stat.mtime.0), stat.mtime.1),
            ),
            (
                "mode",
                format!("{:04o} {}", stat.mode, text::mode(stat.mode)),
            ),
            ("etag", text::escape(stat.etag.as_deref().unwrap_or("-"))),
        ] {
            scene.out.line(&format!("{name:>5}: {value}"))?;
        }
        Ok(())
    })
}

pub(super) fn mkdir(scene: &Scene, args: &Mkdir) -> Result<Exit> {
    let paths = parse(&args.paths.paths)?;
    each(scene, &paths, |client, path| {
        client.make_dir(path, args.parents)?;
        done(scene, path)
    })
}

pub(super) fn rm(scene: &Scene, args: &Rm) -> Result<Exit> {
    let paths = parse(&args.paths.paths)?;
    each(scene, &paths, |client, path| {
        match client.remove(path, args.recursive) {
            Err(Error::Remote(body)) if args.force && body.code == Code::NotFound => {}
            other => other?,
        }
        done(scene, path)
    })
}

pub(super) fn mv(scene: &Scene, args: &Mv) -> Result<Exit> {
    let Some((last, sources)) = args.paths.split_last() else {
        return Err(Error::Usage("mv needs a source and a destination".into()));
    };
    let to = remote_arg(last)?;
    let sources = parse(sources)?;
    let mut client = scene.connect()?;
    let into = to.is_folder || is_folder(&mut client, &to.path)?;
    if !into && sources.len() > 1 {
        return Err(Error::Usage(format!("{last:?} is no folder on the server")));
    }
    each_over(scene, client, &sources, |client, from| {
        let target = match from.split_last().filter(|_| into) {
            Some((_, name)) => to
                .path
                .join(name)
                .map_err(|error| Error::Usage(error.to_string()))?,
            None => to.path.clone(),
        };
        client.rename(from, &target, args.force)?;
        done(scene, from)
    })
}

/// Does something with each path; one that fails does not keep the next from being tried.
///
/// # Errors
/// What ends the whole command.
pub(super) fn each(
    scene: &Scene,
    paths: &[VPath],
    work: impl FnMut(&mut Client, &VPath) -> Result<()>,
) -> Result<Exit> {
    let client = scene.connect()?;
    each_over(scene, client, paths, work)
}

fn each_over(
    scene: &Scene,
    mut client: Client,
    paths: &[VPath],
    mut work: impl FnMut(&mut Client, &VPath) -> Result<()>,
) -> Result<Exit> {
    let mut summary = Summary::default();
    for path in paths {
        match work(&mut client, path) {
            Ok(()) => summary.done += 1,
            Err(error) if error.is_final() => return Err(error),
            Err(error) => {
                scene.out.error(&path.to_string(), &error);
                summary.add_failure(error);
            }
        }
    }
    Ok(Exit::of_run(&summary))
}

/// The paths that were typed.
///
/// # Errors
/// [`Error::Usage`].
pub(super) fn parse(paths: &[String]) -> Result<Vec<VPath>> {
    paths
        .iter()
        .map(|path| remote_arg(path).map(|arg| arg.path))
        .collect()
}

fn done(scene: &Scene, path: &VPath) -> Result<()> {
    scene.out.json(&Line::Ok {
        path: path.as_str(),
    })
}
