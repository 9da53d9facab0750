//! Tasks and children: JavaScript sees ids.

use crate::convert::{all_bytes, ended_by_nul, Text};
use crate::host;
use crate::throw::OrThrow;
use linux::call::Call;
use linux::sequence::list::Sequence;
use linux::target::{self, Target};
use linux::task::batch::Batch;
use linux::task::clone::{self, CloneOptions, OwnMap};
use linux::task::exec::{self, Exec};
use linux::task::transfer;
use napi::bindgen_prelude::{BigInt, Buffer, Either3, Result, Uint8Array};
use napi_derive::napi;
use std::os::fd::IntoRawFd;

/// What `clone` takes.
#[napi(object)]
pub struct CloneData {
    /// CLONE_NEW… flags.
    pub flags: i64,
    /// "identity", "root", or absent: no map from inside.
    pub map: Option<String>,
    /// Descriptor of a cgroup's directory.
    pub cgroup: Option<i32>,
    /// Pids to get.
    pub set_tid: Vec<i32>,
    /// Whether the task that clones may ignore or handle signals.
    pub reset_signals: bool,
}

impl From<CloneData> for CloneOptions {
    fn from(data: CloneData) -> Self {
        let map = data.map.map(|map| if map == "root" { OwnMap::Root } else { OwnMap::Identity });
        CloneOptions {
            flags: data.flags as u64,
            map,
            cgroup: data.cgroup,
            set_tid: data.set_tid,
            reset_signals: data.reset_signals,
        }
    }
}

/// Clones a task from the zygote. "cloned" follows. Negative: it can be sent its first batch already.
#[napi]
pub fn clone(options: CloneData) -> Result<f64> {
    let (id, mail) = (host::next_id(), host::mail());
    let done = Box::new(move |cloned| mail.cloned(id, cloned));
    if let Some(channel) = clone::clone(&options.into(), host::listener(id), done).or_throw()? {
        host::keep_task(id, channel);
        return Ok(-f64::from(id));
    }
    Ok(id.into())
}

/// Ends a task's channel: whoever waits for a reply hears that none will come.
#[napi]
pub fn hang_up(task: u32) {
    if let Ok(task) = host::task(task) {
        task.hang_up();
    }
}

/// Clones a task from a task. "cloned" follows.
#[napi]
pub fn clone_from(task: u32, options: CloneData) -> Result<u32> {
    let (id, mail) = (host::next_id(), host::mail());
    let done = Box::new(move |cloned| mail.cloned(id, cloned));
    let task = host::task(task).or_throw()?;
    clone::clone_from(&task, &options.into(), host::listener(id), done).or_throw()?;
    Ok(id)
}

/// The zygote's pid, 0 where none was started. For tests.
#[napi]
pub fn zygote_pid() -> i32 {
    linux::task::zygote::present_pid()
}

/// Makes a task the current target, or this thread for task 0.
#[napi]
pub fn enter(task: u32) -> Result<()> {
    let target = match task {
        0 => Target::Near,
        id => Target::Far(host::task(id).or_throw()?),
    };
    host::enter(target);
    Ok(())
}

/// Makes the target before the current one current again.
#[napi]
pub fn leave() {
    host::leave();
}

/// Calls are collected from now on, until `leave` drops them or `batch` runs them.
#[napi]
pub fn collect() {
    host::enter(Target::Batch(Batch::default()));
}

/// How many calls have been collected.
#[napi]
pub fn collected() -> u32 {
    target::collecting(|batch| batch.asked() as u32).unwrap_or(0)
}

/// Leaves, and runs what was collected in a task, or in this thread for task 0. "batch" follows, perhaps already: whoever
/// calls has to drain, but not for the first batch of a task that is being cloned.
#[napi]
pub fn batch(task: u32, first: bool) -> Result<u32> {
    let (id, mail) = (host::next_id(), host::mail());
    let Target::Batch(batch) = host::leave() else { return Ok(id) };
    let tell = move |made: linux::error::Result<Vec<i32>>| match made {
        Ok(made) => mail.tell(id, "batch", None, made.into_iter().map(f64::from).collect()),
        Err(failure) => mail.tell(id, "batch", Some(failure), Vec::new()),
    };
    if task == 0 {
        let (made, failure) = batch.near();
        host::without_wake(|| tell(failure.map_or(Ok(made), Err)));
        return Ok(id);
    }
    let channel = host::task(task).or_throw()?;
    match first {
        true => batch.submit(&channel, first, tell),
        false => host::without_wake(|| batch.submit(&channel, first, tell)),
    }
    Ok(id)
}

/// Copies a descriptor of this process into a task, to a number or (-1) the lowest that is free; collected in a batch.
#[napi]
pub fn put(task: u32, fd: i32, number: i32, close_on_exec: bool) -> Result<i32> {
    let number = (number >= 0).then_some(number);
    let collected = target::collecting(|batch| batch.put(fd, number, close_on_exec));
    let put = || host::task(task).and_then(|task| transfer::put(&task, fd, number, close_on_exec));
    collected.unwrap_or_else(put).or_throw()
}

/// Copies a descriptor of a task into this process.
#[napi]
pub fn get(task: u32, fd: i32) -> Result<i32> {
    host::task(task).and_then(|task| transfer::get(&task, fd)).or_throw().map(IntoRawFd::into_raw_fd)
}

/// Closes descriptors of a task some time soon.
#[napi]
pub fn close_later(task: u32, fds: Vec<i32>) {
    if let Ok(task) = host::task(task) {
        transfer::close_all(&task, &fds, || {});
    }
}

/// Gives the memory of a task that has left it back, in a task that shared it, some time soon.
#[napi]
pub fn unmap_later(task: u32, block: i64) {
    if let Ok(task) = host::task(task) {
        linux::task::share::unmap(&task, block as u64);
    }
}

/// What `syscall` gives back.
#[napi(object)]
pub struct Syscalled {
    /// What the call returned.
    pub result: BigInt,
    /// The byte arguments, one after the other, each at a multiple of 8.
    pub out: Buffer,
}

/// One argument of a call by number: a number, or bytes that are passed by address.
pub type RawArg = Either3<i64, BigInt, Uint8Array>;

/// The call with these further arguments.
pub fn with_args(call: Call<()>, args: &[RawArg]) -> Call<()> {
    args.iter().fold(call, |call, arg| match arg {
        Either3::A(number) => call.number(*number),
        Either3::B(number) => call.number(number.get_i128().0),
        Either3::C(bytes) => call.inout(bytes),
    })
}

impl Syscalled {
    /// Makes the call in the current target.
    pub fn of(call: Call<()>) -> Result<Self> {
        let (result, out) = call.value(|answer| (answer.result, answer.out.to_vec())).run().or_throw()?;
        Ok(Syscalled { result: result.into(), out: out.into() })
    }
}

/// Any system call in the current target.
#[napi]
pub fn syscall(nr: i64, args: Vec<Either3<i64, BigInt, Uint8Array>>) -> Result<Syscalled> {
    Syscalled::of(with_args(Call::new("syscall", nr), &args))
}

/// What `exec` takes.
#[napi(object)]
pub struct ExecData {
    /// Candidates; empty: `fd`.
    pub paths: Vec<Text>,
    /// Descriptor to execute.
    pub fd: i32,
    /// argv.
    pub argv: Vec<Text>,
    /// `NAME=value`, each ended by a NUL: one string crosses in a tenth of the time that fifty take.
    pub envp: Text,
    /// 0: none.
    pub death_signal: i32,
    /// The parent's pid, or 0.
    pub parent: i32,
    /// Descriptors that stay open.
    pub keep: Vec<i32>,
    /// Whether signals have to be reset.
    pub reset_signals: bool,
    /// What a refused task gets back.
    pub task_death_signal: i32,
}

/// execve(2) in a task, whose channel it ends; collected in a batch.
#[napi]
pub fn exec(task: u32, data: ExecData) -> Result<()> {
    let exec = Exec {
        paths: all_bytes(&data.paths),
        fd: data.fd,
        argv: all_bytes(&data.argv),
        envp: ended_by_nul(&data.envp),
        death_signal: data.death_signal,
        parent: data.parent,
        keep: data.keep,
        reset_signals: data.reset_signals,
        task_death_signal: data.task_death_signal,
    };
    if let Some(collected) = target::collecting(|batch| batch.exec(&exec)) {
        return collected.or_throw();
    }
    host::task(task).and_then(|task| exec::exec(&task, &exec)).or_throw()
}

/// Makes a task the supervisor of its child.
#[napi]
pub fn supervise(task: u32, child: u32, forward: bool) -> Result<()> {
    let program = host::child(child).ok_or(linux::error::Failure::Gone).or_throw()?;
    host::task(task).and_then(|task| linux::task::supervise::supervise(&task, &program, forward)).or_throw()
}

/// Ends a supervisor and all that it watches over.
#[napi]
pub fn end_supervision(task: u32) {
    if let Ok(task) = host::task(task) {
        task.end_supervision();
    }
}

/// exit_group(2) in a task, whose channel it ends.
#[napi]
pub fn exit_task(task: u32, code: i32) -> Result<()> {
    let channel = host::task(task).or_throw()?;
    let mut sequence = Sequence::default();
    sequence.step(linux::calls::process::exit_group(code));
    channel.submit(sequence, Vec::new(), Box::new(|_| {})); // to that there is no reply
    Ok(())
}

/// The number of the descriptor that a task is controlled through.
#[napi]
pub fn channel_fd(task: u32) -> Result<i32> {
    host::task(task).and_then(|task| task.far_fd()).or_throw()
}

/// Lets go of a task; one that still serves ends.
#[napi]
pub fn forget_task(task: u32) {
    host::forget_task(task);
}

/// Signals a child. `false`: it is gone.
#[napi]
pub fn kill_child(child: u32, signal: i32) -> Result<bool> {
    host::child(child).map_or(Ok(false), |child| child.signal(signal)).or_throw()
}

/// waitid(2) that never waits: CLD code, status, pid, uid, or nothing.
#[napi]
pub fn poll_child(child: u32, options: i32) -> Result<Vec<f64>> {
    let state = host::child(child).map_or(Ok(None), |child| child.poll(options)).or_throw()?;
    Ok(state.map_or(Vec::new(), |state| host::state_numbers(state).into()))
}

/// Waits up to `milliseconds` for the end of a child that is ending; `true`: it has ended.
#[napi]
pub fn await_end(child: u32, milliseconds: u16) -> bool {
    host::child(child).is_none_or(|child| child.await_end(milliseconds))
}

/// Keeps a child's pid its own until `release_child`. `false`: it has been reaped.
#[napi]
pub fn hold_child(child: u32) -> bool {
    host::child(child).is_some_and(|child| child.hold())
}

/// Ends a successful `hold_child`.
#[napi]
pub fn release_child(child: u32) {
    if let Some(child) = host::child(child) {
        child.release();
    }
}

/// "state" events follow.
#[napi]
pub fn watch_stops(child: u32) -> Result<()> {
    host::child(child).map_or(Ok(()), |child| child.watch_stops()).or_throw()
}

/// A new descriptor for a child; -1 when it is gone.
#[napi]
pub fn child_pidfd(child: u32) -> Result<i32> {
    use linux::error::During;
    match host::child(child).and_then(|child| child.pidfd()) {
        Some(pidfd) => pidfd.during("fcntl").or_throw().map(IntoRawFd::into_raw_fd),
        None => Ok(-1),
    }
}

/// JavaScript has no use for a child any more.
#[napi]
pub fn forget_child(child: u32) {
    host::forget_child(child);
}
