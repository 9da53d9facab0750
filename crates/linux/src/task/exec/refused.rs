//! An exec that the kernel has refused, and the look at its files that finds out why.
//!
//! The kernel gives one number for many reasons: ENOENT is also that of a missing interpreter, and EACCES also that of a folder of
//! `PATH` which may not be searched. The task looks at its own files, because it may see others than this process.

use super::interpreter::{interpreter, is_script, HEAD};
use crate::calls::{descriptor, names};
use crate::error::{Detail, Failure, Refusal, Result};
use crate::sequence::list::Sequence;
use crate::sequence::reply::Reply;
use crate::task::channel::{Channel, Ran};
use crate::task::own_proc;
use crate::task::transfer;
use std::borrow::Cow;
use std::sync::Arc;

/// The description of an error.
type Words = Cow<'static, str>;

/// How many files the task looks at, at most. The reply stays short with these.
const MOST: usize = 48;

/// The longest path that the kernel reads from a link.
const PATH_MAX: u32 = 4096;

/// A path for which the kernel has refused execve(2).
#[derive(Debug)]
pub(crate) struct Tried {
    error: i32,
    path: Vec<u8>,
    /// The step of the look that opens the file. After ENOENT the next step reads it.
    open: Option<usize>,
}

impl Tried {
    pub(crate) fn new(error: i32, path: &[u8]) -> Self {
        Tried { error, path: path.to_vec(), open: None }
    }

    /// Returns whether the file exists. `None`: the task has not looked.
    fn exists(&self, looked: Option<&Reply>) -> Option<bool> {
        let open = self.open?;
        let looked = looked.filter(|looked| !looked.ended_before(open))?;
        Some(match (looked.error(open), self.error) {
            (None, _) => true,
            // The folder may not be searched.
            (Some(libc::EACCES), libc::EACCES) => false,
            // execve(2) has passed the folder, so the file itself may not be read.
            (Some(libc::EACCES), _) => true,
            (Some(error), libc::ENOENT) => !matches!(error, libc::ENOENT | libc::EMFILE | libc::ENFILE),
            (Some(error), _) => error != libc::ENOENT,
        })
    }

    fn refusal(&self) -> Refusal {
        Refusal { path: Some(self.path.clone()), ..Refusal::new("execve", self.error) }
    }

    /// Returns the refusal of a file that exists, and whose interpreter does not.
    fn without_interpreter(&self, looked: Option<&Reply>) -> Refusal {
        let head = self.open.and_then(|open| looked?.answer(open + 1)).map(|answer| answer.written());
        let words = missing_interpreter(&head.unwrap_or_default());
        Refusal { words: Some(words), ..self.refusal() }
    }
}

/// What is known about an exec that the kernel has refused.
#[derive(Debug)]
pub(crate) struct Refused {
    kind: Kind,
    /// The calls that find out more.
    look: Sequence,
    /// The index of the exec in its batch.
    step: Option<u32>,
}

#[derive(Debug)]
enum Kind {
    /// Another call than execve(2) has failed, or the error says enough.
    Known(Failure),
    Paths {
        tries: Vec<Tried>,
        name: Option<Vec<u8>>,
        default_path: bool,
    },
    Descriptor {
        error: i32,
        fd: i32,
        stays_open: bool,
        steps: DescriptorSteps,
    },
}

/// The steps of a look at a descriptor.
#[derive(Clone, Copy, Debug, Default)]
struct DescriptorSteps {
    /// Reads the file through the descriptor, which may have been opened for that.
    read: usize,
    /// Reads the path of the file in `/proc`.
    link: Option<usize>,
    /// Reads the file after opening it once more.
    read_again: Option<usize>,
}

impl Refused {
    /// Makes the value for a failure that needs no look.
    pub(crate) fn at_another_step(failure: Failure) -> Self {
        Refused { kind: Kind::Known(failure), look: Sequence::default(), step: None }
    }

    /// Makes the value for paths that were tried one after the other.
    pub(crate) fn of_paths(mut tries: Vec<Tried>, name: Option<Vec<u8>>, default_path: bool, step: u32) -> Self {
        let mut look = Sequence::default();
        // The EACCES of a path that the caller has given says enough.
        let asks = |tried: &&mut Tried| tried.error == libc::ENOENT || tried.error == libc::EACCES && name.is_some();
        for tried in tries.iter_mut().filter(asks).take(MOST) {
            let reads = tried.error == libc::ENOENT;
            let how = if reads { libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY } else { libc::O_PATH };
            tried.open = Some(look.len());
            let open = descriptor::openat(libc::AT_FDCWD, &tried.path, how | libc::O_CLOEXEC, 0);
            let Ok(fd) = look.push(open.go_on()) else { continue };
            if reads {
                look.step(descriptor::read(fd, HEAD, None).go_on());
            }
            look.step(descriptor::close(fd).go_on());
        }
        Refused { kind: Kind::Paths { tries, name, default_path }, look, step: Some(step) }
    }

    /// Makes the value for a descriptor. `stays_open` says that the descriptor is open in the program too.
    pub(crate) fn of_descriptor(error: i32, fd: i32, stays_open: bool, step: u32) -> Self {
        let (mut look, mut steps) = (Sequence::default(), DescriptorSteps::default());
        steps.read = look.step(descriptor::read(fd, HEAD, Some(0)).go_on());
        // Without a /proc the look ends here.
        if let Ok(proc) = own_proc::open_folder(&mut look) {
            let place = format!("self/fd/{fd}");
            steps.link = Some(look.step(names::readlinkat(proc, place.as_bytes(), PATH_MAX).go_on()));
            // A file that execveat(2) has not found for want of an interpreter is a regular one: opening it has no effect.
            if error == libc::ENOENT {
                let open = descriptor::openat(proc, place.as_bytes(), libc::O_RDONLY | libc::O_CLOEXEC, 0);
                if let Ok(again) = look.push(open.go_on()) {
                    steps.read_again = Some(look.step(descriptor::read(again, HEAD, None).go_on()));
                    look.step(descriptor::close(again).go_on());
                }
            }
            look.step(descriptor::close(proc).go_on());
        }
        Refused { kind: Kind::Descriptor { error, fd, stays_open, steps }, look, step: Some(step) }
    }

    /// Leaves out the look where the task has a filter, whose answers would be taken for those of the kernel.
    pub(crate) fn without_look_if(mut self, filtered: bool) -> Self {
        if filtered {
            self.look = Sequence::default();
        }
        self
    }

    /// Has the task look, and blocks until it has. Returns the failure.
    pub(crate) fn look(self, task: &Arc<Channel>) -> Failure {
        if self.look.is_empty() {
            return self.explain(None);
        }
        // Where the task has ended meanwhile, the refusal is reported all the same.
        let looked = task.run(&self.look, &[]).ok().map(|(reply, _)| reply);
        let left = looked.as_ref().map(|reply| self.look.made(reply)).unwrap_or_default();
        transfer::close_all(task, &left, || {});
        self.explain(looked.as_ref())
    }

    /// Has the task look without blocking. Calls `fail` with the failure and with the descriptors that the look has left open
    /// in the task, on this thread or on the reactor's.
    pub(crate) fn submit_look(self, task: &Arc<Channel>, fail: impl FnOnce(Failure, Vec<i32>) + Send + 'static) {
        if self.look.is_empty() {
            return fail(self.explain(None), Vec::new());
        }
        let look = self.look.clone();
        let looked = move |ran: Result<Ran>| {
            let looked = ran.ok().map(|ran| ran.reply);
            let left = looked.as_ref().map(|reply| self.look.made(reply)).unwrap_or_default();
            fail(self.explain(looked.as_ref()), left);
        };
        task.submit(look, Vec::new(), Box::new(looked));
    }

    /// Returns the failure, with what the look has found out. `None`: the task could not look.
    fn explain(self, looked: Option<&Reply>) -> Failure {
        let refusal = match self.kind {
            Kind::Known(failure) => return failure,
            Kind::Paths { tries, name, default_path } => choose(&tries, name, default_path, looked),
            Kind::Descriptor { error, fd, stays_open, steps } => of_descriptor(error, fd, stays_open, steps, looked),
        };
        Failure::Refused(Refusal { step: self.step, ..refusal })
    }
}

/// Chooses the refusal as execvp(3) does: the first one that is not about the path, else that of a file which exists and may not
/// be executed, else that of a file without its interpreter, else the name is in no folder.
fn choose(tries: &[Tried], name: Option<Vec<u8>>, default_path: bool, looked: Option<&Reply>) -> Refusal {
    let absent = [libc::ENOENT, libc::ENOTDIR, libc::EACCES];
    let other = tries.iter().find(|tried| !absent.contains(&tried.error));
    let denied = |tried: &&Tried| tried.error == libc::EACCES && tried.exists(looked).unwrap_or(true);
    if let Some(tried) = other.or_else(|| tries.iter().find(denied)) {
        return tried.refusal();
    }
    let orphan = |tried: &&Tried| tried.error == libc::ENOENT && tried.exists(looked) == Some(true);
    if let Some(tried) = tries.iter().find(orphan) {
        return tried.without_interpreter(looked);
    }
    match (name, tries) {
        (Some(name), _) if !name.is_empty() => {
            let words = nowhere(tries, &name, default_path);
            Refusal { path: Some(name), words: Some(words), ..Refusal::new("execve", libc::ENOENT) }
        }
        (_, [first, ..]) => first.refusal(),
        (_, []) => Refusal::new("execve", libc::ENOENT),
    }
}

fn nowhere(tries: &[Tried], name: &[u8], default_path: bool) -> Words {
    match tries {
        _ if default_path => "no such program in PATH (not set: /bin:/usr/bin)".into(),
        [only] if only.path == name => "no such program in PATH (empty: the working directory)".into(),
        _ => "no such program in PATH".into(),
    }
}

fn of_descriptor(error: i32, fd: i32, stays_open: bool, steps: DescriptorSteps, looked: Option<&Reply>) -> Refusal {
    let bytes = |step: usize| looked.and_then(|looked| looked.answer(step)).map(|answer| answer.written());
    let path = steps.link.and_then(bytes);
    let head = bytes(steps.read).or_else(|| steps.read_again.and_then(bytes));
    let words = (error == libc::ENOENT).then(|| match head {
        Some(head) if is_script(&head) && !stays_open => {
            "the kernel cannot execute a script by a descriptor that is close-on-exec".into()
        }
        Some(head) => missing_interpreter(&head),
        None => "the file is a script, or its interpreter is missing".into(),
    });
    Refusal {
        path,
        words,
        detail: Some(Box::new(Detail { fd: Some(fd), ..Detail::default() })),
        ..Refusal::new("execveat", error)
    }
}

fn missing_interpreter(head: &[u8]) -> Words {
    match interpreter(head) {
        Some(path) => format!("cannot find the interpreter '{path}' of the program").into(),
        None => "cannot find the interpreter of the program".into(),
    }
}
