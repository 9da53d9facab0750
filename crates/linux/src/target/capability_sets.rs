//! The capability sets of a target: reading all of them, and reducing them, takes many calls.

use crate::call::Call;
use crate::calls::caps::{capget, capset, clear_ambient, drop_bounding, halves, read_bounding};
use crate::error::{Failure, Result};
use crate::target::run_all;
use nix::errno::Errno;
use std::sync::OnceLock;

/// Returns the number of the kernel's last capability. `PR_CAPBSET_READ` refuses the next number: unlike
/// `/proc/sys/kernel/cap_last_cap`, that works in every root.
pub fn last() -> Result<u32> {
    static LAST: OnceLock<u32> = OnceLock::new();
    if let Some(last) = LAST.get() {
        return Ok(*last);
    }
    let mut next = 0;
    loop {
        match read_bounding(next).near() {
            Ok(_) => next += 1,
            Err(Failure::Refused(refusal)) if refusal.errno == Errno::EINVAL && next > 0 => {
                return Ok(*LAST.get_or_init(|| next - 1));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Returns the effective, permitted, inheritable and bounding set of the current target. The ambient set is left out: it
/// is always a part of the inheritable set.
pub fn sets() -> Result<[u64; 4]> {
    run_all(reads(last()?)).map(joined)
}

/// Takes the capabilities `drop` out of the bounding set of the current target, clears its ambient and inheritable sets,
/// and makes `keep` its permitted and effective set. The bounding set comes first because it needs CAP_SETPCAP.
///
/// With `read_back`, returns what [`sets`] would return afterwards; in a task both travel in one message.
pub fn reduce(drop: u64, keep: u64, read_back: bool) -> Result<Option<[u64; 4]>> {
    let bounding = (0..u64::BITS).filter(|capability| drop >> capability & 1 == 1).map(drop_bounding);
    let calls = bounding.chain([clear_ambient(), capset(keep, keep, 0)]).map(|call| call.reading(|_| Vec::new()));
    if read_back {
        run_all(calls.chain(reads(last()?)).collect()).map(joined).map(Some)
    } else {
        run_all(calls.collect()).map(|_| None)
    }
}

/// Returns the calls that read the sets.
fn reads(last: u32) -> Vec<Call<Vec<u64>>> {
    let first = capget(0).reading(|answer| halves(answer).to_vec());
    let bits = (0..=last).map(|capability| read_bounding(capability).reading(|answer| vec![answer.result as u64]));
    std::iter::once(first).chain(bits).collect()
}

/// Joins what [`reads`] returned: three sets, then a word for each bit of the bounding set.
fn joined(words: Vec<Vec<u64>>) -> [u64; 4] {
    let mut words = words.into_iter().flatten();
    let [effective, permitted, inheritable] = std::array::from_fn(|_| words.next().unwrap_or(0));
    [effective, permitted, inheritable, words.rev().fold(0, |set, bit| set << 1 | bit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_of_proc() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let set = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
        };
        assert_eq!(sets().unwrap(), ["CapEff", "CapPrm", "CapInh", "CapBnd"].map(set));
    }

    #[test]
    fn a_reduction_near_changes_nothing() {
        let before = sets().unwrap();
        assert_eq!(reduce(u64::MAX, 0, true), Err(Failure::Multithreaded("prctl", Some(libc::PR_CAPBSET_DROP.into()))));
        assert_eq!(sets().unwrap(), before);
    }
}
