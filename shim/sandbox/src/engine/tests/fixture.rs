//! What the tests of several parts need.

use serde_json::json;

use crate::engine::About;

/// A detached container of this id.
pub(super) fn about(id: &str) -> About {
    About {
        version: About::VERSION,
        id: id.to_owned(),
        image: "image".to_owned(),
        created_ns: 1,
        detached: true,
        auto_remove: false,
        terminal: false,
        stop_signal: 15,
        stop_timeout_s: 10,
        spec: json!({"process": {"args": ["sh", "-c", "true"]}}),
    }
}
