//! Where the stub is executed from: a memfd, or its file if the host forbids that.

use crate::alone::{alone, alone_after, new_pid_namespace};
use crate::forbid::forbid;
use crate::task::{end, program, Task};
use nearfar_linux::call::Call;
use nearfar_linux::calls::credentials;
use nearfar_linux::error::Failure;
use nearfar_linux::task::clone::CloneOptions;
use nearfar_linux::task::exec;
use nearfar_linux::task::stub;
use nix::errno::Errno;
use std::fs::Permissions;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

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

/// Asserts that a task was executed from a memfd.
fn starts_from_a_memfd() {
    stub::set_file("/nothing/here".into());
    let task = Task::clone(&CloneOptions::default()).unwrap();
    let image = std::fs::read_link(format!("/proc/{}/exe", task.pid())).unwrap();
    assert_eq!(image.to_str(), Some("/memfd:nearfar (deleted)"));
}

#[test]
fn a_stub_starts_from_a_memfd_where_it_may() {
    alone("stub_file::a_stub_starts_from_a_memfd_where_it_may", starts_from_a_memfd);
}

#[test]
fn before_linux_6_3_a_stub_starts_from_a_memfd_without_a_flag() {
    alone("stub_file::before_linux_6_3_a_stub_starts_from_a_memfd_without_a_flag", || {
        refuse_executable_memfds(libc::EINVAL);
        starts_from_a_memfd();
    });
}

#[test]
fn a_filter_that_refuses_executable_memfds_makes_the_stub_start_from_its_file() {
    alone("stub_file::a_filter_that_refuses_executable_memfds_makes_the_stub_start_from_its_file", || {
        forbid_executable_memfds();
        starts_from_its_file();
    });
}

/// Has MFD_EXEC refused with EACCES, as vm.memfd_noexec=2 does.
fn forbid_executable_memfds() {
    refuse_executable_memfds(libc::EACCES);
}

/// Has MFD_EXEC refused. A seccomp filter needs no privilege.
fn refuse_executable_memfds(errno: i32) {
    let flags = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 24 };
    let has_exec = libc::sock_filter { code: 0x45, jt: 0, jf: 1, k: 0x10 };
    forbid(libc::SYS_memfd_create, errno, &[flags, has_exec]);
}

#[test]
fn a_stub_file_that_cannot_be_used_is_refused_with_its_path() {
    alone("stub_file::a_stub_file_that_cannot_be_used_is_refused_with_its_path", || {
        forbid_executable_memfds();
        let path = std::env::temp_dir().join(format!("nearfar-stub-{}", std::process::id()));
        let bytes = std::fs::read(concat!(env!("OUT_DIR"), "/nearfar-stub")).unwrap();
        let longer = [&bytes[..], &[0]].concat();
        let damages: [(Option<&[u8]>, u32, &str, Errno); 5] = [
            (None, 0, "open", Errno::ENOENT),
            (Some(&bytes[..100]), 0o755, "execve", Errno::ENOEXEC),
            (Some(&longer), 0o755, "execve", Errno::ENOEXEC),
            (Some(b"#!/bin/sh\n"), 0o755, "execve", Errno::ENOEXEC),
            (Some(&bytes), 0o644, "execve", Errno::EACCES),
        ];
        stub::set_file(path.clone());
        for (content, mode, syscall, errno) in damages {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
                std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            let Err(Failure::Refused(refusal)) = Task::clone(&CloneOptions::default()) else { panic!("it starts") };
            assert_eq!((refusal.syscall, refusal.errno), (syscall, errno));
            assert_eq!(refusal.path.as_deref(), Some(path.as_os_str().as_bytes()));
        }
        std::fs::remove_file(&path).unwrap();
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
