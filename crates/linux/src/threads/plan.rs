//! What every thread does: the calls, and the memory that the kernel reads for them.

use super::raw;
use crate::call::Request;
use crate::error::{Failure, Refusal, Result};
use crate::wire::Policy;
use nix::errno::Errno;

/// Calls that each thread makes. The memory of their inputs stays where it is as long as the plan lives.
#[derive(Debug)]
pub(super) struct Plan {
    calls: Vec<PlannedCall>,
    /// True when one of the calls clears the death signal of the thread. Each thread then sets the signal again.
    clears_death_signal: bool,
}

#[derive(Debug)]
struct PlannedCall {
    request: Request,
    args: [u64; 6],
}

/// A call that the kernel has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The index of the call in the plan; [`Plan::DEATH_SIGNAL`]: the call that saves or sets the death signal.
    pub step: u32,
    /// The error number.
    pub errno: i32,
}

impl Plan {
    pub(super) const DEATH_SIGNAL: u32 = u32::MAX;

    pub(super) fn new(requests: Vec<Request>) -> Result<Self> {
        let clears_death_signal = requests.iter().any(|request| request.clears_death_signal);
        let calls = requests.into_iter().map(PlannedCall::new).collect::<Result<_>>()?;
        Ok(Plan { calls, clears_death_signal })
    }

    /// Returns how many calls there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns how many groups a thread can have afterwards that it had not before.
    pub(super) fn most_groups(&self) -> usize {
        self.calls.iter().map(|call| call.request.input.len() / size_of::<u32>()).sum()
    }

    /// Makes the calls in the calling thread, and passes the index and the result of each to `report`. Allocates nothing, and
    /// leaves `errno` alone.
    pub(super) fn perform(&self, mut report: impl FnMut(usize, i64)) -> std::result::Result<(), Refused> {
        let death_signal = if self.clears_death_signal { Some(death_signal()?) } else { None };
        for (step, PlannedCall { request, args }) in self.calls.iter().enumerate() {
            // SAFETY: an address among the arguments lies in the input of `request`, which `self` owns and nothing changes. The
            // kernel only reads it.
            let result = unsafe { raw::syscall(request.nr as i64, *args) };
            if result < 0 && request.policy != Policy::GoOn {
                return Err(Refused { step: step as u32, errno: -result as i32 });
            }
            report(step, result);
        }
        death_signal.map_or(Ok(()), set_death_signal)
    }

    /// Returns the name of a call.
    pub(super) fn name(&self, step: u32) -> &'static str {
        self.calls.get(step as usize).map_or("prctl", |call| call.request.name)
    }

    /// Returns the failure for a call that the kernel has refused before any thread was changed.
    pub(super) fn failure(&self, refused: Refused) -> Failure {
        match self.calls.get(refused.step as usize) {
            Some(call) => call.request.refusal(refused.errno, None),
            None => Failure::Refused(Refusal::new("prctl", refused.errno)),
        }
    }
}

/// Adds to a failure of a call that no thread was changed. For a thread that cannot be started, JavaScript says which limit is
/// reached.
pub(super) fn say_unchanged(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(refusal) if (refusal.syscall, refusal.errno) != ("clone", Errno::EAGAIN) => {
            let words = refusal.words.unwrap_or_else(|| refusal.errno.desc().to_lowercase().into());
            let words = Some(format!("{words}, and every thread of this process is as it was").into());
            Failure::Refused(Refusal { words, ..refusal })
        }
        other => other,
    }
}

impl PlannedCall {
    fn new(mut request: Request) -> Result<Self> {
        if request.out_length() > 0 || !request.pointers.is_empty() {
            return Err(Failure::Internal("a call for every thread writes memory, or has addresses in its memory"));
        }
        if request.lacks_memory {
            return Err(request.refusal(libc::ENOMEM, None));
        }
        let args = request.near_args();
        Ok(PlannedCall { request, args })
    }
}

fn death_signal() -> std::result::Result<i32, Refused> {
    let mut signal = 0i32;
    let args = [libc::PR_GET_PDEATHSIG as u64, (&raw mut signal) as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes an `int` to `signal`, which lives in this frame.
    let result = unsafe { raw::syscall(libc::SYS_prctl, args) };
    refuse(result).map(|()| signal)
}

fn set_death_signal(signal: i32) -> std::result::Result<(), Refused> {
    refuse(raw::numbers(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as u64, signal as u64, 0, 0]))
}

fn refuse(result: i64) -> std::result::Result<(), Refused> {
    if result < 0 {
        return Err(Refused { step: Plan::DEATH_SIGNAL, errno: -result as i32 });
    }
    Ok(())
}
