//! The words for the end of a machine: whoever knows the cause has them.

use crate::{
    machine::ProcessEnd,
    pod::{MachineEnd, Timeline},
};

fn end(process: ProcessEnd) -> MachineEnd {
    MachineEnd {
        fault: Some("the connection broke".to_owned()),
        report: None,
        process: Some(process),
        log_tail: "first\nhusk-vmm: refused: no such field".to_owned(),
        timeline: Timeline::begin(),
        leftovers: Vec::new(),
    }
}

#[test]
fn vmm_that_ended_by_itself_says_why() {
    let words = end(ProcessEnd::Code(2)).to_string();
    assert_eq!(
        words,
        "the VMM ended with exit code 2 and no report: husk-vmm: refused: no such field"
    );
}

#[test]
fn vmm_that_was_killed_for_a_fault_has_the_fault() {
    assert_eq!(
        end(ProcessEnd::Signal(9)).to_string(),
        "the connection broke"
    );
}
