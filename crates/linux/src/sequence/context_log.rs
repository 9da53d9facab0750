//! The log of a file system context, in which the kernel says why it has refused a call on the context.

use crate::calls::fs_context::{read_message, touch};
use crate::error::{Failure, Result};
use nix::errno::Errno;

/// How many messages the kernel keeps for a context.
pub(crate) const MESSAGES: usize = 8;

/// The error with which a context answers [`touch`].
pub(crate) const TOUCHED: Errno = Errno::EFAULT;

/// Takes all messages from the log of a context of this process, the oldest first. Another file is not read: a read could wait
/// for ever, or take away what somebody else waits for.
pub(crate) fn read_near(context: i32) -> Result<Vec<Vec<u8>>> {
    match touch(context).near() {
        Err(failure) if !failure.has_errno(TOUCHED) => Err(failure),
        _ => Ok((0..MESSAGES).map_while(|_| read_message(context).near().ok()).collect()),
    }
}

/// Adds the messages of a context of this process to the failure of a call that was made on it.
pub(crate) fn add_near(failure: Failure, context: Option<i32>) -> Failure {
    match context {
        // The number may belong to another file than a context, which has no messages.
        Some(context) if matches!(failure, Failure::Refused(_)) => {
            failure.with_log(read_near(context).unwrap_or_default())
        }
        _ => failure,
    }
}
