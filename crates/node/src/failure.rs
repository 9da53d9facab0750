//! Failures as JavaScript gets them.

use linux::error::{Detail, Failure, Refusal, ThreadInTheWay, Unchanged};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

/// Everything that core's `errors.ts` needs to make an error.
#[napi(object)]
pub struct FailureData {
    /// "refused", "gone", "batch", "sealed", "multithreaded", "unchanged", "threads", "broken" or "internal".
    pub kind: String,
    /// "EPERM"; for "unchanged" the code of core's error.
    pub code: Option<String>,
    /// Positive, as the kernel counts; for "threads" the number of threads, and `number` the most there may be.
    pub errno: Option<i32>,
    /// What went wrong, in words.
    pub message: Option<String>,
    /// The description of an error in place of Node's.
    pub words: Option<String>,
    /// The call's name.
    pub syscall: Option<String>,
    /// First path.
    pub path: Option<Buffer>,
    /// Second path.
    pub dest: Option<Buffer>,
    /// Which call of a batch.
    pub step: Option<u32>,
    /// The descriptor that the call was about.
    pub fd: Option<i32>,
    /// The number among the arguments that says what the call was about: the option of prctl(2), the resource of a limit.
    pub number: Option<i64>,
    /// The file system that the call was about.
    pub fstype: Option<Buffer>,
    /// The options of that file system.
    pub data: Option<Buffer>,
    /// The parameter of a file system context.
    pub key: Option<Buffer>,
    /// The messages of this context.
    pub log: Vec<Buffer>,
    /// The thread of this process that is in the way.
    pub thread: Option<ThreadData>,
}

/// A thread of this process.
#[napi(object)]
pub struct ThreadData {
    /// The id of the thread.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// Its state; empty: unknown.
    pub state: String,
}

impl From<Failure> for FailureData {
    fn from(failure: Failure) -> Self {
        let plain = |kind: &str| FailureData {
            kind: kind.into(),
            code: None,
            errno: None,
            message: None,
            words: None,
            syscall: None,
            path: None,
            dest: None,
            step: None,
            fd: None,
            number: None,
            fstype: None,
            data: None,
            key: None,
            log: Vec::new(),
            thread: None,
        };
        match failure {
            Failure::Gone | Failure::Executed => plain("gone"),
            Failure::Batch(name, number) => FailureData { syscall: Some(name.into()), number, ..plain("batch") },
            Failure::Sealed(name) => FailureData { syscall: Some(name.into()), ..plain("sealed") },
            Failure::Multithreaded(name, number) => {
                FailureData { syscall: Some(name.into()), number, ..plain("multithreaded") }
            }
            Failure::Unchanged(unchanged) => {
                let Unchanged { code, words, thread } = *unchanged;
                let thread = thread.map(|ThreadInTheWay { tid, name, state }| ThreadData { tid, name, state });
                FailureData { code: Some(code.into()), words: Some(words), thread, ..plain("unchanged") }
            }
            Failure::TooManyThreads { count, most } => {
                FailureData { errno: Some(count as i32), number: Some(most as i64), ..plain("threads") }
            }
            Failure::Broken(message) => FailureData { message: Some(message), ..plain("broken") },
            Failure::Internal(message) => FailureData { message: Some(message.into()), ..plain("internal") },
            Failure::Refused(Refusal { syscall, errno, nameless, path, dest, step, words, detail }) => {
                let Detail { fd, number, fstype, data, key, log } = detail.map(|detail| *detail).unwrap_or_default();
                FailureData {
                    code: Some(format!("{errno:?}")),
                    errno: Some(nameless.unwrap_or(errno as i32)),
                    message: Some(errno.desc().into()),
                    syscall: Some(syscall.into()),
                    path: path.map(Buffer::from),
                    dest: dest.map(Buffer::from),
                    step,
                    words: words.map(String::from),
                    fd,
                    number,
                    fstype: fstype.map(Buffer::from),
                    data: data.map(Buffer::from),
                    key: key.map(Buffer::from),
                    log: log.into_iter().map(Buffer::from).collect(),
                    ..plain("refused")
                }
            }
        }
    }
}
