//! The channel to a task that has children, for the room `wait`: only the task can wait for its children.

use super::{Channel, Ran};
use crate::calls::process::{self, Waited};
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::wait::child::{TaskChannel, WaitDone};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

impl TaskChannel for Channel {
    fn hang_up(&self) {
        Channel::hang_up(self);
    }

    fn waitid(self: Arc<Self>, pidfd: &OwnedFd, options: i32) -> Result<Waited> {
        let sequence = wait_sequence(options);
        let (reply, _) = self.run(&sequence, &[pidfd.as_raw_fd()])?;
        self.break_off_if_broken(read_waited(&sequence, &reply, options))
    }

    fn submit_waitid(self: Arc<Self>, pidfd: Arc<OwnedFd>, options: i32, done: WaitDone) {
        let channel = self.clone();
        let ended = move |ran: Result<Ran>| {
            let waited = ran.and_then(|ran| read_waited(&ran.sequence, &ran.reply, options));
            done(channel.break_off_if_broken(waited));
        };
        self.submit(wait_sequence(options), vec![pidfd], Box::new(ended));
    }
}

/// The one call waitid(2), for the process behind the pidfd that goes with the message.
fn wait_sequence(options: i32) -> Sequence {
    let mut sequence = Sequence::default();
    sequence.step(process::waitid_passed(0, options));
    sequence
}

fn read_waited(sequence: &Sequence, reply: &Reply, options: i32) -> Result<Waited> {
    if let Some(failure) = sequence.failure(reply, 0) {
        return Err(failure.without_step());
    }
    let waited = reply.answer(0).and_then(|answer| process::read_waited(&answer));
    match &waited {
        Some((state, _)) if !state.answers(options) => Err(Failure::Broken(format!("waitid reports {state:?}"))),
        _ => Ok(waited),
    }
}
