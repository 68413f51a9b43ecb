//! A proxy between client and server that does to a connection what bad networks do.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What goes wrong, in bytes of one direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    Healthy,
    /// Each block is this late.
    Latency(Duration),
    /// Up to this many bytes come one at a time.
    Dribble(u64),
    /// The connection ends in good order after so many bytes.
    CutAfter(u64),
    /// The connection is reset after so many bytes.
    ResetAfter(u64),
    /// The lowest bit of this byte is flipped.
    FlipAt(u64),
    /// Nothing more passes after so many bytes, and nobody is told.
    StallAfter(u64),
    /// The connection is taken and nothing ever passes, in either direction.
    BlackHole,
}

/// Which direction suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From client to server.
    Up,
    /// From server to client.
    Down,
}

/// A running proxy.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Plan>,
    changed: Condvar,
    up: AtomicU64,
    down: AtomicU64,
    connections: AtomicU64,
}

struct Plan {
    target: SocketAddr,
    /// What each connection begins with, before anything of the client's.
    header: Vec<u8>,
    fault: Fault,
    way: Way,
    /// How many more connections suffer; the later ones are healthy.
    times: u64,
    live: HashMap<u64, [Arc<TcpStream>; 2]>,
    stopped: bool,
}

impl Proxy {
    /// A proxy to `target` whose first `times` connections suffer `fault` on the `way`.
    #[must_use]
    pub fn start(target: SocketAddr, fault: Fault, way: Way, times: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let plan = Plan {
            target,
            header: Vec::new(),
            fault,
            way,
            times,
            live: HashMap::new(),
            stopped: false,
        };
        let shared = Arc::new(Shared {
            plan: Mutex::new(plan),
            changed: Condvar::new(),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { addr, shared }
    }

    /// A healthy proxy that begins every connection to `target` with `header`.
    #[must_use]
    pub fn telling(target: SocketAddr, header: &[u8]) -> Self {
        let proxy = Self::start(target, Fault::Healthy, Way::Up, 0);
        proxy.shared.plan.lock().unwrap().header = header.to_vec();
        proxy
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Bytes that clients sent and that were passed on.
    #[must_use]
    pub fn sent_up(&self) -> u64 {
        self.shared.up.load(Ordering::SeqCst)
    }

    /// Bytes that servers sent and that were passed on.
    #[must_use]
    pub fn sent_down(&self) -> u64 {
        self.shared.down.load(Ordering::SeqCst)
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Breaks every live connection with a reset.
    pub fn reset_all(&self) {
        let live = std::mem::take(&mut self.shared.plan.lock().unwrap().live);
        for pair in live.values() {
            reset(pair);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.plan.lock().unwrap().stopped = true;
        self.shared.changed.notify_all();
        self.reset_all();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.addr));
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            let mut plan = self.plan.lock().unwrap();
            if plan.stopped {
                return;
            }
            let sick = plan.times > 0;
            plan.times = plan.times.saturating_sub(1);
            let (fault, way) = (if sick { plan.fault } else { Fault::Healthy }, plan.way);
            // A server that is away is seen by the client as a connection that ends.
            let Ok(mut server) = TcpStream::connect(plan.target) else {
                continue;
            };
            if server.write_all(&plan.header).is_err() {
                continue;
            }
            let pair = [Arc::new(client), Arc::new(server)];
            plan.live.insert(number, pair.clone());
            drop(plan);
            for direction in [Way::Up, Way::Down] {
                let hurt = direction == way || fault == Fault::BlackHole;
                let fault = if hurt { fault } else { Fault::Healthy };
                let (shared, pair) = (Arc::clone(self), pair.clone());
                thread::spawn(move || {
                    let end = shared.pump(&pair, direction, fault);
                    if end.is_err() {
                        reset(&pair);
                    }
                });
            }
        }
    }

    /// Passes bytes on until the end; an error asks for a reset.
    fn pump(&self, pair: &[Arc<TcpStream>; 2], way: Way, fault: Fault) -> io::Result<()> {
        let (from, to, count) = match way {
            Way::Up => (&pair[0], &pair[1], &self.up),
            Way::Down => (&pair[1], &pair[0], &self.down),
        };
        to.set_nodelay(true)?;
        let (mut from, mut to) = (&**from, &**to);
        let mut block = vec![0; 64 * 1024];
        let mut passed = 0;
        loop {
            if fault == Fault::BlackHole {
                self.hang();
                return Ok(());
            }
            let dribbles = matches!(fault, Fault::Dribble(until) if passed < until);
            let room = if dribbles { 1 } else { block.len() };
            let len = from.read(&mut block[..room])?;
            if len == 0 {
                // The other end may have gone already.
                drop(to.shutdown(Shutdown::Write));
                return Ok(());
            }
            let bytes = &mut block[..len];
            let end = passed + len as u64;
            let within = |limit: u64| {
                usize::try_from(limit.saturating_sub(passed))
                    .unwrap_or(len)
                    .min(len)
            };
            let pass = match fault {
                Fault::Latency(time) => {
                    self.delay(time);
                    len
                }
                Fault::FlipAt(at) if (passed..end).contains(&at) => {
                    bytes[within(at)] ^= 1;
                    len
                }
                Fault::CutAfter(limit) | Fault::ResetAfter(limit) | Fault::StallAfter(limit) => {
                    within(limit)
                }
                Fault::Healthy | Fault::Dribble(_) | Fault::FlipAt(_) | Fault::BlackHole => len,
            };
            count.fetch_add(pass as u64, Ordering::SeqCst);
            to.write_all(&bytes[..pass])?;
            passed = end;
            if pass < len {
                if let Fault::ResetAfter(_) = fault {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                if let Fault::StallAfter(_) = fault {
                    self.hang();
                }
                for stream in pair {
                    drop(stream.shutdown(Shutdown::Both));
                }
                return Ok(());
            }
        }
    }

    /// Waits for a time, or until the proxy ends.
    fn delay(&self, time: Duration) {
        let plan = self.plan.lock().unwrap();
        drop(
            self.changed
                .wait_timeout_while(plan, time, |plan| !plan.stopped),
        );
    }

    /// Waits until the proxy ends.
    fn hang(&self) {
        let plan = self.plan.lock().unwrap();
        drop(self.changed.wait_while(plan, |plan| !plan.stopped));
    }
}

/// Breaks both ends with a reset, at once and whoever else holds them.
fn reset(pair: &[Arc<TcpStream>; 2]) {
    for stream in pair {
        let _ = rustix::net::connect_unspec(stream);
        drop(stream.shutdown(Shutdown::Both));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends 100 bytes up through a fault; what arrives.
    fn through(fault: Fault) -> io::Result<Vec<u8>> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap(), fault, Way::Up, 1);
        let mut client = TcpStream::connect(proxy.addr()).unwrap();
        let (mut end, _) = server.accept().unwrap();
        end.set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        client.write_all(&[0; 100]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        end.read_to_end(&mut got).map(|_| got)
    }

    #[test]
    fn each_fault_does_what_it_says() {
        assert_eq!(through(Fault::Healthy).unwrap(), [0; 100]);
        assert_eq!(through(Fault::Dribble(50)).unwrap(), [0; 100]);
        assert_eq!(
            through(Fault::Latency(Duration::from_millis(1))).unwrap(),
            [0; 100]
        );
        assert_eq!(through(Fault::CutAfter(30)).unwrap(), [0; 30]);
        let mut flipped = [0; 100];
        flipped[42] = 1;
        assert_eq!(through(Fault::FlipAt(42)).unwrap(), flipped);
        let reset = through(Fault::ResetAfter(30)).unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        for silent in [Fault::StallAfter(30), Fault::BlackHole] {
            let error = through(silent).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{silent:?}");
        }
    }
}
