//! Cloning tasks: JavaScript sees ids.

use crate::events;
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use linux::task::clone::{self, CloneOptions, OwnMap, Started};
use napi::bindgen_prelude::{Either, Result};
use napi_derive::napi;

/// What `clone` takes.
#[napi(object, object_to_js = false)]
pub struct CloneData {
    /// CLONE_NEW… flags.
    pub flags: i64,
    /// "identity", "root", or the user and the group id inside, and perhaps both outside. Absent: no map from inside.
    pub map: Option<Either<String, Vec<u32>>>,
    /// Descriptor of a cgroup's directory.
    pub cgroup: Option<i32>,
    /// Pids to get.
    pub set_tid: Vec<i32>,
    /// Whether the task that clones may ignore or handle signals.
    pub reset_signals: bool,
}

impl From<CloneData> for CloneOptions {
    fn from(data: CloneData) -> Self {
        let map = data.map.map(|map| match map {
            Either::A(name) if name == "root" => OwnMap::Root,
            Either::A(_) => OwnMap::Identity,
            Either::B(inside) => {
                let id = |index: usize| inside.get(index).copied();
                let outside = id(2).zip(id(3));
                OwnMap::Inside { uid: id(0).unwrap_or_default(), gid: id(1).unwrap_or_default(), outside }
            }
        });
        CloneOptions {
            flags: data.flags as u64,
            map,
            cgroup: data.cgroup,
            set_tid: data.set_tid,
            reset_signals: data.reset_signals,
        }
    }
}

/// A clone that is under way.
#[napi(object, object_from_js = false)]
pub struct CloneStarted {
    /// The id of the event "cloned", and of later events of the task.
    pub id: Id,
    /// True when the task can be sent its first batch already.
    pub early: bool,
}

/// Clones a task from the zygote. "cloned" follows.
#[napi]
pub fn clone(options: CloneData) -> Result<CloneStarted> {
    let id = tables::next_id();
    let (listener, done) = events::of_task(id).or_throw()?;
    Ok(keep(id, clone::clone(&options.into(), listener, done).or_throw()?))
}

/// Clones a task from a task. "cloned" follows.
#[napi]
pub fn clone_from(task: Id, options: CloneData) -> Result<CloneStarted> {
    let id = tables::next_id();
    let (listener, done) = events::of_task(id).or_throw()?;
    let task = tables::task(task).or_throw()?;
    Ok(keep(id, clone::clone_from(&task, &options.into(), listener, done).or_throw()?))
}

/// Makes the new task known, so that it can be killed before the clone has succeeded.
fn keep(id: Id, Started { channel, early }: Started) -> CloneStarted {
    tables::keep_task(id, channel);
    CloneStarted { id, early }
}

/// Returns the zygote's pid, or 0 where no zygote was started. For tests.
#[napi]
pub fn zygote_pid() -> i32 {
    linux::task::zygote::last_pid()
}

/// Returns the pid of the zygote whose tasks inherit what a child of this thread would inherit now. Starts one where none does. Two
/// equal answers: this process has given up no privilege in between.
#[napi]
pub fn matching_zygote() -> Result<i32> {
    linux::task::zygote::Zygote::matching().or_throw().map(|zygote| zygote.pid)
}
