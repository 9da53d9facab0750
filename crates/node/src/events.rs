//! Events on their way to one copy of core, in its JavaScript thread.

use crate::copies::PerCopy;
use crate::failure::FailureData;
use crate::tables::{self, Id};
use crate::weak::WeakFunction;
use linux::calls::process::ChildState;
use linux::error::{Failure, Result};
use linux::task::clone::{Cloned, ClonedDone};
use linux::wait::child::{Change, Listener};
use napi::bindgen_prelude::Env;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;
use napi_derive::napi;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard};

/// Lets a copy of core drain its events.
pub type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// Something that has happened.
#[napi(object)]
pub struct Event {
    /// Which request, task or watch it is about.
    pub id: Id,
    /// "sent", "cloned", "thread", "batch", "death", "state", "ready" or "ended".
    pub kind: String,
    /// Why it failed, if it did.
    pub failure: Option<FailureData>,
    /// "cloned": the pid, and of a task that shares where its stack begins and its channel's number. "batch": the
    /// descriptors made. "death" and "state": CLD code, status, pid, uid, and after a death what was used.
    pub numbers: Vec<f64>,
}

/// The events of one copy of core that it has not drained yet.
pub struct Queue {
    /// `None` after the copy has ended.
    state: Mutex<Option<State>>,
    wake: Wake,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// The thread was woken, or drains without being woken.
    woken: bool,
}

struct Entry {
    event: Event,
    /// A new task, which gets into the tables when the copy drains the event.
    cloned: Option<Cloned>,
}

impl Entry {
    /// Kills a new task that no copy of core will ever know of. The task may be in the middle of its first batch, where the
    /// end of its channel does not end it.
    fn end_task(self) {
        if let Some(cloned) = self.cloned {
            // Refused where the task has died already, or has become another user's; then the end of its channel ends it.
            let _ = cloned.child.signal(9);
        }
    }

    fn open(self) -> Event {
        if let Some(Cloned { channel, child, .. }) = self.cloned {
            tables::keep_task(self.event.id, channel);
            tables::keep_child(self.event.id, child);
        }
        self.event
    }
}

/// The reply that a thread takes itself while it submits a batch.
#[derive(Default)]
struct Expected {
    /// The batch.
    id: Option<Id>,
    reply: Option<Event>,
}

/// How the events of a copy of core reach it.
struct Delivery {
    queue: Arc<Queue>,
    /// Drains the events.
    dispatch: WeakFunction<()>,
}

thread_local! {
    static DELIVERIES: PerCopy<Delivery> = const { PerCopy::new() };
    static EXPECTED: RefCell<Expected> = const { RefCell::new(Expected { id: None, reply: None }) };
}

/// Gives a copy its queue. `dispatch` drains it.
pub fn open(env: Env, copy: u32, dispatch: WeakFunction<()>) -> napi::Result<()> {
    let wake = env.create_function_from_closure("nearfar", move |_| call_dispatch(copy))?;
    let wake = wake.build_threadsafe_function::<()>().weak::<true>().build()?;
    let queue = Arc::new(Queue { state: Mutex::new(Some(State::default())), wake });
    DELIVERIES.with(|all| all.add(copy, Delivery { queue, dispatch }));
    Ok(())
}

/// Ends the queue of a copy that was collected.
pub fn close(copy: u32) {
    if let Ok(Some(Delivery { queue, .. })) = DELIVERIES.try_with(|all| all.take(copy)) {
        queue.close();
    }
}

/// Ends the queues of this thread, which ends.
pub fn close_all() {
    DELIVERIES.with(PerCopy::take_all).for_each(|Delivery { queue, .. }| queue.close());
}

/// Returns the queue of the copy that makes the calls now.
pub fn queue() -> Result<Arc<Queue>> {
    let queue = DELIVERIES.with(|all| all.with_current(|delivery| delivery.queue.clone()));
    queue.ok_or(Failure::Internal("core attaches before it calls anything"))
}

/// Says whether the thread has to wait for events of the copy that makes the calls now. While it has to, the copy is not
/// collected, even if nothing else in JavaScript refers to it.
pub fn hold(held: bool) {
    DELIVERIES.with(|all| all.with_current(|delivery| delivery.dispatch.hold(held)));
}

/// Lets a copy drain its events.
fn call_dispatch(copy: u32) -> napi::Result<()> {
    let dispatch = DELIVERIES.with(|all| all.with(copy, |delivery| delivery.dispatch.get()));
    match dispatch.transpose()?.flatten() {
        Some(dispatch) => dispatch.call(()).map(drop),
        None => Ok(()),
    }
}

/// Returns what has happened since the last time.
#[napi]
pub fn drain() -> Vec<Event> {
    let state = queue().ok().and_then(|queue| queue.lock().as_mut().map(std::mem::take));
    state.unwrap_or_default().entries.into_iter().map(Entry::open).collect()
}

/// Returns the event that says that a batch was sent.
pub fn sent(id: Id) -> Event {
    entry(id, "sent", None, Vec::new()).event
}

/// Begins to expect the reply to batch `id`, which this thread submits now.
pub fn expect_reply(id: Id) {
    EXPECTED.set(Expected { id: Some(id), reply: None });
}

/// Returns the expected reply if it has come and no event was posted before. Otherwise the reply is or will be an event in the
/// queue, behind those that it must not overtake.
pub fn take_reply() -> Option<Event> {
    EXPECTED.take().reply
}

impl Queue {
    /// Ends the queue, whose copy of core has ended: later events are dropped, and new tasks killed.
    fn close(&self) {
        let state = self.lock().take();
        state.unwrap_or_default().entries.into_iter().for_each(Entry::end_task);
    }

    /// Returns what wakes the thread.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Posts an event.
    pub fn post(&self, id: Id, kind: &str, failure: Option<Failure>, numbers: Vec<f64>) {
        self.post_all(vec![entry(id, kind, failure, numbers)], true);
    }

    /// Posts the reply to batch `id`, or keeps it for [`take_reply`] if this thread expects it.
    pub fn post_reply(&self, id: Id, made: Result<Vec<i32>>) {
        let reply = match made {
            Ok(made) => entry(id, "batch", None, made.into_iter().map(f64::from).collect()),
            Err(failure) => entry(id, "batch", Some(failure), Vec::new()),
        };
        // A thread expects replies to its own batches alone. So where the batch is expected, this queue is that of this thread.
        let expected = EXPECTED.with_borrow(|expected| expected.id == Some(id));
        if expected && self.lock().as_ref().is_some_and(|state| state.entries.is_empty()) {
            return EXPECTED.with_borrow_mut(|expected| expected.reply = Some(reply.event));
        }
        // A thread that expects the reply drains its events right after.
        self.post_all(vec![reply], !expected);
    }

    /// Posts entries in one piece. `soon`: the thread is woken for them; otherwise the entries wait until another event wakes it.
    fn post_all(&self, entries: Vec<Entry>, soon: bool) {
        let mut state = self.lock();
        let Some(State { entries: waiting, woken }) = state.as_mut() else {
            return entries.into_iter().for_each(Entry::end_task);
        };
        waiting.extend(entries);
        let wake = soon && !*woken;
        *woken |= soon;
        drop(state);
        if wake {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Posts the events of one task in order: first how its clone came out, then what becomes of its process.
///
/// The reactor may see the process die before the reply to the clone is read.
struct TaskEvents {
    id: Id,
    queue: Arc<Queue>,
    /// What became of the process before the clone was known to have succeeded; `None` afterwards.
    early: Mutex<Option<Vec<Entry>>>,
}

/// Returns what posts the events of the task that is cloned for request `id`.
pub fn of_task(id: Id) -> Result<(Listener, ClonedDone)> {
    let events = Arc::new(TaskEvents { id, queue: queue()?, early: Mutex::new(Some(Vec::new())) });
    let changes = events.clone();
    Ok((Box::new(move |change| changes.changed(change)), Box::new(move |cloned| events.cloned(cloned))))
}

impl TaskEvents {
    fn early(&self) -> MutexGuard<'_, Option<Vec<Entry>>> {
        self.early.lock().unwrap_or_else(|broken| broken.into_inner())
    }

    fn cloned(&self, cloned: Result<Cloned>) {
        // A task that runs its first batch already is of no use to JavaScript before the batch has ended.
        let busy = cloned.as_ref().is_ok_and(|cloned| cloned.channel.has_active_job());
        // Locked until all is posted: a change must not overtake these.
        let mut early = self.early();
        let early = early.take().unwrap_or_default();
        let soon = !busy || !early.is_empty();
        let entries = match cloned {
            Ok(cloned) => {
                let shared = cloned.shared.map(|shared| [shared.base as f64, shared.channel.into()]);
                let numbers = [f64::from(cloned.child.pid())].into_iter().chain(shared.into_iter().flatten());
                let first = Entry { cloned: Some(cloned), ..entry(self.id, "cloned", None, numbers.collect()) };
                [first].into_iter().chain(early).collect()
            }
            Err(failure) => vec![entry(self.id, "cloned", Some(failure), Vec::new())],
        };
        self.queue.post_all(entries, soon);
    }

    fn changed(&self, change: Change) {
        let (kind, state, usage) = match change {
            Change::Death(death) => ("death", death.state, death.usage),
            Change::State(state) => ("state", state, Vec::new()),
        };
        let usage = usage.into_iter().map(|number| number as f64);
        let numbers = state_numbers(state).into_iter().chain(usage).collect();
        let entry = entry(self.id, kind, None, numbers);
        match &mut *self.early() {
            Some(early) => early.push(entry),
            None => self.queue.post_all(vec![entry], true),
        }
    }
}

fn entry(id: Id, kind: &str, failure: Option<Failure>, numbers: Vec<f64>) -> Entry {
    let event = Event { id, kind: kind.into(), failure: failure.map(FailureData::from), numbers };
    Entry { event, cloned: None }
}

/// Returns a state change as JavaScript gets it.
pub fn state_numbers(state: ChildState) -> [f64; 4] {
    [state.code.into(), state.status.into(), state.pid.into(), state.uid.into()]
}
