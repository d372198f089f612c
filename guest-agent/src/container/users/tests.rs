//! Tests of the look-up.

use super::{Identity, resolve};
use crate::container::ContainerError;

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n44:x:7:8::/:/bin/sh\nbroken\n";
const GROUP: &str = "root:x:0:\nweb:x:34:\nlog:x:50:root,web\nssl:x:51:web\nbad:x:y:web\n";

fn identity(uid: u32, gid: u32, additional_gids: &[u32]) -> Identity {
    Identity {
        uid,
        gid,
        additional_gids: additional_gids.to_vec(),
    }
}

fn resolved(wanted: &str) -> Identity {
    resolve(wanted, Some(PASSWD), Some(GROUP)).unwrap()
}

#[test]
fn name_gets_its_groups() {
    assert_eq!(resolved("web"), identity(33, 34, &[50, 51]));
}

#[test]
fn number_of_known_user_gets_its_groups() {
    assert_eq!(resolved("33"), identity(33, 34, &[50, 51]));
}

#[test]
fn name_made_of_digits_wins_over_number() {
    assert_eq!(resolved("44"), identity(7, 8, &[]));
}

#[test]
fn unknown_number_stands_for_itself() {
    assert_eq!(resolved("1000"), identity(1000, 0, &[]));
    assert_eq!(
        resolve("1000:1000", None, None).unwrap(),
        identity(1000, 1000, &[])
    );
}

#[test]
fn given_group_replaces_all_groups() {
    assert_eq!(resolved("web:log"), identity(33, 50, &[]));
}

#[test]
fn unknown_names_are_refused_by_name() {
    for wanted in ["nobody", "web:nogroup", "-1", ""] {
        let error = resolve(wanted, Some(PASSWD), Some(GROUP)).unwrap_err();
        assert!(
            matches!(error, ContainerError::UnknownUser(_)),
            "{wanted:?}"
        );
    }
}
