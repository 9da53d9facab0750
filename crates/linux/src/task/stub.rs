//! The stub's executable: embedded here, started from a sealed memfd, or from its file where memfds may not run.

use crate::error::{During, Result};
use crate::wait::own_descriptor;
use nix::errno::Errno;
use nix::sys::memfd::{memfd_create, MFdFlags};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nearfar-stub"));

static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
static OPEN: OnceLock<OwnedFd> = OnceLock::new();

/// Says where the stub lies as a file: in the platform package, beside the addon.
pub fn set_file(path: PathBuf) {
    *FILE.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(path);
}

/// The stub, open for execveat(2) for as long as this process lives: later credentials may not reach its file.
pub fn open() -> Result<&'static OwnedFd> {
    if let Some(fd) = OPEN.get() {
        return Ok(fd);
    }
    let fd = match sealed().filter(runs) {
        Some(fd) => fd,
        None => file()?,
    };
    let fd = own_descriptor::above_stdio(fd)?;
    Ok(OPEN.get_or_init(|| fd))
}

/// `None` where the host forbids executable memfds (`vm.memfd_noexec`, seccomp).
fn sealed() -> Option<OwnedFd> {
    // Before Linux 6.3 the flag is unknown, and every memfd can be executed.
    const MFD_EXEC: u32 = 0x10;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let memfd = match memfd_create("nearfar", flags | MFdFlags::from_bits_retain(MFD_EXEC)) {
        Err(Errno::EINVAL) => memfd_create("nearfar", flags),
        other => other,
    };
    let mut file = File::from(memfd.ok()?);
    file.write_all(IMAGE).ok()?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: takes numbers; the file is ours.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).ok()?;
    Some(file.into())
}

/// The probe: whether the kernel would execute it.
fn runs(memfd: &OwnedFd) -> bool {
    // SAFETY: the kernel reads an empty string; the descriptor is open for as long as it is borrowed.
    let allowed = unsafe {
        libc::syscall(libc::SYS_faccessat2, memfd.as_raw_fd(), c"".as_ptr(), libc::X_OK, libc::AT_EMPTY_PATH)
    };
    // Linux 5.8 and later know the call; on earlier ones no memfd is forbidden.
    allowed == 0 || Errno::last() == Errno::ENOSYS
}

fn file() -> Result<OwnedFd> {
    let path = FILE.lock().unwrap_or_else(|broken| broken.into_inner()).clone().unwrap_or_default();
    File::open(path).during("open").map(OwnedFd::from)
}
