//! The first calls of a new task, which carry out its options.

use super::own_map::write_own_map;
use super::{CloneOptions, Cloner};
use crate::call::Arg;
use crate::calls::descriptor;
use crate::calls::prctl;
use crate::calls::signals;
use crate::error::Result;
use crate::task::death_signal::refuse_early_orphan;
use crate::task::outgoing::Outgoing;
use std::os::fd::OwnedFd;
use std::sync::Arc;

impl Cloner {
    /// Adds the first calls of the new task. `stdio` is `None` where the task shares its table with the cloner. `ids`
    /// are the user and group of the cloner, for the map that the task writes.
    pub(super) fn add_first_calls(
        &self,
        outgoing: &mut Outgoing,
        options: &CloneOptions,
        stdio: Option<[Arc<OwnedFd>; 3]>,
        ids: Option<(u32, u32)>,
    ) -> Result<()> {
        let own_table = stdio.is_some();
        let own_memory = !options.has(libc::CLONE_VM);
        if own_memory {
            // Root of the task's user namespace may trace a dumpable task, and take its channel and its descriptors. A
            // clone inherits from its cloner whether it is dumpable, and the zygote is: kcmp(2) has to reach the zygote.
            outgoing.sequence.step(prctl::set_dumpable(false));
        }
        for (number, fd) in stdio.into_iter().flatten().enumerate() {
            let index = outgoing.pass(fd);
            outgoing.sequence.step(descriptor::put_passed(index, Some(number as i32), false));
        }
        let sequence = &mut outgoing.sequence;
        if self.zygote.is_some() {
            // The task is a child of the spawner thread. The signal ends it with that thread even in the middle of a
            // call, when the end of the channel would not.
            sequence.step(prctl::set_death_signal(libc::SIGKILL));
            // Node may have died before the signal was set. The task's first sequence may be in the channel already and
            // take long, so the task must not begin with it.
            refuse_early_orphan(sequence, self.parent_of_task(options));
        } else if own_table {
            // The table is a copy of the cloner's. Everything but stdio and the channel is closed.
            sequence.step(descriptor::close_range(Arg::Number(3), Arg::Channel(-1), 0).go_on());
            sequence.step(descriptor::close_range(Arg::Channel(1), Arg::Number(u32::MAX as u64), 0));
        }
        if options.reset_signals {
            for call in signals::default_actions() {
                sequence.step(call);
            }
        }
        sequence.step(signals::set_mask(0));
        if let Some((map, (uid, gid))) = options.map.and_then(|map| Some((map, map.outside().or(ids)?))) {
            write_own_map(sequence, map, uid, gid)?;
        }
        Ok(())
    }
}
