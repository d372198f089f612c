//! Who asks: Docker's `config.json`, and the credential helpers that it names.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::super::super::layout::open_regular;
use super::super::error::RegistryError;
use super::super::settings::RegistrySettings;

/// Largest `config.json`, and longest answer of a helper.
const MAX_BYTES: u64 = 1 << 20;
/// The user name with which a helper says that the secret is a token.
const TOKEN_USER: &str = "<token>";

/// What is told to a registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Name and password.
    Password {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// A token that gives other tokens.
    Identity(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: HashMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What the user's files say for a registry, under its name or its server's; `None`: nothing.
pub(super) fn find(
    settings: &RegistrySettings,
    host: &str,
) -> Result<Option<Credentials>, RegistryError> {
    let Some(path) = settings.auth_file.clone().or_else(default_path) else {
        return Ok(None);
    };
    let invalid = |reason: String| RegistryError::Credentials {
        what: path.display().to_string(),
        reason,
    };
    let text = match open_regular(&path) {
        Ok(file) => {
            let mut text = Vec::new();
            let read = file.take(MAX_BYTES).read_to_end(&mut text);
            read.map_err(|error| invalid(format!("cannot be read: {error}")))?;
            text
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if settings.auth_file.is_some() {
                return Err(invalid("does not exist".to_owned()));
            }
            return Ok(None);
        }
        Err(error) => return Err(invalid(format!("cannot be read: {error}"))),
    };
    let config: Config =
        serde_json::from_slice(&text).map_err(|error| invalid(format!("is not valid: {error}")))?;
    let hosts = [host, settings.server(host)];
    for host in hosts {
        let found = of_host(&config, host).map_err(&invalid)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn default_path() -> Option<PathBuf> {
    let dir = match env::var_os("DOCKER_CONFIG") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(env::var_os("HOME")?).join(".docker"),
    };
    let path = dir.join("config.json");
    fs::exists(&path).ok()?.then_some(path)
}

fn of_host(config: &Config, host: &str) -> Result<Option<Credentials>, String> {
    let helper = config
        .cred_helpers
        .iter()
        .find(|(key, _)| host_of(key) == host)
        .map(|(_, helper)| helper);
    let mut keys = config.auths.iter();
    let entry = keys.find(|(key, _)| host_of(key) == host);
    if let Some(helper) = helper.or(config.creds_store.as_ref()) {
        // A helper knows the registry by the key under which it was logged in to.
        let key = entry.map_or(host, |(key, _)| key.as_str());
        if let Some(found) = ask(helper, key)? {
            return Ok(Some(found));
        }
    }
    match entry {
        Some((key, entry)) => of_entry(entry).map_err(|reason| format!("auths.{key:?}: {reason}")),
        None => Ok(None),
    }
}

/// Keys are hosts, or the addresses of old registries' APIs.
fn host_of(key: &str) -> &str {
    let key = key.strip_prefix("https://").unwrap_or(key);
    let key = key.strip_prefix("http://").unwrap_or(key);
    key.split_once('/').map_or(key, |(host, _)| host)
}

fn of_entry(entry: &Entry) -> Result<Option<Credentials>, String> {
    if let Some(token) = entry
        .identitytoken
        .as_ref()
        .filter(|token| !token.is_empty())
    {
        return Ok(Some(Credentials::Identity(token.clone())));
    }
    if let (Some(user), Some(password)) = (&entry.username, &entry.password) {
        return Ok(Some(Credentials::Password {
            user: user.clone(),
            password: password.clone(),
        }));
    }
    let Some(auth) = entry.auth.as_ref().filter(|auth| !auth.is_empty()) else {
        return Ok(None);
    };
    // The value itself is a secret and stays out of the message.
    let wrong = || "auth is not base64 of USER:PASSWORD".to_owned();
    let bytes = STANDARD.decode(auth.trim()).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let (user, password) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Some(Credentials::Password {
        user: user.to_owned(),
        // Docker for Windows padded with NUL.
        password: password.trim_end_matches('\0').to_owned(),
    }))
}

/// Runs `docker-credential-HELPER get`.
fn ask(helper: &str, key: &str) -> Result<Option<Credentials>, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if helper.is_empty() || !helper.bytes().all(fits) {
        return Err(format!("credential helper {helper:?} has no valid name"));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| format!("cannot run {program}: {error}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that needs no input may be gone already.
        drop(writeln!(stdin, "{key}"));
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let read = stdout.take(MAX_BYTES).read_to_end(&mut answer);
        read.map_err(failed)?;
    }
    // One that writes without end does not end by itself.
    drop(child.kill());
    let status = child.wait().map_err(failed)?;
    if !status.success() && status.code().is_some() {
        // Helpers have one way to say both "nothing is known" and "it did not work".
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|error| format!("{program} gave no credentials: {error}"))?;
    Ok(Some(if answer.username == TOKEN_USER {
        Credentials::Identity(answer.secret)
    } else {
        Credentials::Password {
            user: answer.username,
            password: answer.secret,
        }
    }))
}
