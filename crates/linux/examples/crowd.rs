//! Processes to wait for, for `npm run bench`: `crowd COUNT` starts as many that do nothing, and writes their pids in a
//! line. The program then obeys its standard input: `end K` kills and reaps the K oldest, `fill` starts as many as are missing and
//! writes their pids in a line. At the end of the input all end.

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{kill, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{fork, pause, ForkResult, Pid};
use std::collections::VecDeque;

fn main() {
    let Some(count) = std::env::args().nth(1).and_then(|arg| arg.parse().ok()) else {
        eprintln!("usage: crowd COUNT");
        std::process::exit(2);
    };
    let mut crowd = VecDeque::new();
    fill(&mut crowd, count);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("end", many)) => end(&mut crowd, many.parse().expect("a number follows")),
            _ => fill(&mut crowd, count),
        }
    }
    end(&mut crowd, count);
}

fn fill(crowd: &mut VecDeque<Pid>, count: usize) {
    let mut pids = String::new();
    while crowd.len() < count {
        let pid = start();
        pids.push_str(&format!("{pid} "));
        crowd.push_back(pid);
    }
    println!("{pids}");
}

fn start() -> Pid {
    // SAFETY: there is no other thread whose locks the child could miss.
    match unsafe { fork() }.expect("a process can be made") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            set_pdeathsig(Signal::SIGKILL).expect("a signal is one");
            loop {
                pause();
            }
        }
    }
}

fn end(crowd: &mut VecDeque<Pid>, many: usize) {
    let ending: Vec<Pid> = crowd.drain(..many.min(crowd.len())).collect();
    for pid in &ending {
        kill(*pid, Signal::SIGKILL).expect("a child can be killed");
    }
    for pid in &ending {
        waitpid(*pid, None).expect("a child can be waited for");
    }
}
