//! The sequence that clones a task.

use super::files::NewTaskFiles;
use super::prepare::Prepared;
use super::{CloneOptions, Cloner};
use crate::call::{Arg, Call};
use crate::calls::descriptor;
use crate::calls::stub::attach;
use crate::error::Result;
use crate::flags::CloneFlags;
use crate::task::outgoing::Outgoing;
use crate::wire;

/// The step that clones. The result in the cloner is the pid of the new task, and in the new task the number of its
/// channel.
pub(super) const CLONE_STEP: usize = 0;

/// `struct clone_args` of clone3(2).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl CloneArgs {
    fn bytes(&self) -> Vec<u8> {
        let task = [self.flags, self.pidfd, self.child_tid, self.parent_tid, self.exit_signal];
        let memory = [self.stack, self.stack_size, self.tls];
        let place = [self.set_tid, self.set_tid_size, self.cgroup];
        task.iter().chain(&memory).chain(&place).flat_map(|word| word.to_ne_bytes()).collect()
    }
}

/// Returns the offset of a field for [`Call::holding`].
macro_rules! offset {
    ($field:ident) => {
        std::mem::offset_of!(CloneArgs, $field) as u32
    };
}

impl Cloner {
    /// Returns the sequence for the cloner, which ends with the first calls of the new task. The first calls of a task
    /// that shares memory are a message of its own instead, the second value.
    pub(super) fn sequences(
        &self,
        options: &CloneOptions,
        files: NewTaskFiles,
        Prepared { shared, ids }: Prepared,
    ) -> Result<(Outgoing, Option<Outgoing>)> {
        let mut outgoing = Outgoing::default();
        let memory = shared.map_or(0, |shared| shared.base);
        let args = self.clone_args(options, memory).bytes();
        // The kernel writes the pidfd as the first `int` of the output.
        let mut clone = Call::new("clone3", wire::CLONE as i64).input(&args).holding(offset!(pidfd), 8, Arg::Out(0));
        if !options.set_tid.is_empty() {
            let set_tid: Vec<u8> = options.set_tid.iter().flat_map(|pid| pid.to_ne_bytes()).collect();
            clone = clone.holding_bytes(offset!(set_tid), &set_tid);
        }
        if let Some(cgroup) = files.cgroup {
            clone = clone.holding(offset!(cgroup), 8, Arg::Passed(outgoing.pass(cgroup)));
        }
        // A cloner that shares with the task has copied the end of the channel to its final number before.
        let channel = match shared {
            Some(shared) => Arg::Number(shared.channel as u64),
            None => Arg::Passed(outgoing.pass(files.channel_end)),
        };
        // After the clone, the cloner sends the pidfd and closes the end of the channel in its own table.
        let mut last_calls = vec![attach(Arg::Written(CLONE_STEP as u32), true)];
        if let (Some(shared), true) = (shared, files.stdio.is_some()) {
            last_calls.push(descriptor::close(shared.channel));
        }
        let first_step_of_task = CLONE_STEP + 1 + last_calls.len();
        let clone = clone.number(args.len() as u64).arg(channel).number(first_step_of_task as u64);
        let step = outgoing.sequence.step(clone.number(memory).reserve(8));
        debug_assert_eq!(step, CLONE_STEP);
        for call in last_calls {
            outgoing.sequence.step(call);
        }
        if memory != 0 {
            let mut own_message = Outgoing::default();
            self.add_first_calls(&mut own_message, options, files.stdio, ids)?;
            return Ok((outgoing, Some(own_message)));
        }
        self.add_first_calls(&mut outgoing, options, files.stdio, ids)?;
        Ok((outgoing, None))
    }

    fn clone_args(&self, options: &CloneOptions, memory: u64) -> CloneArgs {
        let mut flags = options.flags | libc::CLONE_PIDFD as u64;
        if options.cgroup.is_some() {
            flags |= CloneFlags::INTO_CGROUP.bits();
        }
        if self.zygote.is_some() {
            flags |= libc::CLONE_PARENT as u64; // the parent is the spawner, not the zygote
        }
        CloneArgs {
            flags,
            // With CLONE_PARENT the kernel takes the exit signal of the cloner.
            exit_signal: if self.zygote.is_some() { 0 } else { libc::SIGCHLD as u64 },
            stack: memory,
            stack_size: if memory == 0 { 0 } else { wire::GUARD + wire::STACK },
            set_tid_size: options.set_tid.len() as u64,
            ..CloneArgs::default()
        }
    }
}

const _: () = assert!(size_of::<CloneArgs>() == 88, "CLONE_ARGS_SIZE_VER2");
