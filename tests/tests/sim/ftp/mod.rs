//! Standard FTP: what its client asks for, how it plays over two connections, and whether it was answered rightly.

use std::net::{IpAddr, Ipv4Addr};

pub(crate) mod aftermath;
pub(crate) mod client;
pub(crate) mod codes;
pub(crate) mod data;
pub(crate) mod judge;
pub(crate) mod plan;
pub(crate) mod strike;

/// Where every client is.
pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// Where the server is.
pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
