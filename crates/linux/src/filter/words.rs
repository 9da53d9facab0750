//! The form in which a filter crosses from JavaScript: words of 64 bits, one after the other.

use super::{Comparison, Condition, Filter, Rule};

impl Filter {
    /// Reads a filter: `arch`, `default`, `unknown`, the count of known numbers and these; then for each rule its action, the count of
    /// its calls and these, and the count of its conditions, each with index, comparison (0 to 5, in the order of [`Comparison`]), mask
    /// and value. `None`: a word is missing, or a comparison is none.
    #[must_use]
    pub fn from_words(words: &[u64]) -> Option<Self> {
        let mut words = words.iter().copied();
        let [arch, default, unknown] = [words.next()?, words.next()?, words.next()?].map(|word| word as u32);
        let known = numbers(&mut words)?;
        let mut rules = Vec::new();
        while let Some(action) = words.next() {
            let calls = numbers(&mut words)?;
            let conditions = (0..words.next()?).map(|_| condition(&mut words)).collect::<Option<_>>()?;
            rules.push(Rule { calls, action: action as u32, conditions });
        }
        Some(Filter { arch, default, unknown, known, rules })
    }
}

fn numbers(words: &mut impl Iterator<Item = u64>) -> Option<Vec<u32>> {
    (0..words.next()?).map(|_| words.next().map(|word| word as u32)).collect()
}

fn condition(words: &mut impl Iterator<Item = u64>) -> Option<Condition> {
    let [index, comparison, mask, value] = [words.next()?, words.next()?, words.next()?, words.next()?];
    let comparison = match comparison {
        0 => Comparison::Equal,
        1 => Comparison::NotEqual,
        2 => Comparison::Less,
        3 => Comparison::LessOrEqual,
        4 => Comparison::Greater,
        5 => Comparison::GreaterOrEqual,
        _ => return None,
    };
    Some(Condition { index: index as u32, comparison, mask, value })
}
