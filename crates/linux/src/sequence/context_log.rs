//! The log of a file system context, in which the kernel says why it has refused a call on the context.

use crate::calls::fs_context::read_message;
use crate::error::Failure;

/// How many messages the kernel keeps for a context.
pub(crate) const MESSAGES: usize = 8;

/// Takes all messages from the log of a context of this process, the oldest first.
pub(crate) fn read_near(context: i32) -> Vec<Vec<u8>> {
    (0..MESSAGES).map_while(|_| read_message(context).near().ok()).collect()
}

/// Adds the messages of a context of this process to the failure of a call that was made on it.
pub(crate) fn add_near(failure: Failure, context: Option<i32>) -> Failure {
    match context {
        Some(context) if matches!(failure, Failure::Refused(_)) => failure.with_log(read_near(context)),
        _ => failure,
    }
}
