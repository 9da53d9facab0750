//! The form in which JavaScript sends a filter.

use nearfar_linux::filter::{Comparison, Filter};

const WORDS: [u64; 17] = [1, 2, 3, 2, 10, 11, 4, 1, 10, 2, 0, 5, 6, 7, 1, 0, 8];

#[test]
fn words_are_a_filter() {
    let filter = Filter::from_words(&[&WORDS[..], &[9]].concat()).unwrap();
    assert_eq!((filter.arch, filter.default, filter.unknown), (1, 2, 3));
    assert_eq!(filter.known, [10, 11]);
    assert_eq!(filter.rules.len(), 1);
    let rule = &filter.rules[0];
    assert_eq!((rule.action, &rule.calls[..]), (4, &[10][..]));
    let [first, second] = rule.conditions[..] else { panic!("{rule:?}") };
    assert_eq!((first.index, first.comparison, first.mask, first.value), (0, Comparison::GreaterOrEqual, 6, 7));
    assert_eq!((second.index, second.comparison, second.mask, second.value), (1, Comparison::Equal, 8, 9));
}

#[test]
fn words_that_are_missing_are_no_filter() {
    let whole = [&WORDS[..], &[9]].concat();
    assert!(Filter::from_words(&whole).is_some());
    // A filter may end after its known numbers: it has no rules then.
    for length in (0..whole.len()).filter(|length| *length != 6) {
        assert!(Filter::from_words(&whole[..length]).is_none(), "{length}");
    }
    assert!(Filter::from_words(&[1, 2, 3, u64::MAX]).is_none());
    assert!(Filter::from_words(&[1, 2, 3, 0, 4, 0, 1, 0, 6, 0, 0]).is_none());
}
