//! What came of the programs: a table for people, JSON for programs.

use std::fmt::Write;

use anyhow::Result;

use super::peer::Peer;
use super::trial::Trial;

/// The table; a failure's whole story is below it.
pub(super) fn table(trials: &[Trial]) -> String {
    let mut text = format!(
        "{:<12} {:>10} {:>10} {:>10} {:>8} {:>9} {:>5} {:>14}\n",
        "program", "ready in", "M insns", "answered", "stop in", "memory", "exit", "runc"
    );
    for trial in trials {
        let row = match &trial.figures {
            Some(figures) => format!(
                "{:<12} {:>8.1} s {:>10.1} {:>10.1} {:>6.1} s {:>5} MiB {:>5} {:>14}\n",
                trial.program,
                seconds(figures.ready_ms),
                millions(figures.ready_insns),
                millions(figures.answered_insns),
                seconds(figures.stop_ms),
                figures.memory_bytes.unwrap_or_default() >> 20,
                figures.exit,
                figures.runc.as_ref().map_or_else(String::new, peer)
            ),
            None => format!("{:<12} failed\n", trial.program),
        };
        text.push_str(&row);
    }
    for trial in trials {
        if let Some(failure) = &trial.failure {
            // Writing to a string does not fail.
            writeln!(text, "\n{}: {failure}", trial.program).unwrap_or_default();
        }
    }
    text
}

/// The same as JSON.
pub(super) fn json(trials: &[Trial]) -> Result<String> {
    Ok(serde_json::to_string_pretty(trials)? + "\n")
}

/// Ready and stopped, in seconds.
fn peer(peer: &Peer) -> String {
    format!(
        "{:.1} s, {:.1} s",
        seconds(peer.ready_ms),
        seconds(peer.stop_ms)
    )
}

fn seconds(ms: u128) -> f64 {
    u32::try_from(ms).map_or(f64::INFINITY, f64::from) / 1e3
}

fn millions(count: u64) -> f64 {
    // Exact up to 2^53, far above any figure here.
    count as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Peer, Trial, json, table};
    use crate::programs::trial::Measured;

    fn trials() -> Vec<Trial> {
        let figures = Measured {
            ready_insns: 30_500_000,
            answered_insns: 33_000_000,
            ready_ms: 12_340,
            stop_ms: 500,
            memory_bytes: Some(80 << 20),
            exit: 143,
            runc: Some(Peer {
                ready_ms: 400,
                stop_ms: 30,
                exit: Some(143),
            }),
        };
        vec![
            Trial {
                program: "good".to_owned(),
                failure: None,
                figures: Some(figures),
            },
            Trial {
                program: "bad".to_owned(),
                failure: Some("never wrote \"up\"".to_owned()),
                figures: None,
            },
        ]
    }

    #[test]
    fn table_tells_figures_and_failures() {
        let text = table(&trials());
        for part in [
            "12.3 s",
            "30.5",
            "33.0",
            "80 MiB",
            "143",
            "bad: never wrote \"up\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn json_has_every_trial() {
        let all: Value = serde_json::from_str(&json(&trials()).unwrap()).unwrap();
        assert_eq!(all[0]["figures"]["exit"], 143);
        assert!(all[1]["figures"].is_null());
    }
}
