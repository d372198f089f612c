//! `husk ps`.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use husk_sandbox::{
    engine::{About, Found, Instant, State, Status, list},
    settings::Settings,
};
use serde::Serialize;

use super::table::{short, span, table};
use crate::{args::PsArgs, report};

/// Characters of a command or image in the table.
const COLUMN: usize = 30;

/// One container for programs.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    image: Option<&'a str>,
    command: Vec<&'a str>,
    state: String,
    created_at: Option<String>,
    #[serde(flatten)]
    course: Course<'a>,
    owner_pid: Option<u32>,
    vmm_pid: Option<u32>,
}

/// What became of a container, for programs.
#[derive(Serialize)]
pub(super) struct Course<'a> {
    started_at: Option<String>,
    finished_at: Option<String>,
    exit_code: Option<u8>,
    oom_killed: bool,
    error: Option<&'a str>,
}

impl<'a> Course<'a> {
    /// Nothing yet, where there is no status.
    pub(super) fn of(status: Option<&'a Status>) -> Self {
        Self {
            started_at: written(status.and_then(|status| status.started_ns)),
            finished_at: written(status.and_then(|status| status.finished_ns)),
            exit_code: status.and_then(|status| status.exit_code),
            oom_killed: status.is_some_and(|status| status.oom_killed),
            error: status.and_then(|status| status.error.as_deref()),
        }
    }
}

/// A moment for programs.
pub(super) fn written(ns: Option<u64>) -> Option<String> {
    ns.map(|ns| Instant(ns).to_string())
}

/// Lists containers.
pub(crate) fn ps(args: &PsArgs, settings: &Settings) -> Result<u8> {
    let listing = list(&settings.run_dir)?;
    for damaged in &listing.damaged {
        report::warning(damaged);
    }
    let mut pods = listing.pods;
    // A machine that still runs is there, although nobody serves it.
    pods.retain(|found| args.all || found.state.is_alive() || found.vmm_pid().is_some());
    let text = if args.json {
        let rows: Vec<Row<'_>> = pods.iter().map(row).collect();
        serde_json::to_string(&rows)? + "\n"
    } else if args.quiet {
        pods.iter()
            .map(|found| format!("{}\n", found.id()))
            .collect()
    } else {
        let headings = ["ID", "NAME", "IMAGE", "COMMAND", "CREATED", "STATUS"];
        let rows: Vec<[String; 6]> = pods.iter().map(cells).collect();
        table(headings, &rows)
    };
    let written = stdout().write_all(text.as_bytes());
    written.context("standard output")?;
    Ok(0)
}

fn row(found: &Found) -> Row<'_> {
    let about = found.about.as_ref();
    Row {
        id: found.id(),
        name: &found.name,
        image: about.map(|about| about.image.as_str()),
        command: about.map(About::command).unwrap_or_default(),
        state: found.state.to_string(),
        created_at: written(about.map(|about| about.created_ns)),
        course: Course::of(found.status.as_ref()),
        owner_pid: found.owner_pid(),
        vmm_pid: found.vmm_pid(),
    }
}

fn cells(found: &Found) -> [String; 6] {
    let about = found.about.as_ref();
    let command = about.map(|about| about.command().join(" "));
    let created = about.map(|about| span(Instant(about.created_ns).elapsed()));
    [
        found.id().to_owned(),
        found.name.clone(),
        short(about.map_or("", |about| &about.image), COLUMN),
        short(&command.unwrap_or_default(), COLUMN),
        created
            .map(|created| format!("{created} ago"))
            .unwrap_or_default(),
        state_text(
            found.state,
            found.status.as_ref(),
            found.vmm_pid().is_some(),
        ),
    ]
}

/// Where a container is, in words.
pub(super) fn state_text(state: State, status: Option<&Status>, machine_lives: bool) -> String {
    let since = |ns: Option<u64>| span(Instant(ns.unwrap_or(0)).elapsed());
    let started = status.and_then(|status| status.started_ns);
    match (state, status) {
        (State::Running, _) => format!("up {}", since(started)),
        (State::Paused, _) => format!("up {} (paused)", since(started)),
        (State::Exited, Some(status)) => {
            let code = status
                .exit_code
                .map_or(String::new(), |code| code.to_string());
            let memory = if status.oom_killed {
                ", out of memory"
            } else {
                ""
            };
            format!("exited ({code}{memory}) {} ago", since(status.finished_ns))
        }
        (State::Dead, _) if machine_lives => {
            "dead: its husk was killed, its machine still runs".to_owned()
        }
        (State::Dead, _) => "dead: its husk was killed".to_owned(),
        (State::Starting | State::Exited, _) => state.to_string(),
    }
}
