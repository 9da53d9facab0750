//! What belongs to one JavaScript thread: its tasks, its children, and the way to wake it.

use crate::throw::FailureData;
use linux::calls::pidfd::ChildState;
use linux::error::Failure;
use linux::target::{self, Target};
use linux::task::channel::Channel;
use linux::task::clone::Cloned;
use linux::wait::child::{Change, Child, Listener};
use linux::wait::readable::Readable;
use linux::wait::stranger;
use napi::bindgen_prelude::{Env, Function, FunctionRef, Result, Unknown};
use napi::sys;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::Status;
use napi_derive::napi;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type Wake = ThreadsafeFunction<(), Unknown<'static>, (), Status, false, true, 0>;

/// What happened since JavaScript last asked.
#[napi(object)]
pub struct Event {
    /// Which request or child it is about.
    pub id: u32,
    /// "cloned", "batch", "death", "state", "readable" or "ended".
    pub kind: String,
    /// Why it failed, if it did.
    pub failure: Option<FailureData>,
    /// "cloned": the pid, and of a task that shares where its stack begins and its channel's number. "batch": the
    /// descriptors made. "death" and "state": CLD code, status, pid, uid, and after a death what was used.
    pub numbers: Vec<f64>,
}

/// Events on their way to one JavaScript thread.
pub struct Mail {
    letters: Mutex<Option<Letters>>,
    wake: Wake,
}

#[derive(Default)]
struct Letters {
    waiting: Vec<Letter>,
    /// The thread was told, or asks by itself.
    told: bool,
}

enum Letter {
    Cloned(u32, linux::error::Result<Cloned>),
    Plain(Event),
}

impl Letter {
    /// Nobody will ever open it: a task that it tells of may be in the middle of its first batch.
    fn end_task(self) {
        if let Letter::Cloned(_, Ok(cloned)) = self {
            // It has died already, or dies when its channel closes.
            let _ = cloned.child.signal(9);
        }
    }
}

struct Host {
    env: Env,
    mail: Arc<Mail>,
    make_error: FunctionRef<FailureData, Unknown<'static>>,
    tasks: HashMap<u32, Arc<Channel>>,
    children: HashMap<u32, Arc<Child>>,
    readables: HashMap<u32, Arc<Readable>>,
    outer: Vec<Target>,
}

thread_local! {
    /// Whether this thread drains its mail by itself, soon, and needs no call.
    static DRAINS: Cell<bool> = const { Cell::new(false) };
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

impl Mail {
    /// Tells JavaScript, soon; or when something else happens. After the thread has ended, nobody.
    fn post(&self, letter: Letter, soon: bool) {
        let mut letters = self.letters.lock().unwrap_or_else(|broken| broken.into_inner());
        let Some(Letters { waiting, told }) = letters.as_mut() else { return letter.end_task() };
        waiting.push(letter);
        let tell = soon && !*told;
        *told |= soon;
        drop(letters);
        // The flag is that of the posting thread: set, it is the one whose mail this is.
        if tell && !DRAINS.get() {
            self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Tells of a new task. One that runs its first batch already is of no use before that has ended.
    pub fn cloned(&self, id: u32, cloned: linux::error::Result<Cloned>) {
        let soon = !cloned.as_ref().is_ok_and(|cloned| cloned.channel.has_active_job());
        self.post(Letter::Cloned(id, cloned), soon);
    }

    /// Tells of anything else.
    pub fn tell(&self, id: u32, kind: &str, failure: Option<Failure>, numbers: Vec<f64>) {
        let failure = failure.map(FailureData::from);
        self.post(Letter::Plain(Event { id, kind: kind.into(), failure, numbers }), true);
    }
}

/// Runs `submit` on a JavaScript thread that drains its mail right after.
pub fn without_wake(submit: impl FnOnce()) {
    DRAINS.set(true);
    submit();
    DRAINS.set(false);
}

/// A number for a request, a task or a child.
pub fn next_id() -> u32 {
    linux::wait::reactor::next_id() as u32
}

/// Called once by each JavaScript thread, before anything else.
#[napi]
pub fn attach(
    env: Env,
    on_events: Function<(), Unknown<'static>>,
    make_error: Function<FailureData, Unknown<'static>>,
    stub_file: String,
) -> Result<()> {
    linux::task::stub::set_file(stub_file.into());
    let wake = on_events.build_threadsafe_function::<()>().weak::<true>().build()?;
    let mail = Arc::new(Mail { letters: Mutex::new(Some(Letters::default())), wake });
    let make_error = make_error.create_ref()?;
    let (tasks, children, readables) = (HashMap::new(), HashMap::new(), HashMap::new());
    let host = Host { env, mail, make_error, tasks, children, readables, outer: Vec::new() };
    HOST.set(Some(host));
    env.add_env_cleanup_hook((), |()| end())?;
    Ok(())
}

/// The thread ends: its tasks end with it, and programs that run are left to themselves.
fn end() {
    let Some(host) = HOST.take() else { return };
    target::replace(Target::Near);
    for (id, task) in &host.tasks {
        if task.end_supervision() {
            continue;
        }
        match host.children.get(id) {
            // It has died already, or dies when its channel closes below.
            Some(child) => drop(child.signal(9)),
            // It is still being cloned.
            None => task.hang_up(),
        }
    }
    let letters = host.mail.letters.lock().unwrap_or_else(|broken| broken.into_inner()).take();
    letters.unwrap_or_default().waiting.into_iter().for_each(Letter::end_task);
}

/// What has happened since the last time.
#[napi]
pub fn drain() -> Vec<Event> {
    with(|host| {
        let mail = host.mail.clone();
        let mut letters = mail.letters.lock().unwrap_or_else(|broken| broken.into_inner());
        let letters = letters.as_mut().map(std::mem::take).unwrap_or_default();
        letters.waiting.into_iter().map(|letter| host.open(letter)).collect()
    })
}

impl Host {
    fn open(&mut self, letter: Letter) -> Event {
        let (id, cloned) = match letter {
            Letter::Plain(event) => return event,
            Letter::Cloned(id, cloned) => (id, cloned),
        };
        let kind = "cloned".into();
        match cloned {
            Ok(Cloned { channel, child, shared }) => {
                let shared = shared.map(|shared| [shared.base as f64, shared.channel.into()]);
                let numbers = [f64::from(child.pid())].into_iter().chain(shared.into_iter().flatten()).collect();
                self.tasks.insert(id, channel);
                self.children.insert(id, child);
                Event { id, kind, failure: None, numbers }
            }
            Err(failure) => Event { id, kind, failure: Some(failure.into()), numbers: Vec::new() },
        }
    }
}

/// Whether events of this thread keep its event loop alive.
#[napi]
pub fn keep_alive(alive: bool) {
    let (env, wake) = with(|host| (host.env, host.mail.wake.raw()));
    let set = if alive { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
    // SAFETY: the function lives as long as the thread, and this is its thread. Neither call can fail.
    unsafe { set(env.raw(), wake) };
}

fn with<T>(use_host: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(|host| use_host(host.as_mut().expect("core attaches before it calls anything")))
}

/// The JavaScript error for a failure.
pub fn make_error(failure: FailureData) -> Result<Unknown<'static>> {
    // The reference is used with the host's cell closed: what it calls may come back here.
    let env = with(|host| host.env);
    let make = with(|host| host.make_error.borrow_back(&env))?;
    make.call(failure)
}

/// Where events for this thread go.
pub fn mail() -> Arc<Mail> {
    with(|host| host.mail.clone())
}

/// Tells JavaScript what a child does.
pub fn listener(id: u32) -> Listener {
    let mail = mail();
    Box::new(move |change| {
        let (kind, state, usage) = match change {
            Change::Death(death) => ("death", death.state, death.usage),
            Change::State(state) => ("state", state, Vec::new()),
        };
        let usage = usage.into_iter().map(|number| number as f64);
        mail.tell(id, kind, None, state_numbers(state).into_iter().chain(usage).collect());
    })
}

/// A number for a watch, and what tells JavaScript that it is over.
pub fn ended() -> (u32, stranger::Listener) {
    let (id, mail) = (next_id(), mail());
    let numbers = |state: Option<ChildState>| state.map_or(Vec::new(), |state| state_numbers(state).into());
    (id, Box::new(move |state| mail.tell(id, "ended", None, numbers(state))))
}

/// A state change as JavaScript gets it.
pub fn state_numbers(state: ChildState) -> [f64; 4] {
    [state.code.into(), state.status.into(), state.pid.into(), state.uid.into()]
}

/// The task with this id, while it can be reached.
pub fn task(id: u32) -> linux::error::Result<Arc<Channel>> {
    with(|host| host.tasks.get(&id).cloned()).ok_or(Failure::Gone)
}

/// A task can be reached, also one that is still being cloned.
pub fn keep_task(id: u32, channel: Arc<Channel>) {
    with(|host| host.tasks.insert(id, channel));
}

/// Lets go of a task's channel: a task that still serves ends.
pub fn forget_task(id: u32) {
    // Dropped with the host's cell closed.
    let channel = with(|host| host.tasks.remove(&id));
    drop(channel);
}

/// The child with this id, until it is forgotten.
pub fn child(id: u32) -> Option<Arc<Child>> {
    with(|host| host.children.get(&id).cloned())
}

/// JavaScript has no use for a child any more; it is reaped all the same.
pub fn forget_child(id: u32) {
    let child = with(|host| host.children.remove(&id));
    drop(child);
}

/// Keeps a descriptor that is watched, until it is forgotten or the thread ends.
pub fn keep_readable(id: u32, readable: Arc<Readable>) {
    with(|host| host.readables.insert(id, readable));
}

/// The descriptor that is watched with this id.
pub fn readable(id: u32) -> Option<Arc<Readable>> {
    with(|host| host.readables.get(&id).cloned())
}

/// Watches a descriptor no more, and closes it.
pub fn forget_readable(id: u32) {
    let readable = with(|host| host.readables.remove(&id));
    drop(readable);
}

/// Makes a target current until [`leave`].
pub fn enter(target: Target) {
    with(|host| host.outer.push(target::replace(target)));
}

/// Makes the target before the last [`enter`] current again, and returns the one it replaced.
pub fn leave() -> Target {
    with(|host| target::replace(host.outer.pop().unwrap_or(Target::Near)))
}
