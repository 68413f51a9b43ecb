//! What must follow upon an interruption: how the transfer that it met ends, and how the session does.
//!
//! Holds only where nothing else goes wrong, as in the worlds that are there for one interruption.

use std::collections::VecDeque;

use ftp_proto::rfc959::{State, Way};

use super::client::{Reply, Waiting};
use super::plan::About;
use super::strike::Strike;

/// Checks how a transfer that was met by an interruption has ended. `waiting` is what is not answered yet.
pub(crate) fn check(asked: &Waiting, last: &Reply, waiting: &VecDeque<Waiting>) {
    let (Some((state, strike)), About::Move(moved)) = (asked.hit, &asked.command.about) else {
        return;
    };
    let begun = asked.first.is_some();
    if let Some(code) = code(state, strike, begun && moved.goes_well()) {
        let right = last.code == code || !begun && last.code == 550;
        assert!(right, "{code} was due: {asked:?}: {last:?}");
    }
    if strike == Strike::Stat && is_transfer(state) {
        let late = waiting.iter().any(|later| later.command.line == "STAT");
        assert!(!late, "STAT was not heard in mid-transfer: {asked:?}");
    }
}

/// How a transfer ends that is met by `strike` in `state`, if that is sure.
fn code(state: State, strike: Strike, goes_well: bool) -> Option<u16> {
    if !is_transfer(state) {
        return None;
    }
    match (strike, state) {
        // All of it has come.
        (Strike::Abor | Strike::DataLost, State::Finishing(Way::Upload) | State::Stored) => {
            Some(226)
        }
        (Strike::Abor, _) => Some(426),
        (Strike::DataLost, State::Moving(_) | State::Finishing(_)) => Some(426),
        (Strike::DataLost, _) => Some(425),
        // What is under way is finished first.
        (Strike::Quit | Strike::Stat | Strike::ControlEnds | Strike::Drain, _) => {
            goes_well.then_some(226)
        }
        (Strike::ControlLost, _) => None,
    }
}

/// Checks how a session ended that was interrupted, and not lost.
pub(crate) fn check_goodbye(strike: Strike, goodbye: Option<u16>) {
    match strike {
        Strike::Quit | Strike::Drain => {
            assert!(goodbye.is_some(), "no goodbye upon {strike:?}");
        }
        Strike::Abor
        | Strike::Stat
        | Strike::DataLost
        | Strike::ControlLost
        | Strike::ControlEnds => {}
    }
}

fn is_transfer(state: State) -> bool {
    match state {
        State::Preparing(_)
        | State::Connecting(_)
        | State::Handshaking(_)
        | State::Moving(_)
        | State::Finishing(_)
        | State::Stored => true,
        State::Silent
        | State::Outside
        | State::LoggingIn
        | State::Securing
        | State::Idle
        | State::Agreed
        | State::Listening
        | State::Asking
        | State::Showing
        | State::Ended => false,
    }
}
