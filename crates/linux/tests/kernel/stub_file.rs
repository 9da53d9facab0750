//! Where the stub is started from: memory, or its file where the host forbids that.

use crate::alone::{alone, alone_after};
use crate::forbid::forbid;
use crate::task::{end, program, Task};
use nearfar_linux::call::Call;
use nearfar_linux::calls::credentials;
use nearfar_linux::task::clone::CloneOptions;
use nearfar_linux::task::exec;
use nearfar_linux::task::stub;
use nix::errno::Errno;
use std::os::fd::AsRawFd;

/// That a task comes from the stub's file: its executable has a path.
fn starts_from_its_file() {
    let file = concat!(env!("OUT_DIR"), "/nearfar-stub");
    stub::set_file(file.into());
    let task = Task::clone(&CloneOptions::default()).unwrap();
    assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
    let image = std::fs::read_link(format!("/proc/{}/exe", seen_here(&task))).unwrap();
    assert_eq!(image, std::fs::canonicalize(file).unwrap());
    // Long messages need memfds that are not run.
    let long = Call::new("getrandom", libc::SYS_getrandom).output(1 << 20).number(1 << 20).number(0);
    assert_eq!(task.call(long.value(|answer| answer.result)), Ok(1 << 20));
    exec::exec(&task.cloned.channel, &program(&["/bin/sh", "-c", "exit 8"])).unwrap();
    assert_eq!(end(&task.death()), (libc::CLD_EXITED, 8));
}

/// A task's pid as /proc has it, which may be that of another pid namespace.
fn seen_here(task: &Task) -> i32 {
    let pidfd = task.cloned.child.pidfd().unwrap().unwrap();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok()).unwrap()
}

#[test]
fn a_stub_that_may_run_from_memory_does() {
    alone("stub_file::a_stub_that_may_run_from_memory_does", || {
        stub::set_file("/nothing/here".into());
        let task = Task::clone(&CloneOptions::default()).unwrap();
        let image = std::fs::read_link(format!("/proc/{}/exe", task.pid())).unwrap();
        assert_eq!(image.to_str(), Some("/memfd:nearfar (deleted)"));
    });
}

#[test]
fn a_filter_that_forbids_memfds_that_run_is_got_round() {
    alone("stub_file::a_filter_that_forbids_memfds_that_run_is_got_round", || {
        // As vm.memfd_noexec=2 does: EACCES where the flags have MFD_EXEC. It also needs no privilege.
        let flags = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 24 };
        let has_exec = libc::sock_filter { code: 0x45, jt: 0, jf: 1, k: 0x10 };
        forbid(libc::SYS_memfd_create, libc::EACCES, &[flags, has_exec]);
        starts_from_its_file();
    });
}

#[test]
#[ignore = "needs root: the sysctl of a pid namespace belongs to it"]
fn a_host_that_forbids_memfds_that_run_is_got_round() {
    fn new_pid_namespace() {
        // SAFETY: takes a number; only children of this process will see a difference.
        Errno::result(unsafe { libc::unshare(libc::CLONE_NEWPID) }).unwrap();
    }
    alone_after("stub_file::a_host_that_forbids_memfds_that_run_is_got_round", new_pid_namespace, || {
        assert_eq!(std::process::id(), 1);
        std::fs::write("/proc/sys/vm/memfd_noexec", "2").unwrap();
        starts_from_its_file();
    });
}
