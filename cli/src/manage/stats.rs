//! `husk stats`: what containers use, once or again and again.

use std::{
    collections::HashMap,
    fs,
    io::{ErrorKind, IsTerminal, Write, stdout},
    time::Duration,
};

use anyhow::{Context, Result};
use husk_sandbox::{
    agent::{InterfaceStats, Stats},
    engine::{Client, Found, Instant, Usage, find, list},
    settings::Settings,
};
use serde::Serialize;
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use super::table::table;
use crate::{args::StatsArgs, report};

/// How often the figures are taken.
const EVERY: Duration = Duration::from_secs(2);

/// To the first line and column, and everything below wiped.
const CLEAR: &str = "\x1b[H\x1b[J";

/// One container for programs.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    /// Of one processor, since the look before; none at the first.
    cpu_percent: Option<f64>,
    container: Value,
    kernel_instructions: u64,
    vmm_memory_bytes: Option<u64>,
}

/// One look at one container.
struct Look {
    found: Found,
    usage: Usage,
    cpu_permille: Option<u64>,
}

/// Shows what containers use; those that run when none is named.
pub(crate) async fn stats(args: &StatsArgs, settings: &Settings) -> Result<u8> {
    let mut before: HashMap<String, Usage> = HashMap::new();
    // A rate needs two looks, and people want rates.
    if args.no_stream && !args.json {
        for look in look(args, settings, &before).await? {
            before.insert(look.found.id().to_owned(), look.usage);
        }
        sleep(EVERY).await;
    }
    loop {
        let looks = look(args, settings, &before).await?;
        let text = if args.json {
            json(&looks)?
        } else {
            people(&looks, args.no_stream)
        };
        let written = stdout()
            .write_all(text.as_bytes())
            .and_then(|()| stdout().flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
            written => written.context("standard output")?,
        }
        if args.no_stream || (looks.is_empty() && !args.names.is_empty()) {
            return Ok(0);
        }
        before = looks
            .into_iter()
            .map(|look| (look.found.id().to_owned(), look.usage))
            .collect();
        sleep(EVERY).await;
    }
}

async fn look(
    args: &StatsArgs,
    settings: &Settings,
    before: &HashMap<String, Usage>,
) -> Result<Vec<Look>> {
    let mut wanted = Vec::new();
    for name in &args.names {
        let found = find(&settings.run_dir, name)?;
        if !found.state.is_alive() {
            return Err(found.refuse("take its figures").into());
        }
        wanted.push(found);
    }
    if args.names.is_empty() {
        wanted = list(&settings.run_dir)?.pods;
        wanted.retain(|found| found.state.is_alive());
    }
    let mut asking = JoinSet::new();
    for (at, found) in wanted.into_iter().enumerate() {
        asking.spawn(async move { (at, Client::new(&found).stats().await, found) });
    }
    let mut looks = Vec::new();
    while let Some(answer) = asking.join_next().await {
        match answer? {
            (at, Ok(usage), found) => {
                let cpu_permille = before.get(found.id()).and_then(|old| permille(old, &usage));
                looks.push((
                    at,
                    Look {
                        found,
                        usage,
                        cpu_permille,
                    },
                ));
            }
            (_, Err(error), found) if found.again().is_ok_and(|now| now.state.is_alive()) => {
                report::warning(&format!("{}: {error}", found.name));
            }
            // It ended meanwhile.
            _ => {}
        }
    }
    looks.sort_by_key(|(at, _)| *at);
    Ok(looks.into_iter().map(|(_, look)| look).collect())
}

/// Processor time by the guest's clock, in thousandths of one processor.
fn permille(before: &Usage, now: &Usage) -> Option<u64> {
    let us = |usage: &Usage| usage.container.cpu.map(|cpu| cpu.usage_us);
    let used = us(now)?.checked_sub(us(before)?)?;
    let passed = now
        .container
        .read_at
        .checked_sub(before.container.read_at)?;
    let passed = u64::try_from(passed.as_micros())
        .ok()
        .filter(|us| *us > 0)?;
    used.checked_mul(1000).map(|scaled| scaled / passed)
}

fn json(looks: &[Look]) -> Result<String> {
    let row = |look| -> Result<Row<'_>> {
        let look: &Look = look;
        Ok(Row {
            id: look.found.id(),
            name: &look.found.name,
            cpu_percent: look.cpu_permille.and_then(|permille| {
                let permille = u32::try_from(permille).ok()?;
                Some(f64::from(permille) / 10.0)
            }),
            container: figures(&look.usage.container)?,
            kernel_instructions: look.usage.instructions,
            vmm_memory_bytes: look.found.vmm_pid().and_then(resident_bytes),
        })
    };
    let rows = looks.iter().map(row).collect::<Result<Vec<_>>>()?;
    Ok(serde_json::to_string(&rows)? + "\n")
}

/// All of them, with times as everywhere.
fn figures(stats: &Stats) -> Result<Value> {
    let read_at = u64::try_from(stats.read_at.as_nanos()).unwrap_or(u64::MAX);
    let mut figures = serde_json::to_value(stats)?;
    if let Some(field) = figures.get_mut("read_at") {
        *field = Instant(read_at).to_string().into();
    }
    Ok(figures)
}

fn people(looks: &[Look], once: bool) -> String {
    let headings = [
        "ID",
        "NAME",
        "CPU %",
        "MEMORY / LIMIT",
        "PIDS",
        "NET I/O",
        "BLOCK I/O",
        "VMM MEMORY",
    ];
    let rows: Vec<[String; 8]> = looks.iter().map(cells).collect();
    let clear = if once || !stdout().is_terminal() {
        ""
    } else {
        CLEAR
    };
    format!("{clear}{}", table(headings, &rows))
}

fn cells(look: &Look) -> [String; 8] {
    let none = || "-".to_owned();
    let stats = &look.usage.container;
    let memory = stats.memory.as_ref().map(|memory| {
        let limit = memory.limit_bytes.map_or_else(none, size);
        format!("{} / {limit}", size(memory.current_bytes))
    });
    // What comes back to itself is no traffic.
    let outside = || stats.interfaces.iter().filter(|one| one.name != "lo");
    let net = |figure: fn(&InterfaceStats) -> u64| {
        size(outside().map(figure).fold(0, u64::saturating_add))
    };
    let sum = |figure: fn(&husk_sandbox::agent::IoStats) -> u64| {
        stats.io.iter().map(figure).fold(0, u64::saturating_add)
    };
    let io = format!(
        "{} / {}",
        size(sum(|io| io.read_bytes)),
        size(sum(|io| io.written_bytes))
    );
    let cpu = look
        .cpu_permille
        .map(|cpu| format!("{}.{}", cpu / 10, cpu % 10));
    [
        look.found.id().to_owned(),
        look.found.name.clone(),
        cpu.unwrap_or_else(none),
        memory.unwrap_or_else(none),
        stats
            .pids
            .map_or_else(none, |pids| pids.current.to_string()),
        format!("{} / {}", net(|one| one.rx_bytes), net(|one| one.tx_bytes)),
        io,
        look.found
            .vmm_pid()
            .and_then(resident_bytes)
            .map_or_else(none, size),
    ]
}

/// Bytes as people read them, by powers of 1024.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scale = 0_usize;
    let mut tenths = bytes.saturating_mul(10);
    while tenths >= 10_240 && scale + 1 < units.len() {
        tenths /= 1024;
        scale += 1;
    }
    let unit = units.get(scale).unwrap_or(&"");
    match scale {
        0 => format!("{bytes} {unit}"),
        _ => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

/// What a machine's process holds of the host's memory, its guest's included.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests;
