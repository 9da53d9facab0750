//! Changes of every thread of this process: the same system calls in each of them, or in none.
//!
//! The kernel knows credentials of threads alone. libc changes one thread after the other, and ends the process when a later one is
//! refused. Here all threads stand still first, in the handler of a signal. A thread that ends afterwards makes the calls. Only
//! when the kernel has accepted all of them do the other threads make the same calls. Equal threads get equal answers.

mod files;
pub mod filter;
mod identity;
pub mod landlock;
mod obstacle;
mod plan;
mod procfs;
mod raw;
mod rehearsal;
mod rings;
mod signal;
mod standstill;
mod turn;

use self::files::{Error, Text};
use self::identity::{group_count, Identity};
use self::obstacle::{Obstacle, PATIENCE};
use self::plan::{Plan, Refused};
use self::procfs::{Memory, Procfs};
use self::rehearsal::Rehearsal;
use self::signal::{Stop, MOST};
use self::standstill::{Moving, Standstill};
pub use self::turn::Turn;
use crate::call::Request;
use crate::error::Result;
use crate::task::zygote;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

/// Makes the same calls in every thread of this process, and checks that all threads are equal afterwards. Returns the results
/// that the calling thread has got. The calls take numbers and inputs.
///
/// After a failure no thread was changed. The process aborts if the kernel refuses a call to one thread after others have made it.
///
/// `agrees` looks at the lines of `status` that the rehearsal has led to, and may not allocate. If it returns false, no thread is
/// changed, and the lines are returned.
pub fn change(requests: Vec<Request>, agrees: Agrees) -> Result<Change> {
    change_or_refuse(requests, agrees).map_err(plan::say_unchanged)
}

/// Returns true when the lines of `status`, as the rehearsal has led to, are what the caller wants.
pub type Agrees<'a> = &'a dyn Fn(&[u8]) -> bool;

/// What has become of a change that the kernel has not refused.
pub enum Change {
    /// All threads were changed. The calls have returned these numbers to the calling thread.
    Made(Vec<i64>),
    /// No thread was changed, because the rehearsal has led to these lines of `status`.
    NotWanted(Vec<u8>),
}

fn change_or_refuse(requests: Vec<Request>, agrees: Agrees) -> Result<Change> {
    let plan = Arc::new(Plan::new(requests)?);
    // The table of slots is for one change at a time.
    let _turn = Turn::take();
    let procfs = Arc::new(Procfs::open()?);
    let groups = group_count() + plan.most_groups();
    let mut memory = Memory::new(groups);
    let own = procfs.own_number()?;
    let count = procfs.thread_count(own, &mut memory.text)?;
    if count > MOST {
        return Err(Obstacle::TooMany(count).into());
    }
    // A zygote has the credentials of this process. Another thread must not start one before all threads have changed.
    let _no_zygote = zygote::end_all()?;
    refuse_ring(&procfs, &mut memory, false)?;
    let rehearsal = Rehearsal::start(plan.clone(), procfs.clone(), groups)?;
    let same_namespace = procfs.shows_own_namespace(own, &mut memory.text)?;
    let moving = Moving { own, rehearsal: rehearsal.number(), same_namespace };
    let mut change = Work {
        agrees,
        plan: &plan,
        procfs: &procfs,
        own,
        memory,
        other: Identity::new(groups),
        results: vec![0; plan.len()],
    };
    let standstill = Standstill::begin(&procfs, moving, &mut change.memory)?;
    let made = change.make(&standstill, &rehearsal);
    drop(standstill);
    match made {
        Ok(()) => Ok(Change::Made(change.results)),
        Err(refusing) => {
            // The thread that rehearses may have other credentials now.
            if !matches!(refusing, Refusing::Obstacle(Obstacle::NoRehearsal)) {
                rehearsal.await_end(&mut change.memory.text);
            }
            match refusing {
                Refusing::Obstacle(obstacle) => Err(obstacle.into()),
                Refusing::Call(refused) => Err(plan.failure(refused)),
                Refusing::NotWanted => Ok(Change::NotWanted(rehearsal.identity())),
            }
        }
    }
}

/// A change for which all threads stand still. Its memory was made before.
struct Work<'a> {
    agrees: Agrees<'a>,
    plan: &'a Plan,
    procfs: &'a Procfs,
    own: i32,
    memory: Memory,
    other: Identity,
    results: Vec<i64>,
}

/// The reason why a change was not made.
enum Refusing {
    Obstacle(Obstacle),
    Call(Refused),
    /// The caller does not want what the rehearsal has led to.
    NotWanted,
}

impl From<Error> for Refusing {
    fn from(error: Error) -> Self {
        Refusing::Obstacle(error.into())
    }
}

impl From<Obstacle> for Refusing {
    fn from(obstacle: Obstacle) -> Self {
        Refusing::Obstacle(obstacle)
    }
}

impl Work<'_> {
    fn make(&mut self, standstill: &Standstill, rehearsal: &Rehearsal) -> std::result::Result<(), Refusing> {
        // A thread may have made a ring since the first look.
        refuse_ring(self.procfs, &mut self.memory, true)?;
        self.procfs.read_identity(self.own, &mut self.memory.text, &mut self.memory.identity)?;
        standstill.compare(&mut self.memory, &mut self.other)?;
        let dumpable = raw::numbers(libc::SYS_prctl, [libc::PR_GET_DUMPABLE as u64, 0, 0, 0]);
        let wanted = rehearse(rehearsal, &mut self.memory.text).inspect_err(|_| keep_dumpable(dumpable))?;
        if !(self.agrees)(wanted.identity.lines()) {
            keep_dumpable(dumpable);
            return Err(Refusing::NotWanted);
        }
        let results = &mut self.results;
        let own =
            self.plan.perform(|step, result| results.iter_mut().skip(step).take(1).for_each(|place| *place = result));
        match own {
            Ok(()) => {}
            // The calling thread is the first: nothing has changed yet.
            Err(refused) if refused.step == 0 => {
                keep_dumpable(dumpable);
                return Err(Refusing::Call(refused));
            }
            Err(refused) => abort_after(self.plan, refused, raw::gettid()),
        }
        standstill.apply(self.plan, &mut self.memory.text);
        self.verify(standstill, &wanted.identity, wanted.securebits);
        Ok(())
    }

    /// Ends the process unless every thread may do what the rehearsal has led to.
    fn verify(&mut self, standstill: &Standstill, wanted: &Identity, securebits: i64) {
        for (number, slot) in standstill.slots() {
            match slot.stop() {
                Stop::Refused => abort_after(self.plan, slot.refused(), slot.tid()),
                Stop::Gone => continue,
                _ => {}
            }
            self.verify_one(number, slot.tid(), wanted, slot.securebits() == securebits);
        }
        self.verify_one(self.own, raw::gettid(), wanted, raw::securebits() == securebits);
    }

    fn verify_one(&mut self, number: i32, tid: i32, wanted: &Identity, same_securebits: bool) {
        let begin = Instant::now();
        // Another process may use all descriptors of a table that it shares with this one, or of the machine.
        while let Err(error) = self.procfs.read_identity(number, &mut self.memory.text, &mut self.other) {
            if begin.elapsed() > PATIENCE {
                abort(format_args!(
                    "thread {tid} could not be looked at after a change ({} {})",
                    error.call, error.errno
                ));
            }
        }
        if !wanted.equals(&self.other) || !same_securebits {
            abort(format_args!("thread {tid} has other credentials than the others after a change"));
        }
    }
}

/// Refuses a change while there is a ring of io_uring(7).
fn refuse_ring(procfs: &Procfs, memory: &mut Memory, standing_still: bool) -> std::result::Result<(), Obstacle> {
    match rings::find(procfs, memory, standing_still)? {
        None => Ok(()),
        Some(ring) => Err(Obstacle::Ring(ring)),
    }
}

/// Has the other thread make the calls.
fn rehearse<'a>(
    rehearsal: &'a Rehearsal,
    text: &mut Text,
) -> std::result::Result<std::sync::MutexGuard<'a, rehearsal::Outcome>, Refusing> {
    let outcome = rehearsal.run(text)?;
    match (outcome.refused, outcome.unreadable) {
        (Some(refused), _) => Err(Refusing::Call(refused)),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Ok(outcome),
    }
}

/// Lets the process be traced, and its files in `/proc` be read, as before a change that was not made. The kernel clears the flag,
/// which all threads share, when one of them changes its ids. It takes no other value than 1 back.
fn keep_dumpable(dumpable: i64) {
    if dumpable == 1 {
        raw::numbers(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 1, 0, 0]);
    }
}

fn abort_after(plan: &Plan, refused: Refused, tid: i32) -> ! {
    let errno = nix::errno::Errno::from_raw(refused.errno);
    let name = plan.name(refused.step);
    abort(format_args!("{name} was refused ({errno:?}) in thread {tid} after others had changed"))
}

/// Ends the process with a message on standard error: its threads are not equal, and others may hold the locks of abort(3).
fn abort(reason: std::fmt::Arguments) -> ! {
    let mut line = Line { bytes: [0; 256], length: 0 };
    // A line that is too long is cut.
    let _ = writeln!(line, "nearfar: {reason}: aborting");
    let args = [libc::STDERR_FILENO as u64, line.bytes.as_ptr() as u64, line.length as u64, 0, 0, 0];
    // SAFETY: the kernel reads as many bytes of `line` as were written, which lives in this frame.
    unsafe { raw::syscall(libc::SYS_write, args) };
    signal::end_by_abort()
}

/// A line of text without memory of its own.
struct Line {
    bytes: [u8; 256],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let place = self.bytes.get_mut(self.length..).unwrap_or_default();
        let length = text.len().min(place.len());
        place.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        self.length += length;
        Ok(())
    }
}
