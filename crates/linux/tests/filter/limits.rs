//! What programs look like, and how long they are.

use crate::interpreter::{check, run};
use crate::{Data, AARCH64, ALLOW, ERRNO, KILL_PROCESS, X86_64};
use nearfar_linux::filter::{Comparison, Condition, Filter, Rule};
use nearfar_linux::flags::{CALLS, NONE};

fn known(arch: u32) -> Vec<u32> {
    let number = |(_, x86_64, aarch64): &(_, i32, i32)| if arch == X86_64 { *x86_64 } else { *aarch64 };
    CALLS.iter().map(number).filter(|number| *number != NONE).map(|number| number as u32).collect()
}

fn equal(index: u32, value: u64) -> Condition {
    Condition { index, comparison: Comparison::Equal, mask: u64::MAX, value }
}

fn call(number: u32, first: u64) -> Data {
    Data { number, arch: X86_64, args: [first, 0, 0, 0, 0, 0] }
}

#[test]
fn a_filter_of_one_rule_is_short() {
    let rules = vec![Rule { calls: vec![7], action: ERRNO | 1, conditions: Vec::new() }];
    let known = (0..=u32::from(u16::MAX)).collect();
    let program = Filter { arch: X86_64, default: ALLOW, unknown: ALLOW, known, rules }.compile();
    check(&program);
    // Load the architecture, compare, kill; load the number, two comparisons, two answers.
    assert_eq!(program.len() / 8, 8);
}

#[test]
fn without_any_call_everything_is_unknown() {
    let program = Filter { arch: AARCH64, default: ALLOW, unknown: ERRNO | 38, ..Filter::default() }.compile();
    check(&program);
    for number in [0, 1, u32::MAX] {
        assert_eq!(run(&program, &Data { arch: AARCH64, ..call(number, 0) }), ERRNO | 38);
        assert_eq!(run(&program, &call(number, 0)), KILL_PROCESS);
    }
}

#[test]
fn the_last_number_of_all_may_be_known() {
    let known = vec![0, u32::MAX];
    let program = Filter { arch: X86_64, default: ALLOW, unknown: ERRNO, known, rules: Vec::new() }.compile();
    check(&program);
    let answers = [0, 1, u32::MAX - 1, u32::MAX].map(|number| run(&program, &call(number, 0)));
    assert_eq!(answers, [ALLOW, ERRNO, ERRNO, ALLOW]);
}

#[test]
fn the_jumps_of_a_long_program_arrive() {
    for arch in [X86_64, AARCH64] {
        let known = known(arch);
        let rules: Vec<Rule> = (0..3)
            .flat_map(|round| {
                let rule = move |number: &u32| Rule {
                    calls: vec![*number],
                    action: ERRNO | (number + round),
                    conditions: vec![equal(0, (u64::from(round) << 32) + 1), equal(5, u64::from(*number) + 1)],
                };
                known.iter().map(rule).collect::<Vec<_>>()
            })
            .collect();
        let program = Filter { arch, default: ALLOW, unknown: ERRNO | 38, known: known.clone(), rules }.compile();
        check(&program);
        assert!(program.len() / 8 > 4096);
        for number in known {
            for round in 0..3 {
                let mut data = Data { arch, ..call(number, (u64::from(round) << 32) + 1) };
                assert_eq!(run(&program, &data), ALLOW);
                data.args[5] = u64::from(number) + 1;
                assert_eq!(run(&program, &data), ERRNO | (number + round));
            }
        }
    }
}

#[test]
fn one_rule_with_arguments_for_all_calls_is_shared_by_them() {
    let known = known(X86_64);
    let one = Rule { calls: vec![41], action: ERRNO | 1, conditions: vec![equal(0, 1)] };
    let all = Rule { calls: known.clone(), ..one.clone() };
    let length =
        |rules| Filter { arch: X86_64, default: ALLOW, unknown: ALLOW, known: known.clone(), rules }.compile().len();
    assert!(length(vec![all]) <= length(vec![one]) + 64);
}

#[test]
fn a_rule_without_conditions_ends_the_rules_of_its_call() {
    let rule = |action, conditions| Rule { calls: vec![1, 1], action, conditions };
    let rules = vec![
        rule(ERRNO | 1, vec![equal(0, 1)]),
        rule(ERRNO | 2, Vec::new()),
        rule(ERRNO | 3, vec![equal(0, 3)]),
        rule(ERRNO | 4, Vec::new()),
    ];
    let program = Filter { arch: X86_64, default: ALLOW, unknown: ALLOW, known: vec![1], rules }.compile();
    check(&program);
    assert_eq!([1, 2, 3].map(|first| run(&program, &call(1, first))), [ERRNO | 1, ERRNO | 2, ERRNO | 2]);
}
