//! A job is done in one trip. Every operation yields exactly one outcome, whatever happened to those before it.

use std::mem;
use std::sync::Arc;

use ftp_proto::session::{Fault, Outcome};

use crate::block::Block;
use crate::error::misuse;
use crate::job::{Done, Effect, Job, Step};
use crate::loan::{Aside, Pace};
use crate::nearby::Nearby;
use crate::ops;
use crate::purse::Account;
use crate::shared::Shared;
use crate::slot::{Slot, State};
use crate::sync::Parked;

/// What became of a job.
#[derive(Debug)]
pub enum Run {
    /// It is done.
    Home(Done),
    /// It is done but for a round of syncing: see [`sync_round`](crate::sync_round).
    Parked(Parked),
}

pub(crate) fn run(
    shared: &Arc<Shared>,
    account: Option<&Arc<dyn Account>>,
    job: Job,
    nearby: &mut Nearby,
    aside: Option<&dyn Aside>,
) -> Run {
    let mut done = Done {
        slot: job.slot,
        outcomes: Vec::new(),
        fault: None,
        blocks: Vec::new(),
    };
    if let (State::Writing(upload), Some(account)) = (&mut done.slot.state, account) {
        upload.belong(account);
    }
    let pressed = job.pressed;
    let pace = Pace { aside, pressed };
    let mut unsynced = Vec::new();
    let mut verified = Vec::new();
    let mut blocks = Vec::new();
    for step in job.steps {
        match step {
            Step::Write(block) => blocks.push(block),
            Step::Op { job, op } => {
                write(&mut done, mem::take(&mut blocks), pace);
                let index = done.outcomes.len();
                let outcome = match ops::perform(shared, account, &mut done.slot, op, nearby) {
                    Ok(Effect::Told(outcome)) => outcome,
                    Ok(Effect::Unsynced(outcome)) => {
                        unsynced.push(index);
                        outcome
                    }
                    Ok(Effect::Verified(upload)) => {
                        verified.push((index, upload));
                        // Replaced by what the round of syncing finds.
                        Outcome::Failed(misuse("not synced"))
                    }
                    Err(fault) => Outcome::Failed(fault),
                };
                done.outcomes.push((job, outcome));
            }
        }
    }
    write(&mut done, blocks, pace);
    if unsynced.is_empty() && verified.is_empty() {
        return Run::Home(done);
    }
    Run::Parked(Parked::new(Arc::clone(shared), done, unsynced, verified))
}

/// Appends blocks, and empties them.
fn write(done: &mut Done, mut blocks: Vec<Block>, pace: Pace<'_>) {
    if blocks.is_empty() {
        return;
    }
    if let Err(fault) = append(&mut done.slot, &mut blocks, pace) {
        done.fault.get_or_insert(fault);
    }
    blocks.iter_mut().for_each(Block::clear);
    if done.blocks.is_empty() {
        done.blocks = blocks;
    } else {
        done.blocks.append(&mut blocks);
    }
}

fn append(slot: &mut Slot, blocks: &mut Vec<Block>, pace: Pace<'_>) -> Result<(), Fault> {
    let State::Writing(upload) = &mut slot.state else {
        return match slot.state {
            // Told already, by the operation that failed or skipped.
            State::Broken(_) | State::Skipped => Ok(()),
            State::Empty | State::Reading(_) | State::Writing(_) => {
                Err(misuse("payload for a file that is not being uploaded"))
            }
        };
    };
    upload.write(blocks, pace).inspect_err(|fault| {
        slot.state = State::Broken(fault.clone());
    })
}
