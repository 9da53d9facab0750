//! Waiting for a process that may be stopped, frozen or traced. A thread waits as long as a process takes that runs, and
//! no longer.

use super::{Channel, State};
use crate::wait::proc_directory;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time in which a process that runs has replied to a clone, unless the machine is busy.
const SOON: Duration = Duration::from_millis(2);
/// How long a thread waits for a process that is ready to run on a busy machine. The event loop may be blocked meanwhile.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a process that `/proc` does not show is taken for.
#[derive(Clone, Copy, PartialEq)]
enum Unseen {
    Held,
    Running,
}

impl Channel {
    /// Waits for the reply to the active job, and receives it in the reactor's place. The wait ends as that of
    /// [`Channel::await_job_reply`].
    pub(crate) fn receive_awaited_job_reply(self: &Arc<Self>) {
        self.await_job_reply();
        self.receive_reply_that_came();
    }

    /// Waits for the reply to the active job, and leaves it to the reactor. A process that is not ready to run is
    /// continued (SIGCONT). If it still does not run afterwards, a tracer or a freezer holds it: the wait ends, and the
    /// channel [is late](Channel::is_late). A process that `/proc` does not show is continued at once, and has the
    /// patience of one that runs afterwards.
    pub(super) fn await_job_reply(&self) {
        if !self.await_while_it_runs(Unseen::Held) {
            self.continue_process();
            if !self.await_while_it_runs(Unseen::Running) {
                self.set_late();
            }
        }
    }

    /// Waits for the reply to the active job while the process runs, and receives it in the reactor's place. A process that `/proc`
    /// does not show has the patience of one that runs.
    pub(super) fn receive_job_reply_while_it_runs(self: &Arc<Self>) {
        let (serial, end) = (self.active_serial(), Instant::now() + PATIENCE);
        // The reply to the start of the task may come before, and the reactor may receive that.
        while serial.is_some() && self.active_serial() == serial && Instant::now() < end {
            if !self.await_while_it_runs(Unseen::Running) {
                break;
            }
            self.receive_reply_that_came();
        }
    }

    /// Returns the serial number of the reply to the active job.
    fn active_serial(&self) -> Option<u64> {
        self.lock().active.as_ref().map(|job| job.serial)
    }

    fn receive_reply_that_came(self: &Arc<Self>) {
        if self.has_active_job() && self.has_message(Duration::ZERO) {
            self.receive_job_reply();
        }
    }

    /// Waits for the reply to the active job. Returns false when the process is not ready to run, and when a process that
    /// `/proc` does not show has used up the patience.
    ///
    /// The reactor may receive the reply at any moment, and a poll(2) that began before would then wait for nothing. So
    /// each poll is short, and between two of them this thread looks whether the job is still active.
    fn await_while_it_runs(&self, unseen: Unseen) -> bool {
        const ONE_POLL: Duration = Duration::from_micros(200);
        let begin = Instant::now();
        let mut next_look = begin + SOON;
        while self.has_active_job() && !self.has_message(ONE_POLL) {
            let now = Instant::now();
            if now < next_look {
                continue;
            }
            let ready = self.is_ready_to_run();
            if !ready.unwrap_or(unseen == Unseen::Running) {
                // The process may have replied since, and waits for the next sequence.
                return !self.has_active_job() || self.has_message(Duration::ZERO);
            }
            if now > begin + PATIENCE {
                return ready.is_some();
            }
            next_look = now + SOON;
        }
        true
    }

    /// Waits while the reactor reads the reply to a clone that it has received. The reactor itself waits for no process.
    pub(super) fn await_reading_of_clone(&self) {
        let reads = |state: &mut State| state.clones > 0 && state.active.is_none();
        let read = self.cloned.wait_timeout_while(self.lock(), PATIENCE, reads);
        drop(read.unwrap_or_else(|broken| broken.into_inner()));
    }

    /// True when the process has not replied to the active job, and does not run. A channel is not late any more when the
    /// reply has come.
    pub(crate) fn is_late(&self) -> bool {
        let job = self.lock().active.as_ref().map(|job| (job.late, job.sent));
        job.is_some_and(|(late, sent)| late || sent.elapsed() > PATIENCE && self.is_ready_to_run() != Some(true))
    }

    fn set_late(&self) {
        if let Some(job) = self.lock().active.as_mut() {
            job.late = true;
        }
    }

    /// Continues the process if it is a child of this process that is stopped: a signal to the process group of Node can
    /// stop it, and the signal that continues Node may be sent to Node alone.
    pub(crate) fn continue_if_stopped(&self) {
        let process = self.process();
        let seen = process.map(|process| process.poll(libc::WSTOPPED | libc::WNOWAIT));
        if matches!(seen, Some(Ok(Some(_)))) {
            self.continue_process();
        }
    }

    fn continue_process(&self) {
        // EPERM: the process has other ids than this one, and stays as it is.
        let _ = self.process().map(|process| process.signal(libc::SIGCONT));
    }

    /// Returns whether the process runs or waits for a CPU. None where `/proc` does not show the process.
    fn is_ready_to_run(&self) -> Option<bool> {
        let pidfd = self.process().and_then(|process| process.shared_pidfd());
        let directory = pidfd.and_then(|pidfd| proc_directory::open(pidfd.as_raw_fd()));
        let stat = directory.and_then(|directory| proc_directory::read(&directory, "stat"));
        stat.map(|stat| proc_directory::stat_field(&stat, 0) == Some("R"))
    }
}
