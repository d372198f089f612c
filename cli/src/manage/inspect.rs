//! `husk inspect`: everything that is known, as JSON.

use std::{
    io::{Write, stdout},
    time::Duration,
};

use anyhow::{Context, Result};
use husk_sandbox::{
    engine::{Client, Found, find},
    pod::Mark,
    settings::Settings,
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    ending::each,
    ps::{Course, written},
};
use crate::args::Names;

/// How long an owner may take to answer.
const OWNER_ANSWERS: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Known<'a> {
    id: &'a str,
    name: &'a str,
    image: Option<&'a str>,
    created_at: Option<String>,
    detached: bool,
    auto_remove: bool,
    terminal: bool,
    stop_signal: Option<u32>,
    stop_timeout_s: Option<u64>,
    state: StateOf<'a>,
    owner_pid: Option<u32>,
    vmm_pid: Option<u32>,
    dir: String,
    timeline: &'a [Mark],
    spec: Option<&'a Value>,
}

#[derive(Serialize)]
struct StateOf<'a> {
    status: String,
    #[serde(flatten)]
    course: Course<'a>,
}

/// Prints an array with one object for each name.
pub(crate) async fn inspect(args: &Names, settings: &Settings) -> Result<u8> {
    let mut known = Vec::new();
    let code = each(&args.names, async |name| {
        let found = find(&settings.run_dir, name)?;
        let timeline = timeline(&found).await;
        known.push(serde_json::to_value(describe(&found, &timeline))?);
        Ok(())
    })
    .await;
    let text = serde_json::to_string_pretty(&known)? + "\n";
    let written = stdout().write_all(text.as_bytes());
    written.context("standard output")?;
    Ok(code)
}

/// Of a container that lives, from its owner.
async fn timeline(found: &Found) -> Vec<Mark> {
    // One that hangs must not hide what is known without it.
    if found.state.is_alive()
        && let Ok(Ok(timeline)) = timeout(OWNER_ANSWERS, Client::new(found).timeline()).await
    {
        return timeline.marks;
    }
    let status = found.status.as_ref();
    status
        .map(|status| status.timeline.clone())
        .unwrap_or_default()
}

fn describe<'a>(found: &'a Found, timeline: &'a [Mark]) -> Known<'a> {
    let about = found.about.as_ref();
    Known {
        id: found.id(),
        name: &found.name,
        image: about.map(|about| about.image.as_str()),
        created_at: written(about.map(|about| about.created_ns)),
        detached: about.is_some_and(|about| about.detached),
        auto_remove: about.is_some_and(|about| about.auto_remove),
        terminal: about.is_some_and(|about| about.terminal),
        stop_signal: about.map(|about| about.stop_signal),
        stop_timeout_s: about.map(|about| about.stop_timeout_s),
        state: StateOf {
            status: found.state.to_string(),
            course: Course::of(found.status.as_ref()),
        },
        owner_pid: found.owner_pid(),
        vmm_pid: found.vmm_pid(),
        dir: found.dir.display().to_string(),
        timeline,
        spec: about.map(|about| &about.spec),
    }
}
