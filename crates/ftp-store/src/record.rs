//! For tests: a record of everything that `sys` changes on the disk, in its order.
//!
//! Recording is per thread and off unless a test turns it on; it never changes what is done. So is a [`Trouble`], which does.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::meta::{Identity, Stat};

/// A file or folder, whatever inode it has got: inodes are used again, these numbers are not.
pub(crate) type Object = usize;

/// One change, or one sync.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Write(Object, u64, Vec<u8>),
    Truncate(Object, u64),
    Attribute(Object, Option<Vec<u8>>),
    Sync {
        file: Object,
        all: bool,
    },
    SyncDir(Object),
    SyncSystem,
    /// Names that came (with what they lead to) and went, in one step.
    Names(Vec<(Object, String, Option<Object>)>),
}

#[derive(Default)]
struct Record {
    events: Vec<Event>,
    objects: HashMap<Identity, Object>,
    /// Where each name leads, as far as was seen.
    names: HashMap<(Object, String), Object>,
    numbers: usize,
}

thread_local! {
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// What the disk cannot do from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    SyncOfFiles,
    SyncOfFolders,
}

thread_local! {
    static TROUBLE: Cell<Trouble> = const { Cell::new(Trouble::None) };
}

/// Has what this thread asks of the disk fail, or go well again.
pub(crate) fn trouble(trouble: Trouble) {
    TROUBLE.set(trouble);
}

/// What a call gives that this would be the trouble of.
pub(crate) fn meets(trouble: Trouble) -> Result<(), Errno> {
    match TROUBLE.get() == trouble {
        true => Err(Errno::IO),
        false => Ok(()),
    }
}

/// Begins a new record with `root` as object 0.
pub(crate) fn begin(root: impl AsFd) {
    RECORD.set(Some(Record::default()));
    with(|record| {
        record.object(root);
    });
}

/// How many events there are.
pub(crate) fn position() -> usize {
    RECORD.with_borrow(|record| record.as_ref().map_or(0, |record| record.events.len()))
}

/// Ends the record.
pub(crate) fn end() -> Vec<Event> {
    RECORD
        .take()
        .map(|record| record.events)
        .unwrap_or_default()
}

pub(crate) fn create(dir: impl AsFd, name: &str, file: impl AsFd) {
    create_nameless(&file);
    self::name(dir, name, file);
}

pub(crate) fn create_nameless(file: impl AsFd) {
    with(|record| record.fresh(&file));
}

pub(crate) fn name(dir: impl AsFd, name: &str, file: impl AsFd) {
    with(|record| {
        let (dir, file) = (record.object(dir), record.object(file));
        record.names(vec![(dir, name.to_owned(), Some(file))]);
    });
}

pub(crate) fn rename(from: impl AsFd, old: &str, to: impl AsFd, new: &str) {
    with(|record| {
        let (from, to) = (record.object(from), record.object(to));
        let moved = record.names.get(&(from, old.to_owned())).copied();
        record.names(vec![
            (from, old.to_owned(), None),
            (to, new.to_owned(), moved),
        ]);
    });
}

pub(crate) fn link(from: impl AsFd, old: &str, to: impl AsFd, new: &str) {
    with(|record| {
        let (from, to) = (record.object(from), record.object(to));
        let linked = record.names.get(&(from, old.to_owned())).copied();
        record.names(vec![(to, new.to_owned(), linked)]);
    });
}

pub(crate) fn remove(dir: impl AsFd, name: &str) {
    with(|record| {
        let dir = record.object(dir);
        record.names(vec![(dir, name.to_owned(), None)]);
    });
}

pub(crate) fn write(file: impl AsFd, offset: u64, bytes: &[u8]) {
    with(|record| {
        let event = Event::Write(record.object(file), offset, bytes.to_vec());
        record.events.push(event);
    });
}

pub(crate) fn truncate(file: impl AsFd, len: u64) {
    with(|record| {
        let event = Event::Truncate(record.object(file), len);
        record.events.push(event);
    });
}

pub(crate) fn attribute(file: impl AsFd, value: Option<&[u8]>) {
    with(|record| {
        let event = Event::Attribute(record.object(file), value.map(<[u8]>::to_vec));
        record.events.push(event);
    });
}

pub(crate) fn sync(file: impl AsFd, all: bool) {
    with(|record| {
        let file = record.object(file);
        record.events.push(Event::Sync { file, all });
    });
}

pub(crate) fn sync_dir(dir: impl AsFd) {
    with(|record| {
        let event = Event::SyncDir(record.object(dir));
        record.events.push(event);
    });
}

pub(crate) fn sync_system() {
    with(|record| record.events.push(Event::SyncSystem));
}

impl Record {
    fn object(&mut self, fd: impl AsFd) -> Object {
        let identity = Stat::of(fd).unwrap().identity();
        let numbers = &mut self.numbers;
        *self.objects.entry(identity).or_insert_with(|| {
            *numbers += 1;
            *numbers - 1
        })
    }

    /// What was made just now is nothing that was there before.
    fn fresh(&mut self, fd: impl AsFd) {
        self.objects.remove(&Stat::of(fd).unwrap().identity());
    }

    fn names(&mut self, changes: Vec<(Object, String, Option<Object>)>) {
        for (dir, name, object) in &changes {
            let key = (*dir, name.clone());
            match object {
                Some(object) => self.names.insert(key, *object),
                None => self.names.remove(&key),
            };
        }
        self.events.push(Event::Names(changes));
    }
}

fn with(work: impl FnOnce(&mut Record)) {
    RECORD.with_borrow_mut(|record| {
        if let Some(record) = record {
            work(record);
        }
    });
}
