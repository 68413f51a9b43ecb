//! SIGHUP: read, decide, and only then swap. A configuration with a mistake changes nothing.

use super::config::Config;
use super::layers::{Loaded, Problem, Sources};
use super::logging::Level;
use super::reach;
use super::settings::TABLE;
use crate::sandbox::{Folders, Walls};
use crate::server::Handle;

/// What a reload starts from and acts on.
pub(super) struct Reload {
    sources: Sources,
    /// What is obeyed now.
    current: Loaded,
    level: Level,
    walls: Walls,
}

impl Reload {
    /// A server that was started with `current`, out of `sources`.
    pub(super) fn new(sources: Sources, current: Loaded, level: Level) -> Self {
        Self {
            sources,
            current,
            level,
            walls: Walls::default(),
        }
    }

    /// What has to stay in reach while the server runs as `config` says.
    pub(super) fn folders(&self, config: &Config) -> Folders {
        reach::folders(&self.current.settings, config, self.sources.file.as_deref())
    }

    /// Whether a reload could read its files as who this process is now.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub(super) fn check_readable(&self) -> Result<(), String> {
        reach::check_readable(&self.current.settings, self.sources.file.as_deref())
    }

    /// What cannot be read within `walls` waits for the next start.
    pub(super) fn hold(&mut self, walls: Walls) {
        self.walls = walls;
    }

    /// Reads the configuration again and has the server obey what may change; the log says what did. Blocks for the file.
    pub(super) fn run(&mut self, server: &Handle) {
        match self.next() {
            Ok((next, config, kept)) => {
                let changed = differences(&self.current, &next);
                if let Err(problem) = server.reload(&config.server) {
                    tracing::error!(%problem, "configuration not reloaded: the old one stays");
                    return;
                }
                self.level.set(config.log_level);
                self.current = next;
                let users = config
                    .server
                    .users
                    .as_ref()
                    .map(|users| users.iter().count());
                tracing::info!(changed = %changed.join(" "), users, "configuration reloaded");
                for setting in kept {
                    tracing::warn!(%setting, "changed in the configuration, but needs a restart: the old value stays");
                }
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!(%problem, "configuration not reloaded: the old one stays");
                }
            }
        }
    }

    /// What is to be obeyed next, and the settings that would need a restart.
    fn next(&self) -> Result<(Loaded, Config, Vec<String>), Vec<Problem>> {
        let mut next = self.sources.load()?;
        reach::check_files(&next.settings, &self.walls).map_err(|problem| vec![problem])?;
        // First as the next start would see it, then as it can be now.
        Config::new(&next).map_err(|problem| vec![problem])?;
        let kept = next.settings.keep(&self.current.settings);
        let config = Config::new(&next).map_err(|problem| vec![problem])?;
        reach::check_roots(&config, &self.walls).map_err(|problem| vec![problem])?;
        Ok((next, config, kept))
    }
}

/// The settings that differ, by name.
fn differences(old: &Loaded, new: &Loaded) -> Vec<String> {
    let values = old.settings.shown().into_iter().zip(new.settings.shown());
    let rows = TABLE.iter().zip(values);
    rows.filter(|(_, (old, new))| old != new)
        .map(|(setting, _)| setting.name())
        .collect()
}
