//! The copies of core that one JavaScript thread has evaluated, and which of them makes the calls.
//!
//! The functions of the addon do not know which copy calls them. So a copy says that it makes the calls from now on, with
//! [`use_copy`], whenever another copy has made the last one. An object that all copies share, the seat, tells them.

use crate::targets;
use napi::bindgen_prelude::{Env, JsValue, Object, ObjectRef, Result};
use napi_derive::napi;
use std::cell::{Cell, RefCell};

thread_local! {
    /// How many copies this thread has had.
    static OPENED: Cell<u32> = const { Cell::new(0) };
    /// The number of the copy that makes the calls now, from 1.
    static CURRENT: Cell<u32> = const { Cell::new(0) };
    /// The object whose property `copy` is the number of the current copy.
    static SEAT: RefCell<Option<(Env, ObjectRef<false>)>> = const { RefCell::new(None) };
}

/// Returns the number of a new copy.
pub fn open() -> u32 {
    OPENED.set(OPENED.get() + 1);
    OPENED.get()
}

/// Returns the seat of this thread.
pub fn seat(env: Env) -> Result<Object<'static>> {
    SEAT.with_borrow_mut(|seat| {
        if seat.is_none() {
            let mut object = Object::new(&env)?;
            object.set("copy", 0)?;
            *seat = Some((env, object.create_ref()?));
        }
        let missing = || napi::Error::from_reason("the thread has no seat");
        let (env, object) = seat.as_ref().ok_or_else(missing)?;
        object.get_value(env).map(|object| Object::from_raw(env.raw(), object.raw()))
    })
}

/// Makes the calls from now on those of a copy. Returns false while a task or a batch of another copy is entered: the calls would
/// run there.
#[napi]
pub fn use_copy(number: u32) -> bool {
    let free = !targets::entered();
    if free {
        CURRENT.set(number);
    }
    free
}

/// Lets go of the seat when the thread ends.
pub fn end() {
    if let Some((env, seat)) = SEAT.take() {
        // Fails only for an environment that has ended.
        drop(seat.unref(&env));
    }
}

/// A value for each copy of core in this thread.
pub struct PerCopy<T>(RefCell<Vec<(u32, T)>>);

impl<T> PerCopy<T> {
    /// Returns no values.
    pub const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Adds the value of a copy.
    pub fn add(&self, copy: u32, value: T) {
        self.0.borrow_mut().push((copy, value));
    }

    /// Calls `act` with the value of a copy, if it has one. `act` must not use the values of copies itself.
    pub fn with<R>(&self, copy: u32, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.borrow_mut().iter_mut().find(|(number, _)| *number == copy).map(|(_, value)| act(value))
    }

    /// Calls `act` with the value of the copy that makes the calls now.
    pub fn with_current<R>(&self, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.with(CURRENT.get(), act)
    }

    /// Takes the value of a copy that has ended.
    pub fn take(&self, copy: u32) -> Option<T> {
        let mut values = self.0.borrow_mut();
        let index = values.iter().position(|(number, _)| *number == copy)?;
        Some(values.swap_remove(index).1)
    }

    /// Takes all values when the thread ends.
    pub fn take_all(&self) -> impl Iterator<Item = T> {
        self.0.take().into_iter().map(|(_, value)| value)
    }
}
