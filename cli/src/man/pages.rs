//! Manual pages, as files.

use std::{fs, io, path::Path};

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::words::{Item, Section, sections};
use crate::args::{Cli, ManArgs};

/// Writes a page for husk and one for each of its commands.
pub(crate) fn man(args: &ManArgs) -> Result<u8> {
    write(&args.dir).with_context(|| format!("manual pages in {}", args.dir.display()))?;
    Ok(0)
}

fn write(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for command in commands() {
        let page = page(&command)?;
        fs::write(dir.join(format!("{}.1", name(&command))), page)?;
    }
    Ok(())
}

/// `husk` and what it can be told to do.
fn commands() -> Vec<Command> {
    let mut husk = Cli::command().disable_help_subcommand(true);
    husk.build();
    let verbs = husk.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut commands: Vec<Command> = verbs.cloned().collect();
    commands.push(husk);
    commands
}

/// `husk-run` for `husk run`.
fn name(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let source = format!("husk {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("Husk");
    let mut page = Vec::new();
    man.render(&mut page)?;
    for Section { title, items } in sections(name(command)) {
        let mut roff = Roff::new();
        roff.control("SH", [*title]);
        for item in *items {
            add(&mut roff, item);
        }
        roff.to_writer(&mut page)?;
    }
    Ok(page)
}

fn add(roff: &mut Roff, item: &Item) {
    match item {
        Item::Text(text) => {
            roff.control("PP", []);
            roff.text([roman(*text)]);
        }
        Item::Term(term, text) => {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
        Item::Example(text, command) => {
            roff.control("PP", []);
            roff.text([roman(*text)]);
            roff.control("PP", []);
            roff.control("RS", ["4"]);
            roff.text([bold(*command)]);
            roff.control("RE", []);
        }
    }
}

#[cfg(test)]
mod tests;
