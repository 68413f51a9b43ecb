//! Bandwidth, where it is limited: what a session may read from its sockets and write to them.
//!
//! The server has one [`Bandwidth`], a ledger for each direction; a lock is held for a look-up and no longer. A session
//! that some rate limits has [`Meters`]; any other has none and asks nobody. Every byte counts, of payload or not, and
//! before it moves: a file range stays a file range, and a socket that is not read is backpressure.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ftp_access::address::Block;
use ftp_access::buckets::{Draw, FlowId, Ledger, Sharing};

/// When there are too many flows, it is asked again after this.
const CROWDED: Duration = Duration::from_secs(1);

/// The rates of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Towards the server.
    pub upload: Rate,
    /// From the server.
    pub download: Rate,
}

/// The rates of one direction, in bytes per second; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Of everybody together.
    pub all: Option<u64>,
    /// Of all sessions of one address (in IPv6, of one /64).
    pub per_address: Option<u64>,
    /// Of each session.
    pub per_session: Option<u64>,
}

/// What all sessions have used.
#[derive(Debug, Default)]
pub(crate) struct Bandwidth {
    upload: Mutex<Ledger>,
    download: Mutex<Ledger>,
}

/// Which ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Upload,
    Download,
}

/// Whose bandwidth a session uses.
#[derive(Clone, Debug)]
pub(super) struct Whose {
    pub(super) session: u64,
    pub(super) address: IpAddr,
    /// Who is logged in, with the rates of all their sessions together: upload, download.
    pub(super) user: Option<(Arc<str>, Option<u64>, Option<u64>)>,
}

/// Both directions of one session.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) upload: Option<Meter>,
    pub(super) download: Option<Meter>,
}

/// One direction of one session.
#[derive(Debug)]
pub(super) struct Meter {
    bandwidth: Arc<Bandwidth>,
    way: Way,
    sharing: Sharing,
    /// Open from the first byte on.
    flow: Option<FlowId>,
    /// Granted, and not moved.
    granted: u64,
    held_up: Option<HeldUp>,
    /// Time for which it was held up, since that was last asked.
    waited: Duration,
}

/// A bucket has nothing.
#[derive(Clone, Copy, Debug)]
struct HeldUp {
    since: Instant,
    /// Asking again before is of no use.
    until: Instant,
}

impl Bandwidth {
    fn ledger(&self, way: Way) -> MutexGuard<'_, Ledger> {
        let ledger = match way {
            Way::Upload => &self.upload,
            Way::Download => &self.download,
        };
        ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meters {
    /// Meters for the directions that are limited; `None` if neither is.
    pub(super) fn new(
        bandwidth: &Arc<Bandwidth>,
        rates: &Rates,
        whose: &Whose,
    ) -> Option<Box<Self>> {
        let meter = |way, rate: Rate, of_user: Option<u64>| {
            let limits = [rate.all, rate.per_address, rate.per_session, of_user];
            let user = whose.user.as_ref().map(|(name, ..)| name);
            limits.iter().any(Option::is_some).then(|| Meter {
                bandwidth: Arc::clone(bandwidth),
                way,
                sharing: Sharing {
                    session: (whose.session, rate.per_session),
                    user: user.map(|name| (Arc::clone(name), of_user)),
                    address: (Block::of(whose.address), rate.per_address),
                    all: rate.all,
                },
                flow: None,
                granted: 0,
                held_up: None,
                waited: Duration::ZERO,
            })
        };
        let of_user = whose.user.as_ref();
        let upload = of_user.and_then(|(_, upload, _)| *upload);
        let download = of_user.and_then(|(.., download)| *download);
        let meters = Self {
            upload: meter(Way::Upload, rates.upload, upload),
            download: meter(Way::Download, rates.download, download),
        };
        let limited = meters.upload.is_some() || meters.download.is_some();
        limited.then(|| Box::new(meters))
    }

    /// Gives back what was granted and did not move.
    pub(super) fn settle(&mut self) {
        for meter in self.each() {
            meter.settle();
        }
    }

    /// When there may be something for a direction that is held up.
    pub(super) fn wake(&self) -> Option<Instant> {
        let meters = [&self.upload, &self.download].into_iter().flatten();
        let held_up = meters.filter_map(|meter| meter.held_up);
        held_up.map(|held_up| held_up.until).min()
    }

    /// Whether a direction is held up, and for how long one was since this was last asked.
    pub(super) fn waited(&mut self, now: Instant) -> (bool, Duration) {
        let (mut held_up, mut waited) = (false, Duration::ZERO);
        for meter in self.each() {
            held_up |= meter.held_up.is_some();
            waited = waited.max(meter.take_waited(now));
        }
        (held_up, waited)
    }

    fn each(&mut self) -> impl Iterator<Item = &mut Meter> {
        [&mut self.upload, &mut self.download].into_iter().flatten()
    }
}

impl Meter {
    /// How many of `want` bytes may move now; those that do are to be told by [`Meter::moved`].
    pub(super) fn grant(&mut self, want: u64, now: Instant) -> u64 {
        if want == 0 || self.held_up.is_some_and(|held_up| held_up.until > now) {
            return 0;
        }
        if self.granted == 0 {
            match self.draw(want, now) {
                Draw::Granted(bytes) => {
                    self.granted = bytes;
                    self.waited += self.held_up.take().map_or(Duration::ZERO, |held_up| {
                        now.saturating_duration_since(held_up.since)
                    });
                }
                Draw::NotBefore(until) => {
                    let since = self.held_up.map_or(now, |held_up| held_up.since);
                    self.held_up = Some(HeldUp { since, until });
                }
            }
        }
        self.granted.min(want)
    }

    /// So many of the granted bytes moved.
    pub(super) fn moved(&mut self, bytes: u64) {
        self.granted = self.granted.saturating_sub(bytes);
    }

    fn draw(&mut self, want: u64, now: Instant) -> Draw {
        let mut ledger = self.bandwidth.ledger(self.way);
        let flow = match self.flow {
            Some(flow) => flow,
            None => match ledger.open(&self.sharing, now) {
                Ok(flow) => *self.flow.insert(flow),
                Err(error) => {
                    tracing::warn!(%error, "a transfer waits");
                    return Draw::NotBefore(now + CROWDED);
                }
            },
        };
        ledger.draw(flow, want, now)
    }

    fn settle(&mut self) {
        let unused = std::mem::take(&mut self.granted);
        if let Some(flow) = self.flow.filter(|_| unused > 0) {
            self.bandwidth.ledger(self.way).give_back(flow, unused);
        }
    }

    fn take_waited(&mut self, now: Instant) -> Duration {
        let mut waited = std::mem::take(&mut self.waited);
        if let Some(held_up) = &mut self.held_up {
            waited += now.saturating_duration_since(held_up.since);
            held_up.since = now;
        }
        waited
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.settle();
        if let Some(flow) = self.flow.take() {
            self.bandwidth.ledger(self.way).close(flow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn whose(session: u64) -> Whose {
        Whose {
            session,
            address: IpAddr::from([192, 0, 2, 1]),
            user: None,
        }
    }

    fn rates(upload: Option<u64>) -> Rates {
        let mut rates = Rates::default();
        rates.upload.per_address = upload;
        rates
    }

    #[test]
    fn who_is_not_limited_has_no_meter() {
        let bandwidth = Arc::default();
        assert!(Meters::new(&bandwidth, &rates(None), &whose(1)).is_none());
        let meters = Meters::new(&bandwidth, &rates(Some(MB)), &whose(1)).unwrap();
        assert!(meters.upload.is_some() && meters.download.is_none());
        let user = Some(("anna".into(), None, Some(MB)));
        let of_user = Whose { user, ..whose(2) };
        let meters = Meters::new(&bandwidth, &rates(None), &of_user).unwrap();
        assert!(meters.upload.is_none() && meters.download.is_some());
    }

    #[test]
    fn what_was_not_used_is_there_for_the_next() {
        let bandwidth = Arc::default();
        let now = Instant::now();
        let mut one = Meters::new(&bandwidth, &rates(Some(MB)), &whose(1)).unwrap();
        let mut two = Meters::new(&bandwidth, &rates(Some(MB)), &whose(2)).unwrap();
        let half_a_burst = ftp_access::buckets::burst(MB) / 2;
        let granted = one.upload.as_mut().unwrap().grant(10 * MB, now);
        assert_eq!(granted, half_a_burst);
        assert_eq!(two.upload.as_mut().unwrap().grant(10 * MB, now), 0);
        let until = two.wake().unwrap();
        assert!(until > now);
        one.upload.as_mut().unwrap().moved(1000);
        one.settle();
        // Not asked again before it was said to be of use.
        assert_eq!(two.upload.as_mut().unwrap().grant(10 * MB, now), 0);
        let granted = two.upload.as_mut().unwrap().grant(10 * MB, until);
        assert!(granted > 0 && two.wake().is_none());
        // The time that it waited is told once.
        assert_eq!(two.waited(until), (false, until - now));
        assert_eq!(two.waited(until), (false, Duration::ZERO));
        two.upload.as_mut().unwrap().moved(granted);
        drop((one, two));
        let mut again = Meters::new(&bandwidth, &rates(Some(MB)), &whose(3)).unwrap();
        let granted = again.upload.as_mut().unwrap().grant(10 * MB, now);
        assert!(granted < half_a_burst, "who comes back finds it as it was");
    }

    /// Four sessions of one user from four addresses, who ask as fast as they may, in a time of their own; and another user beside.
    #[test]
    fn four_sessions_of_a_user_have_their_rate_together() {
        let (bandwidth, rate) = (Arc::default(), 10 * MB);
        let start = Instant::now();
        let of = |session: u64, name: &str, rate| Whose {
            session,
            address: IpAddr::from([192, 0, 2, u8::try_from(session).unwrap()]),
            user: Some((name.into(), Some(rate), Some(rate))),
        };
        let whose = (1..=5).map(|n| match n {
            5 => of(n, "ben", rate / 2),
            _ => of(n, "anna", rate),
        });
        let mut meters: Vec<_> = whose
            .map(|whose| Meters::new(&bandwidth, &Rates::default(), &whose).unwrap())
            .collect();
        let (ramp, end) = (
            start + Duration::from_secs(1),
            start + Duration::from_secs(11),
        );
        let (mut moved, mut now) = ([[0_u64; 2]; 5], start);
        while now < end {
            for (meters, moved) in meters.iter_mut().zip(&mut moved) {
                for (meter, moved) in meters.each().zip(moved) {
                    let granted = meter.grant(256 * 1024, now);
                    meter.moved(granted);
                    *moved += if now >= ramp { granted } else { 0 };
                }
                meters.settle();
            }
            // A turn of the loop later, or when the first of them may go on.
            let wake = meters.iter().filter_map(|meters| meters.wake()).min();
            now = wake.unwrap_or(now).max(now + Duration::from_millis(1));
        }
        let close = |bytes: u64, to: u64| bytes.abs_diff(to) * 20 <= to;
        for way in [0, 1] {
            let each: Vec<_> = moved.iter().map(|moved| moved[way]).collect();
            let (four, ben) = each.split_at(4);
            assert!(close(four.iter().sum(), 10 * rate), "{each:?}");
            assert!(
                four.iter().all(|own| close(*own, 10 * rate / 4)),
                "{each:?}"
            );
            assert!(close(ben[0], 10 * rate / 2), "{each:?}");
        }
    }
}
