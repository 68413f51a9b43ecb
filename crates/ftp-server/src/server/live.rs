//! What a reload replaces: the one place where running threads find the present configuration.
//!
//! Everything is built before it is swapped in, and swapped as a whole; who holds the old one keeps it. Whatever else shall
//! be reloaded (users, rights, certificates) is one more value in `Current`.

use std::sync::{Arc, Mutex, PoisonError};

use ftp_proto::wire::LoginWanted;
use ftp_proto::{native, rfc959};

use super::ServerConfig;

/// What peers are told who we are.
const SERVER: &str = concat!("muxftp/", env!("CARGO_PKG_VERSION"));

/// The present configuration of those who make sessions.
pub(super) struct Live {
    current: Mutex<Current>,
}

/// One configuration, complete.
struct Current {
    /// What new sessions of our own protocol begin with.
    native: Arc<native::Config>,
    /// What sessions of standard FTP do, before it is said how they are protected.
    ftp: rfc959::Config,
}

impl Live {
    /// As the server starts.
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            current: Mutex::new(Current::new(config)),
        }
    }

    /// Replaces it. Never waits for more than another swap or a look.
    pub(super) fn swap(&self, config: &ServerConfig) {
        let next = Current::new(config);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// What a session of our own protocol begins with.
    pub(super) fn native(&self) -> Arc<native::Config> {
        let current = self.current.lock();
        let current = current.unwrap_or_else(PoisonError::into_inner);
        current.native.clone()
    }

    /// What a session of standard FTP begins with.
    pub(super) fn ftp(&self) -> rfc959::Config {
        let current = self.current.lock();
        let current = current.unwrap_or_else(PoisonError::into_inner);
        current.ftp.clone()
    }
}

impl Current {
    fn new(config: &ServerConfig) -> Self {
        Self {
            native: Arc::new(native::Config {
                limits: config.limits.clone(),
                server: SERVER.to_owned(),
                durability: config.durability,
                read_only: config.read_only,
                login: config.users.as_ref().map(|users| match users.anonymous() {
                    Some(_) => LoginWanted::Optional,
                    None => LoginWanted::Required,
                }),
            }),
            ftp: rfc959::Config {
                limits: config.limits.clone(),
                server: SERVER.to_owned(),
                login: config.users.is_some(),
                tls: rfc959::Security::Off,
                implicit_tls: false,
                data_tls: rfc959::Security::Off,
                read_only: config.read_only,
                active: config.ftp.active,
                digesting: config.ftp.digesting,
            },
        }
    }
}
