//! The targets of a JavaScript thread: the one that `enter` has set last is current.

use linux::target::{self, Target};
use std::cell::RefCell;

thread_local! {
    static OUTER: RefCell<Vec<Target>> = const { RefCell::new(Vec::new()) };
}

/// Makes a target current until [`leave`].
pub fn enter(target: Target) {
    OUTER.with_borrow_mut(|outer| outer.push(target::replace(target)));
}

/// Makes the target before the last [`enter`] current again, and returns the one that it replaces.
pub fn leave() -> Target {
    target::replace(OUTER.with_borrow_mut(Vec::pop).unwrap_or(Target::Near))
}

/// Returns true between [`enter`] and [`leave`].
pub fn entered() -> bool {
    OUTER.with_borrow(|outer| !outer.is_empty())
}

/// Lets go of all of them when the thread ends.
pub fn end() {
    target::replace(Target::Near);
    OUTER.take();
}
