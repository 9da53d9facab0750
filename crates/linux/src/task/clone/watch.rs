//! The replies to a clone: the cloner's says which process the new task is, and the new task's whether it has become
//! what was asked for.

use super::parentage::{check_child_of, check_own_child};
use super::sequence::CLONE_STEP;
use super::{Cloned, ClonedDone, Cloner};
use crate::calls::process;
use crate::calls::signals;
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::{Channel, Ran};
use crate::task::outgoing::Outgoing;
use crate::task::share::Shared;
use crate::task::transfer;
use crate::wait::child::{Child, Listener, Parent, Relations, TaskChannel};
use crate::wait::foreign_descriptor::{close_elsewhere, ForeignDescriptors};
use crate::wait::seen_pid::pid_seen_here;
use std::any::Any;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

/// How the first calls of a new task are replied to.
pub(super) enum FirstReply {
    /// The first calls cannot fail. The channel receives the reply before the first one that a caller waits for.
    NotAwaited,
    /// The first calls are the rest of the sequence that the cloner got. Their reply has to come before the task is
    /// used.
    Awaited(Sequence),
    /// The first calls are a message of their own, for a task that shares memory.
    ToOwnMessage(Outgoing),
}

/// A task whose cloner has not replied yet.
pub(super) struct Starting {
    pub cloner: Cloner,
    pub task: Arc<Channel>,
    pub shared: Option<Shared>,
    /// True when the task and the cloner have one table of descriptors.
    pub shares_table: bool,
}

impl Starting {
    pub fn handle_clone_reply(self, ran: Result<Ran>, listener: Listener, first_reply: FirstReply, done: ClonedDone) {
        let read = self.cloner.channel.break_off_if_broken(self.read_clone_reply(ran, listener));
        self.task.clone_was_read();
        let child = match read {
            Ok(child) => child,
            Err(failure) => {
                self.task.hang_up();
                return done(Err(failure));
            }
        };
        let task = self.task.clone();
        match first_reply {
            FirstReply::NotAwaited => done(Ok(Cloned { channel: task, child, shared: self.shared })),
            FirstReply::Awaited(sequence) => {
                task.await_reply(sequence, Box::new(move |ran| done(self.read_first_reply(ran, child))));
            }
            FirstReply::ToOwnMessage(first_calls) => {
                first_calls.submit(&task, Box::new(move |ran| done(self.read_first_reply(ran, child))));
            }
        }
    }

    /// Reads the cloner's reply, and watches the new task.
    fn read_clone_reply(&self, ran: Result<Ran>, listener: Listener) -> Result<Arc<Child>> {
        let ran = ran.and_then(|ran| match ran.sequence.failure(&ran.reply, 0) {
            Some(failure) => Err(failure.without_step()),
            None => Ok(ran),
        });
        let ran = ran.inspect_err(|_| self.give_back())?;
        // kill(2) would take a pid of 0 or below for a whole group of processes.
        let Some(pid) = ran.reply.result(CLONE_STEP).map(|pid| pid as i32).filter(|pid| *pid > 0) else {
            self.give_back();
            return Err(Failure::Broken("a task was cloned, and the reply does not say which".into()));
        };
        self.watch(pid, ran.fds, listener).inspect_err(|failure| {
            // The pid in a reply that is not to be trusted may be any process's.
            if !matches!(failure, Failure::Broken(_)) {
                self.cloner.kill_unwatched(pid);
            }
            self.give_back();
        })
    }

    fn watch(&self, pid: i32, fds: ForeignDescriptors, listener: Listener) -> Result<Arc<Child>> {
        let (pid, pidfd) = self.check_parent(pid, fds)?;
        let channel = Some(Arc::downgrade(&self.task) as Weak<dyn TaskChannel>);
        let Cloner { channel: cloner, zygote } = &self.cloner;
        let child = match zygote {
            Some(zygote) => {
                let keep_alive = Some(zygote.spawner.clone() as Arc<dyn Any + Send + Sync>);
                Child::new(pid, pidfd, Relations { channel, parent: None, keep_alive }, listener)
            }
            None => {
                let parent = Some(Parent { channel: cloner.clone(), pid });
                let pid = pid_seen_here(&pidfd);
                Child::new(pid, pidfd, Relations { channel, parent, keep_alive: None }, listener)
            }
        }?;
        self.task.set_process(&child);
        Ok(child)
    }

    /// Returns the pid and the pidfd of the new task, if they belong to a process that the cloner may have cloned.
    fn check_parent(&self, pid: i32, fds: ForeignDescriptors) -> Result<(i32, OwnedFd)> {
        let pidfd = transfer::received(fds)?;
        let checked = match self.cloner.zygote {
            Some(_) => check_own_child(&pidfd, pid),
            None => check_child_of(self.cloner.channel.process(), &pidfd).map(|()| pid),
        };
        match checked {
            Ok(pid) => Ok((pid, pidfd)),
            Err(failure) => {
                close_elsewhere(vec![pidfd]);
                Err(failure)
            }
        }
    }

    /// Reads the reply of the new task. A task that has not become what was asked for is killed.
    fn read_first_reply(self, ran: Result<Ran>, child: Arc<Child>) -> Result<Cloned> {
        let Starting { cloner, task, shared, shares_table } = self;
        let channel_fd = ran.and_then(|ran| match ran.sequence.failure(&ran.reply, 0) {
            Some(failure) => {
                if shares_table {
                    // The table of descriptors does not end with the task.
                    transfer::close_all(&cloner.channel, &ran.sequence.made(&ran.reply), || {});
                }
                Err(failure.without_step())
            }
            None => Ok(ran.reply.result(CLONE_STEP).unwrap_or(-1) as i32),
        });
        match channel_fd {
            Ok(channel_fd) => {
                task.set_far_fd(shared.map_or(channel_fd, |shared| shared.channel));
                Ok(Cloned { channel: task, child, shared })
            }
            Err(failure) => {
                if let Some(shared) = shared {
                    // Memory must not be unmapped while the task still runs on it. In a table of its own, the number of
                    // the channel is closed with the table.
                    let shared = Shared { channel: if shares_table { shared.channel } else { -1 }, ..shared };
                    child.set_cleanup(move || shared.give_back(&cloner.channel));
                }
                child.signal(libc::SIGKILL)?;
                Err(failure)
            }
        }
    }

    fn give_back(&self) {
        if let Some(shared) = self.shared {
            shared.give_back(&self.cloner.channel);
        }
    }
}

impl Cloner {
    /// Kills and reaps a new task that cannot be watched. No other part of this process reaps
    /// the task, so the pid cannot be another process's.
    fn kill_unwatched(&self, pid: i32) {
        let kill = signals::kill(pid, libc::SIGKILL);
        let wait = process::waitid(libc::P_PID, pid, libc::WEXITED | libc::__WALL);
        if self.zygote.is_some() {
            // The task is a child of this process, which may kill it and wait for it.
            let is_child =
                process::waitid(libc::P_PID, pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL);
            if is_child.near().is_ok() {
                let _ = (kill.near(), wait.near());
            }
            return;
        }
        let mut sequence = Sequence::default();
        sequence.step(kill.go_on());
        sequence.step(wait.go_on());
        // A failure means that the cloner is gone. The task then has a new parent, which reaps it.
        self.channel.submit(sequence, Vec::new(), Box::new(|_| {}));
    }
}
