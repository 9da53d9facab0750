//! Capabilities: capget(2), capset(2) and the prctl(2) options of the other sets.

use crate::call::{Answer, Call};
use crate::error::{Failure, Result};
use crate::target::run_all;
use nix::errno::Errno;
use std::sync::OnceLock;

const VERSION_3: u32 = 0x2008_0522;

/// `capget(&header, &data)`: effective, permitted and inheritable of a thread (0: the caller), eight bytes each.
pub fn capget(pid: i32) -> Call<[[u8; 8]; 3]> {
    let header = [VERSION_3.to_ne_bytes(), pid.to_ne_bytes()].concat();
    Call::new("capget", libc::SYS_capget).input(&header).output(24).value(|answer| halves(answer).map(u64::to_ne_bytes))
}

/// Two structs of effective, permitted, inheritable: the low halves, then the high ones.
fn halves(answer: &Answer) -> [u64; 3] {
    [0, 4, 8].map(|at| answer.u32(at) as u64 | (answer.u32(at + 12) as u64) << 32)
}

/// `capset(&header, &data)` of the calling thread.
pub fn capset(effective: u64, permitted: u64, inheritable: u64) -> Call<()> {
    let header = [VERSION_3.to_ne_bytes(), [0; 4]].concat();
    let half = |shift| [effective, permitted, inheritable].map(|set| ((set >> shift) as u32).to_ne_bytes());
    let data = [half(0), half(32)].concat().concat();
    Call::new("capset", libc::SYS_capset).input(&header).input(&data).one_thread()
}

/// The number of the kernel's last capability: there is no file to read it from in every root, but `PR_CAPBSET_READ`
/// refuses the next one.
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

/// Effective, permitted, inheritable and bounding set of the thread that the current target is. The fifth set is no
/// secret: nothing is ever ambient that is not inheritable.
pub fn sets() -> Result<[u64; 4]> {
    run_all(reads(last()?)).map(joined)
}

/// Takes `drop` out of the bounding set, which needs CAP_SETPCAP and so comes first; then nothing is ambient or
/// inheritable any more, and `keep` alone is permitted and effective. What [`sets`] would say then comes with the same
/// message, where it is wanted.
pub fn reduce(drop: u64, keep: u64, read_back: bool) -> Result<Option<[u64; 4]>> {
    let bounding = (0..u64::BITS).filter(|capability| drop >> capability & 1 == 1).map(drop_bounding);
    let calls = bounding.chain([clear_ambient(), capset(keep, keep, 0)]).map(|call| call.reading(|_| Vec::new()));
    if read_back {
        run_all(calls.chain(reads(last()?)).collect()).map(joined).map(Some)
    } else {
        run_all(calls.collect()).map(|_| None)
    }
}

fn reads(last: u32) -> Vec<Call<Vec<u64>>> {
    let first = capget(0).reading(|answer| halves(answer).to_vec());
    let bits = (0..=last).map(|capability| read_bounding(capability).reading(|answer| vec![answer.result as u64]));
    std::iter::once(first).chain(bits).collect()
}

fn joined(words: Vec<Vec<u64>>) -> [u64; 4] {
    let words = words.concat();
    [words[0], words[1], words[2], words[3..].iter().rev().fold(0, |set, bit| set << 1 | bit)]
}

/// `prctl(PR_CAPBSET_DROP, capability)`: out of the bounding set of the calling thread.
pub fn drop_bounding(capability: u32) -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_CAPBSET_DROP).number(capability).one_thread()
}

/// `prctl(PR_CAPBSET_READ, capability)`.
pub fn read_bounding(capability: u32) -> Call<bool> {
    Call::new("prctl", libc::SYS_prctl)
        .number(libc::PR_CAPBSET_READ)
        .number(capability)
        .value(|answer| answer.result == 1)
}

/// `prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)`.
pub fn clear_ambient() -> Call<()> {
    Call::new("prctl", libc::SYS_prctl).number(libc::PR_CAP_AMBIENT).number(libc::PR_CAP_AMBIENT_CLEAR_ALL).one_thread()
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
        assert_eq!(reduce(u64::MAX, 0, true), Err(Failure::Multithreaded("prctl")));
        assert_eq!(sets().unwrap(), before);
    }
}
