//! Every check, in order.

use std::env::consts::ARCH;

use rustix::process::geteuid;

use super::report::{Check, CheckInputs, Report};
use super::{files, kernel, kvm, tools};

/// Looks at the whole host. Changes nothing but the kept measure of its KVM.
#[must_use]
pub fn check(inputs: &CheckInputs) -> Report {
    let mut checks = vec![architecture(), user()];
    let device = kvm::device();
    let vmm = files::vmm(&inputs.vmm);
    let ready = [&device, &vmm]
        .iter()
        .all(|check| check.status == super::Status::Ok);
    checks.push(device);
    checks.push(vmm);
    checks.push(if ready {
        kvm::kind(&inputs.vmm, &inputs.state_dir)
    } else {
        kvm::unknown()
    });
    checks.extend(kernel::checks());
    checks.extend(tools::checks());
    checks.extend(inputs.artefacts.iter().map(files::artefact));
    checks.push(files::space("image-directory", &inputs.image_dir));
    checks.push(files::space("state-directory", &inputs.state_dir));
    checks.push(kernel::memory());
    Report { checks }
}

fn architecture() -> Check {
    match ARCH {
        "x86_64" => Check::ok("architecture", ARCH),
        other => Check::fail(
            "architecture",
            other,
            "use an x86_64 machine: no other is supported",
        ),
    }
}

fn user() -> Check {
    if geteuid().is_root() {
        return Check::ok("user", "root");
    }
    let found = format!("user id {}", geteuid().as_raw());
    let fix = "run husk as root: it makes namespaces and gives each VMM a user of its own";
    Check::fail("user", found, fix)
}
