//! `Upload`: a file on its way in, under a temp name beside its target.
//!
//! Nothing stands under the target's name before every byte is verified; then a rename puts it
//! there in one step. An upload that is dropped takes its temp file with it, or leaves a partial.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use ftp_proto::session::{CreateOptions, Fault, FaultKind, Outcome, Partial};
use ftp_proto::{Amount, Digest, Durability, IfExists, Kind, VPath};
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::block::Block;
use crate::bytes::{Bytes, digest_of};
use crate::digests::{Digests, FROM_BYTES};
use crate::draft::{Body, Target, first_mode, fresh, once};
use crate::error::{At, misuse, refuse, told};
use crate::jail::{Jail, Place};
use crate::live::{Tenure, Turn};
use crate::loan::Pace;
use crate::meta::{Stat, Version};
use crate::nearby::Nearby;
use crate::parents::make_parents;
use crate::partial::{self, Safety};
use crate::purse::{Account, Purse, weight};
use crate::shared::Shared;
use crate::temp::Temp;
use crate::{start, sys};

/// An upload under way.
pub(crate) struct Upload {
    path: VPath,
    place: Place,
    options: CreateOptions,
    safety: Arc<Safety>,
    body: Body,
    /// A partial was shown, and the sender has not said yet whether it goes on from it.
    undecided: bool,
    /// Nobody has looked yet at what stands under the name.
    unjudged: bool,
    /// Where its bytes are counted, if anywhere.
    account: Option<Arc<dyn Account>>,
    /// There will be one file more than before.
    is_new: bool,
}

/// An upload that is whole: its digest and size are what the sender said.
pub(crate) struct Verified {
    pub(crate) path: VPath,
    place: Place,
    options: CreateOptions,
    /// Dropped before the file is closed and unlocked, so that nobody finds the name without its lock.
    temp: Temp,
    file: Arc<OwnedFd>,
    size: u64,
    /// Of the whole, if it was taken.
    digest: Option<Digest>,
    /// The file as its digest was noted in it.
    noted: Option<Version>,
    /// Nobody has looked yet at what stands under the name.
    unjudged: bool,
    purse: Option<Purse>,
    /// Dropped last: until the name is settled, nobody else may have the partial.
    tenure: Option<Tenure>,
}

/// What the rule of [`IfExists`] says of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing stands there.
    Create,
    Replace,
    Skip,
}

impl Upload {
    /// Makes the temp file, or finds the partial. The caller has asked [`judge`], unless the
    /// target is [`Target::Unknown`].
    pub(crate) fn begin(
        shared: &Shared,
        account: Option<&Arc<dyn Account>>,
        path: VPath,
        place: Place,
        mut options: CreateOptions,
        target: Target,
    ) -> Result<Self, Fault> {
        let (body, undecided) = match (options.start, options.size.filter(|_| options.resume)) {
            (Some(start), _) => {
                let body =
                    start::body(shared, account, &path, &place, &mut options, target, start)?;
                (body, false)
            }
            (None, Some(size)) => claim(shared, account, &place, &options, size)
                .map_err(|errno| told(&path, errno))?,
            (None, None) => {
                let draft = fresh(shared, &place, &options, target);
                (
                    Body::Once(draft.map_err(|errno| told(&path, errno))?),
                    false,
                )
            }
        };
        let mut upload = Self {
            path,
            place,
            options,
            safety: Arc::clone(&shared.safety),
            body,
            undecided,
            unjudged: target == Target::Unknown,
            account: account.cloned(),
            is_new: target != Target::Taken,
        };
        if !undecided {
            upload.reserve()?;
        }
        Ok(upload)
    }

    /// Its bytes are counted there from now on, with those that have come.
    pub(crate) fn belong(&mut self, account: &Arc<dyn Account>) {
        let same = |now: &Arc<dyn Account>| Arc::ptr_eq(now, account);
        if !self.account.as_ref().is_some_and(same) {
            self.account = Some(Arc::clone(account));
            // Those that another session has taken over are counted there.
            drop(self.with(|bytes, _| {
                bytes.belong(account, 0);
                Ok(())
            }));
        }
    }

    /// Refuses a file that a quota has no room for, and keeps the room for one that it has.
    fn reserve(&mut self) -> Result<(), Fault> {
        let Some(account) = self.account.clone() else {
            return Ok(());
        };
        let (size, files) = (self.options.size, u64::from(self.is_new));
        self.with(|bytes, _| {
            bytes.belong(&account, 0);
            let bytes_needed = size.unwrap_or(0).max(bytes.len());
            Ok(bytes.cover(Amount {
                bytes: bytes_needed,
                files,
            }))
        })?
    }

    /// How long the file is to become, where the sender knows.
    pub(crate) fn size(&self) -> Option<u64> {
        self.options.size
    }

    /// What an earlier attempt left, while it is undecided what becomes of it.
    pub(crate) fn partial(&self) -> Option<Partial> {
        match &self.body {
            Body::Partial(tenure) if self.undecided => {
                let seen = tenure.seen();
                let offset = seen.len();
                seen.digest().map(|digest| Partial { offset, digest })
            }
            Body::Partial(_) | Body::Once(..) => None,
        }
    }

    /// Goes on from the partial, or leaves it and starts at nothing.
    pub(crate) fn decide(&mut self, keep: bool) -> Result<(), Fault> {
        if !std::mem::take(&mut self.undecided) {
            return Ok(());
        }
        let Body::Partial(tenure) = &self.body else {
            return Ok(());
        };
        let result = if keep {
            tenure.take_over()
        } else {
            match tenure.start_over() {
                Ok(Turn::Ours) => Ok(()),
                Ok(Turn::Taken) => {
                    once(&self.place, &self.options).map(|draft| self.body = Body::Once(draft))
                }
                Err(error) => Err(error),
            }
        };
        result.map_err(|errno| told(&self.path, errno))?;
        self.reserve()
    }

    /// Looks at the file that takes the bytes and at how many are in it.
    pub(crate) fn inspect(
        &mut self,
        look: impl FnOnce(&OwnedFd, u64) -> Result<(), Errno>,
    ) -> Result<(), Fault> {
        self.with(|bytes, _| look(bytes.file(), bytes.len()))
    }

    /// Appends `blocks`. After an error the upload is of no use, and what it wrote is gone, unless
    /// another session goes on with it.
    pub(crate) fn write(&mut self, blocks: &mut Vec<Block>, pace: Pace<'_>) -> Result<(), Fault> {
        if self.undecided {
            return Err(misuse("payload before it is known where it goes"));
        }
        let more = blocks.iter().map(|block| block.len() as u64).sum();
        let limit = self.options.size.unwrap_or(u64::MAX);
        let (mut fits, mut room) = (true, Ok(()));
        let result = self.with(|file, safety| {
            let len = file.len().saturating_add(more);
            fits = len <= limit;
            if fits {
                room = file.cover(Amount::of_bytes(len));
            }
            if fits && room.is_ok() {
                file.write_blocks(blocks, pace)?;
            }
            Ok(safety.is_due(file))
        });
        let result = match result.and_then(|due| room.map(|()| due)) {
            Ok(_) if !fits => Err(refuse(
                FaultKind::SizeMismatch,
                &self.path,
                "more bytes came than were said",
            )),
            Ok(true) => self.checkpoint(),
            Ok(false) => Ok(()),
            Err(fault) => Err(fault),
        };
        result.inspect_err(|fault| {
            if fault.kind != FaultKind::Busy {
                self.discard();
            }
        })
    }

    /// Checks that the bytes are the sender's, and gives the file its mode and time.
    pub(crate) fn verify(
        self,
        digest: Option<Digest>,
        size: Option<u64>,
        digests: &Digests,
        nearby: &mut Nearby,
    ) -> Result<Verified, Fault> {
        let Self {
            path,
            place,
            options,
            body,
            undecided,
            unjudged,
            ..
        } = self;
        if undecided {
            return Err(misuse("a commit before it is known where the bytes are"));
        }
        let (temp, file, mark, purse, tenure) = match body {
            Body::Once(draft) => {
                let (temp, file, mark, purse) = draft.hand_over();
                (temp, file, mark, purse, None)
            }
            Body::Partial(tenure) => {
                let (temp, mut bytes) = tenure.seal().map_err(|errno| told(&path, errno))?;
                // It stood under a name for long: another hand may have been there.
                if Stat::of(bytes.file()).at(&path)?.size() != bytes.len() {
                    let words = "the partial was changed by another program";
                    return Err(refuse(FaultKind::Changed, &path, words));
                }
                let (file, purse) = (Arc::clone(bytes.file()), bytes.take_purse());
                (temp, file, bytes.mark(), purse, Some(tenure))
            }
        };
        for said in [size, options.size].into_iter().flatten() {
            if said != mark.len() {
                let words = format!("{} bytes came where {said} were said", mark.len());
                return Err(refuse(FaultKind::SizeMismatch, &path, &words));
            }
        }
        let found = match mark.digest() {
            None if digest.is_some() => {
                let read = digest_of(&file, mark.len()).at(&path)?;
                let words = "the upload was changed by another program";
                Some(read.ok_or_else(|| refuse(FaultKind::Changed, &path, words))?)
            }
            taken => taken,
        };
        if let Some(said) = digest
            && let Some(found) = found.filter(|found| *found != said)
        {
            let words = format!("the bytes that came have SHA-256 {found}, not {said}");
            return Err(refuse(FaultKind::DigestMismatch, &path, &words));
        }
        if let Some((seconds, nanos)) = options.mtime {
            sys::set_mtime(&file, seconds, nanos).at(&path)?;
        }
        // After the mtime, which it is bound to, and before a mode that may forbid it.
        let noted = found
            .filter(|_| mark.len() >= FROM_BYTES)
            .and_then(|found| digests.note(&file, found));
        if let Some(mode) = options.mode {
            let made_with = tenure.is_none().then(|| first_mode(&options));
            give_mode(&file, mode, made_with, &place.dir, nearby).at(&path)?;
        }
        Ok(Verified {
            path,
            place,
            options,
            temp,
            file,
            size: mark.len(),
            digest: found,
            noted,
            unjudged,
            purse,
            tenure,
        })
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Bytes, &Safety) -> Result<T, Errno>,
    ) -> Result<T, Fault> {
        let Self {
            body, safety, path, ..
        } = self;
        match body {
            Body::Once(draft) => work(draft.bytes(), safety),
            Body::Partial(tenure) => tenure.with(|bytes| work(bytes, safety)),
        }
        .map_err(|errno| told(path, errno))
    }

    /// Keeps the bytes that a power cut could take from growing without bound.
    fn checkpoint(&mut self) -> Result<(), Fault> {
        match &mut self.body {
            Body::Once(draft) => {
                let bytes = draft.bytes();
                sys::sync_data(bytes.file()).map(|()| bytes.note_synced())
            }
            Body::Partial(tenure) => tenure.checkpoint(),
        }
        .map_err(|errno| told(&self.path, errno))
    }

    /// Leaves nothing behind: a disk that is full should not stay so for what cannot be finished.
    fn discard(&mut self) {
        match &mut self.body {
            Body::Once(draft) => draft.leave_nothing(),
            // Not ours any more if it fails.
            Body::Partial(tenure) => drop(tenure.seal()),
        }
    }
}

/// The umask or the folder may have made another one of it; mostly they have not.
fn give_mode(
    file: &OwnedFd,
    mode: u32,
    made_with: Option<Mode>,
    dir: &Arc<OwnedFd>,
    nearby: &mut Nearby,
) -> Result<(), Errno> {
    let mode = mode & 0o777;
    let as_asked = made_with == Some(Mode::from_raw_mode(mode));
    if as_asked && nearby.gives(dir, mode) {
        return Ok(());
    }
    if Stat::of(file)?.mode() != mode {
        return sys::set_mode(file, mode);
    }
    if as_asked {
        nearby.note_mode(dir, mode);
    }
    Ok(())
}

/// The partial of an earlier attempt, or a new one, and whether there is something in it to decide on.
fn claim(
    shared: &Shared,
    account: Option<&Arc<dyn Account>>,
    place: &Place,
    options: &CreateOptions,
    size: u64,
) -> Result<(Body, bool), Errno> {
    let beside = Place {
        dir: Arc::clone(&place.dir),
        name: partial::name(&place.name, Some(size), options.owner.as_deref()),
    };
    let tenure = shared
        .partials
        .claim(beside, size, &shared.safety, account)?;
    if tenure.seen().len() > 0 {
        return Ok((Body::Partial(tenure), true));
    }
    match tenure.start_over()? {
        Turn::Ours => Ok((Body::Partial(tenure), false)),
        Turn::Taken => once(place, options).map(|draft| (Body::Once(draft), false)),
    }
}

impl Verified {
    /// The file, for syncing.
    pub(crate) fn file(&self) -> impl AsFd {
        &self.file
    }

    /// The folder it stands in, for syncing.
    pub(crate) fn dir(&self) -> &Arc<OwnedFd> {
        &self.place.dir
    }

    /// Puts the file under its name, in one step, unless the rule of [`IfExists`] speaks against it.
    pub(crate) fn publish(
        mut self,
        durability: Durability,
        shared: &Shared,
    ) -> Result<Outcome, Fault> {
        let _naming = self.purse.is_some().then(|| shared.naming.hold());
        if self.unjudged {
            if self.takes_free_name(shared)? {
                return Ok(self.committed(durability, shared, Amount::default()));
            }
            // Refused like one that was looked at before it began.
            judge(&shared.jail, &self.path, &self.place, &self.options)?;
        }
        let gone = self.replaced()?;
        let Place { dir, name } = &self.place;
        let (temp, file) = (&mut self.temp, &self.file);
        if self.tenure.is_some() {
            // Not before: a crash until now leaves a partial that can be believed.
            sys::clear_attribute(file).at(&self.path)?;
        }
        let moved = match self.options.if_exists {
            IfExists::Replace => temp.replace(file, name),
            IfExists::Newer => {
                let stat = Stat::find(dir, name.as_str()).at(&self.path)?;
                match ruling(stat, &self.options, &self.path)? {
                    Verdict::Skip => return Ok(Outcome::Skipped),
                    Verdict::Create | Verdict::Replace => temp.replace(file, name),
                }
            }
            IfExists::Fail => temp.claim(file, name),
            IfExists::Skip => match temp.claim(file, name) {
                Err(Errno::EXIST) => return Ok(Outcome::Skipped),
                other => other,
            },
        };
        moved.at(&self.path)?;
        Ok(self.committed(durability, shared, gone))
    }

    /// What will stand there no more, where that is counted. If that is nothing, one file more is reserved.
    fn replaced(&mut self) -> Result<Amount, Fault> {
        let Some(purse) = &mut self.purse else {
            return Ok(Amount::default());
        };
        let Place { dir, name } = &self.place;
        let stat = Stat::find(dir, name.as_str()).at(&self.path)?;
        let gone = stat.as_ref().map(weight).unwrap_or_default();
        if gone.files == 0 {
            purse.cover(Amount {
                bytes: self.size,
                files: 1,
            })?;
        }
        Ok(gone)
    }

    /// Gives the file its name if nothing has it; says whether it did.
    fn takes_free_name(&mut self, shared: &Shared) -> Result<bool, Fault> {
        let mut claimed = self.temp.claim(&self.file, &self.place.name);
        if claimed == Err(Errno::NOENT) && self.options.parents {
            // The folder was removed since it was opened; a file without a name can still go elsewhere.
            make_parents(shared, &self.path)?;
            let place = shared.jail.place(&self.path)?;
            if self.temp.move_to(&place.dir) {
                self.place = place;
                claimed = self.temp.claim(&self.file, &self.place.name);
            }
        }
        let free = match claimed {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error).at(&self.path),
        };
        shared.note_crowded(!free);
        Ok(free)
    }

    fn committed(&mut self, durability: Durability, shared: &Shared, gone: Amount) -> Outcome {
        if let Some(purse) = self.purse.take() {
            purse.spend(self.size, gone);
        }
        if let (Some(noted), Some(digest)) = (&self.noted, self.digest) {
            shared.digests.settle(&self.file, noted, digest);
        }
        Outcome::Committed {
            size: self.size,
            digest: self.digest,
            durability,
        }
    }
}

/// Whether a file may be written at `place`, by what stands there and the rule of [`IfExists`].
pub(crate) fn judge(
    jail: &Jail,
    path: &VPath,
    place: &Place,
    options: &CreateOptions,
) -> Result<Verdict, Fault> {
    let stat = Stat::find(&place.dir, place.name.as_str()).at(path)?;
    // The rename would replace a link by the file; where it means a folder, that is not what the sender wants.
    if stat.is_some_and(|stat| stat.kind() == Kind::Link)
        && jail.stat(path).is_ok_and(|stat| stat.kind() == Kind::Dir)
    {
        return Err(Errno::ISDIR).at(path);
    }
    ruling(stat, options, path)
}

fn ruling(stat: Option<Stat>, options: &CreateOptions, path: &VPath) -> Result<Verdict, Fault> {
    let Some(stat) = stat else {
        return Ok(Verdict::Create);
    };
    match stat.kind() {
        Kind::Dir => return Err(Errno::ISDIR).at(path),
        Kind::Other => return Err(Errno::NXIO).at(path),
        Kind::File | Kind::Link => {}
    }
    match options.if_exists {
        IfExists::Replace => Ok(Verdict::Replace),
        IfExists::Fail => Err(Errno::EXIST).at(path),
        IfExists::Skip => Ok(Verdict::Skip),
        // Without a time of its own it cannot be the newer one.
        IfExists::Newer => match options.mtime {
            Some(time) if time > stat.mtime() => Ok(Verdict::Replace),
            Some(_) | None => Ok(Verdict::Skip),
        },
    }
}
