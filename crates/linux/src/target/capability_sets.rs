//! The capability sets of a target. Reading a whole set, and changing several sets, takes many calls.

use crate::call::Call;
use crate::calls::caps::{
    capget, capget_near, capset, clear_ambient, drop_bounding, halves, is_ambient, lower_ambient, raise_ambient,
    read_bounding,
};
use crate::calls::prctl::{get_no_new_privs, set_no_new_privs};
use crate::error::{Failure, Result};
use crate::target::{run_all, NEAR};
use nix::errno::Errno;
use std::sync::OnceLock;

/// What a call has returned: the three sets of capget(2), or one word.
type Words = [u64; 3];

/// The sets that [`sets`] reads: effective, permitted, inheritable, bounding and ambient; and 1 where no_new_privs is set, else 0.
pub type Sets = [u64; 6];

/// Returns the number of the kernel's last capability. `PR_CAPBSET_READ` refuses the next number: unlike
/// `/proc/sys/kernel/cap_last_cap`, that works in every root.
pub fn last() -> Result<u32> {
    static LAST: OnceLock<u32> = OnceLock::new();
    if let Some(last) = LAST.get() {
        return Ok(*last);
    }
    for next in 0..u64::BITS {
        match read_bounding(next).near() {
            Ok(_) => {}
            Err(Failure::Refused(refusal)) if refusal.errno == Errno::EINVAL && next > 0 => {
                return Ok(*LAST.get_or_init(|| next - 1));
            }
            Err(failure) => return Err(failure),
        }
    }
    // The sets of capset(2) have no more bits. A filter that answers the call in place of the kernel may refuse no number.
    Ok(*LAST.get_or_init(|| u64::BITS - 1))
}

/// Returns the effective, permitted and inheritable set of a process; 0 is the current target.
pub fn three(pid: i32) -> Result<[u64; 3]> {
    if NEAR.get() {
        capget_near(pid)
    } else {
        capget(pid).reading(halves).run()
    }
}

/// Returns all sets of the current target.
pub fn sets() -> Result<Sets> {
    run_all(reads(last()?)).map(joined)
}

/// Returns the bounding set of the current target.
pub fn bounding() -> Result<u64> {
    run_all((0..=last()?).map(bounding_bit).collect()).map(|bits| word(&bits))
}

/// Returns the ambient set of the current target.
pub fn ambient() -> Result<u64> {
    run_all((0..=last()?).map(ambient_bit).collect()).map(|bits| word(&bits))
}

/// Takes capabilities out of the bounding set of the current target.
pub fn drop_from_bounding(drop: u64) -> Result<()> {
    run_all(each(drop).map(drop_bounding).collect()).map(|_| ())
}

/// Takes capabilities out of the ambient set of the current target.
pub fn lower(caps: u64) -> Result<()> {
    run_all(each(caps).map(lower_ambient).collect()).map(|_| ())
}

/// What [`reduce`] leaves and takes away.
#[derive(Clone, Copy, Debug)]
pub struct Reduction {
    /// The effective, permitted and inheritable set that the target needs for the reduction itself.
    pub before: Option<[u64; 3]>,
    /// What leaves the bounding set.
    pub drop: u64,
    /// What is effective and permitted afterwards.
    pub keep: u64,
    /// True when `keep` is also inheritable and ambient afterwards.
    pub ambient: bool,
    /// True when execve(2) shall grant no privilege afterwards.
    pub no_new_privs: bool,
}

/// Reduces the sets of the current target. The bounding set comes first because it needs CAP_SETPCAP.
///
/// With `read_back`, returns what [`sets`] would return afterwards. In a task both travel in one message.
pub fn reduce(reduction: Reduction, read_back: bool) -> Result<Option<Sets>> {
    let Reduction { before, drop, keep, ambient, no_new_privs } = reduction;
    let inherited = if ambient { keep } else { 0 };
    let raised = before.map(|sets| capset(0, sets));
    let calls = raised
        .into_iter()
        .chain(each(drop & !SETPCAP).chain(each(drop & SETPCAP)).map(drop_bounding))
        .chain([clear_ambient(), capset(0, [keep, keep, inherited])])
        .chain(each(inherited).map(raise_ambient))
        .chain(no_new_privs.then(set_no_new_privs));
    let calls = calls.map(|call| call.reading(|_| Words::default()));
    if read_back {
        run_all(calls.chain(reads(last()?)).collect()).map(joined).map(Some)
    } else {
        run_all(calls.collect()).map(|_| None)
    }
}

/// The bit of CAP_SETPCAP.
const SETPCAP: u64 = 1 << 8;

/// Returns the numbers of the capabilities in a set.
pub(super) fn each(set: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |capability| set >> capability & 1 == 1)
}

fn bounding_bit(capability: u32) -> Call<Words> {
    read_bounding(capability).reading(|answer| [answer.result as u64, 0, 0])
}

fn ambient_bit(capability: u32) -> Call<Words> {
    is_ambient(capability).reading(|answer| [answer.result as u64, 0, 0])
}

/// Returns the calls that read the sets. [`joined`] reads their answers.
fn reads(last: u32) -> Vec<Call<Words>> {
    let first = capget(0).reading(halves);
    let no_new_privs = get_no_new_privs().reading(|answer| [answer.result as u64, 0, 0]);
    let bits = (0..=last).map(bounding_bit).chain((0..=last).map(ambient_bit));
    [first, no_new_privs].into_iter().chain(bits).collect()
}

/// Joins the last answers of a list, which are those to the calls of [`reads`].
fn joined(answers: Vec<Words>) -> Sets {
    let half = last().unwrap_or(0) as usize + 1;
    let (rest, ambient) = answers.split_at(answers.len().saturating_sub(half));
    let (rest, bounding) = rest.split_at(rest.len().saturating_sub(half));
    let [.., [effective, permitted, inheritable], [no_new_privs, ..]] = rest else { return Sets::default() };
    [*effective, *permitted, *inheritable, word(bounding), word(ambient), *no_new_privs]
}

/// Joins words of one bit each, the lowest first.
fn word(bits: &[Words]) -> u64 {
    bits.iter().rev().fold(0, |set, [bit, ..]| set << 1 | bit & 1)
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
        let names = ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "NoNewPrivs"];
        assert_eq!(sets().unwrap(), names.map(set));
        assert_eq!([bounding().unwrap(), ambient().unwrap()], ["CapBnd", "CapAmb"].map(set));
    }

    #[test]
    fn a_reduction_near_changes_nothing() {
        let before = sets().unwrap();
        let all = Reduction { before: None, drop: u64::MAX, keep: 0, ambient: false, no_new_privs: false };
        assert_eq!(reduce(all, true), Err(Failure::Multithreaded("prctl", Some(libc::PR_CAPBSET_DROP.into()))));
        assert_eq!(sets().unwrap(), before);
    }
}
