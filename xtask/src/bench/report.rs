//! The one format of every bench: `target/bench/NAME.json`, and the same as a table.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::machine::Machine;
use crate::paths::Workspace;

/// One bench.
#[derive(Debug, Serialize)]
pub(crate) struct Bench {
    bench: &'static str,
    commit: String,
    machine: Machine,
    measures: Vec<Measure>,
}

/// One figure.
#[derive(Debug, Serialize)]
struct Measure {
    name: &'static str,
    unit: &'static str,
    n: usize,
    median: f64,
    p99: f64,
    /// What it must not exceed.
    bar: Option<f64>,
}

impl Measure {
    fn misses(&self) -> bool {
        self.bar.is_some_and(|bar| self.median > bar)
    }
}

impl Bench {
    /// A bench without measures.
    pub(crate) fn new(bench: &'static str, commit: String, machine: Machine) -> Self {
        Self {
            bench,
            commit,
            machine,
            measures: Vec::new(),
        }
    }

    /// Adds the samples of one figure; without samples there is no figure.
    pub(crate) fn measure(
        &mut self,
        name: &'static str,
        unit: &'static str,
        samples: &[f64],
        bar: Option<f64>,
    ) {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(median), Some(p99)) = (rank(&sorted, 50), rank(&sorted, 99)) else {
            return;
        };
        self.measures.push(Measure {
            name,
            unit,
            n: sorted.len(),
            median,
            p99,
            bar,
        });
    }

    /// Writes the file, prints the table (or the file's content), and says whether every bar is held.
    pub(crate) fn publish(&self, workspace: &Workspace, json: bool) -> Result<bool> {
        let dir = workspace.target.join("bench");
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let path = dir.join(format!("{}.json", self.bench));
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        if json {
            print!("{text}");
        } else {
            print!("{}", self.table());
            println!("{}", path.display());
        }
        Ok(!self.measures.iter().any(Measure::misses))
    }

    fn table(&self) -> String {
        let mut table = format!("{} at {}, {}\n", self.bench, self.commit, self.machine);
        let columns = ["measure", "unit", "n", "median", "p99", "bar"];
        let [name, unit, n, median, p99, bar] = columns;
        let mut line = |cells: [&str; 6], mark: &str| {
            let [name, unit, n, median, p99, bar] = cells;
            let row =
                format!("{name:<22} {unit:<6} {n:>4} {median:>14} {p99:>14} {bar:>12} {mark}");
            // Writing to a string does not fail.
            writeln!(table, "{}", row.trim_end()).unwrap_or_default();
        };
        line([name, unit, n, median, p99, bar], "");
        for measure in &self.measures {
            line(
                [
                    measure.name,
                    measure.unit,
                    &measure.n.to_string(),
                    &figure(measure.median),
                    &figure(measure.p99),
                    &measure.bar.map_or_else(|| "-".to_owned(), figure),
                ],
                if measure.misses() { "MISSED" } else { "" },
            );
        }
        table
    }
}

/// The nearest-rank percentile of sorted samples.
fn rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Whole numbers as such, small ones with one digit more.
fn figure(value: f64) -> String {
    if value.abs() < 1000.0 && value.fract() != 0.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::{Bench, rank};

    fn bench(samples: &[f64]) -> Bench {
        let mut bench = Bench::new("boot", "abc".to_owned(), Machine::default());
        bench.measure("vmm_cpu_ms", "ms", samples, Some(15.0));
        bench
    }

    #[test]
    fn median_and_p99_are_samples_of_their_rank() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(rank(&sorted, 50), Some(100.0));
        assert_eq!(rank(&sorted, 99), Some(198.0));
        assert_eq!(rank(&[7.0], 99), Some(7.0));
        assert_eq!(rank(&[], 50), None);
    }

    #[test]
    fn median_above_the_bar_is_marked() {
        assert!(bench(&[16.0, 1.0, 17.0]).table().contains("MISSED"));
        assert!(!bench(&[15.0, 1.0, 17.0]).table().contains("MISSED"));
    }

    #[test]
    fn json_has_the_agreed_keys() {
        let json = serde_json::to_value(bench(&[1.0])).unwrap();
        let keys = |value: &serde_json::Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(keys(&json), "bench commit machine measures");
        assert_eq!(
            keys(&json["machine"]),
            "cpu emulated_ns_per_instruction kvm load"
        );
        assert_eq!(keys(&json["measures"][0]), "bar median n name p99 unit");
    }

    #[test]
    fn figure_without_samples_is_left_out() {
        let json = serde_json::to_value(bench(&[])).unwrap();
        assert_eq!(json["measures"].as_array().unwrap().len(), 0);
    }
}
