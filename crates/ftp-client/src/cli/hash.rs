//! `hash`: digests that the server computes, in the form of sha256sum, or compared with a local file.

use std::path::Path;

use ftp_proto::Digest;

use super::Scene;
use super::args::Hash;
use super::exit::Exit;
use super::json::Line;
use super::manage::{each, parse};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::text;

pub(super) fn run(scene: &Scene, args: &Hash) -> Result<Exit> {
    let paths = parse(&args.paths)?;
    if args.check.is_some() && paths.len() > 1 {
        return Err(Error::Usage("--check takes one path".into()));
    }
    let ours = match &args.check {
        Some(path) => Some(local(path, &scene.cancel)?),
        None => None,
    };
    each(scene, &paths, |client, path| {
        let (sha256, size) = client.hash(path)?;
        let matches = ours.map(|ours| ours == sha256);
        scene.out.json(&Line::Hash {
            path: path.as_str(),
            sha256,
            size,
            matches,
        })?;
        let name = text::escape(path.as_str());
        match matches {
            None => scene.out.line(&format!("{sha256}  {name}")),
            Some(true) => scene.out.line(&format!("{name}: OK")),
            Some(false) => {
                scene.out.line(&format!("{name}: FAILED"))?;
                Err(Error::Integrity(
                    "the file on the server is not the local one".into(),
                ))
            }
        }
    })
}

fn local(path: &Path, cancel: &Cancel) -> Result<Digest> {
    let failed = |error| Error::local(format!("read {}", path.display()), error);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        cancel.check()?;
        let count = crate::local::read_some(&mut file, &mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
}
