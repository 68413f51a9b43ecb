//! `cat`: files of the server to standard output, one after the other.

use super::Scene;
use super::exit::Exit;
use super::get::stdout;
use crate::download::GetOptions;
use crate::error::{Error, Result};
use crate::remote::remote_arg;
use crate::run::{GetSource, LocalTarget, get_all};
use crate::transfer::Summary;

pub(super) fn run(scene: &Scene, paths: &[String]) -> Result<Exit> {
    if scene.out.is_json() {
        return Err(Error::Usage(
            "--json and a file cannot share standard output".into(),
        ));
    }
    let paths = paths
        .iter()
        .map(|path| remote_arg(path).map(|arg| arg.path))
        .collect::<Result<Vec<_>>>()?;
    let mut all = Summary::default();
    for remote in paths {
        // One at a time: the order is the person's.
        let source = GetSource {
            remote,
            size: None,
            local: LocalTarget::Stream(stdout()?),
        };
        let summary = get_all(
            &scene.config.options,
            &scene.cancel,
            &scene.out,
            None,
            vec![source],
            &GetOptions::default(),
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
