//! `List`: one page of a folder, sorted by name.
//!
//! The names come from [`Listings`](crate::listing::Listings), which reads a folder once for many
//! pages. Names we could not take back as a path are not shown.

use ftp_proto::VPath;
use ftp_proto::session::{Entry, Fault, Outcome};

use crate::error::At;
use crate::jail::reopen;
use crate::meta::Stat;
use crate::shared::Shared;

/// Most entries of a page, whatever is asked.
const PAGE_ENTRIES: usize = 64 * 1024;

pub(super) fn list(
    shared: &Shared,
    path: &VPath,
    mut after: Option<String>,
    entries: u32,
    bytes: u32,
) -> Result<Outcome, Fault> {
    let limit = usize::try_from(entries)
        .unwrap_or(PAGE_ENTRIES)
        .clamp(1, PAGE_ENTRIES);
    let mut room = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut page: Vec<Entry> = Vec::new();
    let mut dir = shared.jail.names(path)?;
    let folder = Stat::of(&dir).at(path)?.identity();
    loop {
        let cursor = after.as_deref();
        let run = shared.listings.run(folder, &dir, cursor, limit).at(path)?;
        for name in run.names(cursor) {
            if page.len() < limit {
                // It may have gone since its name was read.
                let Some(stat) = Stat::find(&dir, name).at(path)? else {
                    continue;
                };
                let entry = Entry {
                    name: name.to_owned(),
                    meta: stat.meta(),
                };
                let cost = entry.wire_bytes();
                if cost <= room || page.is_empty() {
                    room = room.saturating_sub(cost);
                    page.push(entry);
                    continue;
                }
            }
            let next = page.last().map(|last| last.name.clone());
            if let Some(last) = &next {
                shared.listings.keep(folder, &run, last);
            }
            return Ok(listed(page, next));
        }
        // Only where every name of a run had gone is a page with nothing in it and more behind it.
        if !page.is_empty() || run.is_whole() {
            let next = page.last().filter(|_| !run.is_whole());
            let next = next.map(|last| last.name.clone());
            return Ok(listed(page, next));
        }
        after = run.last().map(str::to_owned).or(after);
        dir = reopen(&dir).at(path)?;
    }
}

fn listed(entries: Vec<Entry>, next: Option<String>) -> Outcome {
    Outcome::Listed { entries, next }
}
