//! Arguments about images.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Name of the image: HOST/PATH[:TAG][@DIGEST]
    pub(crate) image: String,
}
