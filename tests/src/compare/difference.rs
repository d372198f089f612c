//! Facts that are not equal.

use std::{collections::BTreeSet, fmt};

use super::seen::Seen;

/// One fact of one case that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub case: &'static str,
    /// The fact.
    pub fact: String,
    /// Under runc; `None`: there is no such fact.
    pub runc: Option<String>,
    /// Under Husk.
    pub husk: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| match value {
            Some(value) => format!("{value:?}"),
            None => "-".to_owned(),
        };
        let (runc, husk) = (value(&self.runc), value(&self.husk));
        write!(f, "{}: {}: runc {runc}, Husk {husk}", self.case, self.fact)
    }
}

/// All of them, by name. Of two containers of which one was not made there is nothing else to compare.
#[must_use]
pub fn differences(case: &'static str, runc: &Seen, husk: &Seen) -> Vec<Difference> {
    let names: BTreeSet<&String> = runc.0.keys().chain(husk.0.keys()).collect();
    let failed = names.iter().any(|name| *name == Seen::ERROR);
    names
        .into_iter()
        .filter(|name| !failed || *name == Seen::ERROR)
        .filter(|name| runc.0.get(*name) != husk.0.get(*name))
        .map(|name| Difference {
            case,
            fact: name.clone(),
            runc: runc.0.get(name).cloned(),
            husk: husk.0.get(name).cloned(),
        })
        .collect()
}
