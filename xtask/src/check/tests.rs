//! Running cargo's tests and counting what they say.

use std::fmt;
use std::ops::AddAssign;
use std::process::Command;

use anyhow::Result;

use crate::paths::Workspace;
use crate::process;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Tests that passed.
    pub(crate) passed: u32,
    /// Tests that did not.
    pub(crate) failed: u32,
}

impl Count {
    /// How many ran.
    pub(crate) fn total(self) -> u32 {
        self.passed + self.failed
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs a test command with its output in a log; the end of it is shown when it fails.
pub(crate) fn run(
    workspace: &Workspace,
    name: &str,
    command: &mut Command,
    count: &mut Count,
) -> Result<()> {
    process::run_step(workspace, name, command, |line| *count += count_tests(line))
}

/// What one line of `cargo test` or `cargo nextest` adds to the count.
pub(crate) fn count_tests(line: &str) -> Count {
    let line = line.trim_start();
    let parts = if let Some((_, rest)) = line.split_once(" tests run: ") {
        rest
    } else if let Some((_, rest)) = line.split_once(" test run: ") {
        rest
    } else if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ").map_or("", |(_, rest)| rest)
    } else {
        return Count::default();
    };
    let mut count = Count::default();
    for part in parts.split([',', ';']) {
        let mut words = part.split_whitespace();
        let number = words
            .next()
            .and_then(|word| word.parse::<u32>().ok())
            .unwrap_or(0);
        match words.next() {
            Some("passed") => count.passed += number,
            Some("failed" | "timed" | "exec") => count.failed += number,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod unit {
    use super::{Count, count_tests};

    #[test]
    fn line_of_cargo_test_is_counted() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            count_tests(line),
            Count {
                passed: 3,
                failed: 1
            }
        );
    }

    #[test]
    fn summary_of_nextest_is_counted() {
        let line = "     Summary [   1.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(
            count_tests(line),
            Count {
                passed: 9,
                failed: 3
            }
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in ["running 3 tests", "test result", "test a::b ... ok", ""] {
            assert_eq!(count_tests(line), Count::default(), "{line}");
        }
    }
}
