//! The time in which all threads of this process but two stand still: the calling thread, which makes the change, and the one that
//! rehearses it. The calling thread takes no lock and allocates nothing meanwhile: another thread may hold the lock.

use super::files::Text;
use super::identity::Identity;
use super::obstacle::{Obstacle, Thread, PATIENCE};
use super::plan::Plan;
use super::procfs::{Memory, Procfs};
use super::raw;
use super::signal::{self, Phase, Slot, Stop, MOST};
use std::time::{Duration, Instant};

/// How long the threads that a look has found are waited for before all of them are released. One of them may wait for a lock of
/// another one, and gets it in between.
const ROUND: Duration = Duration::from_millis(200);
/// How often this process looks for threads at least, also where the looks take longer than a round, before it gives up a round
/// because each look has found others.
const LEAST_LOOKS: u32 = 10;
/// How long a thread that has not stopped is waited for before it is looked at again, in nanoseconds.
const LOOK_AGAIN: u64 = 2_000_000;
/// The longest pause between two rounds.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The calling thread and the one that rehearses, by their numbers in `/proc`. They do not stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moving {
    pub own: i32,
    pub rehearsal: i32,
    /// True when the numbers in `/proc` are those of this process's pid namespace.
    pub same_namespace: bool,
}

/// The threads that stand still. They go on when this value is dropped.
#[derive(Debug)]
pub(super) struct Standstill<'a> {
    procfs: &'a Procfs,
    moving: Moving,
    generation: u32,
    /// The numbers of the threads in `/proc`, by the index of their slots. 0: the thread is gone.
    listed: Vec<i32>,
    /// The signals that the calling thread has blocked before. Their handlers may wait for a lock of a thread that stands still.
    mask: u64,
}

/// A look at all threads.
#[derive(Default)]
struct Look {
    /// How many threads were not known before.
    new: usize,
    /// How many threads do not stop: workers of the kernel, and threads that have ended and are not removed yet.
    others: usize,
}

impl<'a> Standstill<'a> {
    /// Stops all threads. If that does not succeed, all threads go on.
    pub(super) fn begin(procfs: &'a Procfs, moving: Moving, memory: &mut Memory) -> Result<Self, Obstacle> {
        let begin = Instant::now();
        let mut pause = Duration::ZERO;
        loop {
            // Another library may have taken the signal since the last round.
            signal::install()?;
            let listed = Vec::with_capacity(MOST);
            let generation = signal::next_generation();
            let mut standstill = Standstill { procfs, moving, generation, listed, mask: signal::block_all() };
            signal::set_phase(generation, Phase::Park);
            let obstacle = match standstill.stop_all(memory) {
                Ok(()) => return Ok(standstill),
                Err(obstacle) => obstacle,
            };
            drop(standstill);
            let may_pass = matches!(obstacle, Obstacle::Silent(_) | Obstacle::Restless);
            if !may_pass || begin.elapsed() > PATIENCE {
                return Err(obstacle);
            }
            pause = LONGEST_PAUSE.min(pause + Duration::from_millis(1));
            std::thread::sleep(pause);
        }
    }

    /// Stops threads until a look finds no other one. A thread that stands still starts no thread, and so this ends.
    fn stop_all(&mut self, memory: &mut Memory) -> Result<(), Obstacle> {
        let begin = Instant::now();
        let (mut looks, mut others_before) = (0, 0);
        loop {
            let Look { new, others } = self.ask_new(memory)?;
            looks += 1;
            self.await_asked(&mut memory.text)?;
            // A look may miss a thread while others end. The kernel's own number tells, unless a thread of the others has ended since
            // the look: so there are two looks with the same number of others.
            let standing = self.standing().count() + others + 2;
            let same_others = std::mem::replace(&mut others_before, others) == others;
            if new == 0 && same_others && standing == self.procfs.thread_count(self.moving.own, &mut memory.text)? {
                return Ok(());
            }
            if looks >= LEAST_LOOKS && begin.elapsed() > ROUND {
                return Err(Obstacle::Restless);
            }
            self.forget_gone();
            raw::numbers(libc::SYS_sched_yield, [0; 4]);
        }
    }

    /// Looks at all threads, and sends the signal to those that did not get it yet.
    fn ask_new(&mut self, memory: &mut Memory) -> Result<Look, Obstacle> {
        let mut look = Look::default();
        let Memory { names, text, .. } = memory;
        self.procfs.each_thread(names, |number| {
            if number == self.moving.own || number == self.moving.rehearsal || self.listed.contains(&number) {
                return Ok(());
            }
            let Some(stat) = self.procfs.stat(number, text)? else {
                look.new += 1;
                return Ok(());
            };
            if stat.is_kernel_worker() || stat.has_ended() || stat.polls_ring() {
                look.others += 1;
                return if stat.polls_ring() { Err(Obstacle::Poller(self.thread(number, text))) } else { Ok(()) };
            }
            look.new += 1;
            self.ask(number, text)
        })?;
        Ok(look)
    }

    fn ask(&mut self, number: i32, text: &mut Text) -> Result<(), Obstacle> {
        let index = self.listed.len();
        let Some(slot) = Slot::at(index) else {
            let alive = self.listed.iter().filter(|number| **number != 0).count();
            return Err(if alive == MOST { Obstacle::TooMany(alive + 2) } else { Obstacle::Restless });
        };
        let tid = match self.tid(number, text) {
            Ok(tid) => tid,
            Err(Obstacle::Kernel(error)) if matches!(error.errno, libc::ENOENT | libc::ESRCH) => return Ok(()),
            Err(obstacle) => return Err(obstacle),
        };
        slot.ask(self.generation, tid);
        self.listed.push(number); // within the capacity, which is the number of slots
        match signal::send(self.generation, index, pid(), tid) {
            Err(error) if error.errno == libc::ESRCH => slot.set_gone(self.generation),
            sent => sent?,
        }
        Ok(())
    }

    /// Waits until each thread that was asked to has stopped or ended.
    fn await_asked(&self, text: &mut Text) -> Result<(), Obstacle> {
        let until = Instant::now() + ROUND;
        loop {
            let seen = signal::arrivals();
            let Some((number, slot)) = self.slots().find(|(_, slot)| slot.stop() == Stop::Asked) else { return Ok(()) };
            signal::await_arrival(seen, LOOK_AGAIN);
            if signal::arrivals() != seen {
                continue;
            }
            if self.has_ended(number, slot, text)? {
                slot.set_gone(self.generation);
            } else if Instant::now() > until || gives_way_to(slot.tid()) {
                return Err(Obstacle::Silent(self.thread(number, text)));
            }
        }
    }

    fn has_ended(&self, number: i32, slot: &Slot, text: &mut Text) -> Result<bool, Obstacle> {
        let nothing = raw::numbers(libc::SYS_tgkill, [pid() as u64, slot.tid() as u64, 0, 0]);
        Ok(nothing == -i64::from(libc::ESRCH) || self.procfs.stat(number, text)?.is_none_or(|stat| stat.has_ended()))
    }

    /// Frees the numbers of threads that have ended: other threads may get the same.
    fn forget_gone(&mut self) {
        for (index, number) in self.listed.iter_mut().enumerate() {
            if Slot::at(index).is_some_and(|slot| slot.stop() == Stop::Gone) {
                *number = 0;
            }
        }
    }

    /// Refuses the change if a thread may do other things than the calling thread, whose identity `memory` has.
    pub(super) fn compare(&self, memory: &mut Memory, other: &mut Identity) -> Result<(), Obstacle> {
        let securebits = raw::securebits();
        let standing = self.standing().map(|(number, slot)| (number, slot.securebits()));
        for (number, bits) in standing.chain([(self.moving.rehearsal, securebits)]) {
            let difference = match self.procfs.read_identity(number, &mut memory.text, other) {
                Err(error) if error.errno == libc::EFBIG => Some("Groups"), // more than there is room for
                read => read.map(|()| memory.identity.difference(other))?,
            };
            if let Some(line) = difference.or((bits != securebits).then_some("securebits")) {
                return Err(Obstacle::Different(self.thread(number, &mut memory.text), line));
            }
        }
        Ok(())
    }

    /// Has every thread that stands still make the calls of the plan, and waits for all of them.
    ///
    /// A thread that ends instead has nothing to be changed: a filter of seccomp(2) may kill a thread for a call.
    pub(super) fn apply(&self, plan: &Plan, text: &mut Text) {
        signal::set_plan(plan);
        signal::set_phase(self.generation, Phase::Apply);
        loop {
            let seen = signal::arrivals();
            let Some((number, slot)) = self.standing().next() else { return };
            signal::await_arrival(seen, LOOK_AGAIN);
            if signal::arrivals() == seen && self.has_ended(number, slot, text).unwrap_or(false) {
                slot.set_gone(self.generation);
            }
        }
    }

    /// Yields the numbers and the slots of all threads that were asked to stop and have not ended.
    pub(super) fn slots(&self) -> impl Iterator<Item = (i32, &'static Slot)> + '_ {
        let slots = self.listed.iter().enumerate().filter(|(_, number)| **number != 0);
        slots.filter_map(|(index, number)| Slot::at(index).map(|slot| (*number, slot)))
    }

    fn standing(&self) -> impl Iterator<Item = (i32, &'static Slot)> + '_ {
        self.slots().filter(|(_, slot)| slot.stop() == Stop::Parked)
    }

    fn tid(&self, number: i32, text: &mut Text) -> Result<i32, Obstacle> {
        Ok(if self.moving.same_namespace { number } else { self.procfs.tid(number, text)? })
    }

    /// Returns what an error says about a thread.
    fn thread(&self, number: i32, text: &mut Text) -> Thread {
        Thread {
            tid: self.tid(number, text).unwrap_or(number),
            stat: self.procfs.stat(number, text).unwrap_or(None),
            blocks_signal: self.procfs.blocks(number, signal::SIGNAL, text),
        }
    }
}

impl Drop for Standstill<'_> {
    fn drop(&mut self) {
        signal::set_phase(self.generation, Phase::Release);
        signal::set_mask(self.mask);
    }
}

/// True when the calling thread is to release the others because it is asked to stop as well, and `tid` has not stopped. That
/// thread may make a change of its own by another copy of nearfar in this process, and wait for this one. Of the two the
/// thread with the higher number gives way: if both did, they would meet again.
fn gives_way_to(tid: i32) -> bool {
    signal::is_pending() && raw::gettid() > tid
}

fn pid() -> i32 {
    raw::numbers(libc::SYS_getpid, [0; 4]) as i32
}
