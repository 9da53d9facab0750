//! The tasks, children and watched descriptors of one copy of core, by id.

use crate::copies::PerCopy;
use linux::error::{Failure, Result};
use linux::target::Target;
use linux::task::channel::Channel;
use linux::task::thread::ThreadTask;
use linux::wait::child::Child;
use linux::wait::watched::Watched;
use napi_derive::napi;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Default)]
struct Tables {
    tasks: HashMap<Id, Arc<Channel>>,
    threads: HashMap<Id, Arc<ThreadTask>>,
    children: HashMap<Id, Arc<Child>>,
    watched: HashMap<Id, Arc<Watched>>,
}

thread_local! {
    static TABLES: PerCopy<Tables> = const { PerCopy::new() };
}

/// Gives a copy its tables.
pub fn open(copy: u32) {
    TABLES.with(|all| all.add(copy, Tables::default()));
}

/// Ends the tasks of a copy that was collected.
pub fn end(copy: u32) {
    if let Ok(Some(tables)) = TABLES.try_with(|all| all.take(copy)) {
        tables.end();
    }
}

/// Ends the tasks of this thread, which ends.
pub fn end_all() {
    TABLES.with(PerCopy::take_all).for_each(Tables::end);
}

/// Calls `act` with the tables of the copy that makes the calls now.
fn with<T>(act: impl FnOnce(&mut Tables) -> Option<T>) -> Option<T> {
    TABLES.with(|all| all.with_current(act)).flatten()
}

/// The number of a request, a task or a watch, from 1. JavaScript gets all 53 bits that a number of its own has. With a million
/// ids a second, a process has used them up after 285 years.
#[napi]
pub type Id = i64;

/// Returns an id that nothing else in this process has had.
pub fn next_id() -> Id {
    linux::wait::reactor::next_id() as Id
}

impl Tables {
    /// Ends the tasks. Programs that supervisors watch over end with the supervisors; other programs go on.
    fn end(self) {
        let tasks = self.tasks.iter().filter(|(_, task)| !task.end_supervision());
        let (known, cloned): (Vec<_>, Vec<_>) = tasks.partition(|(id, _)| self.children.contains_key(id));
        // The tasks that are still being cloned come first. One of the others may be the cloner, and without its reply this
        // process does not learn which process the new task is.
        for (_, task) in cloned {
            task.give_up();
        }
        for child in known.iter().filter_map(|(id, _)| self.children.get(id)) {
            // Refused where the task has died already, or has become another user's; then the end of its channel ends it.
            drop(child.signal(9));
        }
    }
}

/// Returns the task with this id, while it can be reached.
pub fn task(id: Id) -> Result<Arc<Channel>> {
    with(|tables| tables.tasks.get(&id).cloned()).ok_or(Failure::Gone)
}

/// Returns where the calls of the task or thread with this id run.
pub fn target(id: Id) -> Result<Target> {
    let target = with(|tables| match tables.tasks.get(&id) {
        Some(task) => Some(Target::Far(task.clone())),
        None => tables.threads.get(&id).cloned().map(Target::Thread),
    });
    target.ok_or(Failure::Gone)
}

/// Returns the thread with this id, if it is the id of one.
pub fn thread(id: Id) -> Option<Arc<ThreadTask>> {
    with(|tables| tables.threads.get(&id).cloned())
}

/// Keeps a thread until it is forgotten or the JavaScript thread ends.
pub fn keep_thread(id: Id, thread: ThreadTask) {
    with(|tables| tables.threads.insert(id, Arc::new(thread)));
}

/// Makes a task known, also one that is still being cloned.
pub fn keep_task(id: Id, channel: Arc<Channel>) {
    with(|tables| tables.tasks.insert(id, channel));
}

/// Lets go of a task's channel, or of a thread: a task that still serves ends.
pub fn forget_task(id: Id) {
    // Dropped after the cell is closed.
    let channel = with(|tables| tables.tasks.remove(&id));
    let thread = with(|tables| tables.threads.remove(&id));
    drop((channel, thread));
}

/// Returns the child with this id, until it is forgotten.
pub fn child(id: Id) -> Option<Arc<Child>> {
    with(|tables| tables.children.get(&id).cloned())
}

/// Makes a child known.
pub fn keep_child(id: Id, child: Arc<Child>) {
    with(|tables| tables.children.insert(id, child));
}

/// Lets go of a child for which JavaScript has no use any more. The reactor reaps it all the same.
pub fn forget_child(id: Id) {
    let child = with(|tables| tables.children.remove(&id));
    drop(child);
}

/// Keeps a watched descriptor until it is forgotten or the thread ends.
pub fn keep_watched(id: Id, watched: Arc<Watched>) {
    with(|tables| tables.watched.insert(id, watched));
}

/// Returns the descriptor that is watched with this id.
pub fn watched(id: Id) -> Option<Arc<Watched>> {
    with(|tables| tables.watched.get(&id).cloned())
}

/// Stops watching a descriptor, and closes it.
pub fn forget_watched(id: Id) {
    let watched = with(|tables| tables.watched.remove(&id));
    drop(watched);
}
