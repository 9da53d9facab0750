//! What a thread may do, as `/proc` says it.

use super::files::{Error, Raw};
use super::raw;

/// Room for every file of a thread that has no groups.
const ROOM: usize = 32 << 10;
/// The most bytes that a group takes in `status`.
const GROUP: usize = 11;
/// The lines of `status` that say what a thread may do. A thread with more filters of seccomp(2) than the others may be refused, or
/// killed, after others have changed.
const IDENTITY: [&[u8]; 6] = [b"Uid:", b"Gid:", b"Groups:", b"Cap", b"NoNewPrivs:", b"Seccomp"];
/// The names of these lines.
pub(super) const LINES: [&str; 11] = [
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
];

/// Returns how many groups the calling thread has.
pub(super) fn group_count() -> usize {
    usize::try_from(raw::numbers(libc::SYS_getgroups, [0; 4])).unwrap_or(0)
}

/// Returns how many bytes a file of a thread with so many groups has at most.
pub(super) fn room(groups: usize) -> usize {
    ROOM + GROUP * groups
}

/// What a thread may do: the lines of its `status` that say so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    bytes: Box<[u8]>,
    length: usize,
}

impl Identity {
    pub(super) fn new(groups: usize) -> Self {
        Identity { bytes: vec![0; room(groups)].into_boxed_slice(), length: 0 }
    }

    /// Takes over what the text of a thread's `status` says.
    pub(super) fn set(&mut self, status: &[u8]) -> Raw<()> {
        self.length = 0;
        for line in status.split_inclusive(|byte| *byte == b'\n') {
            if IDENTITY.iter().any(|name| line.starts_with(name)) {
                self.add(line)?;
            }
        }
        Ok(())
    }

    /// True when both say the same.
    pub(super) fn equals(&self, other: &Identity) -> bool {
        self.lines() == other.lines()
    }

    pub(super) fn lines(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Returns the name of the first line that differs.
    pub(super) fn difference(&self, other: &Identity) -> Option<&'static str> {
        if self.equals(other) {
            return None;
        }
        let [own, others] = [self, other].map(|identity| identity.lines().split(|byte| *byte == b'\n'));
        let unequal = own.zip(others).find(|(line, other)| line != other);
        let (line, _) = unequal.unwrap_or_default();
        let has_name = |name: &&&str| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
        LINES.iter().find(has_name).copied().or(Some("another line of status"))
    }

    fn add(&mut self, line: &[u8]) -> Raw<()> {
        let end = self.length + line.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(Error { call: "read", errno: libc::EFBIG })?;
        place.copy_from_slice(line);
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        let identity = |lines: &str| {
            let mut identity = Identity::new(0);
            lines.split_inclusive('\n').for_each(|line| identity.add(line.as_bytes()).unwrap());
            identity
        };
        let own = identity("Uid:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n");
        assert_eq!(own.difference(&identity("Uid:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n")), None);
        assert_eq!(own.difference(&identity("Uid:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n")), Some("Uid"));
        assert_eq!(own.difference(&identity("Uid:\t0\nSeccomp:\t2\nSeccomp_filters:\t2\n")), Some("Seccomp_filters"));
        assert_eq!(own.difference(&identity("Uid:\t0\n")), Some("Seccomp"));
    }
}
