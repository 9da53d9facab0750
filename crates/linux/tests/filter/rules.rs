//! Random filters and random calls: the program decides as the rules do, read one after the other.

use crate::interpreter::{check, run};
use crate::random::Random;
use crate::{Data, AARCH64, ERRNO, KILL_PROCESS, X86_64};
use nearfar_linux::filter::{Comparison, Condition, Filter, Rule};

pub const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

/// Numbers at which a comparison of two words may go wrong, and their neighbours.
pub fn number(random: &mut Random) -> u64 {
    const EDGES: [u64; 8] = [0, 5, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 0x5_0000_0005, 1 << 63, u64::MAX];
    match random.below(8) {
        0 => random.next(),
        _ => EDGES[random.below(8) as usize].wrapping_add(random.below(3)).wrapping_sub(1),
    }
}

pub fn mask(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => u64::from(u32::MAX),
        1 => !u64::from(u32::MAX),
        2 => 1 << random.below(64),
        3 => number(random),
        _ => u64::MAX,
    }
}

pub fn condition(random: &mut Random) -> Condition {
    let comparison = COMPARISONS[random.below(6) as usize];
    Condition { index: random.below(6) as u32, comparison, mask: mask(random), value: number(random) }
}

/// Returns the number of a call: mostly one of a few, so that rules and calls meet.
fn call(random: &mut Random, most: u64) -> u32 {
    random.below(most) as u32
}

fn filter(random: &mut Random) -> Filter {
    let most = [4, 40, 480][random.below(3) as usize];
    let known = (0..most as u32).filter(|_| random.below(5) > 0).collect();
    let rules = (0..random.below(12))
        .map(|_| Rule {
            calls: (0..random.below(6)).map(|_| call(random, most)).collect(),
            action: ERRNO + random.below(4) as u32,
            conditions: (0..random.below(4)).map(|_| condition(random)).collect(),
        })
        .collect();
    let arch = if random.below(2) == 0 { X86_64 } else { AARCH64 };
    Filter { arch, default: ERRNO + random.below(4) as u32, unknown: ERRNO + 9, known, rules }
}

/// Returns what the rules say about a call.
fn decide(filter: &Filter, data: &Data) -> u32 {
    if data.arch != filter.arch {
        return KILL_PROCESS;
    }
    if !filter.known.contains(&data.number) {
        return filter.unknown;
    }
    let matching = |rule: &&Rule| {
        rule.calls.contains(&data.number) && rule.conditions.iter().all(|condition| holds(condition, data))
    };
    filter.rules.iter().find(matching).map_or(filter.default, |rule| rule.action)
}

fn holds(condition: &Condition, data: &Data) -> bool {
    let argument = data.args[condition.index as usize] & condition.mask;
    match condition.comparison {
        Comparison::Equal => argument == condition.value,
        Comparison::NotEqual => argument != condition.value,
        Comparison::Less => argument < condition.value,
        Comparison::LessOrEqual => argument <= condition.value,
        Comparison::Greater => argument > condition.value,
        Comparison::GreaterOrEqual => argument >= condition.value,
    }
}

#[test]
fn a_million_random_calls_are_decided_as_the_rules_say() {
    let mut random = Random(1);
    let mut by_rule = 0;
    for _ in 0..1000 {
        let filter = filter(&mut random);
        let program = filter.compile();
        check(&program);
        for _ in 0..1000 {
            let number = match random.below(10) {
                0 => random.number(480) as u32,
                1 => 0x4000_0000 + call(&mut random, 480), // x32
                _ => call(&mut random, filter.known.len().max(4) as u64 * 5 / 4),
            };
            let arch = if random.below(20) == 0 { 0x4000_0003 } else { filter.arch };
            let data = Data { number, arch, args: std::array::from_fn(|_| self::number(&mut random)) };
            let expected = decide(&filter, &data);
            by_rule += u32::from(expected != filter.default && expected != filter.unknown && arch == filter.arch);
            assert_eq!(run(&program, &data), expected, "{data:x?} of {filter:x?}");
        }
    }
    assert!(by_rule > 50_000, "only {by_rule} calls were decided by a rule");
}
