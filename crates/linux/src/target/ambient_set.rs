//! Adding capabilities to the ambient set of a target: all of them, or none.

use crate::call::Arg;
use crate::calls::caps::{capset, is_ambient, lower_ambient, raise_ambient};
use crate::calls::stub::expect;
use crate::error::Result;
use crate::sequence::list::Sequence;
use crate::target::capability_sets::each;
use crate::target::{run_all, Target, CURRENT};
use crate::task::channel::Channel;
use nix::errno::Errno;
use std::sync::Arc;

/// The result of a call that the kernel refuses for a wrong argument.
const INVALID: Arg = Arg::Number(-(libc::EINVAL as i64) as u64);

/// The sets of capget(2) before and during a raise that makes the capabilities inheritable.
#[derive(Clone, Copy, Debug)]
pub struct Inheriting {
    /// The effective, permitted and inheritable set of the target.
    pub before: [u64; 3],
    /// The same sets with the capabilities added to the last one.
    pub during: [u64; 3],
}

/// Adds capabilities to the ambient set of the current target. If the kernel refuses one of them, the target has the ambient set that
/// it had before. In every thread of this process the rehearsal sees to that. In a batch nothing is undone.
pub fn raise(caps: u64, inheriting: Option<Inheriting>) -> Result<()> {
    let task = CURRENT.with_borrow(|target| match target {
        Target::Far(channel) => Some(channel.clone()),
        _ => None,
    });
    match task {
        Some(task) => raise_far(&task, caps, inheriting),
        None => {
            let inherit = inheriting.map(|sets| capset(0, sets.during));
            run_all(inherit.into_iter().chain(each(caps).map(raise_ambient)).collect()).map(|_| ())
        }
    }
}

/// Sends one message. The kernel refuses every operation on the ambient set whose fourth or fifth argument is not 0, so that the result
/// of an earlier step decides whether a step has an effect.
fn raise_far(task: &Arc<Channel>, caps: u64, inheriting: Option<Inheriting>) -> Result<()> {
    let mut sequence = Sequence::default();
    let found: Vec<Arg> = each(caps).map(|capability| result(sequence.step(is_ambient(capability)))).collect();
    if let Some(sets) = inheriting {
        sequence.step(capset(0, sets.during));
    }
    let first = sequence.len();
    let mut refused = Arg::Number(0);
    for capability in each(caps) {
        // After a refusal the kernel refuses all other capabilities too, without looking at them.
        refused = result(sequence.step(raise_ambient(capability).arg(refused).go_on()));
    }
    let raised = first..sequence.len();
    // Reads whether a capability is ambient, and so succeeds, unless one was refused.
    let ended = result(sequence.step(is_ambient(0).reading(|_| ()).arg(refused).go_on()));
    // Without a refusal the sequence ends here.
    sequence.step(expect("prctl", ended, INVALID, Errno::ECANCELED));
    for (capability, found) in each(caps).zip(found) {
        // Does nothing where the capability was ambient before.
        sequence.step(lower_ambient(capability).arg(found).go_on());
    }
    if let Some(sets) = inheriting {
        sequence.step(capset(0, sets.before).go_on());
    }
    let (reply, _) = task.run(&sequence, &[])?;
    let refusal = raised.clone().find_map(|step| sequence.refusal(&reply, step));
    let refusal = refusal.or_else(|| sequence.failure(&reply, 0).filter(|_| reply.ended_before(raised.start)));
    refusal.map_or(Ok(()), |failure| Err(failure.without_step()))
}

fn result(step: usize) -> Arg {
    Arg::Result(step as u32)
}
