//! The rehearsal of a change: a thread that ends afterwards makes the calls first, while all others stand still.

use super::files::{Error, Text};
use super::identity::{room, Identity};
use super::obstacle::{Obstacle, PATIENCE};
use super::plan::{Plan, Refused};
use super::procfs::Procfs;
use super::raw;
use crate::error::{Failure, Result};
use crate::wait::thread;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long the thread is waited for before it is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The thread that rehearses. It has what its maker has.
pub(super) struct Rehearsal {
    shared: Arc<Shared>,
    /// True when the kernel has killed the thread alone, as a filter of seccomp(2) demands.
    killed: AtomicBool,
}

/// What a rehearsal has led to.
pub(super) struct Outcome {
    /// The call that the kernel has refused, if it has refused one.
    pub refused: Option<Refused>,
    /// What the thread may do afterwards.
    pub identity: Identity,
    /// The securebits that the thread has afterwards.
    pub securebits: i64,
    /// The reason why the thread could not read itself.
    pub unreadable: Option<Error>,
}

struct Shared {
    plan: Arc<Plan>,
    procfs: Arc<Procfs>,
    /// One of the states below. Both threads sleep on this word.
    state: AtomicU32,
    /// The number of the thread in `/proc`, which may show another pid namespace; 0: unknown.
    number: AtomicI32,
    /// Used by one of the two threads at a time, as the state says.
    outcome: Mutex<Outcome>,
}

const STARTING: u32 = 0;
const READY: u32 = 1;
const REHEARSE: u32 = 2;
const DONE: u32 = 3;
const END: u32 = 4;

impl Rehearsal {
    /// Starts the thread, and waits until the thread is ready.
    pub(super) fn start(plan: Arc<Plan>, procfs: Arc<Procfs>, groups: usize) -> Result<Self> {
        let outcome = Outcome { refused: None, identity: Identity::new(groups), securebits: 0, unreadable: None };
        let shared = Arc::new(Shared {
            plan,
            procfs,
            state: AtomicU32::new(STARTING),
            number: AtomicI32::new(0),
            outcome: Mutex::new(outcome),
        });
        let of_thread = shared.clone();
        thread::spawn("nearfar-rehearse", move || rehearse(&of_thread, Text::new(room(groups))))?;
        let rehearsal = Rehearsal { shared, killed: AtomicBool::new(false) };
        rehearsal.await_end_of(STARTING, || false)?;
        if rehearsal.number() == 0 {
            return Err(Failure::Internal("the thread that rehearses a change does not find itself in /proc"));
        }
        Ok(rehearsal)
    }

    /// Returns the number of the thread in `/proc`.
    pub(super) fn number(&self) -> i32 {
        self.shared.number.load(SeqCst)
    }

    /// Has the thread make the calls and read itself back. The thread ends afterwards.
    pub(super) fn run(&self, text: &mut Text) -> std::result::Result<MutexGuard<'_, Outcome>, Obstacle> {
        self.shared.set(REHEARSE);
        self.await_end_of(REHEARSE, || self.has_ended(text))?;
        Ok(self.shared.outcome())
    }

    /// Returns the lines of `status` that the rehearsal has led to. Called when no thread stands still.
    pub(super) fn identity(&self) -> Vec<u8> {
        self.shared.outcome().identity.lines().to_vec()
    }

    /// Waits until the thread has ended, which has other credentials than the rest of this process after a rehearsal that was
    /// refused. Called when no thread stands still.
    pub(super) fn await_end(&self, text: &mut Text) {
        self.shared.set(END);
        let begin = Instant::now();
        while !self.has_ended(text) && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Waits until the state of the thread is another one. A tracer may hold the thread. The time in which this whole process is
    /// stopped does not count, because there are no looks then.
    fn await_end_of(&self, state: u32, mut has_ended: impl FnMut() -> bool) -> std::result::Result<(), Obstacle> {
        let (begin, mut looks) = (Instant::now(), 0);
        while self.shared.state.load(SeqCst) == state {
            raw::wait(&self.shared.state, state, LOOK_AGAIN.as_nanos() as u64);
            if self.shared.state.load(SeqCst) == state && has_ended() && self.shared.state.load(SeqCst) == state {
                self.killed.store(true, SeqCst);
                return Err(Obstacle::Killed);
            }
            looks += 1;
            if begin.elapsed() > PATIENCE && looks > PATIENCE.as_millis() / LOOK_AGAIN.as_millis() {
                return Err(Obstacle::NoRehearsal);
            }
        }
        Ok(())
    }

    fn has_ended(&self, text: &mut Text) -> bool {
        let stat = self.shared.procfs.stat(self.number(), text);
        stat.is_ok_and(|stat| stat.is_none_or(|stat| stat.has_ended()))
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.shared.set(END);
        if self.killed.load(SeqCst) {
            // SAFETY: the thread has owned one reference, and was killed inside of `rehearse`. So nothing else drops that reference.
            unsafe { Arc::decrement_strong_count(Arc::as_ptr(&self.shared)) };
        }
    }
}

impl Shared {
    fn set(&self, state: u32) {
        self.state.store(state, SeqCst);
        raw::wake(&self.state);
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

/// Runs on the thread that rehearses.
fn rehearse(shared: &Shared, mut text: Text) {
    let Shared { plan, procfs, .. } = shared;
    let number = procfs.own_number().unwrap_or(0);
    shared.number.store(number, SeqCst);
    // END: the other thread does not wait any more.
    if shared.state.compare_exchange(STARTING, READY, SeqCst, SeqCst).is_err() {
        return;
    }
    raw::wake(&shared.state);
    raw::wait_while(&shared.state, READY);
    if shared.state.load(SeqCst) != REHEARSE {
        return;
    }
    // The other thread waits for DONE, and so the lock is free: this does not wait.
    let mut outcome = shared.outcome();
    outcome.refused = plan.perform(|_, _| {}).err();
    outcome.securebits = raw::securebits();
    outcome.unreadable = procfs.read_identity(number, &mut text, &mut outcome.identity).err();
    drop(outcome);
    shared.set(DONE);
    // From here on the thread may wait for a lock of a thread that stands still, and is not waited for.
}
