//! `Crew`: how the workers of a queue stand towards the server. Counts only; no lock, no connection.

/// How a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has no connection yet, or none any more.
    Coming,
    /// It has been let in.
    Aboard,
    /// The server has as many connections as it takes from us.
    KeptOut,
}

/// The workers that may still take something.
#[derive(Debug)]
pub(super) struct Crew {
    coming: usize,
    aboard: usize,
    kept_out: usize,
    /// Whether the finder has a connection of its own, and helps.
    helped: bool,
    /// Whether a worker ended because it failed.
    failed: bool,
}

impl Crew {
    pub(super) fn new(coming: usize, helped: bool) -> Self {
        Self {
            coming,
            aboard: 0,
            kept_out: 0,
            helped,
            failed: false,
        }
    }

    pub(super) fn change(&mut self, from: Standing, to: Standing) {
        let from = self.of(from);
        *from = from.saturating_sub(1);
        *self.of(to) += 1;
    }

    pub(super) fn leave(&mut self, from: Standing, failed: bool) {
        let from = self.of(from);
        *from = from.saturating_sub(1);
        self.failed |= failed;
    }

    /// Whether nobody is left who takes anything.
    pub(super) fn is_gone(&self) -> bool {
        self.len() == 0 && (self.failed || !self.helped)
    }

    /// Whether somebody carries.
    pub(super) fn is_carrying(&self) -> bool {
        self.aboard > 0
    }

    /// Whether the finder helps when it is needed.
    pub(super) fn is_helped(&self) -> bool {
        self.helped
    }

    /// Whether somebody carries, or may be about to.
    pub(super) fn is_hopeful(&self) -> bool {
        self.helped || self.aboard + self.coming > 0
    }

    /// Whether nobody carries but the finder, nor (unless that took too long) is about to.
    pub(super) fn wants_help(&self, late: bool) -> bool {
        self.helped && self.aboard == 0 && (self.coming == 0 || late) && !self.is_gone()
    }

    /// Whether one worker can leave the work to others.
    pub(super) fn is_shared(&self) -> bool {
        self.helped || self.len() > 1
    }

    fn len(&self) -> usize {
        self.coming + self.aboard + self.kept_out
    }

    fn of(&mut self, standing: Standing) -> &mut usize {
        match standing {
            Standing::Coming => &mut self.coming,
            Standing::Aboard => &mut self.aboard,
            Standing::KeptOut => &mut self.kept_out,
        }
    }
}
