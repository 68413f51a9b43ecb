//! The folders of users, each opened once and kept while there is room.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ftp_store::{OpenError, Options, Store};

/// Most folders that are kept open. More are opened anew for each log-in.
const STORES: usize = 256;

/// Opened folders by path, and by whether links are followed there.
pub(crate) struct Stores {
    options: Options,
    open: Mutex<HashMap<(PathBuf, bool), Arc<Store>>>,
}

impl Stores {
    /// None yet; each will be served like this.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            open: Mutex::default(),
        }
    }

    /// The folder at `root`. Blocks for the disk.
    ///
    /// # Errors
    /// If it is not there, is no folder, or cannot be read.
    pub(crate) fn open(&self, root: &Path, follow_links: bool) -> Result<Arc<Store>, OpenError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (root.to_owned(), follow_links);
        if let Some(store) = open.get(&key) {
            return Ok(Arc::clone(store));
        }
        let options = Options {
            follow_links,
            ..self.options.clone()
        };
        let store = Arc::new(Store::open(root, options)?);
        if open.len() >= STORES {
            // One that nobody uses, if there is one.
            let free = open
                .iter()
                .find(|(_, store)| Arc::strong_count(store) == 1 && !store.is_in_use())
                .map(|(key, _)| key.clone());
            match free {
                Some(free) => open.remove(&free),
                None => return Ok(store),
            };
        }
        open.insert(key, Arc::clone(&store));
        Ok(store)
    }
}
