//! `put`: what goes where, as cp would have it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use ftp_proto::wire::Code;
use ftp_proto::{IfExists, Kind, VPath};

use super::args::{IfExistsArg, Put};
use super::exit::Exit;
use super::names::{self, Goal};
use super::{Scene, resume};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::remote::remote_arg;
use crate::run::{LocalSource, PutSource, put_all};
use crate::upload::PutOptions;

/// Where things go on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// Into a folder, under their own names.
    Into(VPath),
    /// The one thing is given this name.
    Exact(VPath),
}

pub(super) fn run(scene: &Scene, args: &Put) -> Result<Exit> {
    let mut client = None;
    let (sources, destination) = plan(args, &mut |path| {
        let mut live = scene.connect()?;
        let is_folder = is_folder(&mut live, path);
        client = Some(live);
        is_folder
    })?;
    let sources = sources
        .into_iter()
        .map(|source| place(source, &destination))
        .collect::<Result<Vec<_>>>()?;
    names::check(sources.iter().filter_map(goal), "nothing was sent")?;
    scene.out.expect(total(&sources));
    let options = PutOptions {
        if_exists: match args.if_exists {
            IfExistsArg::Replace => IfExists::Replace,
            IfExistsArg::Fail => IfExists::Fail,
            IfExistsArg::Skip => IfExists::Skip,
            IfExistsArg::Newer => IfExists::Newer,
        },
        parents: true,
        resume: !args.no_resume,
        follow: args.follow,
    };
    let stream = sources
        .iter()
        .any(|source| matches!(source.local, LocalSource::Stream(_)));
    let summary = put_all(
        &scene.config.options,
        &scene.cancel,
        &*scene.out,
        client,
        sources,
        &options,
    );
    let exit = scene.out.finish(&summary);
    if let Some(signal) = scene.cancel.signal().filter(|_| exit.is_signal()) {
        let exact = matches!(destination, Destination::Exact(_));
        let command = resume::command("put", exact);
        scene
            .out
            .interrupted(signal, Some(command.as_str()).filter(|_| !stream));
    }
    Ok(exit)
}

/// Whether a folder stands there.
///
/// # Errors
/// What is more than that nothing stands there.
pub(super) fn is_folder(client: &mut Client, path: &VPath) -> Result<bool> {
    match client.stat(path) {
        Ok(stat) => Ok(stat.kind == Kind::Dir),
        Err(Error::Remote(body)) if matches!(body.code, Code::NotFound | Code::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Tells sources from the destination; `is_folder` asks the server where that decides.
fn plan<'a>(
    args: &'a Put,
    is_folder: &mut dyn FnMut(&VPath) -> Result<bool>,
) -> Result<(Vec<&'a OsStr>, Destination)> {
    let paths: Vec<&OsStr> = args.paths.iter().map(OsString::as_os_str).collect();
    if let Some(folder) = &args.into {
        return Ok((paths, Destination::Into(remote_arg(folder)?.path)));
    }
    let Some((last, sources)) = paths.split_last().filter(|(_, rest)| !rest.is_empty()) else {
        if args.exact {
            return Err(Error::Usage("-T needs a source and a destination".into()));
        }
        return Ok((paths, Destination::Into(VPath::root())));
    };
    let text = last
        .to_str()
        .ok_or_else(|| Error::Usage("a path on the server must be UTF-8".into()))?;
    let arg = remote_arg(text)?;
    let sources = sources.to_vec();
    if args.exact {
        if sources.len() > 1 {
            return Err(Error::Usage("-T takes one source".into()));
        }
        return Ok((sources, Destination::Exact(arg.path)));
    }
    if arg.is_folder || is_folder(&arg.path)? {
        return Ok((sources, Destination::Into(arg.path)));
    }
    if sources.len() > 1 {
        return Err(Error::Usage(format!(
            "{text:?} is no folder on the server; write {:?} to make it, or -t DIR",
            format!("{text}/")
        )));
    }
    Ok((sources, Destination::Exact(arg.path)))
}

fn place(source: &OsStr, destination: &Destination) -> Result<PutSource> {
    if source == "-" {
        let Destination::Exact(remote) = destination else {
            return Err(Error::Usage(
                "standard input needs a name on the server: put - NAME".into(),
            ));
        };
        return Ok(PutSource {
            local: LocalSource::Stream(Box::new(std::io::stdin())),
            remote: remote.clone(),
        });
    }
    let path = Path::new(source);
    let remote = match destination {
        Destination::Exact(remote) => remote.clone(),
        Destination::Into(folder) => folder
            .join(&own_name(path)?)
            .map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?,
    };
    Ok(PutSource {
        local: LocalSource::Path(path.to_owned()),
        remote,
    })
}

/// What a source is to become; standard input has no name of its own.
fn goal(source: &PutSource) -> Option<Goal<'_>> {
    let LocalSource::Path(path) = &source.local else {
        return None;
    };
    Some(Goal {
        source: path.to_string_lossy(),
        name: source.remote.as_str().into(),
        is_folder: path.is_dir(),
    })
}

/// The name that a local path gives; `.` and `..` have that of the folder they are.
fn own_name(path: &Path) -> Result<String> {
    let name = match path.file_name() {
        Some(name) => Some(name.to_owned()),
        None => std::fs::canonicalize(path)
            .map_err(|error| Error::local(format!("open {}", path.display()), error))?
            .file_name()
            .map(OsStr::to_owned),
    };
    name.ok_or_else(|| Error::Usage(format!("{} has no name: say where it goes", path.display())))?
        .into_string()
        .map_err(|name| {
            Error::Usage(format!(
                "{name:?} is not UTF-8, which the protocol asks for: say what it is to be called"
            ))
        })
}

/// The bytes to be sent, where all are files whose size is known.
fn total(sources: &[PutSource]) -> Option<u64> {
    sources
        .iter()
        .try_fold(0_u64, |sum, source| match &source.local {
            LocalSource::Path(path) => {
                let meta = std::fs::metadata(path)
                    .ok()
                    .filter(std::fs::Metadata::is_file)?;
                Some(sum.saturating_add(meta.len()))
            }
            LocalSource::Stream(_) => None,
        })
}

#[cfg(test)]
#[path = "put_tests.rs"]
mod tests;
