//! `husk-compare [CASE...]`: the same specifications under runc and in one guest. Fails when a difference is not explained by the
//! table of docs/limits.md. Run by `cargo xtask compare`.

use std::{collections::BTreeMap, env, fs, io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use husk_sandbox::spec::Shape;
use husk_tests::{
    compare::{Case, Difference, Explanations, Runc, all, differences, in_guest},
    guest::Guest,
};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match compare(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("husk-compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every difference is explained.
fn compare(names: &[String]) -> Result<bool> {
    let cases = chosen(names)?;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/limits.md");
    let page = fs::read_to_string(page).context(page)?;
    let explanations = Explanations::read(&page)?;
    let guest = Guest::boot(Shape {
        vcpus: 1,
        memory_mib: 512,
    })?;
    let bundles = tempfile::tempdir().context("no place for bundles")?;
    let runc = Runc::new(guest.rootfs(), bundles.path().to_owned());
    let mut found = Vec::new();
    for case in &cases {
        let there = runc
            .run(case)
            .with_context(|| format!("{} under runc", case.name))?;
        let here = in_guest(&guest, case).with_context(|| format!("{} under Husk", case.name))?;
        let facts = there.0.len().max(here.0.len());
        let new = differences(case.name, &there, &here);
        println!("{}: {facts} facts, {} differ", case.name, new.len());
        for difference in new.iter().filter(|new| explanations.of(new).is_none()) {
            println!("  not explained: {difference}");
        }
        std::io::stdout().flush()?;
        found.extend(new);
    }
    let (_, left) = guest.end()?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(summary(&cases, &found, &explanations, names.is_empty()))
}

fn chosen(names: &[String]) -> Result<Vec<Case>> {
    if names.is_empty() {
        return Ok(all().to_vec());
    }
    names
        .iter()
        .map(|name| {
            let case = all().iter().find(|case| case.name == name);
            case.copied().with_context(|| {
                let known: Vec<_> = all().iter().map(|case| case.name).collect();
                format!("no case {name:?}; there are {}", known.join(" "))
            })
        })
        .collect()
}

/// Says which row explained how many; whether all is explained.
fn summary(cases: &[Case], found: &[Difference], explanations: &Explanations, whole: bool) -> bool {
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut open = 0_usize;
    for difference in found {
        match explanations.of(difference) {
            Some(row) => *used.entry(row.about()).or_default() += 1,
            None => open += 1,
        }
    }
    println!(
        "\n{} specifications, {} differences, {open} of them not explained",
        cases.len(),
        found.len()
    );
    for row in explanations.rows() {
        let about = row.about();
        match used.get(&about) {
            Some(count) => println!("{count:5} {about}: {}", row.why),
            None if whole => println!("    - {about}: explains nothing on this host"),
            None => {}
        }
    }
    open == 0
}
