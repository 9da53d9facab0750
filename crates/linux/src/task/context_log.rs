//! The log of a file system context of a task.

use crate::call::Arg;
use crate::calls::fs_context::{read_message, touch};
use crate::calls::stub::expect;
use crate::error::Result;
use crate::sequence::context_log::{MESSAGES, TOUCHED};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::channel::{Channel, Ran};
use nix::errno::Errno;
use std::sync::Arc;

/// Takes all messages from the log of a context of a task, the oldest first.
pub fn read(task: &Arc<Channel>, context: i32) -> Result<Vec<Vec<u8>>> {
    let sequence = reading(context);
    let (reply, _) = task.run(&sequence, &[])?;
    match sequence.failure(&reply, 0) {
        Some(failure) => Err(failure.without_step()),
        None => Ok(messages(&sequence, &reply)),
    }
}

/// Takes all messages from the log of a context of a task without blocking. `done` is called once with the messages, the oldest
/// first. If the task is gone, or the number is not that of a context, there are none.
pub(crate) fn submit(task: &Arc<Channel>, context: i32, done: impl FnOnce(Vec<Vec<u8>>) + Send + 'static) {
    let read = |ran: Result<Ran>| done(ran.map(|ran| messages(&ran.sequence, &ran.reply)).unwrap_or_default());
    task.submit(reading(context), Vec::new(), Box::new(read));
}

/// Returns the sequence that takes all messages from the log of a context. The sequence ends before it reads another file: the
/// task would wait for a pipe or a terminal.
fn reading(context: i32) -> Sequence {
    let mut sequence = Sequence::default();
    let touched = Arg::Result(sequence.step(touch(context).go_on()) as u32);
    let is_context = Arg::Number(-i64::from(TOUCHED as i32) as u64);
    sequence.step(expect("fsconfig", touched, is_context, Errno::EINVAL));
    for _ in 0..MESSAGES {
        sequence.step(read_message(context).go_on());
    }
    sequence
}

/// Returns the messages that the sequence of [`reading`] has taken, the oldest first.
fn messages(sequence: &Sequence, reply: &Reply) -> Vec<Vec<u8>> {
    let read = |step| {
        let answer = reply.answer(step)?;
        Some(answer.out.get(..usize::try_from(answer.result).ok()?)?.to_vec())
    };
    (sequence.len() - MESSAGES..sequence.len()).map_while(read).collect()
}
