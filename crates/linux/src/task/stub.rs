//! The stub's executable. The addon contains it and executes it from a sealed memfd. Where the host forbids that, the
//! addon executes the file beside itself ([decision 14](../../../../docs/decisions/0014-probes.md)).

use crate::error::{During, Failure, Refusal, Result};
use crate::own_descriptor;
use crate::sequence::file_limit;
use nix::errno::Errno;
use nix::sys::memfd::{memfd_create, MFdFlags};
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};

const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nearfar-stub"));

static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
static OPEN: OnceLock<OwnedFd> = OnceLock::new();

/// Sets where the stub lies as a file: in the platform package, beside the addon.
pub fn set_file(path: PathBuf) {
    *lock_file() = Some(path);
}

/// Returns the path of the stub as a file, if it was set.
pub(crate) fn file() -> Option<CString> {
    CString::new(lock_file().as_ref()?.as_os_str().as_bytes()).ok()
}

fn lock_file() -> MutexGuard<'static, Option<PathBuf>> {
    FILE.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Returns the stub, open for execveat(2). The descriptor stays open as long as this process lives: with other
/// credentials the process may not be able to open the file later.
pub fn open() -> Result<&'static OwnedFd> {
    if let Some(fd) = OPEN.get() {
        return Ok(fd);
    }
    let fd = match sealed_memfd().filter(can_be_executed) {
        Some(fd) => fd,
        None => open_file()?,
    };
    let fd = own_descriptor::above_stdio(fd)?;
    Ok(OPEN.get_or_init(|| fd))
}

/// Makes a memfd with the stub. `None` where the host forbids executable memfds (`vm.memfd_noexec`, seccomp), or files of the
/// stub's length (RLIMIT_FSIZE).
fn sealed_memfd() -> Option<OwnedFd> {
    if !file_limit::allows(IMAGE.len()) {
        return None;
    }
    // Before Linux 6.3 the flag is unknown (EINVAL), and every memfd can be executed.
    const MFD_EXEC: u32 = 0x10;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let memfd = match memfd_create("nearfar", flags | MFdFlags::from_bits_retain(MFD_EXEC)) {
        Err(Errno::EINVAL) => memfd_create("nearfar", flags),
        other => other,
    };
    let mut file = File::from(memfd.ok()?);
    file.write_all(IMAGE).ok()?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: fcntl takes numbers here and touches no memory; `file` is open and owned by this function.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).ok()?;
    Some(file.into())
}

/// Probes whether the kernel would execute a file. The file of a memfd has every execute bit, and the sysctl takes them away.
fn can_be_executed(fd: &OwnedFd) -> bool {
    // SAFETY: the kernel reads an empty string, which is static. The descriptor is open as long as it is borrowed.
    let allowed =
        unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), libc::X_OK, libc::AT_EMPTY_PATH) };
    // ENOSYS comes from kernels before 5.8, on which no task starts.
    allowed == 0 || Errno::last() == Errno::ENOSYS
}

/// Opens the stub's file in the place of a memfd. Looks at the file before a task depends on it: the refusal of an execution would not
/// say which file is meant, and a stub of another version would not understand its messages.
fn open_file() -> Result<OwnedFd> {
    let path = lock_file().clone().unwrap_or_default();
    let file = File::open(&path).map_err(|error| {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        unusable("open", errno, &path, "cannot be opened: install the packages again")
    })?;
    let mut bytes = Vec::with_capacity(IMAGE.len() + 1);
    (&file).take(IMAGE.len() as u64 + 1).read_to_end(&mut bytes).during("read")?;
    if bytes != IMAGE {
        return Err(unusable("execve", Errno::ENOEXEC, &path, "belongs to another build: install the packages again"));
    }
    let fd = OwnedFd::from(file);
    if !can_be_executed(&fd) {
        let words = "cannot be executed: make it executable (chmod 755), and keep it on a mount without noexec";
        return Err(unusable("execve", Errno::EACCES, &path, words));
    }
    Ok(fd)
}

/// Returns the refusal of a call for the stub's file, with the reason and what to do in words.
fn unusable(syscall: &'static str, errno: Errno, path: &Path, words: &str) -> Failure {
    Failure::Refused(Refusal {
        path: Some(path.as_os_str().as_bytes().to_vec()),
        words: Some(format!("a task cannot start from memory here, and the stub beside the addon {words}").into()),
        ..Refusal::new(syscall, errno as i32)
    })
}
