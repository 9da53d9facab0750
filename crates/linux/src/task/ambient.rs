//! The state that a child of the calling thread would inherit now. A task inherits it from the zygote, so the two are
//! compared before each clone. Working directory, root and umask are left out: the zygote shares them with this
//! process.

mod ask;
mod capabilities;
pub(crate) mod namespaces;
mod proc;

use self::capabilities::Capabilities;
use self::namespaces::Namespaces;
use self::proc::FILES;
use crate::error::Result;

/// Everything that a child inherits, as the kernel shows it. Two equal values make equal children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambient {
    ids: [u32; 6],
    groups: Vec<u32>,
    capabilities: Capabilities,
    numbers: [i64; ask::NUMBERS],
    scheduling: [u8; 56],
    seccomp_filters: Vec<u8>,
    limits: [(u64, u64); ask::LIMITS as usize],
    affinity: [u8; 128],
    memory_policy: [u8; 136],
    files: [Vec<u8>; FILES],
    namespaces: Namespaces,
}

impl Ambient {
    /// Reads the state of the calling thread. Where `/proc` is not mounted, what it would show is empty. Fails when a
    /// file of `/proc` cannot be opened for want of descriptors or memory.
    pub fn now() -> Result<Self> {
        let capabilities = Capabilities::now();
        let numbers = ask::numbers();
        let filtered = numbers[ask::SECCOMP] == ask::SECCOMP_MODE_FILTER;
        Ok(Ambient {
            ids: ask::ids(),
            groups: ask::groups(),
            numbers,
            scheduling: ask::scheduling(),
            seccomp_filters: if filtered { proc::seccomp_filters()? } else { Vec::new() },
            limits: std::array::from_fn(|resource| ask::limit(resource as u32)),
            affinity: ask::affinity(),
            memory_policy: ask::memory_policy(),
            files: proc::files()?,
            namespaces: namespaces::namespaces(&capabilities)?,
            capabilities,
        })
    }
}
