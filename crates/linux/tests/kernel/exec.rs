//! execve(2) in a task: the task becomes a program, or stays as it was.

use crate::task::{end, program, refusal, Task};
use nearfar_linux::calls::credentials;
use nearfar_linux::error::Failure;
use nearfar_linux::task::clone::CloneOptions;
use nearfar_linux::task::exec::{self, Exec};
use nearfar_linux::task::transfer;
use nix::errno::Errno;
use nix::unistd::pipe;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;

fn exited(code: i32) -> (i32, i32) {
    (libc::CLD_EXITED, code)
}

#[test]
fn exec_runs_the_program_with_its_environment_and_kept_descriptors() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let channel = &task.cloned.channel;
    let (read, write) = pipe().unwrap();
    let there = transfer::put(channel, write.as_raw_fd(), None, true).unwrap();
    let hidden = transfer::put(channel, read.as_raw_fd(), None, false).unwrap();
    drop(write);
    let script = format!("echo $GREETING >&{there}; (: <&{hidden}) 2>/dev/null && exit 1; exit 42");
    let mut exec = program(&["sh", "-c", &script]);
    exec.paths = ["/nothing/sh", "/bin/sh"].map(|path| path.into()).to_vec();
    exec.keep = vec![there];
    exec::exec(channel, &exec).unwrap();
    assert_eq!(end(&task.death()), exited(42));
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello\n");
    assert_eq!(task.call(credentials::getpid()), Err(Failure::Gone));
    assert_eq!(exec::exec(channel, &program(&["/bin/true"])), Err(Failure::Gone));
}

#[test]
fn exec_runs_the_file_behind_a_descriptor() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let shell = File::open("/bin/sh").unwrap();
    let fd = transfer::put(&task.cloned.channel, shell.as_raw_fd(), None, true).unwrap();
    let exec = Exec { paths: vec![], fd, ..program(&["sh", "-c", "exit 9"]) };
    exec::exec(&task.cloned.channel, &exec).unwrap();
    assert_eq!(end(&task.death()), exited(9));
}

#[test]
fn a_refused_exec_leaves_the_task_as_it_was() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let channel = &task.cloned.channel;
    let refused = |paths: &[&str]| {
        let paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        exec::exec(channel, &Exec { paths, ..program(&["sh"]) }).unwrap_err()
    };
    assert_eq!(refused(&["/nothing/here"]), refusal("execve", Errno::ENOENT, Some("/nothing/here")));
    assert_eq!(refused(&["/etc/passwd/x"]), refusal("execve", Errno::ENOTDIR, Some("/etc/passwd/x")));
    // execvp(3) reports EACCES of a file that exists rather than ENOENT of another path.
    assert_eq!(refused(&["/nothing", "/etc/passwd"]), refusal("execve", Errno::EACCES, Some("/etc/passwd")));
    let no_program = Exec { paths: vec![], fd: 0, ..program(&["sh"]) };
    assert!(
        matches!(exec::exec(channel, &no_program), Err(Failure::Refused(refusal)) if refusal.syscall == "execveat")
    );
    let no_descriptor = Exec { keep: vec![1234], ..program(&["/bin/sh"]) };
    assert_eq!(exec::exec(channel, &no_descriptor).unwrap_err(), refusal("fcntl", Errno::EBADF, None));
    assert_eq!(task.call(nearfar_linux::calls::prctl::get_death_signal()), Ok(libc::SIGKILL));
    exec::exec(channel, &program(&["/bin/sh", "-c", "exit 3"])).unwrap();
    assert_eq!(end(&task.death()), exited(3));
}

#[test]
fn a_task_that_is_killed_before_it_executes_is_gone_also_after_a_refusal() {
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let channel = task.cloned.channel.clone();
    assert!(exec::exec(&channel, &program(&["/nothing/here"])).is_err());
    task.cloned.child.signal(libc::SIGSTOP).unwrap();
    let executing = std::thread::spawn(move || exec::exec(&channel, &program(&["/bin/true"])));
    task.cloned.child.signal(libc::SIGKILL).unwrap();
    assert_eq!(executing.join().unwrap(), Err(Failure::Gone));
}
