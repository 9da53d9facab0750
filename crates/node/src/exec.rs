//! The ends that a task can come to: a program, supervision, exit.

use crate::convert::{all_bytes, bytes, Text};
use crate::tables::{self, Id};
use crate::throw::OrThrow;
use linux::sequence::list::Sequence;
use linux::target;
use linux::task::exec::{self, Exec};
use linux::task::supervise::{self, Supervision};
use napi::bindgen_prelude::{Result, Uint8Array};
use napi_derive::napi;

/// What `exec` takes.
#[napi(object, object_to_js = false)]
pub struct ExecData {
    /// Candidates; empty: `fd`.
    pub paths: Vec<Text>,
    /// The name that is looked up, if the candidates are those of `PATH`.
    pub name: Option<Text>,
    /// Whether `PATH` is not set.
    pub default_path: bool,
    /// Descriptor to execute.
    pub fd: i32,
    /// argv.
    pub argv: Vec<Text>,
    /// `NAME=value`, a NUL after each: one block of bytes crosses in a tenth of the time that fifty strings take.
    pub envp: Uint8Array,
    /// 0: none.
    pub death_signal: i32,
    /// The parent's pid, or 0.
    pub parent: i32,
    /// Descriptors that stay open.
    pub keep: Vec<i32>,
    /// Whether signals have to be reset.
    pub reset_signals: bool,
    /// The death signal that the task gets back when execve(2) is refused.
    pub task_death_signal: i32,
    /// The filters that the task installs as its last calls before execve(2).
    pub filters: Option<Vec<Uint8Array>>,
}

/// execve(2) in a task, whose channel it ends; collected in a batch.
#[napi]
pub fn exec(task: Id, data: ExecData) -> Result<()> {
    let exec = Exec {
        paths: all_bytes(&data.paths),
        name: data.name.as_ref().map(|name| bytes(name).to_vec()),
        default_path: data.default_path,
        fd: data.fd,
        argv: all_bytes(&data.argv),
        envp: data.envp.to_vec(),
        death_signal: data.death_signal,
        parent: data.parent,
        keep: data.keep,
        reset_signals: data.reset_signals,
        task_death_signal: data.task_death_signal,
        filters: data.filters.unwrap_or_default().iter().map(|filter| filter.to_vec()).collect(),
    };
    if let Some(collected) = target::collecting(|batch| batch.exec(&exec)) {
        return collected.or_throw();
    }
    tables::task(task).and_then(|task| exec::exec(&task, &exec)).or_throw()
}

/// Makes a task the supervisor of its child. A child that is not known was reaped. `init`: the task was cloned as process 1.
#[napi]
pub fn supervise(
    task: Id,
    child: Id,
    forward: bool,
    ends_stopped: bool,
    keep: Vec<i32>,
    init: bool,
    dumpable: bool,
) -> Result<()> {
    let options = Supervision { forward, ends_stopped, keep, init, dumpable };
    tables::task(task).and_then(|task| supervise::supervise(&task, tables::child(child).as_ref(), &options)).or_throw()
}

/// Ends a supervisor and the processes that it watches over.
#[napi]
pub fn end_supervision(task: Id) {
    if let Ok(task) = tables::task(task) {
        task.end_supervision();
    }
}

/// exit_group(2) in a task, whose channel it ends.
#[napi]
pub fn exit_task(task: Id, code: i32) -> Result<()> {
    let channel = tables::task(task).or_throw()?;
    let mut sequence = Sequence::default();
    sequence.step(linux::calls::process::exit_group(code));
    channel.submit(sequence, Vec::new(), Box::new(|_| {})); // to that there is no reply
    Ok(())
}
