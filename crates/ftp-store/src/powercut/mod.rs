//! For tests: what a power cut leaves. A seeded workload runs on a real store while every change is
//! recorded; then the record is cut at many points, everything that was not synced is lost, kept or
//! torn at random, and what was answered must still be there.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not name is a failure or of no matter"
)]

mod image;
mod work;

use std::os::fd::OwnedFd;

use fastrand::Rng;
use ftp_proto::Durability;

use self::image::{Image, Lie};
use self::work::Work;
use crate::bytes::Bytes;
use crate::partial::{self, Safety};
use crate::record::Event;
use crate::sys;

/// Cuts that are tried on each record.
const CUTS: usize = 60;

/// `MUXFTP_POWERCUT_SEEDS` makes it more.
fn seeds() -> u64 {
    let more = std::env::var("MUXFTP_POWERCUT_SEEDS").ok();
    more.and_then(|text| text.parse().ok()).unwrap_or(24)
}

/// Runs a workload; `None` as verdict if every cut is survived, else what was lost.
struct Trial {
    work: Work,
    events: Vec<Event>,
    rng: Rng,
}

impl Trial {
    fn run(seed: u64, durability: Durability) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (work, events) = Work::run(&mut rng, durability);
        Self { work, events, rng }
    }

    fn cut(&mut self, lie: Lie) -> (usize, Image) {
        let at = self.rng.usize(..=self.events.len());
        let events = self.events.get(..at).unwrap();
        (at, Image::after(events, lie, &mut self.rng))
    }

    fn verdict(&mut self, lie: Lie) -> Option<String> {
        (0..CUTS).find_map(|_| {
            let (at, image) = self.cut(lie);
            self.work.paths().find_map(|path| {
                let found = image.file(path);
                let fits = self.work.accepts(path, at, found.as_deref());
                let len = found.map(|bytes| bytes.len());
                (!fits).then(|| format!("cut at event {at}: {path} has {len:?} bytes"))
            })
        })
    }
}

#[test]
fn what_was_answered_as_stored_survives() {
    for durability in [Durability::Full, Durability::Data] {
        for seed in 0..seeds() {
            let mut trial = Trial::run(seed, durability);
            assert!(trial.work.answered() > 0);
            if let Some(lost) = trial.verdict(Lie::Nothing) {
                panic!("seed {seed}, {durability:?}: {lost}");
            }
        }
    }
}

#[test]
fn a_disk_that_lies_is_caught() {
    for (lie, durability) in [
        (Lie::Dirs, Durability::Full),
        (Lie::Files, Durability::Full),
        (Lie::Files, Durability::Data),
    ] {
        let caught = (0..seeds()).any(|seed| {
            let mut trial = Trial::run(seed, durability);
            trial.verdict(lie).is_some()
        });
        assert!(
            caught,
            "the model would not see {lie:?} under {durability:?}"
        );
    }
}

#[test]
fn what_a_resume_is_told_after_a_cut_is_what_was_sent() {
    let after = Safety {
        durability: Durability::Full,
        every: 1,
        boot: "the next one".to_owned(),
    };
    let mut resumed = 0;
    for seed in 0..seeds() {
        let mut trial = Trial::run(seed, Durability::Full);
        for _ in 0..CUTS {
            let (at, image) = trial.cut(Lie::Nothing);
            for (path, size) in trial.work.attempts() {
                let (dir, target) = path.rsplit_once('/').unwrap_or(("", path));
                let name = format!("{dir}/{}", partial::name(target, Some(size), None));
                let Some(found) = image.partial(&name) else {
                    continue;
                };
                let file = OwnedFd::from(tempfile::tempfile().unwrap());
                sys::write(&file, &found.bytes, 0).unwrap();
                let note = found.note.unwrap_or_default();
                if !note.is_empty() && sys::set_attribute(&file, &note).is_err() {
                    println!("skipped: no extended attributes in the temp folder");
                    return;
                }
                let mut bytes = Bytes::new(file);
                after.recover(&mut bytes, size).unwrap();
                let seen = bytes.mark();
                let digest = seen.digest().unwrap();
                let fits = trial.work.sent(path, size, seen.len(), digest);
                assert!(fits, "seed {seed}, event {at}: {path}");
                let noted = partial::noted(&note);
                assert!(
                    !found.holds || seen.len() == noted,
                    "seed {seed}, event {at}: {path} has {} of {noted}",
                    seen.len()
                );
                resumed += usize::from(seen.len() > 0);
            }
        }
    }
    assert!(resumed > 0, "no cut left a partial with something in it");
}
