//! The tasks, children and watched descriptors of a JavaScript thread, by id.

use linux::error::{Failure, Result};
use linux::task::channel::Channel;
use linux::wait::child::Child;
use linux::wait::readable::Readable;
use napi_derive::napi;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Default)]
struct Tables {
    tasks: HashMap<Id, Arc<Channel>>,
    children: HashMap<Id, Arc<Child>>,
    readables: HashMap<Id, Arc<Readable>>,
}

thread_local! {
    static TABLES: RefCell<Tables> = RefCell::default();
}

/// The number of a request, a task or a watch, from 1. JavaScript gets all 53 bits that a number of its own has. With a million
/// ids a second, a process has used them up after 285 years.
#[napi]
pub type Id = i64;

/// Returns an id that nothing else in this process has had.
pub fn next_id() -> Id {
    linux::wait::reactor::next_id() as Id
}

/// Ends the tasks of this thread, which ends. Programs that supervisors watch over end with those; other programs go on.
pub fn end() {
    let tables = TABLES.take();
    let tasks = tables.tasks.iter().filter(|(_, task)| !task.end_supervision());
    let (known, cloned): (Vec<_>, Vec<_>) = tasks.partition(|(id, _)| tables.children.contains_key(id));
    // The tasks that are still being cloned come first. One of the others may be the cloner, and without its reply this process
    // does not learn which process the new task is.
    for (_, task) in cloned {
        task.give_up();
    }
    for child in known.iter().filter_map(|(id, _)| tables.children.get(id)) {
        // Refused where the task has died already, or has become another user's; then the end of its channel ends it.
        drop(child.signal(9));
    }
}

/// Returns the task with this id, while it can be reached.
pub fn task(id: Id) -> Result<Arc<Channel>> {
    TABLES.with_borrow(|tables| tables.tasks.get(&id).cloned()).ok_or(Failure::Gone)
}

/// Makes a task known, also one that is still being cloned.
pub fn keep_task(id: Id, channel: Arc<Channel>) {
    TABLES.with_borrow_mut(|tables| tables.tasks.insert(id, channel));
}

/// Lets go of a task's channel: a task that still serves ends.
pub fn forget_task(id: Id) {
    // Dropped after the cell is closed.
    let channel = TABLES.with_borrow_mut(|tables| tables.tasks.remove(&id));
    drop(channel);
}

/// Returns the child with this id, until it is forgotten.
pub fn child(id: Id) -> Option<Arc<Child>> {
    TABLES.with_borrow(|tables| tables.children.get(&id).cloned())
}

/// Makes a child known.
pub fn keep_child(id: Id, child: Arc<Child>) {
    TABLES.with_borrow_mut(|tables| tables.children.insert(id, child));
}

/// Lets go of a child for which JavaScript has no use any more. The reactor reaps it all the same.
pub fn forget_child(id: Id) {
    let child = TABLES.with_borrow_mut(|tables| tables.children.remove(&id));
    drop(child);
}

/// Keeps a watched descriptor until it is forgotten or the thread ends.
pub fn keep_readable(id: Id, readable: Arc<Readable>) {
    TABLES.with_borrow_mut(|tables| tables.readables.insert(id, readable));
}

/// Returns the descriptor that is watched with this id.
pub fn readable(id: Id) -> Option<Arc<Readable>> {
    TABLES.with_borrow(|tables| tables.readables.get(&id).cloned())
}

/// Stops watching a descriptor, and closes it.
pub fn forget_readable(id: Id) {
    let readable = TABLES.with_borrow_mut(|tables| tables.readables.remove(&id));
    drop(readable);
}
