//! `husk check` and `husk gc`; completions, which are made from the command line's own description.

use std::io::{Write, stdout};

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use husk_sandbox::{
    artefacts::{Artefacts, FlavourChoice},
    host::{self, Check, CheckInputs, Report, Status},
    images::{Limits, Store, scratch},
    machine::{KvmKind, host_kvm},
    pod::{Depth, sweep},
    settings::Settings,
};

use crate::{
    args::{CheckArgs, Cli, CompletionsArgs},
    report,
};

/// Exit code of a check that found what stops every machine.
const NOT_USABLE: u8 = 1;

/// Looks at the host.
pub(crate) fn check(args: &CheckArgs, settings: &Settings) -> Result<u8> {
    let report = match Artefacts::find(settings.artefacts.as_deref()) {
        Ok(artefacts) => host::check(&inputs(&artefacts, settings)),
        Err(error) => without_artefacts(format!("{:#}", anyhow::Error::from(error)), settings),
    };
    let mut text = if args.json {
        serde_json::to_string(&report)?
    } else {
        report.to_string()
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    stdout()
        .write_all(text.as_bytes())
        .context("standard output")?;
    Ok(if report.is_usable() { 0 } else { NOT_USABLE })
}

fn inputs(artefacts: &Artefacts, settings: &Settings) -> CheckInputs {
    let vmm = artefacts.vmm();
    let flavour = match settings.kernel {
        FlavourChoice::Always(flavour) => flavour,
        // A host whose KVM cannot be measured has other things to mend first.
        FlavourChoice::Auto => FlavourChoice::Auto.resolve(
            host_kvm(&vmm, &settings.state_dir).map_or(KvmKind::Interpreting, |host| host.kind),
        ),
    };
    CheckInputs {
        artefacts: artefacts.for_check(flavour),
        vmm,
        image_dir: settings.image_dir.clone(),
        state_dir: settings.state_dir.clone(),
    }
}

/// Everything that can be said without VMM, kernel and initramfs.
fn without_artefacts(why: String, settings: &Settings) -> Report {
    let mut report = host::check(&CheckInputs {
        vmm: "husk-vmm".into(),
        artefacts: Vec::new(),
        image_dir: settings.image_dir.clone(),
        state_dir: settings.state_dir.clone(),
    });
    report.checks.push(Check {
        name: "artefacts".to_owned(),
        status: Status::Fail,
        found: why,
        fix: Some("make run builds them".to_owned()),
    });
    report
}

/// Removes what is left of pods whose owner died, and of work on images and disks that was killed.
pub(crate) fn gc(settings: &Settings) -> Result<u8> {
    let swept = sweep(&settings.run_dir, Depth::Everything)?;
    if settings.image_dir.exists() {
        // Opening it clears it.
        Store::open(&settings.image_dir, Limits::default())?;
    }
    scratch::remove_drafts(&settings.state_dir.join("templates"))?;
    for name in &swept.removed {
        writeln!(stdout(), "{name}").context("standard output")?;
    }
    if swept.left.is_empty() {
        return Ok(0);
    }
    for left in &swept.left {
        report::warning(left);
    }
    bail!("{} leftovers could not be removed", swept.left.len())
}

/// Prints what a shell needs to complete husk's words.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "husk", &mut script);
    let written = stdout().write_all(&script);
    written.context("standard output")?;
    Ok(0)
}
