//! Cloning a task, from the zygote or from another task: the cloner.
//!
//! The cloner gets one sequence, runs the calls up to the clone and a few after it, and replies with the pidfd of the
//! new task. The new task runs the rest, its first calls, and replies on its own channel. A task that shares memory
//! begins with an empty stack instead, and gets its first calls in a message of its own.

mod files;
mod first_calls;
mod own_map;
mod parentage;
mod prepare;
mod sequence;
mod watch;

use self::files::NewTaskFiles;
use self::prepare::{Needs, Prepared};
use self::sequence::CLONE_STEP;
use self::watch::{FirstReply, Starting};
use crate::calls::credentials;
use crate::error::Result;
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use crate::task::share::Shared;
use crate::task::zygote::Zygote;
use crate::wait::child::{Child, Listener};
use std::os::fd::RawFd;
use std::sync::Arc;

/// Which ids a task in a new user namespace gives itself. Any other map is written from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnMap {
    /// The task's own user and group id keep their numbers.
    Identity,
    /// The task's own user and group id become 0.
    Root,
    /// The task's own user and group id get these numbers.
    Inside {
        /// The user id inside.
        uid: u32,
        /// The group id inside.
        gid: u32,
        /// The user and the group id outside, which have to be those of the cloner. `None`: the cloner is asked for its ids.
        outside: Option<(u32, u32)>,
    },
}

impl OwnMap {
    /// The user and the group id outside, if they are known before the clone.
    fn outside(self) -> Option<(u32, u32)> {
        match self {
            OwnMap::Inside { outside, .. } => outside,
            OwnMap::Identity | OwnMap::Root => None,
        }
    }
}

/// How to clone.
#[derive(Clone, Debug, Default)]
pub struct CloneOptions {
    /// CLONE_NEW… flags. For a task cloned by a task also CLONE_VM, CLONE_FILES and CLONE_FS.
    pub flags: u64,
    /// With CLONE_NEWUSER: the map that the task writes. `None`: the map stays empty.
    pub map: Option<OwnMap>,
    /// An open directory of cgroup v2, in which the task begins.
    pub cgroup: Option<RawFd>,
    /// The pids that the task gets, innermost pid namespace first.
    pub set_tid: Vec<i32>,
    /// True when the cloner may ignore or handle signals, so that the task has to reset them.
    pub reset_signals: bool,
}

impl CloneOptions {
    fn has(&self, flag: i32) -> bool {
        self.flags & flag as u64 != 0
    }
}

/// A new task.
#[derive(Debug)]
pub struct Cloned {
    /// The channel to the task.
    pub channel: Arc<Channel>,
    /// The task as a process to wait for.
    pub child: Arc<Child>,
    /// The resources that the cloner has made for the task. `None`: the two share neither memory nor descriptors.
    pub shared: Option<Shared>,
}

/// A clone that is under way.
#[derive(Debug)]
pub struct Started {
    /// The channel to the new task. If the clone fails, the channel hangs up. [`Channel::give_up`] ends the task, also before
    /// the cloner has replied.
    pub channel: Arc<Channel>,
    /// True when nothing that the task does at first can fail. A sequence that is sent on the channel now is the first
    /// one that the task gets.
    pub early: bool,
}

/// Called once with the new task, or with the reason why there is none.
pub type ClonedDone = Box<dyn FnOnce(Result<Cloned>) + Send>;

/// Clones a task from the zygote: a child of this process. `done` is called once, on the reactor's thread or on this
/// one.
pub fn clone(options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<Started> {
    let mut zygote = Zygote::matching()?;
    if !options.has(libc::CLONE_NEWUSER) {
        // The caller may send the task its first sequence early, but only if the zygote is idle and gets its own
        // sequence at once. A message that waits in a socket keeps its descriptors "in flight", and the kernel limits
        // those of a user to RLIMIT_NOFILE (ETOOMANYREFS).
        zygote.channel.receive_awaited_job_reply();
        if zygote.channel.is_late() {
            zygote = Zygote::matching()?;
        }
    }
    let cloner = Cloner { channel: zygote.channel.clone(), zygote: Some(zygote) };
    cloner.clone_task(options, listener, done)
}

/// Clones a task from a task, whose child it is. `done` is called once, on the reactor's thread or on this one.
pub fn clone_from(
    task: &Arc<Channel>,
    options: &CloneOptions,
    listener: Listener,
    done: ClonedDone,
) -> Result<Started> {
    Cloner { channel: task.clone(), zygote: None }.clone_task(options, listener, done)
}

/// The process that clones a task.
struct Cloner {
    channel: Arc<Channel>,
    /// `None`: the cloner is a task, and becomes the parent of the new one.
    zygote: Option<Arc<Zygote>>,
}

/// A task that is not there yet.
struct NewTask {
    options: CloneOptions,
    channel: Arc<Channel>,
    files: NewTaskFiles,
    listener: Listener,
    done: ClonedDone,
}

impl Cloner {
    fn clone_task(self, options: &CloneOptions, listener: Listener, done: ClonedDone) -> Result<Started> {
        let (channel, end) = Channel::pair()?;
        let files = NewTaskFiles::open(end, options)?;
        let new = NewTask { options: options.clone(), channel: channel.clone(), files, listener, done };
        let needs = Needs::of(options);
        if self.zygote.is_none() && needs.any() {
            self.prepare(needs, new);
            return Ok(Started { channel, early: false });
        }
        let ids = if needs.ids { Some((credentials::geteuid().near()?, credentials::getegid().near()?)) } else { None };
        let early = !self.start_may_fail(options) && self.channel.is_idle();
        self.start(new, Prepared { shared: None, ids });
        Ok(Started { channel, early })
    }

    /// True when a first call of the new task may fail, so that its reply has to be awaited. The first calls of a task
    /// of the zygote cannot fail where Node itself runs, but for those in a new user namespace. A task that does not know
    /// its parent by number could begin with its first sequence although Node has died.
    fn start_may_fail(&self, options: &CloneOptions) -> bool {
        options.has(libc::CLONE_NEWUSER) || self.parent_of_task(options) == 0
    }

    /// Returns the pid by which the new task knows this process as its parent. 0: a task is its parent, or this process
    /// has no pid in its pid namespace.
    fn parent_of_task(&self, options: &CloneOptions) -> i32 {
        let in_namespace_of_zygote = !options.has(libc::CLONE_NEWPID);
        self.zygote.as_ref().filter(|_| in_namespace_of_zygote).map_or(0, |zygote| zygote.parent)
    }

    /// Sends the cloner the sequence that clones. May run on the reactor's thread, and so must not block until a task
    /// has replied: the reactor receives the replies.
    fn start(self, new: NewTask, prepared: Prepared) {
        let NewTask { options, channel: task, files, listener, done } = new;
        let Prepared { shared, .. } = prepared;
        let shares_table = options.has(libc::CLONE_FILES);
        let done = if shares_table { after_next_reply(self.channel.clone(), done) } else { done };
        let (clone, own_message) = match self.sequences(&options, files, prepared) {
            Ok(sequences) => sequences,
            Err(failure) => return done(Err(failure)),
        };
        let first_reply = match own_message {
            Some(first_calls) => FirstReply::ToOwnMessage(first_calls),
            None if self.start_may_fail(&options) => FirstReply::Awaited(clone.sequence.clone()),
            None => {
                task.expect_start_reply(clone.sequence.clone(), CLONE_STEP);
                FirstReply::NotAwaited
            }
        };
        task.set_cloner(&self.channel);
        let channel = self.channel.clone();
        let starting = Starting { cloner: self, task, shared, shares_table };
        let cloned = move |ran| {
            // The parent of the new task has to be the cloner, whose own process is known only after its clone.
            let cloner = starting.cloner.channel.clone();
            cloner.when_cloned(move || starting.handle_clone_reply(ran, listener, first_reply, done));
        };
        clone.submit(&channel, Box::new(cloned));
    }
}

/// Calls `done` when the cloner has replied once more. A cloner closes the descriptors that came with a message, or
/// went with its reply, before it receives the next message. Until then they are open in the table that both tasks
/// share.
fn after_next_reply(cloner: Arc<Channel>, done: ClonedDone) -> ClonedDone {
    Box::new(move |cloned| cloner.submit(Sequence::default(), Vec::new(), Box::new(|_| done(cloned))))
}
