//! What happened in one world or in many.

use std::collections::BTreeMap;

use ftp_proto::rfc959::State;

use super::ftp::strike::Strike;

/// The account of one world or of many.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) ok: u64,
    /// Answers of the native dialect that were errors.
    pub(crate) failed: BTreeMap<&'static str, u64>,
    /// Answers of standard FTP.
    pub(crate) codes: BTreeMap<u16, u64>,
    /// How sessions ended.
    pub(crate) ends: BTreeMap<&'static str, u64>,
    /// What was interrupted, and by what.
    pub(crate) struck: BTreeMap<(State, Strike), u64>,
    pub(crate) takeovers: u64,
    pub(crate) resumed: u64,
    pub(crate) swept: u64,
    pub(crate) faults: u64,
    pub(crate) returns: u64,
    pub(crate) cuts: u64,
    pub(crate) compared: u64,
    /// Of everything that every machine heard and asked for.
    pub(crate) history: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, other: &Self) {
        fn sum<K: Copy + Ord>(into: &mut BTreeMap<K, u64>, of: &BTreeMap<K, u64>) {
            for (what, count) in of {
                *into.entry(*what).or_default() += count;
            }
        }
        self.ok += other.ok;
        sum(&mut self.failed, &other.failed);
        sum(&mut self.codes, &other.codes);
        sum(&mut self.ends, &other.ends);
        sum(&mut self.struck, &other.struck);
        self.takeovers += other.takeovers;
        self.resumed += other.resumed;
        self.swept += other.swept;
        self.faults += other.faults;
        self.returns += other.returns;
        self.cuts += other.cuts;
        self.compared += other.compared;
        self.history ^= other.history.rotate_left((self.ok % 64) as u32);
    }

    /// What is rare in the native dialect, and must happen in a gate's worth of seeds.
    pub(crate) fn rare(&self) -> Vec<(String, u64)> {
        let failed = [
            "aborted",
            "changed",
            "busy",
            "io",
            "shutting_down",
            "digest_mismatch",
            "size_mismatch",
            "bad_range",
            "not_empty",
            "exists",
            "is_a_directory",
            "not_a_directory",
            "skipped",
        ];
        let mut rare = self.common();
        rare.extend(counts(&self.failed, &failed));
        rare.extend(counts(
            &self.ends,
            &["timeout", "bad_frame", "shutting_down"],
        ));
        rare.push(("takeover".into(), self.takeovers));
        rare
    }

    /// The same for standard FTP: every code.
    pub(crate) fn rare_of_ftp(&self) -> Vec<(String, u64)> {
        let mut rare = self.common();
        let codes = [
            200, 211, 213, 214, 215, 221, 226, 227, 229, 230, 234, 250, 257, 331, 350, 425, 426,
            450, 451, 452, 500, 501, 503, 530, 550, 554,
        ];
        for code in codes {
            let count = self.codes.get(&code).copied().unwrap_or(0);
            rare.push((code.to_string(), count));
        }
        rare.extend(counts(&self.ends, &["221", "421"]));
        rare
    }

    /// Every interruption in every state in which it can come.
    pub(crate) fn strikes(&self) -> Vec<(String, u64)> {
        let count = |target| self.struck.get(target).copied().unwrap_or(0);
        let targets = Strike::targets();
        let targets = targets
            .iter()
            .map(|target| (format!("{target:?}"), count(target)));
        targets.collect()
    }

    fn common(&self) -> Vec<(String, u64)> {
        let mut rare = counts(&self.ends, &["lost"]);
        for (what, count) in [
            ("resumed", self.resumed),
            ("expired", self.swept),
            ("return", self.returns),
            ("power cut", self.cuts),
            ("compared to the end", self.compared),
        ] {
            rare.push((what.into(), count));
        }
        rare
    }
}

fn counts(of: &BTreeMap<&'static str, u64>, names: &[&str]) -> Vec<(String, u64)> {
    let count = |name: &&str| ((*name).to_owned(), of.get(name).copied().unwrap_or(0));
    names.iter().map(count).collect()
}
