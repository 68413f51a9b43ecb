//! Who works on which partial, within this process.
//!
//! A partial has at most one writer. A session that finds it in use may look (how far is it, with
//! which digest?) without disturbing the writer; only when it goes on from what it saw does it take
//! the partial over, and from then on the older writer is refused and can never reach the file. A
//! session whose file is another one leaves the partial alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ftp_proto::{Amount, Durability};
use rustix::io::Errno;

use crate::bytes::{Bytes, Mark};
use crate::jail::Place;
use crate::meta::{Identity, Stat};
use crate::partial::{self, Safety};
use crate::purse::{Account, Naming, Purse, tell_gone};
use crate::sys;
use crate::temp::{self, Temp};

/// The partials in use.
pub(crate) struct Partials {
    live: Mutex<HashMap<Key, Arc<Live>>>,
    naming: Arc<Naming>,
}

/// A folder and a partial's name in it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    dir: Identity,
    name: String,
}

impl Key {
    fn of(place: &Place) -> Result<Self, Errno> {
        Ok(Self {
            dir: Stat::of(&place.dir)?.identity(),
            name: place.name.clone(),
        })
    }
}

/// A partial in use.
struct Live {
    key: Key,
    place: Place,
    gate: Mutex<Gate>,
}

struct Gate {
    state: State,
    /// Whose writes are taken.
    writer: Option<u64>,
    /// Numbers given out so far.
    numbers: u64,
    /// Tenures that have not ended.
    users: usize,
    /// Goes up whenever bytes are taken back: a mark from before may not fit any more.
    epoch: u64,
}

enum State {
    /// Being read.
    Opening,
    Open(Bytes),
    /// Being committed.
    Sealed,
    /// Closed; whoever finds it so begins anew.
    Gone,
}

/// One session's stake in a partial.
pub(crate) struct Tenure {
    partials: Arc<Partials>,
    live: Arc<Live>,
    safety: Arc<Safety>,
    number: u64,
    /// What was seen when it began.
    seen: Mark,
    epoch: u64,
}

/// What became of the wish to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The partial is ours to write to.
    Ours,
    /// Somebody else is at work on it, with another file.
    Taken,
}

impl Partials {
    pub(crate) fn new(naming: &Arc<Naming>) -> Self {
        Self {
            live: Mutex::default(),
            naming: Arc::clone(naming),
        }
    }

    /// Finds the partial at `place` or makes it, and shows what it holds.
    ///
    /// Errors: `WOULDBLOCK` if it is not to be had now, those of the file system else.
    pub(crate) fn claim(
        self: &Arc<Self>,
        place: Place,
        size: u64,
        safety: &Arc<Safety>,
        account: Option<&Arc<dyn Account>>,
    ) -> Result<Tenure, Errno> {
        let key = Key::of(&place)?;
        let fresh = Arc::new(Live {
            key: key.clone(),
            place,
            gate: Mutex::new(Gate {
                state: State::Opening,
                writer: None,
                numbers: 0,
                users: 0,
                epoch: 0,
            }),
        });
        loop {
            let found = Arc::clone(
                lock(&self.live)
                    .entry(key.clone())
                    .or_insert_with(|| Arc::clone(&fresh)),
            );
            if Arc::ptr_eq(&found, &fresh) {
                return self.open(found, size, safety, account);
            }
            if let Some(tenure) = self.look(&found, safety)? {
                return Ok(tenure);
            }
            self.forget(&found);
        }
    }

    /// How long the partial at `place` is; `None` if there is none.
    ///
    /// Errors: `WOULDBLOCK` if that is changing just now.
    pub(crate) fn extent(&self, place: &Place, safety: &Safety) -> Result<Option<u64>, Errno> {
        if let Some(live) = self.at_work(place)? {
            match &lock(&live.gate).state {
                State::Opening | State::Sealed => return Err(Errno::WOULDBLOCK),
                State::Open(bytes) => return Ok(Some(bytes.len()).filter(|len| *len > 0)),
                State::Gone => {}
            }
        }
        safety.extent(place)
    }

    /// Leaves a file under the partial's name, in the place of what an earlier attempt left; not if somebody is
    /// at work on that, or nobody could know.
    pub(crate) fn keep(
        &self,
        place: &Place,
        safety: &Safety,
        temp: &mut Temp,
        bytes: &mut Bytes,
    ) -> Result<(), Errno> {
        temp::lock(bytes.file())?;
        let key = Key::of(place)?;
        // Held until it has its name: nobody begins to read what stands there meanwhile.
        let live = lock(&self.live);
        if live.contains_key(&key) {
            return Ok(());
        }
        let naming = self.naming.hold_for(bytes.account());
        match temp::remove_idle(&place.dir, place.name.as_str()) {
            Ok(Some(gone)) => tell_gone(bytes.account(), Amount::of_bytes(gone)),
            Err(Errno::NOENT) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(error),
        }
        temp.claim(bytes.file(), &place.name)?;
        drop(naming);
        drop(live);
        self.put_by(place, safety, bytes);
        Ok(())
    }

    fn at_work(&self, place: &Place) -> Result<Option<Arc<Live>>, Errno> {
        let key = Key::of(place)?;
        Ok(lock(&self.live).get(&key).map(Arc::clone))
    }

    /// Reads the file of a partial that nobody in this process works on.
    fn open(
        self: &Arc<Self>,
        live: Arc<Live>,
        size: u64,
        safety: &Arc<Safety>,
        account: Option<&Arc<dyn Account>>,
    ) -> Result<Tenure, Errno> {
        let opened = self.take(&live.place, account).and_then(|mut bytes| {
            match safety.recover(&mut bytes, size) {
                Ok(()) => bytes.narrow(),
                Err(error) => {
                    self.release(&live.place, &mut bytes);
                    return Err(error);
                }
            }
            Ok(bytes)
        });
        let mut gate = lock(&live.gate);
        match opened {
            Ok(bytes) => {
                let seen = bytes.mark();
                gate.state = State::Open(bytes);
                gate.writer = Some(0);
                gate.numbers = 1;
                gate.users = 1;
                drop(gate);
                Ok(Tenure {
                    partials: Arc::clone(self),
                    live,
                    safety: Arc::clone(safety),
                    number: 0,
                    seen,
                    epoch: 0,
                })
            }
            Err(error) => {
                gate.state = State::Gone;
                drop(gate);
                self.forget(&live);
                Err(error)
            }
        }
    }

    /// Opens a file that nobody is at work on; from now on it is counted as reserved, not as stored.
    fn take(&self, place: &Place, account: Option<&Arc<dyn Account>>) -> Result<Bytes, Errno> {
        let _naming = self.naming.hold_for(account);
        let file = partial::open(place)?;
        let purse = match account {
            Some(account) => {
                let size = Stat::of(&file)?.size();
                Some(Purse::adopt(account, size, size))
            }
            None => None,
        };
        let mut bytes = Bytes::new(file);
        bytes.fund(purse);
        Ok(bytes)
    }

    /// Leaves a partial for the next attempt, if there is anything in it.
    fn put_by(&self, place: &Place, safety: &Safety, bytes: &mut Bytes) {
        safety.put_by(place, bytes);
        self.release(place, bytes);
    }

    /// Ends the work on a file: from now on it is counted as stored.
    fn release(&self, place: &Place, bytes: &mut Bytes) {
        let _naming = self.naming.hold_for(bytes.account());
        if let Some(mut purse) = bytes.take_purse() {
            // One whose folder was removed is gone with it.
            if place.holds(bytes.file()).unwrap_or(false)
                && let Ok(stat) = Stat::of(bytes.file())
            {
                purse.keep(stat.size());
            }
        }
        temp::unlock(bytes.file());
    }

    /// Looks at a partial in use; `None` if it is not any more.
    fn look(
        self: &Arc<Self>,
        live: &Arc<Live>,
        safety: &Arc<Safety>,
    ) -> Result<Option<Tenure>, Errno> {
        let mut gate = lock(&live.gate);
        let (file, seen) = match &gate.state {
            State::Opening | State::Sealed => return Err(Errno::WOULDBLOCK),
            State::Gone => return Ok(None),
            State::Open(bytes) => (Arc::clone(bytes.file()), bytes.mark()),
        };
        // The folder, or the name in it, may have been removed and made anew.
        if !live.place.holds(&file)? {
            return Ok(None);
        }
        let grown = Stat::of(&file)?.size() != seen.len();
        let number = gate.numbers;
        gate.numbers += 1;
        gate.users += 1;
        let mut tenure = Tenure {
            partials: Arc::clone(self),
            live: Arc::clone(live),
            safety: Arc::clone(safety),
            number,
            seen,
            epoch: gate.epoch,
        };
        drop(gate);
        // Only what is on stable storage may be shown; the writer need not wait for that.
        if safety.durability != Durability::None {
            sys::sync_data(&file)?;
        }
        // And only what the file gives back: the digest that runs along knows nothing of a hand that
        // wrote past it.
        if grown || !tenure.seen.holds(&file)? {
            tenure.seen = Mark::start();
        }
        Ok(Some(tenure))
    }

    /// Takes a partial off the list, if it is still this one that stands there.
    fn forget(&self, gone: &Arc<Live>) {
        let mut live = lock(&self.live);
        if live
            .get(&gone.key)
            .is_some_and(|found| Arc::ptr_eq(found, gone))
        {
            live.remove(&gone.key);
        }
    }
}

impl Tenure {
    /// What the partial held when the tenure began.
    pub(crate) fn seen(&self) -> &Mark {
        &self.seen
    }

    /// Goes on from what was seen: whoever wrote until now is refused from now on.
    ///
    /// Errors: `WOULDBLOCK` if that is not there any more.
    pub(crate) fn take_over(&self) -> Result<(), Errno> {
        let mut gate = lock(&self.live.gate);
        let Gate {
            state: State::Open(bytes),
            writer,
            epoch,
            ..
        } = &mut *gate
        else {
            return Err(Errno::WOULDBLOCK);
        };
        if *epoch != self.epoch {
            return Err(Errno::WOULDBLOCK);
        }
        if bytes.len() != self.seen.len() {
            bytes.take_back(&self.seen)?;
            *epoch += 1;
        }
        *writer = Some(self.number);
        Ok(())
    }

    /// Goes on from byte `at`, which is no further than the end of what is there. What another session writes to
    /// just now is taken over only if it has stopped there.
    ///
    /// Errors: `WOULDBLOCK` if it has not, or that is not there any more.
    pub(crate) fn go_on_at(&self, at: u64) -> Result<(), Errno> {
        let mut gate = lock(&self.live.gate);
        let Gate {
            state: State::Open(bytes),
            writer,
            users,
            epoch,
            ..
        } = &mut *gate
        else {
            return Err(Errno::WOULDBLOCK);
        };
        if *epoch != self.epoch || at > bytes.len() || (*users > 1 && at < bytes.len()) {
            return Err(Errno::WOULDBLOCK);
        }
        if at < bytes.len() {
            *epoch += 1;
            bytes.rewind(at)?;
        }
        *writer = Some(self.number);
        Ok(())
    }

    /// Starts over from nothing, unless somebody else is at work on the partial.
    pub(crate) fn start_over(&self) -> Result<Turn, Errno> {
        let mut gate = lock(&self.live.gate);
        let Gate {
            state: State::Open(bytes),
            writer,
            epoch,
            ..
        } = &mut *gate
        else {
            return Ok(Turn::Taken);
        };
        if writer.is_some_and(|writer| writer != self.number) && bytes.len() > 0 {
            return Ok(Turn::Taken);
        }
        if bytes.len() > 0 {
            bytes.restart()?;
            *epoch += 1;
        }
        *writer = Some(self.number);
        Ok(Turn::Ours)
    }

    /// Works on the bytes, if they are still ours.
    ///
    /// Errors: `WOULDBLOCK` if another session has taken the partial over, or what `work` finds.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut Bytes) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut gate = lock(&self.live.gate);
        match &mut *gate {
            Gate {
                state: State::Open(bytes),
                writer: Some(writer),
                ..
            } if *writer == self.number => work(bytes),
            _ => Err(Errno::WOULDBLOCK),
        }
    }

    /// Takes the bytes and the name out, for the commit or the end: nobody else gets at them any more.
    ///
    /// Errors: `WOULDBLOCK` if they are not ours, or the name is not theirs any more.
    pub(crate) fn seal(&self) -> Result<(Temp, Bytes), Errno> {
        let Live { gate, place, .. } = &*self.live;
        let mut gate = lock(gate);
        if gate.writer != Some(self.number) {
            return Err(Errno::WOULDBLOCK);
        }
        match &gate.state {
            State::Open(bytes) if place.holds(bytes.file())? => {}
            State::Opening | State::Open(_) | State::Sealed | State::Gone => {
                return Err(Errno::WOULDBLOCK);
            }
        }
        match std::mem::replace(&mut gate.state, State::Sealed) {
            State::Open(bytes) => Ok((Temp::adopt(&place.dir, place.name.clone()), bytes)),
            State::Opening | State::Sealed | State::Gone => Err(Errno::WOULDBLOCK),
        }
    }

    /// Makes what was written so far safe, and says so in the partial.
    pub(crate) fn checkpoint(&self) -> Result<(), Errno> {
        self.with(|bytes| self.safety.checkpoint(bytes))?;
        sys::sync_dir(&self.live.place.dir)
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        let Live { gate, place, .. } = &*self.live;
        let mut gate = lock(gate);
        gate.users -= 1;
        let last = gate.users == 0;
        if gate.writer == Some(self.number) {
            gate.writer = None;
        }
        let idle = gate.writer.is_none();
        match &mut gate.state {
            State::Open(bytes) if last => {
                self.partials.put_by(place, &self.safety, bytes);
                gate.state = State::Gone;
            }
            // Its writer is gone, and with it the name.
            State::Sealed if idle => gate.state = State::Gone,
            State::Opening | State::Open(_) | State::Sealed | State::Gone => {}
        }
        let gone = matches!(gate.state, State::Gone);
        drop(gate);
        if gone {
            self.partials.forget(&self.live);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole between any two statements, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

    use super::*;
    use crate::jail::child;

    /// Between what one session is shown and its going on there is a moment.
    #[test]
    fn what_was_written_anew_meanwhile_is_not_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        let place = || Place {
            dir: Arc::new(child(CWD, root.path()).unwrap()),
            name: ".muxftp-p0".to_owned(),
        };
        let partials = Arc::new(Partials::new(&Arc::default()));
        let safety = Arc::new(Safety::new(Durability::None, 1));
        let claim = || partials.claim(place(), 10, &safety, None).unwrap();
        let first = claim();
        assert_eq!(first.start_over(), Ok(Turn::Ours));
        first.with(|bytes| bytes.write(b"one")).unwrap();
        let second = claim();
        assert_eq!(second.seen().len(), 3);
        assert_eq!(first.start_over(), Ok(Turn::Ours));
        first.with(|bytes| bytes.write(b"two")).unwrap();
        assert_eq!(second.go_on_at(3), Err(Errno::WOULDBLOCK));
        assert_eq!(second.take_over(), Err(Errno::WOULDBLOCK));
        assert_eq!(claim().go_on_at(3), Ok(()));
    }
}
