//! The crate seccompiler makes another program of the same rules, with the same decisions.

use crate::interpreter::{check, run};
use crate::random::Random;
use crate::rules::{condition, number};
use crate::{Data, AARCH64, ALLOW, ERRNO, X86_64};
use nearfar_linux::filter::{Comparison, Condition, Filter, Rule};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// A condition that seccompiler has too: all bits of an argument, its low word, or masked bits that are compared for equality.
fn common(random: &mut Random) -> Condition {
    let Condition { index, comparison, mask, value } = condition(random);
    match random.below(3) {
        0 => Condition { index, comparison: Comparison::Equal, mask, value: value & mask },
        1 => Condition { index, comparison, mask: u64::from(u32::MAX), value: value & u64::from(u32::MAX) },
        _ => Condition { index, comparison, mask: u64::MAX, value },
    }
}

fn theirs(condition: &Condition) -> SeccompCondition {
    let Condition { index, comparison, mask, value } = *condition;
    let operator = match comparison {
        Comparison::Equal if mask != u64::MAX => SeccompCmpOp::MaskedEq(mask),
        Comparison::Equal => SeccompCmpOp::Eq,
        Comparison::NotEqual => SeccompCmpOp::Ne,
        Comparison::Less => SeccompCmpOp::Lt,
        Comparison::LessOrEqual => SeccompCmpOp::Le,
        Comparison::Greater => SeccompCmpOp::Gt,
        Comparison::GreaterOrEqual => SeccompCmpOp::Ge,
    };
    let low = mask == u64::from(u32::MAX) && comparison != Comparison::Equal;
    let length = if low { SeccompCmpArgLen::Dword } else { SeccompCmpArgLen::Qword };
    SeccompCondition::new(index as u8, length, operator, value).unwrap()
}

fn compile(rules: &BTreeMap<i64, Vec<Vec<Condition>>>, arch: TargetArch) -> Vec<u8> {
    let chain = |chain: &Vec<Vec<Condition>>| {
        chain.iter().map(|rule| SeccompRule::new(rule.iter().map(theirs).collect()).unwrap()).collect()
    };
    let rules = rules.iter().map(|(number, rules)| (*number, chain(rules))).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(1), arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    let bytes = |instruction: &seccompiler::sock_filter| {
        let ([a, b], [c, d, e, f]) = (instruction.code.to_ne_bytes(), instruction.k.to_ne_bytes());
        [a, b, instruction.jt, instruction.jf, c, d, e, f]
    };
    program.iter().flat_map(bytes).collect()
}

#[test]
fn seccompiler_decides_alike() {
    let mut random = Random(2);
    let mut refused = 0;
    for round in 0..300 {
        let most = 3 + random.below(60);
        let mut rules: BTreeMap<i64, Vec<Vec<Condition>>> = BTreeMap::new();
        for _ in 0..random.below(20) {
            let chain = (0..random.below(4)).map(|_| (0..1 + random.below(4)).map(|_| common(&mut random)).collect());
            let chain = chain.collect();
            rules.insert(random.below(most) as i64, chain);
        }
        let (arch, target) = [(X86_64, TargetArch::x86_64), (AARCH64, TargetArch::aarch64)][round % 2];
        let ours = Filter {
            arch,
            default: ALLOW,
            unknown: ALLOW,
            known: (0..most as u32).collect(),
            rules: rules
                .iter()
                .flat_map(|(number, chain)| {
                    let rule = |conditions| Rule { calls: vec![*number as u32], action: ERRNO | 1, conditions };
                    let any = chain.is_empty().then(|| rule(Vec::new()));
                    any.into_iter().chain(chain.iter().cloned().map(rule))
                })
                .collect(),
        };
        let (ours, theirs) = (ours.compile(), compile(&rules, target));
        check(&ours);
        for _ in 0..1000 {
            let arch = if random.below(50) == 0 { 0x4000_0028 } else { arch };
            let number_of_call = random.below(most + 3) as u32;
            let data = Data { number: number_of_call, arch, args: std::array::from_fn(|_| number(&mut random)) };
            let expected = run(&theirs, &data);
            refused += u32::from(expected == (ERRNO | 1));
            assert_eq!(run(&ours, &data), expected, "{data:x?} of {rules:x?}");
        }
    }
    assert!(refused > 10_000, "only {refused} calls were refused");
}
