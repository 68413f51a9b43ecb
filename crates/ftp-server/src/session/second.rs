//! The data connection: a port that takes one connection of the control peer's address, or a connection
//! to it; and the way it leaves. At most one of each a session.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use ftp_proto::session::{Channel, Input};
use ipnet::IpNet;
use mio::event::Event;
use mio::{Interest, Token};

use super::link::Link;
use super::{Context, Session};
use crate::conn::{Conn, Linger, Port, Ports};

/// Strangers that are turned away in one round.
const STRANGERS: usize = 16;

/// How the sessions of a listener come to data connections.
#[derive(Clone, Debug)]
pub(crate) struct SecondRules {
    /// Ports that may be opened.
    pub(crate) ports: Ports,
    /// What peers of a network are told as our address, `None` being our own; the first network that holds the peer counts.
    pub(crate) told_to: Vec<(IpNet, Option<IpAddr>)>,
    /// What all others are told.
    pub(crate) told: Option<IpAddr>,
}

impl SecondRules {
    /// Where `peer` is told to connect to reach `ours`.
    fn told(&self, ours: SocketAddr, peer: IpAddr) -> SocketAddr {
        let peer = peer.to_canonical();
        let network = self
            .told_to
            .iter()
            .find(|(network, _)| network.contains(&peer));
        let told = network.map_or(self.told, |(_, told)| *told);
        // An address of the other family leads to no port of ours.
        let family = |ip: &IpAddr| ip.to_canonical().is_ipv4();
        let told = told.filter(|told| family(told) == family(&ours.ip()));
        SocketAddr::new(told.unwrap_or_else(|| ours.ip()), ours.port())
    }
}

/// What a session has for its data connections.
pub(super) struct Second {
    rules: Arc<SecondRules>,
    port: Option<Port>,
    /// Of the socket that was opened last: an event for an earlier one finds nothing.
    serial: u8,
    /// Closed as far as the machine is concerned: its peer has not ended yet.
    leaving: Option<Leaving>,
}

struct Leaving {
    conn: Conn,
    serial: u8,
    until: Instant,
}

impl Second {
    pub(super) fn new(rules: Arc<SecondRules>) -> Self {
        Self {
            rules,
            port: None,
            serial: 0,
            leaving: None,
        }
    }

    /// When the connection that leaves is dropped.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.leaving.as_ref().map(|leaving| leaving.until)
    }
}

impl Session {
    /// Notes what an event says of the `serial`-th socket beside control.
    pub(crate) fn mark_second(&mut self, serial: u8, event: &Event) {
        let Some(second) = &mut self.second else {
            return;
        };
        if let Some(leaving) = &mut second.leaving
            && leaving.serial == serial
        {
            leaving.conn.mark(event);
        }
        if second.serial != serial {
            return;
        }
        if let Some(port) = &mut second.port {
            port.ready = true;
        } else if let Some(conn) = self.conn(Channel::DATA) {
            conn.mark(event);
        }
    }

    /// `Action::Listen`: what the machine hears of it.
    pub(super) fn listen(&mut self, channel: Channel, ctx: &Context<'_>) -> Input {
        match self.open_port(ctx) {
            Ok(address) => Input::Listening { channel, address },
            Err(error) => {
                tracing::warn!(session = self.id, %error, "cannot open a port for data");
                let why = error.to_string();
                Input::OpenFailed { channel, why }
            }
        }
    }

    fn open_port(&mut self, ctx: &Context<'_>) -> io::Result<SocketAddr> {
        let ip = self.own_ip()?;
        let peer = self.peer.ip();
        let second = self.second.as_mut().ok_or_else(no_second)?;
        let mut port = Port::open(ip, &second.rules.ports)?;
        ctx.spare(&port.socket)?;
        let address = second.rules.told(port.local_addr()?, peer);
        second.serial = second.serial.checked_add(1).unwrap_or(1);
        let token = ctx.token(second.serial)?;
        ctx.registry
            .register(&mut port.socket, token, Interest::READABLE)?;
        second.port = Some(port);
        Ok(address)
    }

    /// `Action::StopListening`.
    pub(super) fn stop_listening(&mut self) {
        if let Some(second) = &mut self.second {
            second.port = None;
        }
    }

    /// `Action::Connect`: what the machine hears at once, if anything.
    pub(super) fn connect(
        &mut self,
        channel: Channel,
        to: SocketAddr,
        ctx: &Context<'_>,
    ) -> Option<Input> {
        let error = self.begin_connecting(channel, to, ctx).err()?;
        let why = error.to_string();
        Some(Input::OpenFailed { channel, why })
    }

    fn begin_connecting(
        &mut self,
        channel: Channel,
        to: SocketAddr,
        ctx: &Context<'_>,
    ) -> io::Result<()> {
        let from = self.own_ip()?;
        self.second.as_ref().ok_or_else(no_second)?;
        // A socket of our own family, whichever way the address was written.
        let mut conn = Conn::connect(from, SocketAddr::new(like(from, to.ip()), to.port()))?;
        ctx.spare(conn.source())?;
        self.watch(&mut conn, ctx)?;
        let mut link = Link::new(conn, ctx.now);
        link.opening = true;
        self.put_link(channel, link);
        Ok(())
    }

    /// Goes on with what `connect` began. Says whether it ended.
    pub(super) fn open(&mut self, channel: Channel, ctx: &Context<'_>) -> bool {
        let Some(link) = self.link(channel) else {
            return false;
        };
        let input = match link.conn.connected() {
            None => return false,
            Some(Ok(())) => {
                link.opening = false;
                let peer = link.conn.source().peer_addr().ok();
                Input::Opened { channel, peer }
            }
            Some(Err(error)) => {
                self.drop_link(channel);
                let why = error.to_string();
                Input::OpenFailed { channel, why }
            }
        };
        self.tell(input, ctx);
        true
    }

    /// Looks who has come to the open port. Says whether anybody has.
    pub(super) fn welcome_second(&mut self, ctx: &Context<'_>) -> bool {
        let mut moved = false;
        for _ in 0..STRANGERS {
            let Some(second) = &mut self.second else {
                break;
            };
            let Some(port) = second.port.as_mut().filter(|port| port.ready) else {
                break;
            };
            let came = match port.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => Err(error),
                Ok((_, from)) if from.ip().to_canonical() != self.peer.ip().to_canonical() => {
                    tracing::warn!(session = self.id, peer = %self.peer, stranger = %from,
                        "a data connection from another address was closed");
                    ctx.metrics.count_refused();
                    moved = true;
                    continue;
                }
                Ok((stream, from)) => ctx.spare(&stream).map(|()| (stream, from)),
            };
            second.port = None;
            let channel = Channel::DATA;
            let input = match came.and_then(|(stream, from)| {
                let mut conn = Conn::new(stream);
                self.watch(&mut conn, ctx)?;
                self.put_link(channel, Link::new(conn, ctx.now));
                Ok(from)
            }) {
                Ok(from) => Input::Opened {
                    channel,
                    peer: Some(from),
                },
                Err(error) => {
                    tracing::warn!(session = self.id, %error, "cannot take a data connection");
                    let why = error.to_string();
                    Input::OpenFailed { channel, why }
                }
            };
            self.tell(input, ctx);
            return true;
        }
        moved
    }

    /// The last byte and our end of the stream are out. The machine may go on; the socket stays a little, because closing it
    /// with something unread would reset what the peer has not read.
    pub(super) fn leave_second(&mut self, ctx: &Context<'_>) {
        let channel = Channel::DATA;
        let link = self.links.get_mut(usize::from(channel.0));
        let Some(link) = link.and_then(Option::take) else {
            return;
        };
        let linger = self.end_times.linger;
        if let Some(second) = &mut self.second {
            second.leaving = Some(Leaving {
                conn: link.conn,
                serial: second.serial,
                until: ctx.now + linger,
            });
        }
        self.tell(Input::Closed { channel }, ctx);
    }

    /// Drops the connection that leaves, once its peer has ended or its time is over.
    pub(super) fn settle_second(&mut self, ctx: &mut Context<'_>) {
        if let Some(second) = &mut self.second
            && let Some(leaving) = &mut second.leaving
            && (leaving.until <= ctx.now
                || leaving.conn.readable() && leaving.conn.linger(ctx.scratch) == Linger::Done)
        {
            second.leaving = None;
        }
    }

    /// Registers a socket as the data connection.
    fn watch(&mut self, conn: &mut Conn, ctx: &Context<'_>) -> io::Result<()> {
        let second = self.second.as_mut().ok_or_else(no_second)?;
        second.serial = second.serial.checked_add(1).unwrap_or(1);
        let token = ctx.token(second.serial)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        ctx.registry.register(conn.source(), token, both)
    }

    fn put_link(&mut self, channel: Channel, link: Link) {
        if let Some(place) = self.links.get_mut(usize::from(channel.0)) {
            *place = Some(Box::new(link));
        }
    }

    /// The address at which the control connection reached us.
    fn own_ip(&mut self) -> io::Result<IpAddr> {
        let control = self.conn(Channel::CONTROL);
        let control = control.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
        Ok(control.local_addr()?.ip())
    }
}

impl Context<'_> {
    /// The token of a socket beside control.
    fn token(&self, serial: u8) -> io::Result<Token> {
        let number = self.key.to_further(serial);
        let number = number.ok_or_else(|| io::Error::other("too many connections"))?;
        Ok(Token(number))
    }

    /// Whether a socket may be kept: some descriptors are for files.
    fn spare(&self, socket: &impl std::os::fd::AsRawFd) -> io::Result<()> {
        if socket.as_raw_fd() < self.descriptor_ceiling {
            return Ok(());
        }
        Err(io::Error::other("file descriptors run out"))
    }
}

fn no_second() -> io::Error {
    io::Error::other("this server opens no second connection")
}

/// `ip` in the family of `model`.
fn like(model: IpAddr, ip: IpAddr) -> IpAddr {
    match (model, ip.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(ip)) => IpAddr::V6(ip.to_ipv6_mapped()),
        (_, ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_told_the_address_for_their_network() {
        let rules = SecondRules {
            ports: Ports::Any(crate::conn::Ephemeral::default()),
            told_to: vec![
                ("10.1.0.0/16".parse().unwrap(), None),
                ("10.0.0.0/8".parse().unwrap(), "10.9.9.9".parse().ok()),
            ],
            told: "203.0.113.5".parse().ok(),
        };
        let ours = "10.1.2.3:5000".parse().unwrap();
        let told = |peer: &str| rules.told(ours, peer.parse().unwrap()).to_string();
        assert_eq!(told("10.1.7.7"), "10.1.2.3:5000");
        assert_eq!(told("10.2.7.7"), "10.9.9.9:5000");
        assert_eq!(told("::ffff:10.2.7.7"), "10.9.9.9:5000");
        assert_eq!(told("192.0.2.1"), "203.0.113.5:5000");
        // Behind IPv6 there is no IPv4.
        let ours = "[2001:db8::1]:5000".parse().unwrap();
        let peer = "2001:db8::7".parse().unwrap();
        assert_eq!(rules.told(ours, peer), ours);
        let ours = "[::ffff:10.1.2.3]:5000".parse().unwrap();
        let peer = "192.0.2.1".parse().unwrap();
        assert_eq!(rules.told(ours, peer).to_string(), "203.0.113.5:5000");
    }
}
