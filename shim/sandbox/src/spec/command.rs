//! The program and its arguments, by Docker's rules for entrypoint and cmd.

use super::error::SpecError;
use super::options::RunOptions;
use crate::images::ImageConfig;

/// What is executed. An entrypoint that is given drops the image's cmd; arguments that are given replace it.
pub(super) fn command(image: &ImageConfig, options: &RunOptions) -> Result<Vec<String>, SpecError> {
    let (entrypoint, default) = match options.entrypoint.as_deref() {
        None => (image.entrypoint.clone(), image.cmd.as_slice()),
        Some("") => (Vec::new(), &[] as &[String]),
        Some(program) => (vec![program.to_owned()], &[] as &[String]),
    };
    let arguments = if options.args.is_empty() {
        default
    } else {
        options.args.as_slice()
    };
    let command: Vec<String> = entrypoint.iter().chain(arguments).cloned().collect();
    if command.is_empty() {
        return Err(SpecError::NoCommand);
    }
    match command.iter().find(|argument| argument.contains('\0')) {
        Some(argument) => {
            let problem = format!("argument {argument:?} holds a NUL byte");
            Err(SpecError::Invalid(problem))
        }
        None => Ok(command),
    }
}
