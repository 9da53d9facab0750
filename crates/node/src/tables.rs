//! The tasks, children and watched descriptors of a JavaScript thread, by id.

use linux::error::{Failure, Result};
use linux::task::channel::Channel;
use linux::wait::child::Child;
use linux::wait::readable::Readable;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Default)]
struct Tables {
    tasks: HashMap<u32, Arc<Channel>>,
    children: HashMap<u32, Arc<Child>>,
    readables: HashMap<u32, Arc<Readable>>,
}

thread_local! {
    static TABLES: RefCell<Tables> = RefCell::default();
}

/// Returns a number for a request, a task or a watch.
pub fn next_id() -> u32 {
    linux::wait::reactor::next_id() as u32
}

/// Ends the tasks of this thread, which ends. Programs that supervisors watch over end with those; other programs go on.
pub fn end() {
    let tables = TABLES.take();
    for (id, task) in &tables.tasks {
        if task.end_supervision() {
            continue;
        }
        match tables.children.get(id) {
            // Refused where the task has died already, or has become another user's; then the end of its channel ends it.
            Some(child) => drop(child.signal(9)),
            // The task is still being cloned.
            None => task.hang_up(),
        }
    }
}

/// Returns the task with this id, while it can be reached.
pub fn task(id: u32) -> Result<Arc<Channel>> {
    TABLES.with_borrow(|tables| tables.tasks.get(&id).cloned()).ok_or(Failure::Gone)
}

/// Makes a task known, also one that is still being cloned.
pub fn keep_task(id: u32, channel: Arc<Channel>) {
    TABLES.with_borrow_mut(|tables| tables.tasks.insert(id, channel));
}

/// Lets go of a task's channel: a task that still serves ends.
pub fn forget_task(id: u32) {
    // Dropped after the cell is closed.
    let channel = TABLES.with_borrow_mut(|tables| tables.tasks.remove(&id));
    drop(channel);
}

/// Returns the child with this id, until it is forgotten.
pub fn child(id: u32) -> Option<Arc<Child>> {
    TABLES.with_borrow(|tables| tables.children.get(&id).cloned())
}

/// Makes a child known.
pub fn keep_child(id: u32, child: Arc<Child>) {
    TABLES.with_borrow_mut(|tables| tables.children.insert(id, child));
}

/// Lets go of a child for which JavaScript has no use any more. The reactor reaps it all the same.
pub fn forget_child(id: u32) {
    let child = TABLES.with_borrow_mut(|tables| tables.children.remove(&id));
    drop(child);
}

/// Keeps a watched descriptor until it is forgotten or the thread ends.
pub fn keep_readable(id: u32, readable: Arc<Readable>) {
    TABLES.with_borrow_mut(|tables| tables.readables.insert(id, readable));
}

/// Returns the descriptor that is watched with this id.
pub fn readable(id: u32) -> Option<Arc<Readable>> {
    TABLES.with_borrow(|tables| tables.readables.get(&id).cloned())
}

/// Stops watching a descriptor, and closes it.
pub fn forget_readable(id: u32) {
    let readable = TABLES.with_borrow_mut(|tables| tables.readables.remove(&id));
    drop(readable);
}
