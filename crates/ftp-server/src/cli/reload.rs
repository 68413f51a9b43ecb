//! SIGHUP: read, decide, and only then swap. A configuration with a mistake changes nothing.

use super::config::Config;
use super::layers::{Loaded, Problem, Sources};
use super::logging::Level;
use super::settings::TABLE;
use crate::server::Handle;

/// What a reload starts from and acts on.
pub(super) struct Reload {
    sources: Sources,
    /// What is obeyed now.
    current: Loaded,
    level: Level,
}

impl Reload {
    /// A server that was started with `current`, out of `sources`.
    pub(super) fn new(sources: Sources, current: Loaded, level: Level) -> Self {
        Self {
            sources,
            current,
            level,
        }
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
                tracing::info!(changed = %changed.join(" "), "configuration reloaded");
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
        // First as the next start would see it, then as it can be now.
        Config::new(&next).map_err(|problem| vec![problem])?;
        let kept = next.settings.keep(&self.current.settings);
        let config = Config::new(&next).map_err(|problem| vec![problem])?;
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
