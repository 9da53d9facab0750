//! Tests that change their process: this test program again, for one test and with one thread.

use nix::errno::Errno;
use std::process::{Command, Output};

const MARK: &str = "NEARFAR_TEST_ALONE";

/// Runs `body` in a process of its own; `test` is the name of the test that asks, with its module.
pub fn alone(test: &str, body: fn()) {
    alone_after(test, || {}, body);
}

/// The same, after `before` in the process that starts it: for what only children get, as a new pid namespace.
pub fn alone_after(test: &str, before: fn(), body: fn()) {
    match std::env::var(MARK).as_deref() {
        Ok("body") => body(),
        Ok(_) => {
            before();
            passed(&again(test, "body"));
        }
        Err(_) => passed(&again(test, "before")),
    }
}

/// Puts the next children of this process into a new pid namespace. The mounted `/proc` stays that of the outer one.
pub fn new_pid_namespace() {
    // SAFETY: unshare(2) takes a number. With CLONE_NEWPID it changes nothing for this process, only for its children.
    Errno::result(unsafe { libc::unshare(libc::CLONE_NEWPID) }).unwrap();
}

fn again(test: &str, mark: &str) -> Output {
    let program = std::env::current_exe().expect("the test program is still there");
    // With one thread libtest runs the test on the main one, and there is no other.
    Command::new(program)
        .args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(MARK, mark)
        .output()
        .expect("the test program starts")
}

fn passed(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", output.status);
}
