//! The environment: defaults, then the image's, then the caller's; later ones win, in the place of the first.

use super::error::SpecError;
use super::flags::EnvOption;
use super::options::RunOptions;
use crate::images::ImageConfig;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `NAME=value` for each variable. `inherited` looks into the caller's own environment.
pub(super) fn environment(
    image: &ImageConfig,
    options: &RunOptions,
    home: &str,
    inherited: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>, SpecError> {
    let mut variables = Variables(Vec::new());
    variables.set("PATH", PATH);
    variables.set("HOSTNAME", &options.hostname);
    if options.terminal {
        variables.set("TERM", "xterm");
    }
    for (at, entry) in image.env.iter().enumerate() {
        // An entry without a value says nothing: `ImageSource::ignored` names it.
        if let Some((name, value)) = entry.split_once('=') {
            let set = variables.set_checked(name, value);
            set.map_err(|_| {
                let problem =
                    format!("the image's config.Env[{at}] {entry:?} has no valid name or value");
                SpecError::Invalid(problem)
            })?;
        }
    }
    for option in &options.env {
        match option {
            EnvOption::Set(name, value) => variables.set_checked(name, value)?,
            EnvOption::Inherit(name) => {
                if let Some(value) = inherited(name) {
                    variables.set_checked(name, &value)?;
                }
            }
        }
    }
    if !variables.0.iter().any(|(name, _)| name == "HOME") {
        variables.set("HOME", home);
    }
    Ok(variables
        .0
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect())
}

struct Variables(Vec<(String, String)>);

impl Variables {
    fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    fn set_checked(&mut self, name: &str, value: &str) -> Result<(), SpecError> {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(SpecError::Variable(name.to_owned()));
        }
        self.set(name, value);
        Ok(())
    }
}
