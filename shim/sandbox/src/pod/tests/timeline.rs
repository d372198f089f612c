//! The timeline: order, differences, bound.

use crate::pod::Timeline;

#[test]
fn late_report_takes_its_place_by_time() {
    let mut timeline = Timeline::begin_at(1000);
    timeline.mark_at("b", 3000, 20);
    timeline.mark_at("a", 2000, 10);
    let stages: Vec<_> = timeline
        .marks
        .iter()
        .map(|mark| mark.stage.as_str())
        .collect();
    assert_eq!(stages, ["a", "b"]);
}

#[test]
fn table_shows_what_each_stage_took() {
    let mut timeline = Timeline::begin_at(0);
    timeline.mark_at("a", 1500, 10);
    timeline.mark_at("b", 4000, 25);
    let text = timeline.to_string();
    let last: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(last, ["b", "4.000", "2.500", "25", "15"]);
}

#[test]
fn mark_before_the_beginning_is_at_zero() {
    let mut timeline = Timeline::begin_at(1000);
    timeline.mark_at("a", 1, 0);
    assert_eq!(timeline.marks[0].at_us, 0);
}

#[test]
fn marks_beyond_the_bound_are_dropped() {
    let mut timeline = Timeline::begin_at(0);
    for at in 0..1000 {
        timeline.mark_at("a", at, 0);
    }
    assert_eq!(timeline.marks.len(), 64);
}
