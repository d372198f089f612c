//! What a program is: packages, files, image configuration, question and answer.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One program.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// Debian packages; what they depend on comes with them.
    #[serde(default)]
    pub(super) packages: Vec<String>,
    /// A Go source file beside the recipe that becomes the static program `/NAME`.
    pub(super) go: Option<String>,
    /// `husk run --memory`; the smallest machine otherwise.
    pub(super) memory: Option<String>,
    /// What the image says of its containers.
    pub(super) image: Config,
    /// Users, each with a group of the same name and number.
    #[serde(default)]
    pub(super) user: Vec<User>,
    /// Directories.
    #[serde(default)]
    pub(super) dir: Vec<Dir>,
    /// Files.
    #[serde(default)]
    pub(super) file: Vec<Text>,
    /// Text of the log line that says that the program can be asked.
    pub(super) ready: String,
    /// Questions, in order.
    pub(super) ask: Vec<Ask>,
    /// Exit code after `husk stop`.
    pub(super) exit: i32,
    /// Whether `cargo xtask test` runs it too.
    #[serde(default)]
    pub(super) in_test: bool,
}

/// The image's configuration (image-spec 1.1, config.md).
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    user: Option<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    workdir: Option<String>,
    #[serde(default)]
    expose: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    stop_signal: Option<String>,
}

/// A line of /etc/passwd and one of /etc/group.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) id: u32,
    #[serde(default = "root")]
    pub(super) home: String,
}

/// A directory, made or changed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dir {
    pub(super) path: String,
    #[serde(default)]
    pub(super) owner: u32,
    /// In octal.
    #[serde(default = "dir_mode")]
    pub(super) mode: String,
}

/// A file, made or replaced.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) path: String,
    #[serde(default)]
    pub(super) owner: u32,
    /// In octal.
    #[serde(default = "file_mode")]
    pub(super) mode: String,
    pub(super) text: String,
}

/// A command in the running container and what it must say.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    pub(super) run: Vec<String>,
    /// The whole of its output, without white space at either end.
    pub(super) answer: String,
}

fn root() -> String {
    "/".to_owned()
}

fn dir_mode() -> String {
    "755".to_owned()
}

fn file_mode() -> String {
    "644".to_owned()
}

impl Recipe {
    /// Reads a recipe.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let recipe: Self = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
        if recipe.ask.is_empty() || recipe.packages.is_empty() == recipe.go.is_none() {
            bail!(
                "{}: a recipe has questions, and either packages or a go file",
                path.display()
            );
        }
        Ok(recipe)
    }
}

impl Config {
    /// The signal that asks its containers to end.
    pub(super) fn stop_signal(&self) -> &str {
        self.stop_signal.as_deref().unwrap_or("SIGTERM")
    }

    /// As it stands in an image.
    pub(super) fn document(&self) -> Value {
        let set = |names: &[String]| -> Value {
            names.iter().map(|name| (name.clone(), json!({}))).collect()
        };
        let mut config = json!({
            "Env": self.env,
            "WorkingDir": self.workdir.as_deref().unwrap_or("/"),
        });
        for (name, value) in [
            ("Entrypoint", json!(self.entrypoint)),
            ("Cmd", json!(self.cmd)),
            ("ExposedPorts", set(&self.expose)),
            ("Volumes", set(&self.volumes)),
        ] {
            if value != json!([]) && value != json!({}) {
                config[name] = value;
            }
        }
        for (name, value) in [("User", &self.user), ("StopSignal", &self.stop_signal)] {
            if let Some(value) = value {
                config[name] = json!(value);
            }
        }
        config
    }
}

/// Names and files of the recipes in a directory, or of those asked for.
pub(super) fn files(dir: &Path, names: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let list = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut known = Vec::new();
    for entry in list {
        let path = entry
            .with_context(|| format!("cannot list {}", dir.display()))?
            .path();
        if path.extension().is_some_and(|end| end == "toml")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            known.push((name.to_owned(), path.clone()));
        }
    }
    known.sort();
    for name in names {
        if !known.iter().any(|(one, _)| one == name) {
            let all: Vec<&str> = known.iter().map(|(one, _)| one.as_str()).collect();
            bail!("no program {name:?}, there are {}", all.join(", "));
        }
    }
    known.retain(|(name, _)| names.is_empty() || names.contains(name));
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Config, Recipe, files};

    #[test]
    fn every_recipe_of_the_tree_is_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs");
        let known = files(&dir, &[]).unwrap();
        assert!(known.len() >= 10, "{known:?}");
        for (_, path) in known {
            Recipe::read(&path).unwrap();
        }
        assert!(files(&dir, &["no-such".to_owned()]).is_err());
    }

    #[test]
    fn configuration_has_only_what_was_said() {
        let text = "user = \"a\"\nexpose = [\"80/tcp\"]\nstop_signal = \"SIGINT\"\n";
        let config: Config = toml::from_str(text).unwrap();
        let document = config.document();
        assert_eq!(document["User"], "a");
        assert!(document["ExposedPorts"]["80/tcp"].is_object());
        assert_eq!(document["StopSignal"], "SIGINT");
        assert!(document.get("Cmd").is_none() && document.get("Volumes").is_none());
    }
}
