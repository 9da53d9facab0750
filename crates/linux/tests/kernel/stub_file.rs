//! Where the stub is executed from: a memfd, or its file if the host forbids that.

use crate::alone::{alone, alone_after, new_pid_namespace};
use crate::forbid::forbid;
use crate::task::{end, program, Task};
use nearfar_linux::call::Call;
use nearfar_linux::calls::credentials;
use nearfar_linux::task::clone::CloneOptions;
use nearfar_linux::task::exec;
use nearfar_linux::task::stub;
use std::os::fd::AsRawFd;

/// Asserts that a task was executed from the stub's file: the link to its executable has a path.
fn starts_from_its_file() {
    let file = concat!(env!("OUT_DIR"), "/nearfar-stub");
    stub::set_file(file.into());
    let task = Task::clone(&CloneOptions::default()).unwrap();
    assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
    let image = std::fs::read_link(format!("/proc/{}/exe", seen_here(&task))).unwrap();
    assert_eq!(image, std::fs::canonicalize(file).unwrap());
    // A long sequence needs a memfd too, but one that is not executed.
    let long = Call::new("getrandom", libc::SYS_getrandom).output(1 << 20).number(1 << 20).number(0);
    assert_eq!(task.call(long.value(|answer| answer.result)), Ok(1 << 20));
    exec::exec(&task.cloned.channel, &program(&["/bin/sh", "-c", "exit 8"])).unwrap();
    assert_eq!(end(&task.death()), (libc::CLD_EXITED, 8));
}

/// Returns the pid of a task as /proc has it. The mounted /proc may show another pid namespace.
fn seen_here(task: &Task) -> i32 {
    let pidfd = task.cloned.child.pidfd().unwrap().unwrap();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok()).unwrap()
}

#[test]
fn a_stub_starts_from_a_memfd_where_it_may() {
    alone("stub_file::a_stub_starts_from_a_memfd_where_it_may", || {
        stub::set_file("/nothing/here".into());
        let task = Task::clone(&CloneOptions::default()).unwrap();
        let image = std::fs::read_link(format!("/proc/{}/exe", task.pid())).unwrap();
        assert_eq!(image.to_str(), Some("/memfd:nearfar (deleted)"));
    });
}

#[test]
fn a_filter_that_refuses_executable_memfds_makes_the_stub_start_from_its_file() {
    alone("stub_file::a_filter_that_refuses_executable_memfds_makes_the_stub_start_from_its_file", || {
        // Refuses MFD_EXEC with EACCES, as vm.memfd_noexec=2 does. A seccomp filter needs no privilege.
        let flags = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 24 };
        let has_exec = libc::sock_filter { code: 0x45, jt: 0, jf: 1, k: 0x10 };
        forbid(libc::SYS_memfd_create, libc::EACCES, &[flags, has_exec]);
        starts_from_its_file();
    });
}

#[test]
fn a_filter_that_refuses_to_execute_descriptors_makes_the_stub_start_from_its_file() {
    alone("stub_file::a_filter_that_refuses_to_execute_descriptors_makes_the_stub_start_from_its_file", || {
        forbid(libc::SYS_execveat, libc::EACCES, &[]);
        starts_from_its_file();
    });
}

#[test]
#[ignore = "needs root: the sysctl of a pid namespace belongs to it"]
fn a_host_that_refuses_executable_memfds_makes_the_stub_start_from_its_file() {
    alone_after(
        "stub_file::a_host_that_refuses_executable_memfds_makes_the_stub_start_from_its_file",
        new_pid_namespace,
        || {
            assert_eq!(std::process::id(), 1);
            std::fs::write("/proc/sys/vm/memfd_noexec", "2").unwrap();
            starts_from_its_file();
        },
    );
}
