//! Every cell: rows are states, columns are messages; `-` drops, `!` refuses, a name is the next state.

use std::fmt::Debug;

use crate::pod::owner::table::{
    PodMessage, PodState, ProcessMessage, ProcessState, Verdict, pod, process,
};

fn check<S, M>(states: &[S], messages: &[M], expected: &str, table: impl Fn(S, M) -> Verdict<S>)
where
    S: Copy + Debug + ToString + PartialEq,
    M: Copy + Debug,
{
    let rows: Vec<&str> = expected
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(rows.len(), states.len());
    for (&state, row) in states.iter().zip(rows) {
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells.len(), messages.len() + 1, "row {row:?}");
        assert_eq!(cells[0], state.to_string());
        for (&message, cell) in messages.iter().zip(&cells[1..]) {
            let verdict = match table(state, message) {
                Verdict::Next(next) => next.to_string(),
                Verdict::Drop => "-".to_owned(),
                Verdict::Refuse => "!".to_owned(),
            };
            assert_eq!(&verdict, cell, "{state:?} x {message:?}");
        }
    }
}

#[test]
fn pod_every_state_and_message_does_what_the_table_says() {
    use PodMessage as M;
    let states = [
        PodState::Booting,
        PodState::Ready,
        PodState::Ending,
        PodState::Ended,
    ];
    let messages = [M::AgentReady, M::AgentLost, M::MachineEnded, M::Use, M::End];
    let expected = "
        booting  ready  ending  ended  !      ending
        ready    -      ending  ended  ready  ending
        ending   -      -       ended  !      -
        ended    -      -       -      !      -
    ";
    check(&states, &messages, expected, pod);
}

#[test]
fn process_every_state_and_wish_does_what_the_table_says() {
    use ProcessMessage as M;
    let messages = [M::Create, M::Start, M::Signal, M::Wait, M::Delete];
    let expected = "
        absent    creating  !         !         !         -
        creating  !         !         !         !         !
        created   !         starting  created   created   !
        starting  !         !         starting  starting  !
        running   !         !         running   running   !
        stopped   !         !         !         stopped   deleting
        deleting  !         !         !         !         !
    ";
    check(&STATES, &messages, expected, process);
}

#[test]
fn process_every_state_and_answer_does_what_the_table_says() {
    use ProcessMessage as M;
    let messages = [
        M::Created,
        M::CreateFailed,
        M::Started,
        M::StartFailed,
        M::Exited,
        M::Deleted,
        M::DeleteFailed,
    ];
    let expected = "
        absent    -        -       -        -        -        -       -
        creating  created  absent  -        -        stopped  -       -
        created   -        -       -        -        stopped  -       -
        starting  -        -       running  stopped  stopped  -       -
        running   -        -       -        -        stopped  -       -
        stopped   -        -       -        -        -        -       -
        deleting  -        -       -        -        absent   absent  stopped
    ";
    check(&STATES, &messages, expected, process);
}

const STATES: [ProcessState; 7] = [
    ProcessState::Absent,
    ProcessState::Creating,
    ProcessState::Created,
    ProcessState::Starting,
    ProcessState::Running,
    ProcessState::Stopped,
    ProcessState::Deleting,
];
