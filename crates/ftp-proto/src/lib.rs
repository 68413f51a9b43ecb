//! Floor 1: the language of muxftp. Pure: no socket, no file, no clock, no thread.
//!
//! - [`path`], [`digest`], [`limits`], [`words`]: the words everybody shares.
//! - [`wire`]: what the bytes of the native protocol mean, for both ends.
//! - [`session`]: the contract between a pure protocol machine and the shell that does its bidding.
//! - [`proxy`]: the header by which a proxy in front of a server tells for whom it connects.
//! - [`native`]: the server's machine for the native protocol, which is the text below.
//! - [`rfc959`]: the server's machine for standard FTP.
//!
//! A server needs all of it; a client needs the first two lines.
//!
#![doc = include_str!("../PROTOCOL.md")]

pub mod digest;
pub mod limits;
pub mod native;
pub mod path;
pub mod proxy;
pub mod rfc959;
pub mod session;
pub mod wire;
pub mod words;

pub use digest::Digest;
pub use limits::Limits;
pub use path::VPath;
pub use words::{Amount, Durability, IfExists, Kind, Secret};
