//! Wall time, and processor time of this process by user and system.

use std::time::Instant;

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

/// Running since it was made.
pub(crate) struct Meter {
    wall: Instant,
    cpu: f64,
    user: f64,
    system: f64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        let (user, system) = split();
        Self {
            wall: Instant::now(),
            cpu: processor(),
            user,
            system,
        }
    }

    /// Prints what it cost by item.
    pub(crate) fn per_item(self, name: &str, items: usize) {
        let per = 1e6 / items as f64;
        let (wall, cpu, user, system) = self.stop();
        println!(
            "{name:<16} {:9.2} us wall  {:9.2} us cpu  ({:7.2} user {:7.2} system) each, {:.0}/s",
            wall * per,
            cpu * per,
            user * per,
            system * per,
            items as f64 / wall,
        );
    }

    /// Prints how fast it went.
    pub(crate) fn per_byte(self, name: &str, bytes: u64) {
        let gib = bytes as f64 / f64::from(1 << 30);
        let (wall, cpu, user, system) = self.stop();
        println!(
            "{name:<16} {:6.2} GiB/s wall  {:6.2} GiB/s of cpu  ({user:.2} s user {system:.2} s system)",
            gib / wall,
            gib / cpu,
        );
    }

    fn stop(self) -> (f64, f64, f64, f64) {
        let (user, system) = split();
        (
            self.wall.elapsed().as_secs_f64(),
            processor() - self.cpu,
            user - self.user,
            system - self.system,
        )
    }
}

/// Exact, but not split.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// In ticks, mostly of 10 ms: user and system.
fn split() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The program's name, in brackets, may hold anything.
    let (_, rest) = text.rsplit_once(") ").unwrap();
    let ticks = |index| {
        let word: &str = rest.split(' ').nth(index).unwrap();
        word.parse::<f64>().unwrap() / clock_ticks_per_second() as f64
    };
    (ticks(11), ticks(12))
}
