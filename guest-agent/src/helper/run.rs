//! One job: libcontainer makes the process, the pid goes into the report.

use std::{
    error::Error,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use libcontainer::{container::builder::ContainerBuilder, syscall::syscall::SyscallType};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::{
    executor::{CommandExecutor, Confinement},
    fds, network,
    shared::Inherited,
    trace::ErrorNotes,
};
use crate::{
    process::{Action, FailureClass, HelperJob, Record, write_record},
    resources::make_room,
    seccomp::Program,
};

/// Does the job and reports. The result is the process's exit status; nobody reads it, the report says more.
pub(crate) fn run(job: &HelperJob) -> i32 {
    let Ok(report) = fds::adopt(job.report_fd) else {
        return 1;
    };
    let report = Arc::new(report);
    let inherited = Inherited::of(job.shared);
    let notes = ErrorNotes {
        report: Arc::clone(&report),
    };
    // Fails only if there were a subscriber already.
    let _ = tracing::subscriber::set_global_default(notes);
    let made = match &inherited {
        Ok(inherited) => make(job, inherited, &report),
        Err(error) => Err(format!("take over the pod's namespaces: {error}").into()),
    };
    let record = match made {
        Ok(pid) => Record::Created(pid),
        Err(error) => Record::Failed(FailureClass::Other, chain(error.as_ref())),
    };
    match write_record(report.as_fd(), &record) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn make(
    job: &HelperJob,
    inherited: &Inherited,
    report: &Arc<OwnedFd>,
) -> Result<u32, Box<dyn Error>> {
    // A container must not be able to look into the process that enters it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    make_room(&job.rlimits)?;
    let builder = ContainerBuilder::new(job.name.clone(), SyscallType::default())
        .with_root_path(&job.state)?
        .with_executor(CommandExecutor::new(Arc::clone(report), confinement(job)?))
        .with_console_socket(job.console.as_ref());
    let pid = match job.action {
        Action::Create => {
            inherited.join(&job.names)?;
            network::enter(inherited.net.as_ref(), &job.net_sysctls)?;
            let container = builder.as_init(&job.bundle).with_systemd(false).build()?;
            container.pid().ok_or("container has no process")?
        }
    };
    Ok(u32::try_from(pid.as_raw())?)
}

/// What the process takes on itself, because libcontainer cannot do it or not in the right order.
fn confinement(job: &HelperJob) -> Result<Confinement, Box<dyn Error>> {
    let filter = job
        .filter
        .as_deref()
        .map(|words| Program::from_words(words).ok_or("the seccomp program is damaged"))
        .transpose()?;
    Ok(Confinement {
        privileges: job.privileges,
        rlimits: job.rlimits.clone(),
        filter: filter.map(Arc::new),
        init: job.init,
    })
}

/// An error with its causes, without saying anything twice.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
