//! The form in which JavaScript sends a filter.

use nearfar_linux::filter::{Comparison, Filter};

const WORDS: [u32; 22] = [1, 2, 3, 2, 10, 11, 4, 1, 10, 2, 0, 5, 6, 60, 7, 70, 1, 0, 8, 80, 9, 90];

#[test]
fn words_are_a_filter() {
    let filter = Filter::from_words(&WORDS).unwrap();
    assert_eq!((filter.arch, filter.default, filter.unknown), (1, 2, 3));
    assert_eq!(filter.known, [10, 11]);
    assert_eq!(filter.rules.len(), 1);
    let rule = &filter.rules[0];
    assert_eq!((rule.action, &rule.calls[..]), (4, &[10][..]));
    let [first, second] = rule.conditions[..] else { panic!("{rule:?}") };
    let long = |high: u64, low| high << 32 | low;
    assert_eq!((first.index, first.comparison), (0, Comparison::GreaterOrEqual));
    assert_eq!((first.mask, first.value), (long(60, 6), long(70, 7)));
    assert_eq!((second.index, second.comparison), (1, Comparison::Equal));
    assert_eq!((second.mask, second.value), (long(80, 8), long(90, 9)));
}

#[test]
fn words_that_are_missing_are_no_filter() {
    // A filter may end after its known numbers: it has no rules then.
    for length in (0..WORDS.len()).filter(|length| *length != 6) {
        assert!(Filter::from_words(&WORDS[..length]).is_none(), "{length}");
    }
    assert!(Filter::from_words(&[1, 2, 3, u32::MAX]).is_none());
    assert!(Filter::from_words(&[1, 2, 3, 0, 4, 0, 1, 0, 6, 0, 0, 0, 0]).is_none());
}
