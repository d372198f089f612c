//! Images: from what a person names to one read-only EROFS file and what the image says about itself.
//!
//! Called by the sandbox. Calls nothing of the other rooms; runs `mkfs.erofs` and `mke2fs`.
//! Everything read here may be hostile: layouts, manifests, layers and trees.

mod types;

pub use types::{
    Accounts, CacheUse, Image, ImageConfig, ImageSource, Limits, Observer, Progress, Stage,
};
