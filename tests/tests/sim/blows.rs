//! What befalls a world: losses, silence, time, changes behind the server's back, a power cut; and in standard FTP an
//! interruption of one kind in one state.

use std::time::Duration;

use ftp_proto::rfc959::State;
use ftp_proto::session::{Appetite, Input};

use super::ftp::strike::Strike;
use super::link::End;
use super::player::Player;
use super::shell::{CONTROL, Session};
use super::world::World;

/// What befalls a session, or all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Blow {
    Lost,
    Eof,
    Drain,
    Babble,
    Deaf,
    Mute,
    Truncate,
    Sweep,
    Wait,
    PowerCut,
}

/// Which interruption is due in which state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) state: State,
    pub(crate) strike: Strike,
}

impl World {
    pub(super) fn draw_blows(&mut self, resumes: bool) {
        let rng = &mut self.rng;
        let mut blows = Vec::new();
        for _ in 0..rng.u32(1..4) {
            let blow = match rng.u32(..10) {
                _ if resumes && rng.bool() => Blow::Lost,
                _ if resumes && rng.u32(..4) == 0 => Blow::Sweep,
                0 => Blow::Lost,
                1 => Blow::Eof,
                2 => Blow::Drain,
                3 => Blow::Babble,
                4 => Blow::Deaf,
                5 => Blow::Mute,
                6 => Blow::Truncate,
                7 => Blow::Sweep,
                8 => Blow::PowerCut,
                _ => Blow::Wait,
            };
            blows.push((rng.u32(..900), rng.usize(..self.clients), blow));
        }
        blows.sort_by_key(|(step, ..)| *step);
        self.blows = blows.into();
    }

    /// Deals what is due at this step.
    pub(super) fn befall(&mut self, step: u32) {
        self.strike();
        while let Some(&(at, index, blow)) = self.blows.front() {
            if at > step {
                break;
            }
            self.blows.pop_front();
            let (now, pause) = (self.now, Duration::from_secs(self.rng.u64(..400)));
            let clients = self.clients;
            let mut sessions = self.sessions.iter_mut().rev();
            let Some(session) = sessions.find(|session| session.index % clients == index) else {
                continue;
            };
            if self.tells {
                println!("{step}: {blow:?}");
            }
            let open = session.end != End::Gone;
            match blow {
                Blow::Lost if open => session.lose(CONTROL, now),
                Blow::Eof if session.may_eof(CONTROL) => session.hang_up(now),
                Blow::Drain if open => session.tell(Input::Drain, now),
                Blow::Babble => session.client.babble(&mut self.rng),
                Blow::Deaf => session.client.deafen(),
                Blow::Mute => session.client.mute(),
                Blow::Truncate if session.is_reading() => self.truncate(),
                // Worth the blow only while somebody reads.
                Blow::Truncate if !session.is_over() => {
                    self.blows.push_front((step + 1, index, blow));
                    break;
                }
                Blow::Sweep => self.disk.sweep(),
                Blow::Wait => self.wait(pause),
                Blow::PowerCut => self.power_cut(),
                Blow::Lost | Blow::Eof | Blow::Drain | Blow::Truncate => {}
            }
        }
    }

    /// Files become shorter behind the server's back.
    fn truncate(&mut self) {
        for inode in self.disk.fs.files() {
            let mut bytes = inode.bytes.borrow_mut();
            let len = self.rng.usize(..=bytes.len());
            bytes.truncate(len);
        }
        self.climate.shared = true;
        self.climate.tampered = true;
    }

    /// The server is gone from one moment to the next. What it has answered is there afterwards.
    fn power_cut(&mut self) {
        self.disk.cut(&mut self.rng);
        self.summary.cuts += 1;
        if !self.climate.tampered {
            self.check_whole();
        }
        if self.certain && !self.climate.shared {
            self.check_answered();
        }
        for mut session in std::mem::take(&mut self.sessions) {
            session.end = End::Gone;
            self.bury(session);
        }
        self.certain = false;
        self.climate.shared = true;
    }

    fn check_answered(&self) {
        let mut unsettled = Vec::new();
        for session in &self.sessions {
            let Player::Ftp(client) = &session.client else {
                return;
            };
            match client.unsettled() {
                Some(paths) => unsettled.extend(paths),
                None => return,
            }
        }
        let mut is = self.disk.fs.contents();
        let mut answered = self.reference.contents();
        for path in unsettled {
            is.remove(path.as_str());
            answered.remove(path.as_str());
        }
        assert_eq!(is, answered, "what was answered is not there");
    }

    /// Interrupts what is to be interrupted, once it is at the state where it is to be.
    fn strike(&mut self) {
        let Some(target) = self.target else {
            return;
        };
        let now = self.now;
        let is_there = |session: &&mut Session| session.machine.state() == Some(target.state);
        let Some(session) = self.sessions.iter_mut().find(is_there) else {
            return;
        };
        // Not always the first time.
        if self.rng.u32(..3) == 0 || !session.suffers(target.strike, now) {
            return;
        }
        if let Player::Ftp(client) = &mut session.client {
            client.note(target.state, target.strike);
        }
        if self.tells {
            println!("{target:?}");
        }
        self.target = None;
        let struck = &mut self.summary.struck;
        *struck.entry((target.state, target.strike)).or_default() += 1;
    }
}

impl Session {
    /// The client sends no more.
    fn hang_up(&mut self, now: std::time::Instant) {
        self.client.mute();
        self.eof(CONTROL, now);
    }

    /// Is interrupted, if it can be just now.
    fn suffers(&mut self, strike: Strike, now: std::time::Instant) -> bool {
        if self.end == End::Gone {
            return false;
        }
        let listens = self.appetite(CONTROL) == Appetite::Message;
        let quiet = self.link(CONTROL).is_some_and(|link| link.inbox.is_empty());
        let quiet = quiet && !self.client.has_sent(CONTROL);
        match strike {
            Strike::Abor | Strike::Quit | Strike::Stat => {
                let (Some(line), Player::Ftp(client)) = (strike.line(), &mut self.client) else {
                    return false;
                };
                if !listens || !quiet || !client.sends {
                    return false;
                }
                client.interrupt(line);
                let wire = std::mem::take(&mut client.wire);
                let len = wire.len();
                if let Some(link) = self.link_mut(CONTROL) {
                    link.inbox = wire;
                }
                self.hear(len, now);
                true
            }
            Strike::DataLost => self.fail_data(now),
            Strike::ControlLost => {
                self.lose(CONTROL, now);
                true
            }
            Strike::ControlEnds => {
                let may = quiet && self.may_eof(CONTROL);
                if may {
                    self.hang_up(now);
                }
                may
            }
            Strike::Drain => {
                self.tell(Input::Drain, now);
                true
            }
        }
    }
}
