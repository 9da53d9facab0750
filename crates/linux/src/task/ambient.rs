//! The state that a child of the calling thread would inherit now. A task inherits it from the zygote, so the two are
//! compared before each clone. Working directory, root and umask are left out: the zygote shares them with this
//! process.

mod ask;
mod capabilities;
pub(crate) mod namespaces;
mod proc;

use self::ask::Numbers;
use self::capabilities::Capabilities;
use self::namespaces::Link;
use crate::error::Result;

/// Everything that a child inherits, as the kernel shows it. Two equal values make equal children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambient {
    ids: [u32; 6],
    groups: Vec<u32>,
    capabilities: Capabilities,
    numbers: Numbers,
    scheduling: [u8; 56],
    seccomp_filters: Vec<u8>,
    limits: Vec<(u64, u64)>,
    affinity: Vec<u8>,
    memory_policy: [u8; 136],
    files: Vec<Vec<u8>>,
    terminal: Vec<u8>,
    namespaces: Vec<Link>,
}

impl Ambient {
    /// Reads the state of the calling thread. Where `/proc` is not mounted, what it would show is empty. Fails when a
    /// file of `/proc` cannot be opened for want of descriptors or memory.
    pub fn now() -> Result<Self> {
        let capabilities = Capabilities::now();
        let numbers = Numbers::now();
        let leads_session = numbers.session == i64::from(std::process::id());
        Ok(Ambient {
            ids: ask::ids(),
            groups: ask::groups(),
            scheduling: ask::scheduling(),
            seccomp_filters: if numbers.is_filtered() { proc::seccomp_filters()? } else { Vec::new() },
            limits: ask::limits(),
            affinity: ask::affinity(),
            memory_policy: ask::memory_policy(),
            files: proc::files()?,
            namespaces: namespaces::namespaces(&capabilities)?,
            // Only the leader of a session can get a controlling terminal while it runs.
            terminal: if leads_session { proc::terminal()? } else { Vec::new() },
            capabilities,
            numbers,
        })
    }

    /// True when children of the two would differ at most in when and where they run. One of the two then has no rights,
    /// and no limits to its use of anything but time, that the other one has not.
    pub fn differs_in_scheduling_alone(&self, other: &Ambient) -> bool {
        let Ambient { scheduling, affinity, memory_policy, .. } = self.clone();
        let numbers = other.numbers.scheduled_as(&self.numbers);
        let same = Ambient { scheduling, affinity, memory_policy, numbers, ..other.clone() };
        same == *self
    }
}
