//! Each descriptor at its place.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use super::good;
use crate::api::MachineConfig;
use crate::process::launch::Descriptors;

/// Descriptors as [`good`] wants them. `/dev/null` stands for KVM: another character device.
fn fds() -> Vec<OwnedFd> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    File::create(&path).unwrap().set_len(512).unwrap();
    let read = || File::open(&path).unwrap().into();
    let both = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let listen = |name| UnixListener::bind(dir.path().join(name)).unwrap().into();
    let kvm = File::open("/dev/null").unwrap().into();
    vec![
        kvm,
        read(),
        read(),
        both.into(),
        read(),
        listen("vsock"),
        listen("control"),
    ]
}

fn refusal(change: impl FnOnce(&mut MachineConfig, &mut Vec<OwnedFd>)) -> String {
    let (mut config, mut fds) = (good(), fds());
    change(&mut config, &mut fds);
    let text = Descriptors::sort(&config, fds).unwrap_err().to_string();
    text.strip_prefix("configuration: ").unwrap().to_owned()
}

#[test]
fn every_descriptor_finds_its_place() {
    let sorted = Descriptors::sort(&good(), fds()).unwrap();
    assert_eq!(sorted.drives.len(), 2);
    assert!(sorted.vsock.is_some() && sorted.control.is_some());
}

#[test]
fn missing_shared_and_unused_descriptors_are_refused() {
    let text = refusal(|_, fds| drop(fds.pop()));
    assert_eq!(text, "control_fd: there is no descriptor 6, 6 came");
    let text = refusal(|config, _| config.control_fd = Some(u32::MAX));
    assert_eq!(
        text,
        "control_fd: there is no descriptor 4294967295, 7 came"
    );
    let text = refusal(|config, _| config.initramfs.fd = 1);
    assert_eq!(text, "initramfs.fd: descriptor 1 belongs to another field");
    let text = refusal(|config, _| config.control_fd = None);
    assert_eq!(text, "descriptor 6 belongs to no field");
}

#[test]
fn descriptor_of_another_kind_is_refused() {
    let text = refusal(|_, fds| fds.swap(0, 1));
    assert_eq!(text, "kvm_fd: descriptor is no character device");
    let text = refusal(|_, fds| fds.swap(2, 5));
    assert_eq!(text, "initramfs.fd: descriptor is no regular file");
    let text = refusal(|_, fds| fds[6] = UnixStream::pair().unwrap().0.into());
    assert_eq!(
        text,
        "control_fd: descriptor is no listening UNIX stream socket"
    );
}
