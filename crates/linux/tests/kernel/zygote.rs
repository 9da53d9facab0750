//! The zygote: as this process is now, whatever it was, and on hosts that forbid what it would like best.

use crate::alone::{alone, alone_after};
use crate::channel::PATIENCE;
use crate::task::{program, Task};
use nearfar_linux::call::Call;
use nearfar_linux::error::{Failure, Refusal};
use nearfar_linux::task::{self, CloneOptions, OwnMap};
use nearfar_linux::{credentials, stub, zygote};
use nix::errno::Errno;
use nix::sys::resource::{getrlimit, setrlimit, Resource};
use std::fs::File;
use std::os::fd::AsRawFd;

const SELF: &str = "/proc/self/limits";

/// The system call `nr` is refused with `errno`, from now on and for ever: where, if at all, is up to `condition`, the
/// instructions that are run before the refusal and may jump over it.
fn forbid(nr: i64, errno: i32, condition: &[libc::sock_filter]) {
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    let load = |offset| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    let answer = |k| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k };
    let other = condition.len() as u8 + 1;
    let is = libc::sock_filter { code: 0x15, jt: 0, jf: other, k: nr as u32 };
    let refusal = libc::SECCOMP_RET_ERRNO | errno as u32;
    let mut filter = [&[load(0), is], condition, &[answer(refusal), answer(ALLOW)]].concat();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the kernel copies the filter, which lives until then.
    let set = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    assert_eq!(Errno::result(set), Ok(0));
}

fn own_limit(task: &Task) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", task.pid())).unwrap();
    limits.lines().find(|line| line.starts_with("Max core")).unwrap().to_string()
}

#[test]
fn a_zygote_is_replaced_when_limits_change() {
    alone("zygote::a_zygote_is_replaced_when_limits_change", || {
        assert_eq!(zygote::present_pid(), 0);
        let first = Task::clone(&CloneOptions::default()).unwrap();
        let before = zygote::present_pid();
        let same = Task::clone(&CloneOptions::default()).unwrap();
        assert!(before > 0 && zygote::present_pid() == before);
        let (soft, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
        setrlimit(Resource::RLIMIT_CORE, if soft == 0 { hard.min(4096) } else { 0 }, hard.min(8192)).unwrap();
        let changed = Task::clone(&CloneOptions::default()).unwrap();
        assert_ne!(zygote::present_pid(), before);
        let now = std::fs::read_to_string(SELF).unwrap();
        assert!(now.contains(&own_limit(&changed)) && own_limit(&changed) != own_limit(&same));
        // The tasks of the old one live on, as it does until the last of them has ended.
        for task in [&first, &same] {
            assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
            task.cloned.child.signal(libc::SIGKILL).unwrap();
            task.death();
        }
        assert_eq!(changed.call(credentials::getppid()), Ok(std::process::id()));
    });
}

#[test]
fn a_zygote_that_died_is_replaced() {
    alone("zygote::a_zygote_that_died_is_replaced", || {
        let first = Task::clone(&CloneOptions::default()).unwrap();
        let before = zygote::present_pid();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(before), nix::sys::signal::Signal::SIGKILL).unwrap();
        while std::path::Path::new(&format!("/proc/{before}")).exists() {
            std::thread::yield_now();
        }
        let second = Task::clone(&CloneOptions::default()).unwrap();
        assert_ne!(zygote::present_pid(), before);
        for task in [first, second] {
            assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
        }
    });
}

#[test]
fn without_clone3_tasks_are_cloned_all_the_same() {
    alone("zygote::without_clone3_tasks_are_cloned_all_the_same", || {
        forbid(libc::SYS_clone3, libc::ENOSYS, &[]);
        let flags = (libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWPID) as u64;
        let options = CloneOptions { flags, map: Some(OwnMap::Root), ..CloneOptions::default() };
        let task = Task::clone(&options).unwrap();
        assert_eq!((task.call(credentials::getpid()), task.call(credentials::getuid())), (Ok(1), Ok(0)));
        assert_eq!(task.child(&options).unwrap().call(credentials::getppid()), Ok(0));
        let plain = Task::clone(&CloneOptions::default()).unwrap();
        assert_eq!(plain.call(credentials::getpid()), Ok(plain.pid() as u32));
        task::exec(&plain.cloned.channel, &program(&["/bin/sh", "-c", "exit 6"])).unwrap();
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

/// That a task comes from the stub's file: its executable has a path.
fn starts_from_its_file() {
    let file = concat!(env!("OUT_DIR"), "/nearfar-stub");
    stub::set_file(file.into());
    let task = Task::clone(&CloneOptions::default()).unwrap();
    assert_eq!(task.call(credentials::getppid()), Ok(std::process::id()));
    let program = std::fs::read_link(format!("/proc/{}/exe", seen_here(&task))).unwrap();
    assert_eq!(program, std::fs::canonicalize(file).unwrap());
    // Long messages need memfds that are not run.
    let long = Call::new("getrandom", libc::SYS_getrandom).output(1 << 20).number(1 << 20).number(0);
    assert_eq!(task.call(long.value(|answer| answer.result)), Ok(1 << 20));
    task::exec(&task.cloned.channel, &nothing()).unwrap();
    let state = task.changes.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(state, nearfar_linux::child::Change::Death(death) if death.state.status == 8));
}

fn nothing() -> task::Exec {
    program(&["/bin/sh", "-c", "exit 8"])
}

/// A task's pid as /proc has it, which may be that of another pid namespace.
fn seen_here(task: &Task) -> i32 {
    let pidfd = task.cloned.child.pidfd().unwrap().unwrap();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok()).unwrap()
}

#[test]
fn a_stub_that_may_run_from_memory_does() {
    alone("zygote::a_stub_that_may_run_from_memory_does", || {
        stub::set_file("/nothing/here".into());
        let task = Task::clone(&CloneOptions::default()).unwrap();
        let program = std::fs::read_link(format!("/proc/{}/exe", task.pid())).unwrap();
        assert_eq!(program.to_str(), Some("/memfd:nearfar (deleted)"));
    });
}

#[test]
fn a_filter_that_forbids_memfds_that_run_is_got_round() {
    alone("zygote::a_filter_that_forbids_memfds_that_run_is_got_round", || {
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
    alone_after("zygote::a_host_that_forbids_memfds_that_run_is_got_round", new_pid_namespace, || {
        assert_eq!(std::process::id(), 1);
        std::fs::write("/proc/sys/vm/memfd_noexec", "2").unwrap();
        starts_from_its_file();
    });
}
