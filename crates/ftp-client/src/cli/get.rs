//! `get`: what goes where, as cp would have it.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use ftp_proto::{Kind, VPath};

use super::args::Get;
use super::exit::Exit;
use super::names::{self, Goal};
use super::{Scene, cat, resume};
use crate::client::Stat;
use crate::download::GetOptions;
use crate::error::{Error, Result};
use crate::remote::remote_arg;
use crate::run::{GetSource, LocalTarget, get_all};

/// Where things go here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Destination {
    /// Into a folder, under their own names.
    Into(PathBuf),
    /// The one thing is given this name.
    Exact(PathBuf),
    /// To standard output, one after the other.
    Stdout,
}

pub(super) fn run(scene: &Scene, args: &Get) -> Result<Exit> {
    let (sources, destination) = plan(args)?;
    if destination == Destination::Stdout {
        return cat::print(scene, sources, !args.no_verify);
    }
    let mut client = scene.connect()?;
    let stats = client.stat_all(&sources)?;
    let total = stats.iter().try_fold(0_u64, |sum, stat| {
        let stat = stat.as_ref().ok().filter(|stat| stat.kind == Kind::File)?;
        Some(sum.saturating_add(stat.size))
    });
    scene.out.expect(total);
    let sources = sources
        .into_iter()
        .zip(stats)
        .map(|(remote, stat)| place(remote, &stat, &destination))
        .collect::<Result<Vec<_>>>()?;
    names::check(sources.iter().filter_map(goal), "nothing was fetched")?;
    let options = GetOptions {
        resume: !args.no_resume,
        sync: args.fsync,
        streams: args.streams,
        verify: !args.no_verify,
    };
    let summary = get_all(
        &scene.config.options,
        &scene.cancel,
        &*scene.out,
        Some(client),
        sources,
        &options,
    );
    let exit = scene.out.finish(&summary);
    if let Some(signal) = scene.cancel.signal().filter(|_| exit.is_signal()) {
        let exact = matches!(destination, Destination::Exact(_));
        let command = resume::command("get", exact);
        scene.out.interrupted(signal, Some(command.as_str()));
    }
    Ok(exit)
}

fn plan(args: &Get) -> Result<(Vec<VPath>, Destination)> {
    let paths: Vec<&OsStr> = args.paths.iter().map(OsString::as_os_str).collect();
    let (sources, destination) = if let Some(folder) = &args.into {
        make(folder)?;
        (paths.as_slice(), Destination::Into(folder.clone()))
    } else {
        match paths.split_last() {
            Some((last, sources)) if !sources.is_empty() => {
                (sources, local_destination(last, sources.len(), args.exact)?)
            }
            Some(_) if args.exact => {
                return Err(Error::Usage("-T needs a source and a destination".into()));
            }
            Some(_) | None => (paths.as_slice(), Destination::Into(PathBuf::new())),
        }
    };
    let sources = sources
        .iter()
        .map(|path| {
            let text = path
                .to_str()
                .ok_or_else(|| Error::Usage("a path on the server must be UTF-8".into()))?;
            remote_arg(text).map(|arg| arg.path)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((sources, destination))
}

fn local_destination(text: &OsStr, sources: usize, exact: bool) -> Result<Destination> {
    let path = PathBuf::from(text);
    if exact && sources > 1 {
        return Err(Error::Usage("-T takes one source".into()));
    }
    if text == "-" {
        return Ok(Destination::Stdout);
    }
    if exact {
        return Ok(Destination::Exact(path));
    }
    if path.is_dir() {
        return Ok(Destination::Into(path));
    }
    if text.as_encoded_bytes().ends_with(b"/") {
        make(&path)?;
        return Ok(Destination::Into(path));
    }
    if sources > 1 {
        return Err(Error::Usage(format!(
            "{} is no folder; write a `/` behind it to make it, or use -t DIR",
            path.display()
        )));
    }
    Ok(Destination::Exact(path))
}

fn make(path: &Path) -> Result<()> {
    crate::local::Folder::make(path).map(drop)
}

fn place(remote: VPath, stat: &Result<Stat>, destination: &Destination) -> Result<GetSource> {
    let path = match destination {
        // Taken care of before.
        Destination::Stdout => {
            return Err(Error::Usage("standard output is no place for this".into()));
        }
        Destination::Exact(path) => path.clone(),
        Destination::Into(folder) => match remote.split_last() {
            Some((_, name)) => folder.join(name),
            None => folder.clone(),
        },
    };
    // What is not there, or may not be seen, is told when it is asked for.
    let (kind, size) = stat
        .as_ref()
        .map_or((Kind::File, None), |stat| (stat.kind, Some(stat.size)));
    let local = match kind {
        Kind::Dir => LocalTarget::Folder(path),
        Kind::File | Kind::Link | Kind::Other => file_or_device(path)?,
    };
    Ok(GetSource {
        size: size.filter(|_| kind == Kind::File),
        remote,
        local,
    })
}

/// What a source is to become; a stream has no name.
fn goal(source: &GetSource) -> Option<Goal<'_>> {
    let (path, is_folder) = match &source.local {
        LocalTarget::Folder(path) => (path, true),
        LocalTarget::File(path) => (path, false),
        LocalTarget::Stream(_) | LocalTarget::Nothing => return None,
    };
    Some(Goal {
        source: source.remote.as_str().into(),
        name: path.to_string_lossy(),
        is_folder,
    })
}

/// A device or a FIFO that stands there is written into, never replaced.
fn file_or_device(path: PathBuf) -> Result<LocalTarget> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = std::fs::metadata(&path).map(|meta| meta.file_type());
    if kind.is_ok_and(|kind| kind.is_char_device() || kind.is_block_device() || kind.is_fifo()) {
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(|error| Error::local(format!("open {}", path.display()), error))?;
        return Ok(LocalTarget::stream(file));
    }
    Ok(LocalTarget::File(path))
}

#[cfg(test)]
#[path = "get_tests.rs"]
mod tests;
