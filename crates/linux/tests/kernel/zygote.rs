//! The zygote: replaced when this process has changed, and its clones on a host that forbids clone3(2).

use crate::alone::{alone, alone_after};
use crate::forbid::{forbid, kill_stubs};
use crate::task::{program, refusal, Task};
use nearfar_linux::call::Call;
use nearfar_linux::calls::credentials;
use nearfar_linux::error::{Failure, Refusal};
use nearfar_linux::task::clone::{CloneOptions, OwnMap};
use nearfar_linux::task::exec;
use nearfar_linux::task::zygote;
use nix::errno::Errno;
use nix::sched::{unshare, CloneFlags};
use nix::sys::resource::{getrlimit, setrlimit, Resource};
use std::fs::File;
use std::os::fd::AsRawFd;

const SELF: &str = "/proc/self/limits";

fn own_limit(task: &Task) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", task.pid())).unwrap();
    limits.lines().find(|line| line.starts_with("Max core")).unwrap().to_string()
}

#[test]
fn a_zygote_is_replaced_when_limits_change() {
    alone("zygote::a_zygote_is_replaced_when_limits_change", || {
        assert_eq!(zygote::last_pid(), 0);
        let first = Task::clone(&CloneOptions::default()).unwrap();
        let before = zygote::last_pid();
        let same = Task::clone(&CloneOptions::default()).unwrap();
        assert!(before > 0 && zygote::last_pid() == before);
        let (soft, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
        setrlimit(Resource::RLIMIT_CORE, if soft == 0 { hard.min(4096) } else { 0 }, hard.min(8192)).unwrap();
        let changed = Task::clone(&CloneOptions::default()).unwrap();
        assert_ne!(zygote::last_pid(), before);
        let now = std::fs::read_to_string(SELF).unwrap();
        assert!(now.contains(&own_limit(&changed)) && own_limit(&changed) != own_limit(&same));
        // The tasks of the former zygote live on.
        for task in [&first, &same] {
            assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
            task.cloned.child.signal(libc::SIGKILL).unwrap();
            task.death();
        }
        assert_eq!(changed.call(credentials::getppid()), Ok(std::process::id()));
    });
}

/// A file of `/proc` that was not opened for want of descriptors would hide all later changes.
#[test]
fn a_zygote_is_replaced_when_the_first_clone_had_no_descriptors() {
    alone("zygote::a_zygote_is_replaced_when_the_first_clone_had_no_descriptors", || {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        assert_eq!(Task::clone(&CloneOptions::default()).err(), Some(refusal("open", Errno::EMFILE, None)));
        drop(all);
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        is_replaced_by(raise_oom_score);
    });
}

/// The numbers in an outer `/proc` are not this process's, but `/proc/self` and `/proc/thread-self` lead to it.
#[test]
#[ignore = "needs root: makes namespaces"]
fn a_zygote_is_replaced_behind_a_proc_of_an_outer_pid_namespace() {
    alone_after(
        "zygote::a_zygote_is_replaced_behind_a_proc_of_an_outer_pid_namespace",
        || unshare(CloneFlags::CLONE_NEWPID).unwrap(),
        || {
            assert_eq!(std::process::id(), 1);
            is_replaced_by(raise_oom_score);
            is_replaced_by(|| unshare(CloneFlags::CLONE_NEWUTS).unwrap());
        },
    );
}

/// Asserts that the present zygote matches until this process is changed.
fn is_replaced_by(change: fn()) {
    let present = || {
        Task::clone(&CloneOptions::default()).unwrap();
        zygote::last_pid()
    };
    let before = present();
    assert_eq!(present(), before);
    change();
    assert_ne!(present(), before);
}

fn raise_oom_score() {
    let score: i32 = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap();
    std::fs::write("/proc/self/oom_score_adj", (score + 1).to_string()).unwrap();
}

/// The second filter changes the number of filters, but not the seccomp mode.
#[test]
fn a_zygote_is_replaced_when_a_seccomp_filter_is_added() {
    alone("zygote::a_zygote_is_replaced_when_a_seccomp_filter_is_added", || {
        let umask = |task: &Task| task.call(Call::new("umask", libc::SYS_umask).number(0o22));
        forbid(libc::SYS_acct, libc::EPERM, &[]);
        assert_eq!(umask(&Task::clone(&CloneOptions::default()).unwrap()), Ok(()));
        forbid(libc::SYS_umask, libc::EPERM, &[]);
        let refused = umask(&Task::clone(&CloneOptions::default()).unwrap());
        assert_eq!(refused, Err(refusal("umask", Errno::EPERM, None)));
    });
}

#[test]
fn a_zygote_that_died_is_replaced() {
    alone("zygote::a_zygote_that_died_is_replaced", || {
        let first = Task::clone(&CloneOptions::default()).unwrap();
        let before = zygote::last_pid();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(before), nix::sys::signal::Signal::SIGKILL).unwrap();
        while std::path::Path::new(&format!("/proc/{before}")).exists() {
            std::thread::yield_now();
        }
        let second = Task::clone(&CloneOptions::default()).unwrap();
        assert_ne!(zygote::last_pid(), before);
        for task in [first, second] {
            assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
        }
    });
}

#[test]
fn without_clone3_tasks_are_cloned_by_clone() {
    alone("zygote::without_clone3_tasks_are_cloned_by_clone", || {
        forbid(libc::SYS_clone3, libc::ENOSYS, &[]);
        let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWPID) as u64;
        let options = CloneOptions { flags, map: Some(OwnMap::Root), ..CloneOptions::default() };
        let task = Task::clone(&options).unwrap();
        assert_eq!((task.call(credentials::getpid()), task.call(credentials::getuid())), (Ok(1), Ok(0)));
        assert_eq!(task.child(&options).unwrap().call(credentials::getppid()), Ok(0));
        let plain = Task::clone(&CloneOptions::default()).unwrap();
        assert_eq!(plain.call(credentials::getpid()), Ok(plain.pid() as u32));
        exec::exec(&plain.cloned.channel, &program(&["/bin/sh", "-c", "exit 6"])).unwrap();
        assert_eq!(plain.death().state.status, 6);
        let root = File::open("/").unwrap();
        let only_clone3 = [
            CloneOptions { flags: 0x80 /* CLONE_NEWTIME */, ..CloneOptions::default() },
            CloneOptions { cgroup: Some(root.as_raw_fd()), ..CloneOptions::default() },
            CloneOptions { set_tid: vec![4321], ..CloneOptions::default() },
        ];
        for options in only_clone3 {
            let Err(Failure::Refused(Refusal { syscall, errno, .. })) = Task::clone(&options) else {
                panic!("{options:?}")
            };
            assert_eq!((syscall, errno), ("clone3", Errno::ENOSYS), "{options:?}");
        }
        let again = Task::clone(&CloneOptions::default()).unwrap();
        assert_eq!(again.call(credentials::getppid()), Ok(std::process::id()));
    });
}

#[test]
fn a_filter_that_kills_callers_of_clone3_kills_no_task() {
    alone("zygote::a_filter_that_kills_callers_of_clone3_kills_no_task", || {
        kill_stubs(libc::SYS_clone3);
        let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWPID) as u64;
        let options = CloneOptions { flags, map: Some(OwnMap::Root), ..CloneOptions::default() };
        let task = Task::clone(&options).unwrap();
        let child = task.child(&CloneOptions::default()).unwrap();
        assert_eq!(child.call(credentials::getppid()), Ok(1));
        // A cgroup needs clone3(2), which kills the zygote. The clone is refused, and the next one has a new zygote.
        let root = File::open("/").unwrap();
        let refused = Task::clone(&CloneOptions { cgroup: Some(root.as_raw_fd()), ..CloneOptions::default() });
        assert!(refused.is_err());
        let again = Task::clone(&CloneOptions::default()).unwrap();
        assert_eq!(again.call(credentials::getppid()), Ok(std::process::id()));
        assert_eq!(child.call(credentials::getppid()), Ok(1));
    });
}
