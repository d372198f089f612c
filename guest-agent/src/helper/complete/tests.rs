//! What was mounted below a read-only path.

use std::path::Path;

use rustix::mount::MountFlags;

use super::flags_below;

const TABLE: &str = "\
20 1 0:30 / / rw,relatime - overlay overlay rw
21 20 0:31 / /data rw,nosuid,noexec - tmpfs tmpfs rw
22 21 0:31 / /data ro,nosuid,nodev,noexec - tmpfs tmpfs rw
23 20 0:30 /usr /usr ro,nosuid,nodev,noexec - overlay overlay rw
24 20 0:30 /a\\040b /a\\040b ro,nosuid,nodev,noexec - overlay overlay rw
";

#[test]
fn flags_are_those_of_the_mount_that_is_covered() {
    let flags = |path: &str| flags_below(TABLE, Path::new(path));
    assert_eq!(flags("/usr"), Some(MountFlags::empty()));
    assert_eq!(flags("/a b"), Some(MountFlags::empty()));
    assert_eq!(
        flags("/data"),
        Some(MountFlags::NOSUID | MountFlags::NOEXEC)
    );
    assert_eq!(flags("/etc"), None);
}
