//! The state that a child of the calling thread would inherit now. A task inherits it from the zygote, so the two are
//! compared before each clone. Working directory, root and umask are left out: the zygote shares them with this
//! process.

mod ask;
mod proc;

use self::proc::{FILES, NAMESPACES};
use crate::calls::caps;

/// Everything that a child inherits, as the kernel shows it. Two equal values make equal children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambient {
    ids: [u32; 6],
    groups: Vec<u32>,
    capabilities: [[u8; 8]; 3],
    bounding: u64,
    ambient: u64,
    numbers: [i64; ask::NUMBERS],
    scheduling: [u8; 56],
    seccomp_filters: Vec<u8>,
    limits: [(u64, u64); ask::LIMITS as usize],
    affinity: [u8; 128],
    memory_policy: [u8; 136],
    files: [Vec<u8>; FILES],
    namespaces: [[u8; 32]; NAMESPACES],
}

impl Ambient {
    /// Reads the state of the calling thread. Where `/proc` is not mounted, what it would show is empty.
    pub fn now() -> Self {
        let capabilities = caps::capget(0).near().unwrap_or_default();
        let inheritable = capabilities[2] != [0; 8];
        let numbers = ask::numbers();
        let filtered = numbers[ask::SECCOMP] == ask::SECCOMP_MODE_FILTER;
        Ambient {
            ids: ask::ids(),
            groups: ask::groups(),
            capabilities,
            bounding: ask::each_capability(libc::PR_CAPBSET_READ, None),
            // Only an inheritable capability can be ambient. Most processes have none, and then no call is needed.
            ambient: if inheritable {
                ask::each_capability(libc::PR_CAP_AMBIENT, Some(libc::PR_CAP_AMBIENT_IS_SET))
            } else {
                0
            },
            numbers,
            scheduling: ask::scheduling(),
            seccomp_filters: if filtered { proc::seccomp_filters() } else { Vec::new() },
            limits: std::array::from_fn(|resource| ask::limit(resource as u32)),
            affinity: ask::affinity(),
            memory_policy: ask::memory_policy(),
            files: proc::files(),
            namespaces: proc::namespaces(),
        }
    }
}
