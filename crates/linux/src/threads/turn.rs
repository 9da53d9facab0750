//! Which thread of this process may change all threads.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard};

static CHANGING: Mutex<()> = Mutex::new(());

thread_local! {
    /// True while the calling thread holds a turn.
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// Held by a thread from before it reads what it is going to change until it has read back the result. Without the turn another
/// thread could change the process in between, and its change would be undone.
#[derive(Debug)]
pub struct Turn {
    /// `None`: the thread has a turn already.
    _guard: Option<MutexGuard<'static, ()>>,
    first: bool,
}

impl Turn {
    /// Waits until no other thread has a turn.
    pub fn take() -> Self {
        let first = !HELD.replace(true);
        let guard = first.then(|| CHANGING.lock().unwrap_or_else(|broken| broken.into_inner()));
        Turn { _guard: guard, first }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.first {
            // The thread may be ending.
            let _ = HELD.try_with(|held| held.set(false));
        }
    }
}
