//! Users and groups by name and number.

use super::super::error::SpecError;
use super::super::user::{Identity, identity};
use crate::images::Accounts;

fn accounts() -> Accounts {
    Accounts {
        passwd: "# a comment\nroot:x:0:0:root:/root:/bin/sh\nbad line\n\
                 web:x:33:34:Web:/var/www:/bin/false\nnobody:x:65534:65534::\n7:x:900:901::/seven:\n"
            .to_owned(),
        group: "root:x:0:\nadm:x:4:web,root\nweb:x:34:\nextra:x:50: other , web\ntwice:x:4:web\n"
            .to_owned(),
    }
}

fn who(asked: &str) -> Identity {
    identity(asked, &accounts()).unwrap()
}

fn expect(asked: &str, uid: u32, gid: u32, groups: &[u32], home: &str) {
    let expected = Identity {
        uid,
        gid,
        groups: groups.to_vec(),
        home: home.to_owned(),
    };
    assert_eq!(who(asked), expected, "{asked:?}");
}

#[test]
fn users_are_found_by_name_and_number() {
    expect("", 0, 0, &[4], "/root");
    expect("root", 0, 0, &[4], "/root");
    expect("web", 33, 34, &[4, 50], "/var/www");
    expect("33", 33, 34, &[4, 50], "/var/www");
    expect("nobody", 65534, 65534, &[], "/");
    expect("1234", 1234, 0, &[], "/");
    // A name of digits is a name first.
    expect("7", 900, 901, &[], "/seven");
}

#[test]
fn group_that_is_named_stands_alone() {
    expect("web:adm", 33, 4, &[], "/var/www");
    expect("web:77", 33, 77, &[], "/var/www");
    expect("1234:50", 1234, 50, &[], "/");
    expect(":web", 0, 34, &[], "/root");
}

#[test]
fn unknown_names_and_numbers_out_of_range_are_refused() {
    let refused = |asked: &str| identity(asked, &accounts()).unwrap_err();
    assert!(matches!(refused("nosuch"), SpecError::UnknownUser(name) if name == "nosuch"));
    assert!(matches!(refused("web:nosuch"), SpecError::UnknownGroup(name) if name == "nosuch"));
    assert!(matches!(refused("4294967296"), SpecError::IdRange(_)));
    assert!(matches!(refused("0:2147483648"), SpecError::IdRange(_)));
    assert!(matches!(refused("-1"), SpecError::UnknownUser(_)));
}

#[test]
fn image_without_user_data_base_has_root_only() {
    let none = Accounts::default();
    let root = identity("", &none).unwrap();
    assert_eq!((root.uid, root.gid, root.home.as_str()), (0, 0, "/"));
    assert!(identity("root", &none).is_err());
    assert_eq!(identity("5:6", &none).unwrap().gid, 6);
}
