//! `--security-opt seccomp=FILE`: a profile in Docker's form, which knows conditions, becomes one of the OCI's.

use oci_spec::runtime::{Capabilities, LinuxSeccomp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::capabilities::CapabilityName;

/// Linux of the guest; conditions on the kernel are about it.
const GUEST_KERNEL: (u32, u32) = (6, 12);
/// What Docker calls x86_64.
const GUEST_ARCHITECTURE: &str = "amd64";
/// Most rules; Docker's own profile has some thirty.
const MAX_RULES: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<String>>,
    arch_map: Option<Vec<ArchMap>>,
    flags: Option<Vec<String>>,
    listener_path: Option<String>,
    syscalls: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: String,
    errno_ret: Option<u32>,
    args: Option<Value>,
    includes: Option<Condition>,
    excludes: Option<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    arches: Option<Vec<String>>,
    caps: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// `linux.seccomp` for a container with these capabilities.
///
/// # Errors
/// What of the profile is not valid.
pub(in super::super) fn seccomp_profile(
    content: &[u8],
    granted: &Capabilities,
) -> Result<Value, String> {
    let text: Value =
        serde_json::from_slice(content).map_err(|error| format!("no JSON: {error}"))?;
    if let Some(kind) = not_an_object(&text) {
        return Err(format!("{kind} where a profile is an object, {{...}}"));
    }
    // From the text again: two fields of one name would be one by now.
    let mut json = serde_json::Deserializer::from_slice(content);
    let profile: Profile =
        serde_path_to_error::deserialize(&mut json).map_err(|error| named(&error))?;
    if profile.listener_path.is_some_and(|path| !path.is_empty()) {
        return Err("listenerPath: there is nobody to listen".to_owned());
    }
    let mapped = profile.arch_map.unwrap_or_default();
    let mut architectures = profile.architectures.unwrap_or_default();
    if !mapped.is_empty() && !architectures.is_empty() {
        return Err("architectures and archMap exclude each other".to_owned());
    }
    for map in mapped {
        architectures.push(map.architecture);
        architectures.extend(map.sub_architectures.unwrap_or_default());
    }
    let rules = profile.syscalls.unwrap_or_default();
    if rules.len() > MAX_RULES {
        return Err(format!("syscalls: more than {MAX_RULES} rules"));
    }
    let mut syscalls = Vec::new();
    for (index, rule) in rules.into_iter().enumerate() {
        let made = one(rule, granted).map_err(|error| format!("syscalls[{index}]{error}"))?;
        syscalls.extend(made);
    }
    let mut made = json!({
        "defaultAction": profile.default_action,
        "syscalls": syscalls,
    });
    for (key, value) in [
        (
            "defaultErrnoRet",
            profile.default_errno_ret.map(Value::from),
        ),
        (
            "architectures",
            (!architectures.is_empty()).then(|| json!(architectures)),
        ),
        ("flags", profile.flags.map(|flags| json!(flags))),
    ] {
        if let Some(value) = value {
            made[key] = value;
        }
    }
    // Names of actions, operators and architectures are checked here; what they mean is the guest's.
    let checked: Result<LinuxSeccomp, _> = serde_path_to_error::deserialize(&made);
    match checked {
        Ok(_) => Ok(made),
        Err(error) => Err(named(&error)),
    }
}

/// The field and what is wrong with it; what is missing in the profile itself has no field to name.
fn named(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().iter().next() {
        Some(_) => format!("{}: {}", error.path(), error.inner()),
        None => error.inner().to_string(),
    }
}

fn not_an_object(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Object(_) => return None,
        Value::Array(_) => "an array, [...],",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Null => "null",
    })
}

/// A rule whose conditions hold here.
fn one(rule: Rule, granted: &Capabilities) -> Result<Option<Value>, String> {
    let names = match (rule.name.filter(|name| !name.is_empty()), rule.names) {
        (Some(_), Some(names)) if !names.is_empty() => {
            return Err(": name and names exclude each other".to_owned());
        }
        (Some(name), _) => vec![name],
        (None, names) => names.unwrap_or_default(),
    };
    let (includes, excludes) = (
        rule.includes.unwrap_or_default(),
        rule.excludes.unwrap_or_default(),
    );
    let included = includes.holds(granted, Quantor::All)?;
    let excluded = excludes.is_given() && excludes.holds(granted, Quantor::Any)?;
    if names.is_empty() || !included || excluded {
        return Ok(None);
    }
    let mut made = json!({"names": names, "action": rule.action});
    if let Some(errno) = rule.errno_ret {
        made["errnoRet"] = json!(errno);
    }
    if let Some(args) = rule.args.filter(|args| !args.is_null()) {
        made["args"] = args;
    }
    Ok(Some(made))
}

/// How the parts of a condition go together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantor {
    /// Each that is given must hold.
    All,
    /// One that holds is enough.
    Any,
}

impl Condition {
    fn is_given(&self) -> bool {
        let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        some(&self.arches) || some(&self.caps) || self.min_kernel.is_some()
    }

    fn holds(&self, granted: &Capabilities, quantor: Quantor) -> Result<bool, String> {
        let mut parts = Vec::new();
        if let Some(arches) = self.arches.as_ref().filter(|arches| !arches.is_empty()) {
            parts.push(arches.iter().any(|arch| arch == GUEST_ARCHITECTURE));
        }
        for name in self.caps.iter().flatten() {
            let known = name
                .parse()
                .map_err(|error: String| format!(".caps: {error}"))?;
            parts.push(matches!(known, CapabilityName::One(one) if granted.contains(&one)));
        }
        if let Some(version) = &self.min_kernel {
            parts.push(GUEST_KERNEL >= kernel(version)?);
        }
        Ok(match quantor {
            Quantor::All => parts.iter().all(|holds| *holds),
            Quantor::Any => parts.iter().any(|holds| *holds),
        })
    }
}

fn kernel(text: &str) -> Result<(u32, u32), String> {
    let parsed = text
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.ok_or_else(|| format!(".minKernel: {text:?} is not as 4.8"))
}
