//! execve(2) in a task: the task becomes a program.

mod attempt;
mod interpreter;
mod refused;

pub(crate) use self::attempt::Attempt;

use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::task::channel::Channel;
use std::sync::Arc;

/// A program to execute.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The paths to try, in this order. Empty: the descriptor `fd` is executed.
    pub paths: Vec<Vec<u8>>,
    /// The name that is looked up, when the paths are those of the folders of `PATH`.
    pub name: Option<Vec<u8>>,
    /// True when `PATH` is not set, and the paths are those of the folders that execvp(3) searches then.
    pub default_path: bool,
    /// A descriptor of the task, open on an executable file.
    pub fd: i32,
    /// The arguments of the program, with argv\[0\].
    pub argv: Vec<Vec<u8>>,
    /// The environment of the program: `NAME=value` strings, with a NUL after each of them.
    pub envp: Vec<u8>,
    /// The signal that the program gets when this process dies; 0: none.
    pub death_signal: i32,
    /// The descriptors of the task that stay open in the program.
    pub keep: Vec<i32>,
    /// True when the task may ignore or handle signals, so that all have to be reset.
    pub reset_signals: bool,
    /// The pid of the task's parent in the task's pid namespace, checked together with a death signal; 0: the parent is
    /// in another namespace, and its pid is not known.
    pub parent: i32,
    /// The death signal of the task, which is set again when the exec is refused; 0: none.
    pub task_death_signal: i32,
    /// The filters that the task installs as its last calls before execve(2), each a program of classic BPF.
    pub filters: Vec<Vec<u8>>,
}

/// Executes a program in a task, and blocks until it has begun or was refused. `Ok` means that the program has begun,
/// and may have ended since. After a refusal the task is as before, except that all its descriptors from 3 up are
/// close-on-exec, and that it has the filters, which nothing takes away.
pub fn exec(task: &Arc<Channel>, exec: &Exec) -> Result<()> {
    let mut sequence = Sequence::default();
    let attempt = Attempt::add(&mut sequence, exec);
    match task.run(&sequence, &[]) {
        Err(Failure::Executed) => Ok(()),
        ran => {
            let (reply, _) = ran?;
            if let Some(undo) = attempt.missing_undo(&reply) {
                task.run(&undo, &[])?;
            }
            Err(attempt.refused(&sequence, &reply).look(task).without_step())
        }
    }
}
