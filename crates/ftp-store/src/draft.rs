//! `Draft`: a file on its way in that nobody else knows of; and the other place where an upload's bytes can go.
//!
//! It goes away with its holder; or, if that was agreed on, what has come stays under a partial's name for the
//! next attempt. Nothing of it stands under the target's name.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ftp_proto::session::{CreateOptions, Digesting};
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::bytes::{Bytes, Mark};
use crate::jail::Place;
use crate::live::{Partials, Tenure};
use crate::partial::Safety;
use crate::purse::Purse;
use crate::shared::Shared;
use crate::temp::{Temp, file_mode};

/// Where the bytes go.
pub(crate) enum Body {
    /// Into a file that nobody else knows of and that goes away with the upload.
    Once(Draft),
    /// Into a partial, which stays if the upload breaks.
    Partial(Tenure),
}

/// What is known of the name when an upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing stands there.
    Vacant,
    /// What stands there may be replaced.
    Taken,
    /// Nobody has looked: it is done when the file is to get its name.
    Unknown,
}

/// The file, and what becomes of it if it is dropped.
pub(crate) struct Draft {
    temp: Temp,
    bytes: Bytes,
    leaves: Option<Leaving>,
}

/// Where what has come is to stay.
struct Leaving {
    place: Place,
    partials: Arc<Partials>,
    safety: Arc<Safety>,
}

impl Draft {
    /// An empty one, of which nothing stays.
    fn new(temp: Temp, file: OwnedFd, digesting: Digesting) -> Self {
        let bytes = match digesting {
            Digesting::Upload => Bytes::new(file),
            Digesting::Unhurried => Bytes::unhurried(file),
            Digesting::OnDemand => Bytes::undigested(file),
        };
        Self {
            temp,
            bytes,
            leaves: None,
        }
    }

    /// Has what comes stay at `place` if this is dropped.
    pub(crate) fn leave_at(
        &mut self,
        place: Place,
        partials: &Arc<Partials>,
        safety: &Arc<Safety>,
    ) {
        self.leaves = Some(Leaving {
            place,
            partials: Arc::clone(partials),
            safety: Arc::clone(safety),
        });
    }

    /// Has nothing stay.
    pub(crate) fn leave_nothing(&mut self) {
        self.leaves = None;
    }

    pub(crate) fn bytes(&mut self) -> &mut Bytes {
        &mut self.bytes
    }

    /// The name to be, the file, what is in it and what is reserved for it: whoever takes these sees to the rest.
    pub(crate) fn hand_over(mut self) -> (Temp, Arc<OwnedFd>, Mark, Option<Purse>) {
        self.leave_nothing();
        let file = Arc::clone(self.bytes.file());
        let (mark, purse) = (self.bytes.mark(), self.bytes.take_purse());
        (self.temp.hand_over(), file, mark, purse)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(leaving) = self.leaves.take()
            && self.bytes.len() > 0
        {
            let Leaving {
                place,
                partials,
                safety,
            } = leaving;
            // Best effort: without it the next attempt begins at nothing.
            partials
                .keep(&place, &safety, &mut self.temp, &mut self.bytes)
                .ok();
        }
    }
}

/// A file for this upload alone. Where nothing is to be replaced it needs no name before its own: that
/// saves a rename and a lock (a third of all that a small file costs), and a crash leaves nothing.
pub(crate) fn fresh(
    shared: &Shared,
    place: &Place,
    options: &CreateOptions,
    target: Target,
) -> Result<Draft, Errno> {
    if target != Target::Taken {
        let mode = first_mode(options);
        if let Some((temp, file)) = shared.nameless.create(&place.dir, mode) {
            return Ok(Draft::new(temp, file, options.digesting));
        }
    }
    once(place, options)
}

pub(crate) fn once(place: &Place, options: &CreateOptions) -> Result<Draft, Errno> {
    let (temp, file) = Temp::create(&place.dir, first_mode(options))?;
    Ok(Draft::new(temp, file, options.digesting))
}

/// The mode to make the file with: the right one at once, unless others could write to it then.
pub(crate) fn first_mode(options: &CreateOptions) -> Mode {
    match options.mode {
        Some(mode) if mode & 0o622 == 0o600 => Mode::from_raw_mode(mode & 0o777),
        Some(_) | None => file_mode(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_it_is_on_its_way_nobody_else_can_write_to_it() {
        for mode in 0..=0o7777 {
            let options = CreateOptions {
                mode: Some(mode),
                ..CreateOptions::default()
            };
            let first = first_mode(&options).as_raw_mode();
            assert_eq!(first & 0o7022, 0, "{mode:o}");
            assert_eq!(first & 0o600, 0o600, "{mode:o}: we can");
        }
    }
}
