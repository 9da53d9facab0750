//! The signal that stops a thread: its handler waits until the thread may go on, and makes the calls of the plan if there is one.
//!
//! libc itself keeps this signal open in every thread, for its own `setuid`, also where a thread blocks all signals. The handler
//! runs between any two instructions of a thread: it takes no lock, allocates nothing, and leaves `errno` alone.

use super::files::{checked, Raw};
use super::plan::{Plan, Refused};
use super::raw;
use std::ffi::{c_int, c_void, CStr};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

/// The signal of libc's own change of ids, which is SIGSETXID in glibc and SIGSYNCCALL in musl.
pub(super) const SIGNAL: i32 = if cfg!(target_env = "musl") { 34 } else { 33 };
/// The most threads that can stand still at once.
pub(super) const MOST: usize = 4096;

/// The code of a signal that carries a value.
const SI_QUEUE: i32 = -1;
/// Marks the value of a signal as one of nearfar's, together with the address of the table of slots.
const MAGIC: u64 = 0x6e66;
/// The size of the kernel's set of signals in bytes.
const SIGSET: u64 = 8;

/// `siginfo_t` in words: signal and errno, code, sender, value.
type SigInfo = [u64; 16];

type Handler = extern "C" fn(c_int, *mut SigInfo, *mut c_void);

/// One stop of a thread.
pub(super) struct Slot {
    /// The generation, and a [`Stop`] in the lowest bits. A thread that comes late finds another generation here.
    stop: AtomicU64,
    tid: AtomicI32,
    /// The securebits that the thread had when it stopped, and when it had made its calls.
    securebits: AtomicI64,
    step: AtomicU32,
    errno: AtomicI32,
}

/// What a thread has done about a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The signal was sent.
    Asked = 0,
    /// The thread stands still.
    Parked = 1,
    /// The thread has made all calls, and stands still.
    Changed = 2,
    /// The kernel has refused one of the calls, and the thread stands still.
    Refused = 3,
    /// The thread has ended.
    Gone = 4,
}

/// What the threads that stand still are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// To stand still.
    Park = 0,
    /// To make the calls of the plan, and to stand still.
    Apply = 1,
    /// To go on with their own work.
    Release = 2,
}

static SLOTS: [Slot; MOST] = [const { Slot::new() }; MOST];
/// The generation, and a [`Phase`] in the lowest bits. Threads that stand still sleep on this word.
static PHASE: AtomicU32 = AtomicU32::new(Phase::Release as u32);
/// Counts stops and changes. The thread that makes the change sleeps on this word.
static ARRIVALS: AtomicU32 = AtomicU32::new(0);
/// The plan, from before [`Phase::Apply`] until every thread that stands still has performed it.
static PLAN: AtomicPtr<Plan> = AtomicPtr::new(std::ptr::null_mut());
/// The handler that had the signal when nearfar first took it, which is libc's own as a rule.
static FIRST: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
/// The handler that had the signal when nearfar last took it: the same, or that of another library of this kind.
static LAST: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);

/// `struct sigaction` as the kernel has it.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

impl Slot {
    const fn new() -> Self {
        Slot {
            stop: AtomicU64::new(0),
            tid: AtomicI32::new(0),
            securebits: AtomicI64::new(0),
            step: AtomicU32::new(0),
            errno: AtomicI32::new(0),
        }
    }

    /// Returns a slot of the table.
    pub(super) fn at(index: usize) -> Option<&'static Slot> {
        SLOTS.get(index)
    }

    /// Prepares the slot for a thread that is asked to stop.
    pub(super) fn ask(&self, generation: u32, tid: i32) {
        // First the state: a thread that comes late with the former generation must not take the slot of another thread.
        self.stop.store(word(generation, Stop::Asked), SeqCst);
        self.tid.store(tid, SeqCst);
    }

    pub(super) fn stop(&self) -> Stop {
        match self.stop.load(SeqCst) & 7 {
            0 => Stop::Asked,
            1 => Stop::Parked,
            2 => Stop::Changed,
            3 => Stop::Refused,
            _ => Stop::Gone,
        }
    }

    /// Notes that the thread has ended.
    pub(super) fn set_gone(&self, generation: u32) {
        self.stop.store(word(generation, Stop::Gone), SeqCst);
    }

    pub(super) fn tid(&self) -> i32 {
        self.tid.load(SeqCst)
    }

    pub(super) fn securebits(&self) -> i64 {
        self.securebits.load(SeqCst)
    }

    /// Returns the call that the kernel has refused to the thread.
    pub(super) fn refused(&self) -> Refused {
        Refused { step: self.step.load(SeqCst), errno: self.errno.load(SeqCst) }
    }
}

fn word(generation: u32, stop: Stop) -> u64 {
    u64::from(generation) << 3 | stop as u64
}

fn phase_word(generation: u32, phase: Phase) -> u32 {
    generation << 2 | phase as u32
}

/// Returns the generation after the present one. Thirty bits of it count.
pub(super) fn next_generation() -> u32 {
    ((PHASE.load(SeqCst) >> 2) + 1) & (u32::MAX >> 2)
}

/// Tells the threads that stand still what to do.
pub(super) fn set_phase(generation: u32, phase: Phase) {
    PHASE.store(phase_word(generation, phase), SeqCst);
    raw::wake(&PHASE);
}

/// Sets the plan that threads perform in [`Phase::Apply`].
pub(super) fn set_plan(plan: *const Plan) {
    PLAN.store(plan.cast_mut(), SeqCst);
}

/// Returns how many threads have stopped or changed so far.
pub(super) fn arrivals() -> u32 {
    ARRIVALS.load(SeqCst)
}

/// Sleeps until a further thread has stopped or changed, at most for a number of nanoseconds.
pub(super) fn await_arrival(seen: u32, nanoseconds: u64) {
    raw::wait(&ARRIVALS, seen, nanoseconds);
}

/// Returns 16 bits that mark the signals of this copy of nearfar. Another copy in this process has a table elsewhere, and gets the
/// signals that it has sent, also while its handler is not installed.
fn magic() -> u64 {
    (MAGIC ^ (&raw const SLOTS as u64) >> 12) & 0xffff
}

/// Sends the signal that stops a thread.
pub(super) fn send(generation: u32, index: usize, pid: i32, tid: i32) -> Raw<()> {
    let value = magic() << 48 | u64::from(generation) << 16 | index as u64;
    let mut info: SigInfo = [0; 16];
    info[0] = SIGNAL as u64;
    info[1] = u64::from(SI_QUEUE as u32);
    info[2] = pid as u64;
    info[3] = value;
    let args = [pid as u64, tid as u64, SIGNAL as u64, (&raw const info) as u64, 0, 0];
    // SAFETY: the kernel reads a `siginfo_t` of 128 bytes from `info`, which is as long and lives in this frame.
    checked("rt_tgsigqueueinfo", unsafe { raw::syscall(libc::SYS_rt_tgsigqueueinfo, args) }).map(drop)
}

/// Blocks all signals of the calling thread, and returns those that were blocked before.
pub(super) fn block_all() -> u64 {
    set_mask(u64::MAX)
}

/// Sets the signals that the calling thread blocks, and returns those that were blocked before.
pub(super) fn set_mask(mask: u64) -> u64 {
    let mut before = 0u64;
    let (set, former) = ((&raw const mask) as u64, (&raw mut before) as u64);
    let args = [libc::SIG_SETMASK as u64, set, former, SIGSET, 0, 0];
    // SAFETY: the kernel reads eight bytes of `mask` and writes eight bytes of `before`, which live in this frame.
    unsafe { raw::syscall(libc::SYS_rt_sigprocmask, args) };
    before
}

/// True when somebody has sent the signal to the calling thread, which blocks it.
pub(super) fn is_pending() -> bool {
    let mut pending = 0u64;
    // SAFETY: the kernel writes eight bytes of `pending`, which lives in this frame.
    unsafe { raw::syscall(libc::SYS_rt_sigpending, [(&raw mut pending) as u64, SIGSET, 0, 0, 0, 0]) };
    pending & 1 << (SIGNAL - 1) != 0
}

/// Ends the process by SIGABRT, whatever its handlers are.
pub(super) fn end_by_abort() -> ! {
    let default = restoring(Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 });
    // The kernel takes SIG_DFL for this signal always.
    let _ = sigaction(libc::SIGABRT, Some(&default), None);
    set_mask(0);
    let [pid, tid] = [libc::SYS_getpid, libc::SYS_gettid].map(|nr| raw::numbers(nr, [0; 4]) as u64);
    raw::numbers(libc::SYS_tgkill, [pid, tid, libc::SIGABRT as u64, 0]);
    loop {
        raw::numbers(libc::SYS_exit_group, [128 + libc::SIGABRT as u64, 0, 0, 0]);
    }
}

/// Makes [`handle`] the handler of the signal, if it is not already. The handler stays for good: a signal may come late.
pub(super) fn install() -> Raw<()> {
    let mut present = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };
    sigaction(SIGNAL, None, Some(&mut present))?;
    let own: Handler = handle;
    if present.handler == own as usize {
        return Ok(());
    }
    pin(own as usize);
    LAST.store(present.handler, SeqCst);
    let _ = FIRST.compare_exchange(libc::SIG_DFL, present.handler, SeqCst, SeqCst);
    let flags = (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART) as u64;
    sigaction(SIGNAL, Some(&restoring(Action { handler: own as usize, flags, restorer: 0, mask: u64::MAX })), None)
}

fn sigaction(signal: i32, set: Option<&Action>, former: Option<&mut Action>) -> Raw<()> {
    let set = set.map_or(0, |action| std::ptr::from_ref(action) as u64);
    let former = former.map_or(0, |action| std::ptr::from_mut(action) as u64);
    // SAFETY: the kernel reads or writes a `struct sigaction`, which both references are, and which live until the call returns.
    let result = unsafe { raw::syscall(libc::SYS_rt_sigaction, [signal as u64, set, former, SIGSET, 0, 0]) };
    checked("rt_sigaction", result).map(drop)
}

/// Keeps the addon in memory for good, because the handler is a part of it.
fn pin(address: usize) {
    // SAFETY: `Dl_info` is pointers alone, for which null is a value.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: dladdr(3) only looks the address up, and writes to `info`, which lives in this frame.
    let found = unsafe { libc::dladdr(address as *const c_void, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return; // the code is linked into the program itself
    }
    // SAFETY: dladdr(3) has returned the name, which ends with a NUL and lives as long as the addon is loaded.
    let name: &CStr = unsafe { CStr::from_ptr(info.dli_fname) };
    // SAFETY: with RTLD_NOLOAD dlopen(3) loads nothing and runs no code. It reads `name`, which lives until it returns.
    unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
}

/// Adds the function that ends a handler, which x86-64 demands of each action.
#[cfg(target_arch = "x86_64")]
fn restoring(action: Action) -> Action {
    const SA_RESTORER: u64 = 0x0400_0000;

    /// Makes rt_sigreturn(2). Debuggers know a frame of a signal by these instructions.
    #[unsafe(naked)]
    extern "C" fn restore() {
        std::arch::naked_asm!("mov rax, 15", "syscall")
    }

    Action { flags: action.flags | SA_RESTORER, restorer: restore as extern "C" fn() as usize, ..action }
}

/// Returns the action as it is: the kernel brings the function that ends a handler.
#[cfg(not(target_arch = "x86_64"))]
fn restoring(action: Action) -> Action {
    action
}

/// The handler of the signal.
extern "C" fn handle(signal: c_int, info: *mut SigInfo, context: *mut c_void) {
    // SAFETY: the kernel passes a `siginfo_t`, which has this size, lives until the handler returns, and is this handler's.
    let words = unsafe { &mut *info };
    let (code, value) = (words[1] as i32, words[3]);
    if code == SI_QUEUE && value >> 48 == magic() {
        return stand_still((value >> 16) as u32, (value & 0xffff) as usize);
    }
    // A library that took the signal after nearfar may pass it on to nearfar, which has passed it to the library. The kernel leaves
    // the last word alone.
    let comes_back = std::mem::replace(&mut words[15], MAGIC) == MAGIC;
    let former = if comes_back { &FIRST } else { &LAST }.load(SeqCst);
    if former == libc::SIG_DFL || former == libc::SIG_IGN {
        return;
    }
    // SAFETY: the kernel had this address as the handler of the same signal. A handler without SA_SIGINFO leaves the second and
    // the third argument alone.
    let former = unsafe { std::mem::transmute::<usize, Handler>(former) };
    former(signal, info, context);
}

/// Stops the calling thread until it may go on.
fn stand_still(generation: u32, index: usize) {
    let Some(slot) = Slot::at(index) else { return };
    // Any process of the same user can send this signal. A signal that was not asked for finds the slot of another thread.
    if slot.tid() != raw::gettid() {
        return;
    }
    slot.securebits.store(raw::securebits(), SeqCst);
    let (asked, parked) = (word(generation, Stop::Asked), word(generation, Stop::Parked));
    if slot.stop.compare_exchange(asked, parked, SeqCst, SeqCst).is_err() {
        return; // the signal has come late
    }
    announce();
    let apply = phase_word(generation, Phase::Apply);
    raw::wait_while(&PHASE, phase_word(generation, Phase::Park));
    if PHASE.load(SeqCst) != apply {
        return;
    }
    // SAFETY: the thread that makes the change has set a plan that lives before this phase, and waits until every thread that
    // stands still, such as this one, has performed it. Nothing changes the plan.
    let plan = unsafe { &*PLAN.load(SeqCst) };
    let stop = match plan.perform(|_, _| {}) {
        Ok(()) => Stop::Changed,
        Err(Refused { step, errno }) => {
            slot.step.store(step, SeqCst);
            slot.errno.store(errno, SeqCst);
            Stop::Refused
        }
    };
    slot.securebits.store(raw::securebits(), SeqCst);
    slot.stop.store(word(generation, stop), SeqCst);
    announce();
    raw::wait_while(&PHASE, apply);
}

fn announce() {
    ARRIVALS.fetch_add(1, SeqCst);
    raw::wake(&ARRIVALS);
}
