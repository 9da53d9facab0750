//! Extended attributes of a file: reading, setting and removing one by its name.

use crate::call::{words, Arg, Call};

// The number of each call is the same on both architectures.
const SYS_SETXATTRAT: i64 = 463;
const SYS_GETXATTRAT: i64 = 464;
const SYS_REMOVEXATTRAT: i64 = 466;

/// How a call on extended attributes reaches its file. Each way is a system call of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File<'a> {
    /// By a descriptor of the open file.
    Fd(i32),
    /// By a path. A link at the end is followed.
    Path(&'a [u8]),
    /// By a path. A link at the end is the file itself.
    Link(&'a [u8]),
    /// By a path from an open directory, with `AT_SYMLINK_NOFOLLOW` or 0. Linux 6.13.
    At(i32, &'a [u8], u32),
}

impl<'a> File<'a> {
    /// Returns the way to a place in the form of the `*at` calls. A call of an older kernel is preferred. `AT_NO_AUTOMOUNT` is
    /// ignored, because none of the calls has such a flag.
    pub fn new(at: i32, path: &'a [u8], flags: u32) -> Self {
        let no_follow = flags & libc::AT_SYMLINK_NOFOLLOW as u32;
        match path {
            [] if flags & libc::AT_EMPTY_PATH as u32 != 0 && at != libc::AT_FDCWD => File::Fd(at),
            [] if flags & libc::AT_EMPTY_PATH as u32 != 0 => File::Path(b"."),
            [] | [b'/', ..] => File::by_path(path, no_follow),
            _ if at == libc::AT_FDCWD => File::by_path(path, no_follow),
            _ => File::At(at, path, no_follow),
        }
    }

    fn by_path(path: &'a [u8], no_follow: u32) -> Self {
        if no_follow == 0 {
            File::Path(path)
        } else {
            File::Link(path)
        }
    }

    /// Begins a call: its name and number for each way, and its arguments up to the name of the attribute.
    fn call(self, [fd, path, link, at]: [(&'static str, i64); 4], attribute: &[u8]) -> Call<()> {
        match self {
            File::Fd(number) => Call::new(fd.0, fd.1).fd(number),
            File::Path(bytes) => Call::new(path.0, path.1).path(bytes),
            File::Link(bytes) => Call::new(link.0, link.1).path(bytes),
            File::At(directory, bytes, flags) => Call::new(at.0, at.1).fd(directory).path(bytes).number(flags),
        }
        .string(attribute)
    }

    /// Returns a `struct xattr_args` for `length` bytes of a value, if the call takes the value in this form.
    fn args(self, length: usize) -> Option<[u8; 16]> {
        matches!(self, File::At(..)).then(|| words(&[(8, length as u64)]))
    }
}

/// `getxattr(path, attribute, value, length)`, or lgetxattr, fgetxattr, getxattrat: the value. One that has more than `length` bytes
/// is refused with ERANGE.
pub fn getxattr(file: File, attribute: &[u8], length: u32) -> Call<Vec<u8>> {
    let names = [
        ("fgetxattr", libc::SYS_fgetxattr),
        ("getxattr", libc::SYS_getxattr),
        ("lgetxattr", libc::SYS_lgetxattr),
        ("getxattrat", SYS_GETXATTRAT),
    ];
    let call = file.call(names, attribute);
    match file.args(length as usize) {
        Some(args) => call.input(&args).holding(0, 8, Arg::Out(0)).reserve(length as usize).number(args.len() as u64),
        None => call.output(length as usize).number(length),
    }
    .at_most(length)
    .value(|answer| answer.written())
}

/// `setxattr(path, attribute, value, length, 0)`, or lsetxattr, fsetxattr, setxattrat. A value that is there is replaced.
pub fn setxattr(file: File, attribute: &[u8], value: &[u8]) -> Call<()> {
    let names = [
        ("fsetxattr", libc::SYS_fsetxattr),
        ("setxattr", libc::SYS_setxattr),
        ("lsetxattr", libc::SYS_lsetxattr),
        ("setxattrat", SYS_SETXATTRAT),
    ];
    let call = file.call(names, attribute);
    match file.args(value.len()) {
        Some(args) => call.input(&args).holding_bytes(0, value).number(args.len() as u64),
        None => call.input(value).number(value.len() as u64).number(0),
    }
}

/// `removexattr(path, attribute)`, or lremovexattr, fremovexattr, removexattrat. A batch refuses the call, because callers want to know
/// whether the attribute was there.
pub fn removexattr(file: File, attribute: &[u8]) -> Call<()> {
    let names = [
        ("fremovexattr", libc::SYS_fremovexattr),
        ("removexattr", libc::SYS_removexattr),
        ("lremovexattr", libc::SYS_lremovexattr),
        ("removexattrat", SYS_REMOVEXATTRAT),
    ];
    file.call(names, attribute).value(|_| ())
}

#[cfg(test)]
mod tests {
    use super::File;
    use libc::{AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW};

    #[test]
    fn the_call_of_the_oldest_kernel_is_made() {
        let [no_follow, empty, no_automount] =
            [AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT].map(|flag| flag as u32);
        for (at, path, flags, file) in [
            (5, "", empty, File::Fd(5)),
            (5, "", empty | no_follow | no_automount, File::Fd(5)),
            (AT_FDCWD, "", empty, File::Path(b".")),
            (5, "", 0, File::Path(b"")),
            (AT_FDCWD, "", 0, File::Path(b"")),
            (AT_FDCWD, "a", empty, File::Path(b"a")),
            (AT_FDCWD, "a", no_follow, File::Link(b"a")),
            (5, "/a", 0, File::Path(b"/a")),
            (5, "/a", no_follow, File::Link(b"/a")),
            (5, "a", empty | no_automount, File::At(5, b"a", 0)),
            (5, "a", no_follow, File::At(5, b"a", no_follow)),
        ] {
            assert_eq!(File::new(at, path.as_bytes(), flags), file, "{at} {path:?} {flags:#x}");
        }
    }
}
