//! The table of docs/limits.md that explains differences.
//!
//! Columns: cases, facts, what runc's container sees, what Husk's sees, why. A cell holds patterns in backticks, of which one must
//! match; `*` stands for any text, and `-` for a fact that is not there.

use anyhow::{Context as _, Result, ensure};

use super::difference::Difference;

/// The heading above the table.
const HEADING: &str = "## Beside runc";

/// All rows.
#[derive(Debug)]
pub struct Explanations(Vec<Row>);

/// One row.
#[derive(Debug)]
pub struct Row {
    cases: Vec<String>,
    facts: Vec<String>,
    runc: Vec<String>,
    husk: Vec<String>,
    /// The reason.
    pub why: String,
}

impl Explanations {
    /// Reads the page.
    ///
    /// # Errors
    /// There is no such table, or one of its rows has other columns.
    pub fn read(page: &str) -> Result<Self> {
        let (_, section) = page
            .split_once(HEADING)
            .with_context(|| format!("the page has no section {HEADING:?}"))?;
        let rows = section
            .lines()
            .skip_while(|line| !line.starts_with('|'))
            .take_while(|line| line.starts_with('|'))
            // The heading and the line below it.
            .skip(2)
            .map(Row::read)
            .collect::<Result<Vec<_>>>()?;
        ensure!(!rows.is_empty(), "section {HEADING:?} has no table");
        Ok(Self(rows))
    }

    /// The row that explains a difference.
    #[must_use]
    pub fn of(&self, difference: &Difference) -> Option<&Row> {
        self.0.iter().find(|row| row.explains(difference))
    }

    /// Rows in their order.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter()
    }
}

impl Row {
    fn read(line: &str) -> Result<Self> {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let [cases, facts, runc, husk, why] = cells.as_slice() else {
            anyhow::bail!("row {line:?} has {} cells, not 5", cells.len());
        };
        let row = Self {
            cases: patterns(cases),
            facts: patterns(facts),
            runc: patterns(runc),
            husk: patterns(husk),
            why: (*why).to_owned(),
        };
        let columns = [&row.cases, &row.facts, &row.runc, &row.husk];
        ensure!(
            columns.iter().all(|patterns| !patterns.is_empty()) && !row.why.is_empty(),
            "row {line:?} has a cell without a pattern or a reason"
        );
        Ok(row)
    }

    fn explains(&self, difference: &Difference) -> bool {
        let any =
            |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        any(&self.cases, difference.case)
            && any(&self.facts, &difference.fact)
            && any(&self.runc, difference.runc.as_deref().unwrap_or("-"))
            && any(&self.husk, difference.husk.as_deref().unwrap_or("-"))
    }

    /// What it is about.
    #[must_use]
    pub fn about(&self) -> String {
        format!("{}: {}", self.cases.join(" "), self.facts.join(" "))
    }
}

/// What stands in backticks.
fn patterns(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Whether a pattern fits the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').map_or(("", rest), |parts| parts);
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests;
