//! The disk after the cut.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;

use crate::record::{Event, Object};

/// Which syncs the disk only pretends to do: a model that does not notice proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Nothing,
    Dirs,
    Files,
}

/// Names, bytes and notes.
#[derive(Default)]
pub(super) struct Image {
    names: HashMap<(Object, String), Object>,
    files: HashMap<Object, Vec<u8>>,
    notes: HashMap<Object, Vec<u8>>,
    /// Files that were cut back, or may have been, after their note was written.
    cut_back: HashSet<Object>,
}

/// A partial that was found.
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    pub(super) note: Option<Vec<u8>>,
    /// Nothing was taken back since the note was written: it must hold.
    pub(super) holds: bool,
}

impl Image {
    /// What is left of `events`: what was synced in full, and of the rest whatever `rng` likes.
    pub(super) fn after(events: &[Event], lie: Lie, rng: &mut Rng) -> Self {
        let safe = safe(events, lie);
        let mut image = Self::default();
        for (event, safe) in events.iter().zip(safe) {
            if let Event::Truncate(file, _) = event {
                image.cut_back.insert(*file);
            }
            if safe {
                image.apply(event);
            } else if rng.bool() {
                image.tear(event, rng);
            }
        }
        image
    }

    pub(super) fn file(&self, path: &str) -> Option<Vec<u8>> {
        let object = self.find(path)?;
        Some(self.files.get(&object).cloned().unwrap_or_default())
    }

    pub(super) fn partial(&self, path: &str) -> Option<Found> {
        let object = self.find(path)?;
        Some(Found {
            bytes: self.file(path)?,
            note: self.notes.get(&object).cloned(),
            holds: !self.cut_back.contains(&object),
        })
    }

    fn find(&self, path: &str) -> Option<Object> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(0, |dir, name| {
                self.names.get(&(dir, name.to_owned())).copied()
            })
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Write(file, offset, bytes) => {
                let start = usize::try_from(*offset).unwrap();
                let end = start + bytes.len();
                let content = self.files.entry(*file).or_default();
                // A write that came before this one and was lost leaves a hole.
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(bytes);
            }
            Event::Truncate(file, len) => {
                let content = self.files.entry(*file).or_default();
                content.resize(usize::try_from(*len).unwrap(), 0);
            }
            Event::Attribute(file, Some(note)) => {
                self.notes.insert(*file, note.clone());
                self.cut_back.remove(file);
            }
            Event::Attribute(file, None) => {
                self.notes.remove(file);
            }
            Event::Names(changes) => {
                for (dir, name, object) in changes {
                    let key = (*dir, name.clone());
                    match object {
                        Some(object) => self.names.insert(key, *object),
                        None => self.names.remove(&key),
                    };
                }
            }
            Event::Sync { .. } | Event::SyncDir(_) | Event::SyncSystem => {}
        }
    }

    /// As [`Image::apply`], but of a write only some sectors may have come down.
    fn tear(&mut self, event: &Event, rng: &mut Rng) {
        match event {
            Event::Write(file, offset, bytes) if rng.bool() => {
                let mut at = *offset;
                for sector in bytes.chunks(512) {
                    if rng.bool() {
                        self.apply(&Event::Write(*file, at, sector.to_vec()));
                    }
                    at += sector.len() as u64;
                }
            }
            other => self.apply(other),
        }
    }
}

/// Which events a later sync has made safe.
fn safe(events: &[Event], lie: Lie) -> Vec<bool> {
    let mut safe = vec![false; events.len()];
    for (now, event) in events.iter().enumerate() {
        let covers = |earlier: &Event| match event {
            Event::Sync { file, all } => match earlier {
                Event::Write(other, ..) | Event::Truncate(other, _) => other == file,
                Event::Attribute(other, _) => other == file && *all,
                _ => false,
            },
            Event::SyncDir(dir) => match earlier {
                Event::Names(changes) => changes.iter().any(|(other, ..)| other == dir),
                _ => false,
            },
            Event::SyncSystem => true,
            _ => false,
        };
        let pretended = match event {
            Event::Sync { .. } => lie == Lie::Files,
            Event::SyncDir(_) => lie == Lie::Dirs,
            Event::SyncSystem => lie != Lie::Nothing,
            _ => true,
        };
        if !pretended {
            for (safe, earlier) in safe.iter_mut().zip(events).take(now) {
                *safe |= covers(earlier);
            }
        }
    }
    safe
}
