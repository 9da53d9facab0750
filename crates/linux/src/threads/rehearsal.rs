//! The rehearsal of a change: a thread that ends afterwards makes the calls first, while all others stand still.

use super::plan::{Plan, Refused};
use super::procfs::{Error, Identity, Procfs, Text};
use super::raw;
use crate::error::{Failure, Result};
use crate::wait::thread;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicU32};
use std::sync::{Arc, Mutex, MutexGuard};

/// The thread that rehearses. It has what its maker has.
pub(super) struct Rehearsal {
    shared: Arc<Shared>,
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
            state: AtomicU32::new(STARTING),
            number: AtomicI32::new(0),
            outcome: Mutex::new(outcome),
        });
        let of_thread = shared.clone();
        thread::spawn("nearfar-rehearse", move || rehearse(&of_thread, &plan, &procfs, Text::new(groups)))?;
        raw::wait_while(&shared.state, STARTING);
        let rehearsal = Rehearsal { shared };
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
    pub(super) fn run(&self) -> MutexGuard<'_, Outcome> {
        self.shared.set(REHEARSE);
        raw::wait_while(&self.shared.state, REHEARSE);
        self.shared.outcome()
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.shared.set(END);
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
fn rehearse(shared: &Shared, plan: &Plan, procfs: &Procfs, mut text: Text) {
    let number = procfs.own_number().unwrap_or(0);
    shared.number.store(number, SeqCst);
    shared.set(READY);
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
