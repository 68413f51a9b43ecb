//! `cat`: files of the server to standard output, one after the other.

use std::os::fd::AsFd as _;

use ftp_proto::VPath;

use super::Scene;
use super::exit::Exit;
use super::manage::parse;
use crate::download::GetOptions;
use crate::error::{Error, Result};
use crate::run::{GetSource, LocalTarget, get_all};
use crate::transfer::Summary;

pub(super) fn run(scene: &Scene, paths: &[String]) -> Result<Exit> {
    print(scene, parse(paths)?, true)
}

/// Prints files one at a time: the order is the person's.
pub(super) fn print(scene: &Scene, paths: Vec<VPath>, verify: bool) -> Result<Exit> {
    if scene.out.is_json() {
        return Err(Error::Usage(
            "--json and a file cannot share standard output".into(),
        ));
    }
    let options = GetOptions {
        verify,
        ..GetOptions::default()
    };
    let mut all = Summary::default();
    for remote in paths {
        let source = GetSource {
            remote,
            size: None,
            local: stdout()?,
        };
        let summary = get_all(
            &scene.config.options,
            &scene.cancel,
            &*scene.out,
            None,
            vec![source],
            &options,
        );
        let over = summary.errors.iter().any(Error::is_final);
        all.add(summary);
        if over {
            break;
        }
    }
    scene.cancel.check()?;
    Ok(scene.out.finish(&all))
}

/// Standard output without the line buffer in front of it.
fn stdout() -> Result<LocalTarget> {
    let fd = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Error::local("open standard output", error))?;
    Ok(LocalTarget::stream(fd.into()))
}
