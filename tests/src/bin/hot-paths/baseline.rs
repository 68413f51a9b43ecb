//! Instructions per operation as they are and as they were: the stored text, the comparison, its table.
//!
//! It judges numbers and knows nothing of how they came about.

use std::fmt;
use std::str::FromStr;

/// A path is slower if it takes more than so many times its baseline: seeds of hash maps, addresses and the C library
/// make one or two percent.
const MARGIN: f64 = 1.10;
/// The same for counts that another compiler's code gave.
const MARGIN_OF_ANOTHER_COMPILER: f64 = 1.30;
/// Fewer instructions than this are no slow-down: a tenth of a tiny path is one choice of the compiler.
const LEAST: u64 = 8;

/// Instructions per operation of each path, and the compiler and machine they hold for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// Release and target, as in `1.95.0 x86_64-unknown-linux-gnu`.
    pub(crate) compiler: String,
    /// By name, in the order they are counted.
    pub(crate) counts: Vec<(String, u64)>,
}

/// What a comparison says.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<Row>,
    remarks: Vec<String>,
    /// All in all.
    pub(crate) verdict: Verdict,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is slower.
    Good,
    /// Something is slower, or has nothing to be compared with.
    Slower,
}

#[derive(Debug)]
struct Row {
    name: String,
    now: u64,
    before: Option<u64>,
}

/// Compares what was counted now with what is stored.
pub(crate) fn compare(stored: &Baseline, now: &Baseline) -> Report {
    let before = |name: &str| {
        let mut stored = stored.counts.iter();
        stored.find(|(known, _)| known == name).map(|row| row.1)
    };
    let rows: Vec<_> = now
        .counts
        .iter()
        .map(|(name, count)| Row {
            before: before(name),
            name: name.clone(),
            now: *count,
        })
        .collect();
    let mut remarks = Vec::new();
    if target(&stored.compiler) != target(&now.compiler) {
        let (there, here) = (&stored.compiler, &now.compiler);
        remarks.push(format!(
            "not judged: the baseline is of {there}, this is {here}"
        ));
        return Report {
            rows,
            remarks,
            verdict: Verdict::Good,
        };
    }
    let mut margin = MARGIN;
    if stored.compiler != now.compiler {
        margin = MARGIN_OF_ANOTHER_COMPILER;
        let there = &stored.compiler;
        remarks.push(format!(
            "the baseline is of compiler {there}: judged with a margin of {margin}"
        ));
    }
    let mut verdict = Verdict::Good;
    for row in &rows {
        let name = &row.name;
        let Some(before) = row.before else {
            verdict = Verdict::Slower;
            remarks.push(format!("{name}: no baseline; add it with --update"));
            continue;
        };
        if is_over(row.now, before, margin) {
            verdict = Verdict::Slower;
            remarks.push(format!("{name}: SLOWER than {margin} x its baseline"));
        } else if is_over(before, row.now, margin) {
            remarks.push(format!(
                "{name}: far below its baseline, which is stale: --update"
            ));
        }
    }
    for (name, _) in &stored.counts {
        if !rows.iter().any(|row| row.name == *name) {
            verdict = Verdict::Slower;
            remarks.push(format!(
                "{name}: has a baseline but was not counted; --update"
            ));
        }
    }
    Report {
        rows,
        remarks,
        verdict,
    }
}

/// Whether `count` is beyond `reference` and its margin.
fn is_over(count: u64, reference: u64, margin: f64) -> bool {
    count > reference.saturating_add(LEAST) && count as f64 > reference as f64 * margin
}

fn target(compiler: &str) -> Option<&str> {
    compiler.split(' ').next_back()
}

const PREFACE: &str = "# Instructions per operation, counted by callgrind; `scripts/hot-paths.sh --update` writes this file.\n";
const COMPILER: &str = "# compiler: ";

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFACE}{COMPILER}{}\n\n", self.compiler)?;
        for (name, count) in &self.counts {
            writeln!(f, "{count:>9}  {name}")?;
        }
        Ok(())
    }
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let compiler = text.lines().find_map(|line| line.strip_prefix(COMPILER));
        let compiler = compiler.ok_or("the baseline names no compiler")?.to_owned();
        let mut counts = Vec::new();
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let row = line.trim_start().split_once("  ");
            let row = row.and_then(|(count, name)| Some((name.to_owned(), count.parse().ok()?)));
            counts.push(row.ok_or_else(|| format!("not `COUNT  NAME`: {line:?}"))?);
        }
        Ok(Self { compiler, counts })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["path", "instructions", "baseline", "ratio"];
        writeln!(
            f,
            "{:<34} {:>12} {:>10} {:>7}",
            head[0], head[1], head[2], head[3]
        )?;
        for row in &self.rows {
            write!(f, "{:<34} {:>12} ", row.name, row.now)?;
            match row.before {
                Some(before) => {
                    let ratio = row.now as f64 / before.max(1) as f64;
                    writeln!(f, "{before:>10} {ratio:>7.3}")?;
                }
                None => writeln!(f, "{:>10} {:>7}", "-", "-")?,
            }
        }
        for remark in &self.remarks {
            writeln!(f, "{remark}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "1.95.0 x86_64-unknown-linux-gnu";

    fn counts(compiler: &str, counts: &[(&str, u64)]) -> Baseline {
        Baseline {
            compiler: compiler.into(),
            counts: counts
                .iter()
                .map(|(name, count)| ((*name).into(), *count))
                .collect(),
        }
    }

    /// Compares one path, and gives the verdict and whether the text holds `remark`.
    fn judged(compiler: &str, before: u64, now: u64, remark: &str) -> (Verdict, bool) {
        let report = compare(
            &counts(HERE, &[("p", before)]),
            &counts(compiler, &[("p", now)]),
        );
        (report.verdict, report.to_string().contains(remark))
    }

    #[test]
    fn slower_than_the_margin_fails_and_says_so() {
        for (before, now, verdict) in [
            (1000, 1000, Verdict::Good),
            (1000, 1100, Verdict::Good),
            (1000, 1101, Verdict::Slower),
            (1000, u64::MAX, Verdict::Slower),
            (0, 9, Verdict::Slower),
            (20, 28, Verdict::Good),
            (20, 29, Verdict::Slower),
        ] {
            let expected = (verdict, verdict == Verdict::Slower);
            assert_eq!(
                judged(HERE, before, now, "SLOWER"),
                expected,
                "{before} {now}"
            );
        }
    }

    #[test]
    fn much_faster_is_good_and_calls_for_a_new_baseline() {
        assert_eq!(judged(HERE, 1101, 1000, "stale"), (Verdict::Good, true));
        assert_eq!(judged(HERE, 1099, 1000, "stale"), (Verdict::Good, false));
    }

    #[test]
    fn another_compiler_has_a_wider_margin_and_another_machine_is_not_judged() {
        let compiler = "1.96.0 x86_64-unknown-linux-gnu";
        assert_eq!(judged(compiler, 1000, 1300, "1.3"), (Verdict::Good, true));
        assert_eq!(
            judged(compiler, 1000, 1301, "SLOWER"),
            (Verdict::Slower, true)
        );
        let machine = "1.95.0 aarch64-unknown-linux-gnu";
        assert_eq!(
            judged(machine, 1000, 9000, "not judged"),
            (Verdict::Good, true)
        );
    }

    #[test]
    fn a_path_without_its_other_half_fails() {
        let (one, both) = (
            counts(HERE, &[("p", 1)]),
            counts(HERE, &[("p", 1), ("q", 1)]),
        );
        assert_eq!(compare(&one, &both).verdict, Verdict::Slower);
        assert_eq!(compare(&both, &one).verdict, Verdict::Slower);
        assert_eq!(compare(&both, &both).verdict, Verdict::Good);
    }

    #[test]
    fn the_stored_text_comes_back() {
        let stored = counts(
            HERE,
            &[("frame: split", 34), ("path: parse", 1_234_567_890)],
        );
        assert_eq!(stored.to_string().parse(), Ok(stored));
        for wrong in [
            "",
            "12  p",
            "# compiler: x\n12 p",
            "# compiler: x\nmany  p",
            "# compiler: x\n-1  p",
        ] {
            assert!(wrong.parse::<Baseline>().is_err(), "{wrong:?}");
        }
    }
}
