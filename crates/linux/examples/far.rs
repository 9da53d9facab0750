//! Measures a task without Node, for `npm run bench`, and prints the nanoseconds for each operation.
//!
//! `far call COUNT` is one getppid(2) in a task, `far batch COUNT CALLS` a sequence of CALLS of them. `far caps COUNT` is a sequence of
//! the calls that `dropCapabilities` makes, in a task that keeps CAP_SETPCAP.

mod timing;

use nearfar_linux::calls::{caps, credentials, prctl};
use nearfar_linux::sequence::list::Sequence;
use nearfar_linux::target::capability_sets;
use nearfar_linux::task::clone::{self, CloneOptions, Cloned};
use std::hint::black_box;
use std::sync::mpsc;
use timing::each;

/// The number of CAP_SETPCAP.
const SETPCAP: u32 = 8;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse().ok());
    let nanoseconds = match (args.first().map(String::as_str), number(1), number(2)) {
        (Some("call"), Some(count), _) => {
            let task = task();
            each(count, || {
                black_box(task.channel.call(credentials::getppid()).expect("the task lives"));
            })
        }
        (Some("batch"), Some(count), Some(calls)) => {
            let task = task();
            each(count, || {
                let mut sequence = Sequence::default();
                for _ in 0..calls {
                    sequence.step(credentials::getppid());
                }
                let (reply, _) = task.channel.run(&sequence, &[]).expect("the task lives");
                assert!(reply.answer(calls - 1).is_some(), "all calls are made");
            })
        }
        (Some("caps"), Some(count), _) => {
            let task = task();
            let all = capability_sets::last().expect("the kernel has capabilities");
            each(count, || {
                let mut sequence = Sequence::default();
                for capability in (0..=all).filter(|capability| *capability != SETPCAP) {
                    sequence.step(caps::drop_bounding(capability));
                }
                sequence.step(caps::clear_ambient());
                sequence.step(caps::capset(0, [1 << SETPCAP, 1 << SETPCAP, 0]));
                sequence.step(caps::capget(0));
                sequence.step(prctl::get_no_new_privs());
                for capability in 0..=all {
                    sequence.step(caps::read_bounding(capability));
                }
                for capability in 0..=all {
                    sequence.step(caps::is_ambient(capability));
                }
                let (reply, _) = task.channel.run(&sequence, &[]).expect("the task lives");
                assert!(reply.answer(sequence.len() - 1).is_some(), "all calls are made");
            })
        }
        _ => {
            eprintln!("usage: far call COUNT | far batch COUNT CALLS | far caps COUNT");
            std::process::exit(2);
        }
    };
    println!("{nanoseconds}");
}

fn task() -> Cloned {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |cloned| sender.send(cloned).expect("the receiver waits"));
    clone::clone(&CloneOptions::default(), Box::new(|_| {}), done).expect("a task can be asked for");
    receiver.recv().expect("the clone is reported").expect("a task can be cloned")
}
