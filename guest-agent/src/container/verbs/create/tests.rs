//! What is refused before anything is made.

use husk_protocol::agent::SharedNamespaces;

use super::check_shared;

#[test]
fn shared_namespace_is_refused_by_name() {
    let shared = SharedNamespaces {
        ipc: true,
        ..SharedNamespaces::default()
    };
    let error = check_shared(Some(&shared)).unwrap_err().to_string();
    assert_eq!(error, "shared.ipc is not supported");
}

#[test]
fn container_that_shares_nothing_is_made() {
    assert!(check_shared(None).is_ok());
    assert!(check_shared(Some(&SharedNamespaces::default())).is_ok());
}
