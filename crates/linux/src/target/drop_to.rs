//! Becoming another user: groups, group ids, user ids and capability sets of a target, in one message.

use crate::call::{Arg, Call};
use crate::calls::caps::{capget, capset, halves, is_ambient, raise_ambient};
use crate::calls::credentials::{
    getfsgid, getfsuid, getgroups, getgroups_count, getresgid, getresuid, setgroups, setresgid, setresuid,
};
use crate::calls::prctl::{get_keep_caps, set_keep_caps};
use crate::calls::stub::expect;
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::target::capability_sets::each;
use crate::target::{read_all, run_in_every_thread_if, take_readers, Target, CURRENT};
use crate::task::channel::Channel;
use crate::task::death_signal;
use nix::errno::Errno;
use std::sync::Arc;

/// The most groups that the kernel allows.
const MOST_GROUPS: u32 = 65_536;
const ON: Arg = Arg::Number(1);
const OFF: Arg = Arg::Number(0);

/// What a call has returned: one number, three ids or sets, or a list of groups.
type Words = Vec<u64>;

/// What a target becomes.
#[derive(Clone, Debug)]
pub struct User {
    /// The user id. With 0 the capability sets stay as they are.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The supplementary groups. `None`: they stay as they are.
    pub groups: Option<Vec<u32>>,
    /// The capabilities that are effective and permitted afterwards.
    pub keep: u64,
    /// True when these are also inheritable and ambient afterwards.
    pub ambient: bool,
}

/// What a target has become, as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The user ids: for file accesses, real, effective and saved.
    pub uids: Vec<u32>,
    /// The group ids in the same order.
    pub gids: Vec<u32>,
    /// The effective, permitted and inheritable set, and what of the kept capabilities is ambient.
    pub sets: Vec<u64>,
    /// The supplementary groups. Empty if they were to stay.
    pub groups: Vec<u32>,
    /// True when no thread of this process was changed, because the rehearsal has led to this.
    pub unchanged: bool,
}

/// Makes the current target a process of another user, and reads back what has become of it. In a batch nothing is read: `None`.
///
/// After a failure all threads of this process are as before. A task may have other groups and ids by then, but the flag
/// "keep capabilities" is as before.
pub fn drop_to(user: &User) -> Result<Option<Found>> {
    CURRENT.with_borrow_mut(|target| match target {
        Target::Near | Target::Thread(_) => Err(Failure::Multithreaded("setresuid", None)),
        Target::EveryThread(_) => {
            let changes = user.changes();
            let count = changes.len();
            let (calls, readers) = take_readers(changes.into_iter().chain(user.reads(MOST_GROUPS)).collect());
            let mut groups = user.groups.clone();
            groups.iter_mut().for_each(|groups| groups.sort_unstable());
            let found = run_in_every_thread_if(calls, &|status| user.agrees(groups.as_deref(), status))?;
            Ok(Some(match found {
                Ok(answers) => user.found(read_all(answers, readers)?.into_iter().skip(count).collect()),
                Err(status) => user.found_in(&status),
            }))
        }
        Target::Far(channel) => user.change_far(channel).map(Some),
        Target::Batch(batch) => batch
            .push_steps("setresuid", |sequence| {
                user.add_steps(sequence);
                Ok(())
            })
            .map(|()| None),
    })
}

impl User {
    /// The target keeps permitted capabilities when it leaves user 0.
    fn keeps(&self) -> bool {
        self.uid != 0 && self.keep != 0
    }

    fn inherited(&self) -> u64 {
        if self.ambient {
            self.keep
        } else {
            0
        }
    }

    /// Returns the calls that change all threads of this process. All of them are refused together, so nothing has to be undone.
    fn changes(&self) -> Vec<Call<Words>> {
        let keep_caps = |flag| self.keeps().then(|| set_keep_caps(flag));
        let ids = [setresgid(self.gid, self.gid, self.gid), setresuid(self.uid, self.uid, self.uid)];
        let calls = keep_caps(ON).into_iter().chain(self.setgroups()).chain(ids).chain(keep_caps(OFF));
        calls.chain(self.set_capabilities()).map(|call| call.reading(|_| Words::new())).collect()
    }

    fn setgroups(&self) -> Option<Call<()>> {
        self.groups.as_deref().map(|groups| setgroups(groups, false))
    }

    fn set_capabilities(&self) -> Vec<Call<()>> {
        if self.uid == 0 {
            return Vec::new();
        }
        let sets = capset(0, [self.keep, self.keep, self.inherited()]);
        std::iter::once(sets).chain(each(self.inherited()).map(raise_ambient)).collect()
    }

    /// Adds the steps that change a task. The first of them counts in the `step` of a failure.
    ///
    /// Only setresuid(2) looks at the flag "keep capabilities". So the flag is set right before that call and put back right after it,
    /// whether or not the kernel has refused the call. The flag is tried first, because a securebit can lock it.
    fn add_steps(&self, sequence: &mut Sequence) {
        let flag = get_keep_caps();
        let before = Arg::Result(sequence.step(if self.keeps() { flag } else { flag.go_on() }) as u32);
        sequence.aside(|sequence| {
            let set_uids = setresuid(self.uid, self.uid, self.uid);
            if self.keeps() {
                sequence.step(set_keep_caps(ON));
                sequence.step(set_keep_caps(before));
            }
            for call in self.setgroups().into_iter().chain([setresgid(self.gid, self.gid, self.gid)]) {
                death_signal::step(sequence, call);
            }
            if self.keeps() {
                sequence.step(set_keep_caps(ON));
                let changed = Arg::Result(death_signal::step(sequence, set_uids.go_on()) as u32);
                sequence.step(set_keep_caps(before));
                sequence.step(expect("setresuid", changed, Arg::Number(0), Errno::EPERM));
            } else {
                death_signal::step(sequence, set_uids);
            }
            for call in self.set_capabilities() {
                death_signal::step(sequence, call);
            }
            if self.keeps() {
                sequence.step(set_keep_caps(OFF));
            }
        });
    }

    fn change_far(&self, channel: &Arc<Channel>) -> Result<Found> {
        let mut sequence = Sequence::default();
        self.add_steps(&mut sequence);
        let room = self.groups.as_ref().map_or(1, |groups| groups.len().max(1) as u32);
        let reads: Vec<_> = self
            .reads(room)
            .into_iter()
            .map(|call| {
                let read = call.read;
                (sequence.step(call), read)
            })
            .collect();
        let (reply, _) = channel.run(&sequence, &[])?;
        if let Some(failure) = sequence.failure(&reply, 0) {
            return Err(failure.without_step());
        }
        let answers = reads.into_iter().map(|(step, read)| reply.answer(step).map(|answer| read(&answer)));
        Ok(self.found(answers.map(Option::unwrap_or_default).collect()))
    }

    /// True when the lines of `status` are those of the user. `groups` is sorted, and has no duplicates. Allocates nothing, because all
    /// threads stand still.
    fn agrees(&self, groups: Option<&[u32]>, status: &[u8]) -> bool {
        let same_groups = groups.is_none_or(|groups| {
            let listed = || numbers(status, "Groups:", 10);
            listed().count() == groups.len()
                && listed().all(|gid| u32::try_from(gid).is_ok_and(|gid| groups.binary_search(&gid).is_ok()))
        });
        let set = |name, wanted| numbers(status, name, 16).eq([wanted]);
        let inherited = self.inherited();
        let same_sets = self.uid == 0
            || set("CapEff:", self.keep)
                && set("CapPrm:", self.keep)
                && set("CapInh:", inherited)
                && set("CapAmb:", inherited);
        let ids = |name, id| numbers(status, name, 10).eq([u64::from(id); 4]);
        ids("Uid:", self.uid) && ids("Gid:", self.gid) && same_groups && same_sets
    }

    /// Returns what a rehearsal has led to, by the lines of `status`.
    fn found_in(&self, status: &[u8]) -> Found {
        let list = |name| numbers(status, name, 10).map(|id| id as u32);
        // The last id of a line is the one for file accesses.
        let ids = |name| list(name).skip(3).chain(list(name).take(3)).collect();
        let sets = ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"].into_iter();
        Found {
            uids: ids("Uid:"),
            gids: ids("Gid:"),
            sets: sets.flat_map(|name| numbers(status, name, 16)).collect(),
            groups: if self.groups.is_some() { list("Groups:").collect() } else { Vec::new() },
            unchanged: true,
        }
    }

    /// Returns the calls that read what [`User::found`] wants. If there are more groups than `room`, no list of them is read.
    fn reads(&self, room: u32) -> Vec<Call<Words>> {
        let id = |call: Call<u32>| call.reading(|answer| vec![answer.result as u32 as u64]);
        let three = |call: Call<[u32; 3]>| call.reading(|answer| [0, 8, 16].map(|at| answer.u32(at) as u64).to_vec());
        let sets = capget(0).reading(|answer| halves(answer).to_vec());
        let ambient =
            each(self.inherited()).map(|number| is_ambient(number).reading(|answer| vec![answer.result as u64]));
        let ids = [id(getfsuid()), id(getfsgid()), three(getresuid()), three(getresgid())];
        let groups = self.groups.is_some().then(|| {
            [
                id(getgroups_count()),
                getgroups(room).go_on().reading(|answer| {
                    let count = usize::try_from(answer.result).unwrap_or(0);
                    answer.out.as_chunks().0.iter().take(count).map(|gid| u32::from_ne_bytes(*gid) as u64).collect()
                }),
            ]
        });
        ids.into_iter().chain([sets]).chain(groups.into_iter().flatten()).chain(ambient).collect()
    }

    /// Joins the answers to [`User::reads`].
    fn found(&self, words: Vec<Words>) -> Found {
        let mut words = words.into_iter();
        let mut next = || words.next().unwrap_or_default();
        let (fsuid, fsgid, uids, gids, mut sets) = (next(), next(), next(), next(), next());
        let groups = if self.groups.is_some() {
            // The list is empty if it was too long to be read. The number alone then differs from the wanted one.
            let (count, list) = (next(), next());
            if count.first() == Some(&(list.len() as u64)) {
                list
            } else {
                count
            }
        } else {
            Words::new()
        };
        let ambient = each(self.inherited()).filter(|_| next().first() == Some(&1)).fold(0, |set, bit| set | 1 << bit);
        sets.push(ambient);
        let ids = |first: Words, rest: Words| first.into_iter().chain(rest).map(|id| id as u32).collect();
        Found {
            uids: ids(fsuid, uids),
            gids: ids(fsgid, gids),
            sets,
            groups: ids(groups, Words::new()),
            unchanged: false,
        }
    }
}

/// Returns the numbers of a line of `status`. Allocates nothing.
fn numbers<'a>(status: &'a [u8], name: &'a str, base: u32) -> impl Iterator<Item = u64> + 'a {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()));
    let words = line.and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default().split_ascii_whitespace();
    // A word that is no number becomes a number that is no id and no set.
    words.map(move |word| u64::from_str_radix(word, base).unwrap_or(u64::MAX))
}
