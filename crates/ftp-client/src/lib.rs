//! The muxftp client: a blocking library, and the command line on top of it.
//!
//! - [`Client`]: one connection and all verbs. - [`put_all`], [`get_all`]: files and trees over several
//!   connections. - [`cli`]: the command `ftp-client`.
//!
//! Never here: an async runtime, anything of the server's, a wait without a deadline, a local file that appears
//! before it is complete and verified, a text of the server's on a terminal as it came.

mod cancel;
pub mod cli;
mod client;
mod download;
mod error;
mod hash;
mod local;
mod net;
mod options;
#[cfg(test)]
mod peer;
mod remote;
mod retry;
mod run;
mod session;
pub mod text;
mod transfer;
mod upload;

pub use ftp_proto::{Digest, Durability, IfExists, Kind, VPath, wire::ListEntry};

pub use cancel::Cancel;
pub use client::{Client, Stat};
pub use download::GetOptions;
pub use error::{Error, Result};
pub use ftp_proto::wire::LoginWanted;
pub use ftp_tls::{Fingerprint, Oldest};
pub use net::{Ask, KnownHosts, Login, Tls, TlsOptions};
pub use options::Options;
pub use remote::{RemoteArg, remote_arg};
pub use run::{GetSource, LocalSource, LocalTarget, PutSource, get_all, put_all};
pub use session::Hello;
pub use transfer::{Event, Item, Observer, Outcome, Silent, Summary, Way};
pub use upload::PutOptions;
