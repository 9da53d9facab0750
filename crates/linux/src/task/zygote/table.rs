//! The zygotes of this process: one for each state that children of its threads would inherit.

use super::kinship::Kinship;
use super::{start, Zygote};
use crate::error::{During, Failure, Result};
use crate::task::ambient::Ambient;
use crate::task::spawner::Spawner;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::{self, ThreadId};

/// How many zygotes there are at most. When the threads of this process differ in more ways, the zygote that was used
/// least recently ends.
const MOST: usize = 16;

static TABLE: Mutex<Table> = Mutex::new(Table { zygotes: Vec::new(), retired: Vec::new() });

#[derive(Default)]
pub(super) struct Table {
    /// The zygote that was used last comes first. No two have the same ambient state.
    zygotes: Vec<Arc<Zygote>>,
    retired: Vec<Retired>,
}

/// The spawner of a zygote that has left the table. The spawner lives as long as a program that the zygote has cloned.
struct Retired {
    spawner: Weak<Spawner>,
    ambient: Ambient,
    starter: ThreadId,
}

/// Keeps other threads from starting a zygote.
pub struct NoZygote {
    _table: MutexGuard<'static, Table>,
}

/// Returns a zygote whose tasks inherit what a child of the calling thread would inherit now: one of the table if one
/// matches, else a new one.
pub(super) fn matching() -> Result<Arc<Zygote>> {
    let ambient = Ambient::now()?;
    let mut table = lock();
    if let Some(zygote) = table.find(&ambient)? {
        return Ok(zygote);
    }
    let zygote = Arc::new(table.start(ambient)?);
    let ended = table.insert(zygote.clone());
    drop(table);
    drop(ended); // closes the channels, and so ends the zygotes when they have replied to their last clones
    Ok(zygote)
}

/// Returns the pid of the zygote that was used last; 0 where no zygote was started yet.
pub(super) fn last_pid() -> i32 {
    lock().zygotes.first().map_or(0, |zygote| zygote.pid)
}

/// Ends all zygotes and waits for their end, after they have replied to what was sent. No zygote starts before the returned value
/// is dropped: a thread that clones a task waits until then.
pub(super) fn end_all() -> Result<NoZygote> {
    let mut table = lock();
    let zygotes = std::mem::take(&mut table.zygotes);
    table.retire(&zygotes);
    if let Err(failure) = zygotes.iter().try_for_each(|zygote| zygote.end()) {
        // The next attempt waits for them again.
        table.zygotes = zygotes;
        return Err(failure);
    }
    Ok(NoZygote { _table: table })
}

/// Reads the state on a new thread, which has inherited the state. The files of `/proc` that are read stay open until their
/// thread ends.
fn ambient_of_new_thread() -> Result<Ambient> {
    let thread = thread::Builder::new().name("nearfar-ambient".into()).spawn(Ambient::now).during("clone")?;
    thread.join().map_err(|_| Failure::Internal("the thread that reads the inherited state has ended"))?
}

fn lock() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(|broken| broken.into_inner())
}

impl Table {
    fn find(&mut self, ambient: &Ambient) -> Result<Option<Arc<Zygote>>> {
        let same = self.zygotes.iter().find(|zygote| zygote.ambient == *ambient);
        let Some(zygote) = same.cloned() else { return Ok(None) };
        if zygote.kinship != Kinship::now(zygote.pid)? || !zygote.can_clone() {
            return Ok(None);
        }
        self.zygotes.retain(|other| !Arc::ptr_eq(other, &zygote));
        self.zygotes.insert(0, zygote.clone());
        Ok(Some(zygote))
    }

    /// Starts a zygote below a retired spawner that the calling thread has started, or below a new one.
    fn start(&self, ambient: Ambient) -> Result<Zygote> {
        if let Some(spawner) = self.retired_spawner(&ambient) {
            let zygote = start(spawner, ambient.clone())?;
            // The thread may have entered a Landlock domain since it has started the spawner.
            if zygote.kinship == Kinship::Shared(0) {
                return Ok(zygote);
            }
        }
        start(Arc::new(Spawner::start()?), ambient)
    }

    fn retired_spawner(&self, ambient: &Ambient) -> Option<Arc<Spawner>> {
        let starter = thread::current().id();
        let same = self.retired.iter().filter(|retired| retired.starter == starter && retired.ambient == *ambient);
        let mut alive = same.filter_map(|retired| retired.spawner.upgrade());
        // Another process may have changed the spawner thread alone.
        alive.find(|spawner| spawner.call(ambient_of_new_thread, || ()).is_ok_and(|now| now == *ambient))
    }

    /// Puts a new zygote into the table, and returns those that leave it.
    ///
    /// Zygotes that differ in more than scheduling leave: this process may have given up privileges, and must not keep a
    /// process that still has them.
    fn insert(&mut self, new: Arc<Zygote>) -> Vec<Arc<Zygote>> {
        let stays =
            |zygote: &Zygote| zygote.ambient != new.ambient && zygote.ambient.differs_in_scheduling_alone(&new.ambient);
        let (mut stay, mut leave): (Vec<_>, Vec<_>) = self.zygotes.drain(..).partition(|zygote| stays(zygote));
        leave.extend(stay.drain(stay.len().min(MOST - 1)..));
        self.zygotes.push(new);
        self.zygotes.append(&mut stay);
        self.retire(&leave);
        leave
    }

    /// Remembers the spawners of zygotes that have left the table.
    fn retire(&mut self, leave: &[Arc<Zygote>]) {
        self.retired.retain(|retired| retired.spawner.strong_count() > 0);
        // A zygote that was killed may have left children that its spawner reaps at its end. That spawner has to end.
        let unharmed = leave.iter().filter(|zygote| zygote.can_clone());
        self.retired.extend(unharmed.map(|zygote| Retired {
            spawner: Arc::downgrade(&zygote.spawner),
            ambient: zygote.ambient.clone(),
            starter: zygote.starter,
        }));
    }
}
