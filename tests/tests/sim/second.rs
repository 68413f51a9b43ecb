//! What a session asks of the network beside its control connection: a port, a connection, TLS, a log-in. Each is
//! answered when the world says so, never in the same breath.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use ftp_proto::session::{Action, Channel, Input, LoginOutcome};

use super::link::{End, Link};
use super::shell::{CONTROL, DATA, Session};

/// Something that was asked and is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pending {
    Listening,
    Connecting(SocketAddr),
    Securing(Channel),
    Login(String),
}

/// What a session has of it.
#[derive(Debug, Default)]
pub(crate) struct Second {
    pending: VecDeque<Pending>,
    /// The open port.
    port: Option<u16>,
    last_port: u16,
    /// Log-ins are refused now and then.
    pub(crate) strict: bool,
    /// Ports and connections fail now and then.
    pub(crate) rough: bool,
}

impl Second {
    pub(crate) fn check_end(&self) {
        assert_eq!(self.port, None, "a port without control");
        // What cannot be taken back is answered to nobody.
        let left =
            |pending: &&Pending| matches!(pending, Pending::Listening | Pending::Connecting(_));
        let left = self.pending.iter().find(left);
        assert_eq!(left, None, "asked and not taken back");
    }
}

impl Session {
    pub(super) fn ask_network(&mut self, action: Action, _now: Instant) {
        let second = &mut self.second;
        match action {
            Action::Listen { channel } => {
                assert_eq!(channel, DATA);
                self.check_single();
                self.second.pending.push_back(Pending::Listening);
            }
            Action::Connect { channel, address } => {
                assert_eq!(channel, DATA);
                assert_eq!(address.ip(), super::ftp::PEER, "a bounce");
                self.check_single();
                self.second.pending.push_back(Pending::Connecting(address));
            }
            Action::StopListening { .. } => {
                second.port = None;
                second
                    .pending
                    .retain(|pending| *pending != Pending::Listening);
            }
            Action::StartTls { channel, .. } => {
                let link = self.sendable(channel);
                if channel == CONTROL {
                    // What came in plain is not believed.
                    link.inbox.clear();
                } else {
                    link.securing = true;
                }
                self.second.pending.push_back(Pending::Securing(channel));
            }
            Action::Login { user, .. } => {
                let asks = |pending: &Pending| matches!(pending, Pending::Login(_));
                assert!(!second.pending.iter().any(asks), "two log-ins at once");
                second.pending.push_back(Pending::Login(user));
            }
            Action::Send { .. }
            | Action::SendFile { .. }
            | Action::Disk { .. }
            | Action::Close { .. }
            | Action::Report(_) => unreachable!("nothing of the network"),
        }
    }

    /// One data connection, or one way to it, at a time.
    fn check_single(&self) {
        assert!(self.links[1].is_none(), "a second data connection");
        assert_eq!(self.second.port, None, "a connection beside a port");
        let ways = self.second.pending.iter();
        let ways = ways.filter(|way| matches!(way, Pending::Listening | Pending::Connecting(_)));
        assert_eq!(ways.count(), 0, "two ways at once");
    }

    /// There is a data connection, or one to come.
    pub(crate) fn has_data(&self) -> bool {
        let way =
            |pending: &Pending| matches!(pending, Pending::Listening | Pending::Connecting(_));
        let asked = self.second.pending.iter().any(way);
        asked || self.second.port.is_some() || self.links[1].is_some()
    }

    /// Something can be answered.
    pub(crate) fn may_answer(&self) -> bool {
        self.end == End::Open && self.answerable().is_some()
    }

    fn answerable(&self) -> Option<usize> {
        let ready = |pending: &Pending| match pending {
            Pending::Listening | Pending::Login(_) => true,
            Pending::Connecting(address) => {
                let data = self.client.look_at_data();
                data.is_some_and(|data| data.takes(address.port()))
            }
            // What was queued goes out first.
            Pending::Securing(channel) => self.link(*channel).is_some_and(Link::is_flushed),
        };
        self.second.pending.iter().position(ready)
    }

    pub(crate) fn answer(&mut self, now: Instant, rng: &mut Rng) {
        let Some(pending) = self
            .answerable()
            .and_then(|at| self.second.pending.remove(at))
        else {
            return;
        };
        let fails = self.second.rough && rng.u32(..12) == 0;
        let (channel, why) = (DATA, "no".to_owned());
        match pending {
            Pending::Listening | Pending::Connecting(_) if fails => {
                self.tell(Input::OpenFailed { channel, why }, now);
            }
            Pending::Listening => {
                self.second.last_port += 1;
                let port = 40_000 + self.second.last_port;
                self.second.port = Some(port);
                let address = SocketAddr::new(super::ftp::SERVER, port);
                self.tell(Input::Listening { channel, address }, now);
            }
            Pending::Connecting(address) => self.welcome(address.port(), now),
            Pending::Securing(channel) if fails => self.lose(channel, now),
            Pending::Securing(channel) => {
                if let Some(link) = self.link_mut(channel) {
                    link.securing = false;
                }
                let user = None;
                self.tell(Input::Secured { channel, user }, now);
            }
            Pending::Login(user) => {
                let outcome = match rng.u32(..20) {
                    0 if self.second.strict => LoginOutcome::Later {
                        why: "too many".to_owned(),
                        after: Duration::from_secs(5),
                    },
                    1..=4 if self.second.strict => LoginOutcome::Refused,
                    _ => LoginOutcome::Admitted { user },
                };
                self.tell(Input::Login(outcome), now);
            }
        }
    }

    /// The client knocks at a port. If nobody listens there, it finds that out.
    pub(crate) fn dial(&mut self, now: Instant) {
        let Some(port) = self.client.data().and_then(|data| data.dialed()) else {
            return;
        };
        if self.second.port == Some(port) {
            self.second.port = None;
            self.welcome(port, now);
        }
    }

    fn welcome(&mut self, port: u16, now: Instant) {
        self.links[1] = Some(Link::new());
        if let Some(data) = self.client.data() {
            data.connected(port);
        }
        let peer = Some(SocketAddr::new(super::ftp::PEER, port));
        self.tell(
            Input::Opened {
                channel: DATA,
                peer,
            },
            now,
        );
    }

    /// The data connection does not come about, or breaks. Says whether there was anything to break.
    pub(crate) fn fail_data(&mut self, now: Instant) -> bool {
        if self.links[1].is_some() {
            self.lose(DATA, now);
            return true;
        }
        let way =
            |pending: &Pending| matches!(pending, Pending::Connecting(_) | Pending::Listening);
        let at = self.second.pending.iter().position(way);
        let asked = at.and_then(|at| self.second.pending.remove(at)).is_some();
        if asked || self.second.port.take().is_some() {
            let (channel, why) = (DATA, "no".to_owned());
            self.tell(Input::OpenFailed { channel, why }, now);
            return true;
        }
        false
    }

    /// The data connection is no more.
    pub(super) fn drop_data(&mut self, clean: bool) {
        let away = |pending: &Pending| {
            matches!(pending, Pending::Connecting(_)) || *pending == Pending::Securing(DATA)
        };
        self.second.pending.retain(|pending| !away(pending));
        if self.links[1].take().is_some()
            && let Some(data) = self.client.data()
        {
            data.lost(clean);
        }
    }

    /// `Close` of the data connection.
    pub(super) fn close_data(&mut self, flush: bool) {
        if flush {
            let link = self.sendable(DATA);
            link.end = End::Flushing;
            return;
        }
        self.drop_data(false);
    }

    /// A connection that was to be closed has sent its last byte.
    pub(crate) fn may_close_data(&self) -> bool {
        let done = |link: &Link| link.end == End::Flushing && link.is_flushed();
        self.link(DATA).is_some_and(done)
    }

    pub(crate) fn closed_data(&mut self, now: Instant) {
        self.drop_data(true);
        self.tell(Input::Closed { channel: DATA }, now);
    }
}
