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
    match command.iter().position(|argument| argument.contains('\0')) {
        Some(at) => {
            let from_image = |field| format!("the image's config.{field}");
            let ours = entrypoint.len();
            let whose = match (at < ours, options) {
                (true, options) if options.entrypoint.is_some() => "--entrypoint".to_owned(),
                (true, _) => from_image(format!("Entrypoint[{at}]")),
                (false, options) if options.args.is_empty() => {
                    from_image(format!("Cmd[{}]", at - ours))
                }
                (false, _) => "argument".to_owned(),
            };
            let argument = command.get(at).map_or("", String::as_str);
            let problem = format!("{whose} {argument:?} holds a NUL byte");
            Err(SpecError::Invalid(problem))
        }
        None => Ok(command),
    }
}
