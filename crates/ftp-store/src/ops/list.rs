//! `List`: one page of a folder, sorted by name.
//!
//! Memory is a page's, however large the folder: the names are streamed past a heap that keeps the
//! page's first ones. Names we could not take back as a path are not shown.

use std::collections::BinaryHeap;
use std::os::fd::AsFd;

use ftp_proto::VPath;
use ftp_proto::path::check_name;
use ftp_proto::session::{Entry, Fault, Outcome};
use rustix::fs::RawDir;
use rustix::io::Errno;

use crate::error::At;
use crate::jail::reopen;
use crate::meta::Stat;
use crate::store::Shared;

/// For `getdents64(2)`.
const NAME_BUFFER: usize = 32 * 1024;

pub(super) fn list(
    shared: &Shared,
    path: &VPath,
    mut after: Option<String>,
    entries: u32,
    bytes: u32,
) -> Result<Outcome, Fault> {
    let limit = usize::try_from(entries).unwrap_or(usize::MAX).max(1);
    let mut room = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut page: Vec<Entry> = Vec::new();
    let mut dir = shared.jail.names(path)?;
    loop {
        let (names, mut more) = first_names(&dir, after.as_deref(), limit - page.len()).at(path)?;
        after = names.last().cloned();
        for name in names {
            // It may have gone since its name was read.
            let Some(stat) = Stat::find(&dir, name.as_str()).at(path)? else {
                continue;
            };
            let entry = Entry {
                name,
                meta: stat.meta(),
            };
            let cost = entry.wire_bytes();
            if cost > room && !page.is_empty() {
                more = true;
                room = 0;
                break;
            }
            room = room.saturating_sub(cost);
            page.push(entry);
        }
        // Only where every name of a full scan had gone is a page with nothing in it and more behind it.
        if !page.is_empty() || !more {
            return Ok(Outcome::Listed {
                entries: page,
                more,
            });
        }
        dir = reopen(&dir).at(path)?;
    }
}

/// The first `limit` names after `after`, sorted, and whether there are more.
fn first_names(
    dir: impl AsFd,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<String>, bool), Errno> {
    let mut buffer: Vec<u8> = Vec::with_capacity(NAME_BUFFER);
    let mut names = RawDir::new(dir, buffer.spare_capacity_mut());
    let mut first: BinaryHeap<String> = BinaryHeap::new();
    let mut more = false;
    while let Some(entry) = names.next() {
        let entry = match entry {
            // The folder was removed while it was read.
            Err(Errno::NOENT) => break,
            other => other?,
        };
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if check_name(name).is_err() || after.is_some_and(|after| name <= after) {
            continue;
        }
        if first.len() < limit {
            first.push(name.to_owned());
        } else {
            more = true;
            if first.peek().is_some_and(|last| name < last.as_str()) {
                first.pop();
                first.push(name.to_owned());
            }
        }
    }
    Ok((first.into_sorted_vec(), more))
}
