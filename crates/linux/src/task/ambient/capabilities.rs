//! The five capability sets of the calling thread.

use crate::calls::caps;
use std::cell::Cell;

// Numbers of capabilities, which the libc crate does not have.
const CAP_SETPCAP: u32 = 8;
pub(super) const CAP_SYS_ADMIN: u32 = 21;

/// The capability sets of a thread, with a bit for each capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// Effective, permitted, inheritable. `None`: a seccomp filter refuses capget(2).
    sets: Option<[[u8; 8]; 3]>,
    bounding: u64,
    ambient: u64,
}

impl Capabilities {
    /// Reads the sets of the calling thread.
    pub(super) fn now() -> Self {
        let sets = caps::capget(0).near().ok();
        let mut capabilities = Capabilities { sets, bounding: 0, ambient: 0 };
        capabilities.bounding = bounding(!capabilities.has_lost(CAP_SETPCAP));
        capabilities.ambient = capabilities.read_ambient();
        capabilities
    }

    /// True when the thread has a capability no more, and never gets it again. State that can be changed only with the
    /// capability then stays as it is, and is read once.
    ///
    /// Only execve(2) and entering a user namespace add to the permitted set, and the kernel lets no thread of a process
    /// with several threads enter a user namespace.
    pub(super) fn has_lost(&self, capability: u32) -> bool {
        self.sets.is_some_and(|[_, permitted, _]| u64::from_ne_bytes(permitted) >> capability & 1 == 0)
    }

    /// Reads the ambient set. Only a capability that is permitted and inheritable can be in the set. Most processes have
    /// none, and then no call is needed.
    fn read_ambient(&self) -> u64 {
        let [_, permitted, inheritable] = self.sets.map_or([u64::MAX; 3], |sets| sets.map(u64::from_ne_bytes));
        each_of(permitted & inheritable, |capability| {
            [libc::PR_CAP_AMBIENT.into(), libc::PR_CAP_AMBIENT_IS_SET.into(), capability]
        })
    }
}

/// The bounding set of a thread, as it was last read.
#[derive(Clone, Copy)]
struct Bounding {
    set: u64,
    /// True when the thread could not change the set any more when the set was read.
    is_final: bool,
}

/// Returns the bounding set. prctl(PR_CAPBSET_DROP) needs CAP_SETPCAP. No call adds to the set, so only the capabilities
/// are asked for that were in the set the last time.
fn bounding(may_change: bool) -> u64 {
    thread_local! {
        static LAST: Cell<Bounding> = const { Cell::new(Bounding { set: u64::MAX, is_final: false }) };
    }
    let last = LAST.get();
    if last.is_final && !may_change {
        return last.set;
    }
    let set = each_of(last.set, |capability| [libc::PR_CAPBSET_READ.into(), capability, 0]);
    LAST.set(Bounding { set, is_final: !may_change });
    set
}

/// Returns a set with each of the candidates for which prctl(2) returns 1.
fn each_of(candidates: u64, arguments: impl Fn(i64) -> [i64; 3]) -> u64 {
    let mut set = 0;
    for capability in (0..64).filter(|capability| candidates >> capability & 1 == 1) {
        let [option, first, second] = arguments(capability);
        // SAFETY: both options take numbers alone, and touch no memory of this process.
        match unsafe { libc::syscall(libc::SYS_prctl, option, first, second, 0i64, 0i64) } {
            1 => set |= 1 << capability,
            0 => {}
            _ => break, // the kernel does not know this capability and those after it
        }
    }
    set
}
