//! The replies to jobs: the reactor receives them, or a thread that waits for a short time.

use super::broken::ends_channel;
use super::jobs::{call_done, report_failures, Job, Ran};
use super::{read_reply, Channel};
use crate::sequence::message::{self, Long, Message};
use crate::sequence::reply::check_serial;
use crate::wait::reactor::Wake;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::MsgFlags;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

impl Wake for Channel {
    fn wake(self: Arc<Self>) {
        self.receive_job_reply();
    }
}

impl Channel {
    pub(super) fn has_message(&self, patience: Duration) -> bool {
        let mut poll = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // A signal (EINTR) only makes the wait shorter.
        nix::poll::ppoll(&mut poll, Some(patience.into()), None).is_ok_and(|ready| ready > 0)
    }

    /// Receives the reply to the active job, if there is one, and sends the next job. Called by the reactor when the
    /// channel has a message or has ended, or by a thread that has seen that itself.
    pub(super) fn receive_job_reply(self: &Arc<Self>) {
        let mut state = self.lock();
        let Some(mut job) = state.active.take() else { return };
        let mut bytes = Vec::new();
        let expected = job.message.expected();
        // The task's reply to its start comes before the reply to the job.
        let received = match self.try_receive_start_reply(&mut state) {
            Ok(true) => self.receive_reply_or_notice(&mut bytes, expected, MsgFlags::MSG_DONTWAIT, &mut job.noticed),
            Ok(false) => Ok(None),
            Err(failure) => Err(failure),
        };
        let received = match received {
            Ok(Some(arrived)) => Ok(arrived),
            // Only the reply to the start or a notice has come, or no message. A watch ends when it wakes, so it is set again.
            Ok(None) => match self.watch() {
                Ok(()) => {
                    state.active = Some(job);
                    return;
                }
                Err(failure) => {
                    state.gone = true; // the reply will come, and a later job would take it for its own
                    Err(failure)
                }
            },
            Err(failure) => Err(failure),
        };
        let Job { sequence, message, done, serial, .. } = job;
        if expected.descriptors > 0 {
            self.let_descriptors_come(false);
        }
        let ran = received.and_then(|arrived| {
            check_serial(&bytes, serial)?;
            if let Message::Long(Long { memfd, reply, .. }) = &message {
                message::read_long(&mut bytes, memfd, *reply)?;
            }
            let (reply, fds) = read_reply(&sequence, &bytes, expected, arrived)?;
            Ok(Ran { reply, sequence, fds })
        });
        state.gone |= ran.as_ref().is_err_and(ends_channel);
        let failed = self.send_next_job(&mut state, true);
        drop(state);
        call_done(done, self.break_off_if_broken(ran));
        report_failures(failed);
    }
}
