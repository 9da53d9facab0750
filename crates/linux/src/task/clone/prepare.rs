//! The preparation of a clone in a cloner that is a task. The cloner makes the resources that the new task will share,
//! and reports its own user and group.

use super::{CloneOptions, Cloner, NewTask};
use crate::call::Arg;
use crate::calls::credentials;
use crate::calls::descriptor;
use crate::calls::memory;
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::outgoing::Outgoing;
use crate::task::share::Shared;
use crate::wire;
use std::sync::Arc;

/// The needs of the new task that only its cloner can satisfy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// A stack: the tasks share memory.
    memory: bool,
    /// A number for its channel in the common table.
    table: bool,
    /// The cloner's user and group, for the map that the task writes.
    pub ids: bool,
}

/// The result of the preparation: the resources for the new task, and the cloner's own user and group id.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prepared {
    pub shared: Option<Shared>,
    pub ids: Option<(u32, u32)>,
}

/// The preparing sequence, with the steps whose results are wanted.
struct Preparation {
    outgoing: Outgoing,
    steps: Steps,
}

#[derive(Clone, Copy, Default)]
struct Steps {
    channel: Option<usize>,
    block: Option<usize>,
    ids: Option<[usize; 2]>,
}

impl Needs {
    pub fn of(options: &CloneOptions) -> Self {
        Needs {
            memory: options.has(libc::CLONE_VM),
            table: options.has(libc::CLONE_FILES),
            ids: options.map.is_some_and(|map| map.outside().is_none()) && options.has(libc::CLONE_NEWUSER),
        }
    }

    pub fn any(self) -> bool {
        self.shares() || self.ids
    }

    fn shares(self) -> bool {
        self.memory || self.table
    }
}

impl Cloner {
    /// Has the cloner prepare, and starts the new task then.
    pub(super) fn prepare(self, needs: Needs, new: NewTask) {
        self.prepare_from(needs, new, wire::CHANNEL_FD as i32);
    }

    /// `lowest` is the lowest number that the channel may get.
    fn prepare_from(self, needs: Needs, new: NewTask, lowest: i32) {
        let cloner = self.channel.clone();
        let Preparation { outgoing, steps } = Preparation::new(needs, &new, lowest);
        let prepared = move |ran: Result<Ran>| match ran.and_then(|ran| steps.read(&self.channel, &ran)) {
            Ok(prepared) => self.start(new, prepared),
            // The limit of descriptors is lower than the preferred number, or no number from there on is free.
            Err(Failure::Refused(refusal)) if refusal.syscall == "fcntl" && lowest > 3 => {
                self.prepare_from(needs, new, 3);
            }
            Err(failure) => (new.done)(Err(failure)),
        };
        outgoing.submit(&cloner, Box::new(prepared));
    }
}

impl Preparation {
    fn new(needs: Needs, new: &NewTask, lowest: i32) -> Self {
        let (mut outgoing, mut steps) = (Outgoing::default(), Steps::default());
        if needs.shares() {
            let end = outgoing.pass(new.files.channel_end.clone());
            steps.channel = Some(outgoing.sequence.step(descriptor::dup_passed_from(end, lowest)));
        }
        if needs.memory {
            steps.block = Some(add_block(&mut outgoing.sequence));
        }
        if needs.ids {
            let uid = outgoing.sequence.step(credentials::geteuid());
            steps.ids = Some([uid, outgoing.sequence.step(credentials::getegid())]);
        }
        Preparation { outgoing, steps }
    }
}

/// Adds the calls that make a block of memory for a stub, and returns the step whose result is its address.
fn add_block(sequence: &mut Sequence) -> usize {
    let block = sequence.step(memory::mmap(wire::BLOCK));
    sequence.step(memory::mprotect(Arg::Result(block as u32), wire::GUARD, libc::PROT_NONE));
    block
}

impl Steps {
    /// Reads the reply. When a call has failed, gives back the resources that were made before.
    fn read(self, cloner: &Arc<Channel>, ran: &Ran) -> Result<Prepared> {
        let result = |step: usize| ran.reply.result(step).filter(|result| *result >= 0);
        let base = self.block.and_then(result).unwrap_or(0) as u64;
        let shared = self.channel.map(|step| Shared { channel: result(step).unwrap_or(-1) as i32, base });
        if let Some(failure) = ran.sequence.failure(&ran.reply, 0) {
            if let Some(shared) = shared {
                shared.give_back(cloner);
            }
            return Err(failure.without_step());
        }
        let ids = self.ids.map(|ids| ids.map(|step| result(step).unwrap_or(0) as u32));
        Ok(Prepared { shared, ids: ids.map(|[uid, gid]| (uid, gid)) })
    }
}
