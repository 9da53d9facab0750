//! Filters of seccomp(2): from rules to a program of classic BPF, which the kernel runs before each system call.
//!
//! Every jump of such a program goes forward. So the program is made from its end: whatever an instruction jumps to is there
//! already, and its distance is known.

mod program;
mod words;

use self::program::{Place, Program, Test};
use std::collections::BTreeMap;

/// What a filter decides by, as numbers of the kernel. The actions are those that a filter returns, such as SECCOMP_RET_ALLOW.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The architecture, AUDIT_ARCH_…. A call of another one kills the process.
    pub arch: u32,
    /// The action for a call of `known` that no rule matches.
    pub default: u32,
    /// The action for a number that is not in `known`.
    pub unknown: u32,
    /// The numbers of the calls that exist.
    pub known: Vec<u32>,
    /// The rules. The first one that matches decides.
    pub rules: Vec<Rule>,
}

/// A rule: the calls that it is about, what their arguments have to be, and what happens then.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// The numbers of the calls. Those that are not known have no effect.
    pub calls: Vec<u32>,
    /// The action.
    pub action: u32,
    /// The conditions, all of which have to hold.
    pub conditions: Vec<Condition>,
}

/// A condition on one argument of a call: its bits in `mask`, compared with `value` as unsigned numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The index of the argument, 0 to 5.
    pub index: u32,
    /// The comparison.
    pub comparison: Comparison,
    /// The bits of the argument that count.
    pub mask: u64,
    /// The number that they are compared with.
    pub value: u64,
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What happens to a call: the rules with conditions, in their order, and the action if none of them matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Treatment {
    rules: Vec<usize>,
    otherwise: u32,
}

const SECCOMP_RET_KILL_PROCESS: u32 = 0x8000_0000;

// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

impl Filter {
    /// Returns the program. The kernel takes up to 4096 instructions, 8 bytes each; the program may have more.
    #[must_use]
    pub fn compile(&self) -> Vec<u8> {
        let mut program = Program::default();
        let mut places = BTreeMap::new();
        let intervals: Vec<(u32, Place)> = self
            .intervals()
            .into_iter()
            .map(|(first, treatment)| {
                let place = places.get(&treatment).copied().unwrap_or_else(|| self.decide(&mut program, &treatment));
                places.insert(treatment, place);
                (first, place)
            })
            .collect();
        let search = search(&mut program, &intervals);
        let known_arch = program.load(NUMBER, search);
        let foreign_arch = program.answer(SECCOMP_RET_KILL_PROCESS);
        let compare = program.jump(Test::Equal, self.arch, known_arch, foreign_arch);
        program.load(ARCH, compare);
        program.into_bytes()
    }

    /// Returns the intervals of numbers that are treated alike, each with its first number. The first interval begins with 0.
    fn intervals(&self) -> Vec<(u32, Treatment)> {
        let unknown = Treatment { rules: Vec::new(), otherwise: self.unknown };
        let mut intervals = vec![(0, unknown.clone())];
        let mut add = |first, treatment| match intervals.last_mut() {
            Some((_, last)) if *last == treatment => {}
            Some((begin, last)) if *begin == first => *last = treatment,
            _ => intervals.push((first, treatment)),
        };
        let mut next = Some(0);
        for (number, treatment) in self.treatments() {
            if next.is_some_and(|next| next < number) {
                next.into_iter().for_each(|next| add(next, unknown.clone()));
            }
            add(number, treatment);
            next = number.checked_add(1);
        }
        next.into_iter().for_each(|next| add(next, unknown.clone()));
        intervals
    }

    /// Returns how each known call is treated, in the order of the numbers.
    fn treatments(&self) -> BTreeMap<u32, Treatment> {
        let by_default = Treatment { rules: Vec::new(), otherwise: self.default };
        let mut treatments: BTreeMap<u32, (Treatment, bool)> =
            self.known.iter().map(|number| (*number, (by_default.clone(), false))).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            for number in &rule.calls {
                match treatments.get_mut(number) {
                    Some((treatment, decided @ false)) if rule.conditions.is_empty() => {
                        treatment.otherwise = rule.action;
                        *decided = true;
                    }
                    Some((treatment, false)) if treatment.rules.last() != Some(&index) => treatment.rules.push(index),
                    _ => {}
                }
            }
        }
        treatments.into_iter().map(|(number, (treatment, _))| (number, treatment)).collect()
    }

    /// Adds the instructions that decide a call, and returns where they begin.
    fn decide(&self, program: &mut Program, treatment: &Treatment) -> Place {
        let mut next = program.answer(treatment.otherwise);
        for rule in treatment.rules.iter().rev().filter_map(|index| self.rules.get(*index)) {
            let matches = program.answer(rule.action);
            let all = rule.conditions.iter().rev();
            next = all.fold(matches, |matches, condition| compare(program, condition, matches, next));
        }
        next
    }
}

/// Adds a search for the interval that a number belongs to, which takes about as many comparisons as the count of intervals has bits.
fn search(program: &mut Program, intervals: &[(u32, Place)]) -> Place {
    let (lower, upper) = intervals.split_at(intervals.len() / 2);
    match (lower, upper) {
        ([], [(_, place)]) => *place,
        (_, [(first, _), ..]) => {
            let above = search(program, upper);
            let below = search(program, lower);
            program.jump(Test::GreaterOrEqual, *first, above, below)
        }
        (_, []) => program.answer(SECCOMP_RET_KILL_PROCESS), // there is an interval for each number
    }
}

/// Adds the comparison of an argument, and returns where it begins. A register has 32 bits: if the high words do not decide,
/// the low words do.
fn compare(program: &mut Program, condition: &Condition, yes: Place, no: Place) -> Place {
    let (test, yes, no) = match condition.comparison {
        Comparison::Equal => (Test::Equal, yes, no),
        Comparison::NotEqual => (Test::Equal, no, yes),
        Comparison::Greater => (Test::Greater, yes, no),
        Comparison::LessOrEqual => (Test::Greater, no, yes),
        Comparison::GreaterOrEqual => (Test::GreaterOrEqual, yes, no),
        Comparison::Less => (Test::GreaterOrEqual, no, yes),
    };
    let [mask, value] = [condition.mask, condition.value].map(|number| [number as u32, (number >> 32) as u32]);
    let at = ARGUMENTS + 8 * condition.index;
    let low = program.jump(test, value[0], yes, no);
    let low = program.mask(mask[0], low);
    let low = program.load(at, low);
    if mask[1] == 0 && value[1] == 0 {
        return low;
    }
    let high = program.jump(Test::Equal, value[1], low, no);
    let high = if test == Test::Equal { high } else { program.jump(Test::Greater, value[1], yes, high) };
    let high = program.mask(mask[1], high);
    program.load(at + 4, high)
}
