//! An OCI bundle: its `config.json` is taken as it is, after a look at what this host could not keep its word on.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Hooks, Spec};
use serde_path_to_error::Track;

use super::super::error::ImageError;
use super::super::layout::open_regular;

/// Largest `config.json`.
const MAX_BYTES: u64 = 4 << 20;

/// Most unknown fields that are told.
const MAX_UNKNOWN: usize = 20;

/// What a bundle holds.
#[derive(Debug)]
pub(in super::super) struct Bundle {
    pub(in super::super) spec: Spec,
    /// Where its root file system is.
    pub(in super::super) root: PathBuf,
    /// Paths of the fields that nobody knows.
    pub(in super::super) unknown: Vec<String>,
}

/// Reads a bundle.
pub(in super::super) fn read(dir: &Path) -> Result<Bundle, ImageError> {
    let invalid = |reason: String| ImageError::Bundle {
        path: dir.to_owned(),
        reason,
    };
    let mut content = Vec::new();
    let file = open_regular(&dir.join("config.json"));
    let read = file.and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content));
    read.map_err(|error| invalid(format!("cannot be read: {error}")))?;
    if u64::try_from(content.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(invalid(format!("has more than {MAX_BYTES} bytes")));
    }
    let (spec, unknown) = parse(&content).map_err(invalid)?;
    check(&spec).map_err(invalid)?;
    let root = spec.root().as_ref().map(|root| dir.join(root.path()));
    let root = root.ok_or_else(|| invalid("root is missing".to_owned()))?;
    Ok(Bundle {
        spec,
        root,
        unknown,
    })
}

fn parse(content: &[u8]) -> Result<(Spec, Vec<String>), String> {
    let mut unknown = Vec::new();
    let mut track = Track::new();
    let mut json = serde_json::Deserializer::from_slice(content);
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let spec = serde_ignored::deserialize(tracked, |path| {
        if unknown.len() < MAX_UNKNOWN {
            // An optional field has a level of its own in the path, shown as "?".
            unknown.push(path.to_string().replace(".?", ""));
        }
    });
    let spec = spec.map_err(|error| format!("{}: {error}", track.path()))?;
    json.end().map_err(|error| error.to_string())?;
    Ok((spec, unknown))
}

/// What is refused here is refused by the field's name. What the guest does with the rest is the agent's to say.
fn check(spec: &Spec) -> Result<(), String> {
    if !spec.version().starts_with("1.") {
        return Err(format!("ociVersion {:?} is not 1.x", spec.version()));
    }
    let process = spec.process().as_ref().ok_or("process is missing")?;
    if process.args().as_ref().is_none_or(Vec::is_empty) {
        return Err("process.args is empty".to_owned());
    }
    if !process.cwd().is_absolute() {
        return Err(format!("process.cwd {:?} is not absolute", process.cwd()));
    }
    let root = spec.root().as_ref().ok_or("root is missing")?;
    if root
        .path()
        .components()
        .any(|part| part == Component::ParentDir)
    {
        return Err(format!(
            "root.path {:?} has a \"..\" component",
            root.path()
        ));
    }
    if spec.windows().is_some() || spec.solaris().is_some() || spec.vm().is_some() {
        return Err("windows, solaris and vm are for other platforms".to_owned());
    }
    hooks(spec.hooks().as_ref())?;
    mounts(spec)?;
    namespaces(spec)
}

/// They are programs that run on the host, on a container that is not there.
fn hooks(hooks: Option<&Hooks>) -> Result<(), String> {
    let Some(hooks) = hooks else { return Ok(()) };
    let given = [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    match given
        .iter()
        .find(|(_, list)| list.as_ref().is_some_and(|list| !list.is_empty()))
    {
        Some((name, _)) => Err(format!(
            "hooks.{name} is not supported: its programs act on the host, where the container is not"
        )),
        None => Ok(()),
    }
}

fn mounts(spec: &Spec) -> Result<(), String> {
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let binds = |option: &String| option == "bind" || option == "rbind";
        let bind =
            mount.typ().as_deref() == Some("bind") || mount.options().iter().flatten().any(binds);
        if bind {
            let source = mount.source().as_deref().unwrap_or_else(|| Path::new(""));
            return Err(format!(
                "mounts[{index}]: bind of {source:?} is not supported yet"
            ));
        }
    }
    Ok(())
}

fn namespaces(spec: &Spec) -> Result<(), String> {
    let linux = spec.linux().as_ref().ok_or("linux is missing")?;
    for (index, namespace) in linux.namespaces().iter().flatten().enumerate() {
        if let Some(path) = namespace.path() {
            let problem = "a namespace of the host cannot be joined";
            return Err(format!(
                "linux.namespaces[{index}].path {path:?}: {problem}"
            ));
        }
    }
    Ok(())
}
