//! Paths: Landlock (landlock(7)) leaves the process the folders it is told, and nothing else of the file system.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope,
};

use super::Folders;

/// The newest rules that this was tried with; an older kernel holds fewer of them.
const NEWEST: ABI = ABI::V6;
/// The oldest rules under which a file outside can be neither read nor changed (Linux 6.2); what came later, about devices and
/// other processes, the table of system calls holds too.
const WHOLE: ABI = ABI::V3;

/// What the kernel holds.
pub(super) struct Held {
    /// For people.
    pub(super) words: String,
    /// What it does not hold, for people.
    pub(super) less: Option<String>,
    /// Paths that were to be in reach and are not there.
    pub(super) absent: Vec<PathBuf>,
    /// What is in reach, without links.
    pub(super) reach: Folders,
}

/// Leaves this thread, and those it starts, `folders` alone. One that is not there, or cannot be opened, is left out.
///
/// # Errors
/// If this kernel does not hold enough of it to be of use; then nothing is held.
pub(super) fn restrict(folders: &Folders) -> Result<Held, String> {
    let mut held = Held {
        words: String::new(),
        less: None,
        absent: Vec::new(),
        reach: Folders::default(),
    };
    let status = rules(folders, &mut held).map_err(|error| {
        format!("paths are not held: this kernel has no Landlock, or one before Linux 5.19, or it is switched off ({error})")
    })?;
    let abi = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => ABI::Unsupported,
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err("paths are not held: Landlock holds nothing".to_owned());
    }
    held.words = format!("paths (Landlock {})", abi as i32);
    held.less = (abi < WHOLE).then(|| {
        "paths are held in part: that files outside are not truncated needs Linux 6.2".to_owned()
    });
    Ok(held)
}

fn rules(folders: &Folders, held: &mut Held) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = Ruleset::default()
        // A Landlock that does not know this right forbids what it stands for: a finished upload could not move to its folder.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let Held { absent, reach, .. } = held;
    let all = [
        (&folders.write, changing(), &mut reach.write),
        (&folders.read, reading(), &mut reach.read),
    ];
    for (folders, access, reach) in all {
        for folder in folders {
            let Ok(handle) = PathFd::new(folder) else {
                absent.push(folder.clone());
                continue;
            };
            reach.push(real(folder));
            let access = if folder.is_dir() {
                access
            } else {
                access & AccessFs::from_file(NEWEST)
            };
            rules = rules.add_rule(PathBeneath::new(handle, access))?;
        }
    }
    rules.restrict_self()
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// What the store does: nothing is executed, and no link, device or socket is made.
fn changing() -> BitFlags<AccessFs> {
    reading()
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        // Renames from folder to folder.
        | AccessFs::Refer
}

/// The path without symbolic links; what of it is not there stays as it is written.
pub(super) fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing = Vec::new();
    let mut there = absolute.as_path();
    loop {
        match (there.canonicalize(), there.parent(), there.file_name()) {
            (Ok(mut real), _, _) => {
                real.extend(missing.iter().rev());
                return real;
            }
            (Err(_), Some(parent), Some(name)) => {
                missing.push(name);
                there = parent;
            }
            (Err(_), _, _) => return absolute.clone(),
        }
    }
}
