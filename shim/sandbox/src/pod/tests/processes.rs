//! Processes: who is answered what when one ends, or its machine does.

use tokio::sync::oneshot;

use crate::{
    agent::{Exit, ProcessId},
    pod::{
        MachineEnd, PodError, Timeline,
        owner::{Owed, Processes, table::ProcessMessage as M},
    },
};

fn running(processes: &mut Processes) -> ProcessId {
    let id = ProcessId::init("c");
    assert!(processes.ask(&id, M::Create, "create it").unwrap());
    for message in [M::Created, M::Start, M::Started] {
        assert!(processes.hear(&id, message));
    }
    id
}

fn end() -> MachineEnd {
    MachineEnd {
        fault: Some("gone".to_owned()),
        report: None,
        process: None,
        log_tail: String::new(),
        timeline: Timeline::begin(),
        leftovers: Vec::new(),
    }
}

#[test]
fn every_waiter_hears_of_the_end_and_later_ones_at_once() {
    let mut processes = Processes::default();
    let id = running(&mut processes);
    let (early, mut early_answer) = oneshot::channel();
    processes.wait(&id, early);
    assert!(processes.hear(&id, M::Exited));
    let exit = Exit {
        code: 3,
        oom_killed: false,
    };
    processes.ended(&id, exit.into());
    assert_eq!(early_answer.try_recv().unwrap().unwrap().code, 3);
    let (late, mut late_answer) = oneshot::channel();
    processes.wait(&id, late);
    assert_eq!(late_answer.try_recv().unwrap().unwrap().code, 3);
}

#[test]
fn end_of_the_machine_is_137_with_its_cause_for_who_ran() {
    let mut processes = Processes::default();
    let id = running(&mut processes);
    let (reply, mut answer) = oneshot::channel();
    processes.wait(&id, reply);
    processes.machine_ended(&end());
    let exit = answer.try_recv().unwrap().unwrap();
    assert_eq!(exit.code, 137);
    assert_eq!(exit.machine.unwrap().to_string(), "gone");
}

#[test]
fn end_of_the_machine_changes_no_exit_that_was_before() {
    let mut processes = Processes::default();
    let id = running(&mut processes);
    processes.hear(&id, M::Exited);
    let exit = Exit {
        code: 0,
        oom_killed: false,
    };
    processes.ended(&id, exit.into());
    processes.machine_ended(&end());
    let (reply, mut answer) = oneshot::channel();
    processes.wait(&id, reply);
    assert_eq!(answer.try_recv().unwrap().unwrap().code, 0);
}

#[test]
fn end_of_the_machine_fails_what_is_owed() {
    let mut processes = Processes::default();
    let id = ProcessId::init("c");
    processes.ask(&id, M::Create, "create it").unwrap();
    let (reply, mut answer) = oneshot::channel();
    processes.owe(&id, Owed::Created(reply));
    processes.machine_ended(&end());
    let error = answer.try_recv().unwrap().unwrap_err();
    assert!(matches!(error, PodError::MachineEnded(_)), "{error}");
}

#[test]
fn second_container_of_a_name_is_refused_by_name() {
    let mut processes = Processes::default();
    let id = running(&mut processes);
    let error = processes.ask(&id, M::Create, "create it").unwrap_err();
    assert_eq!(
        error.to_string(),
        "container c is running: cannot create it"
    );
}

#[test]
fn processes_beyond_the_bound_are_refused() {
    let mut processes = Processes::default();
    for number in 0..4096 {
        let id = ProcessId::init(&number.to_string());
        assert!(processes.ask(&id, M::Create, "create it").unwrap());
    }
    let id = ProcessId::init("one more");
    let error = processes.ask(&id, M::Create, "create it").unwrap_err();
    assert!(error.to_string().contains("4096"), "{error}");
}
