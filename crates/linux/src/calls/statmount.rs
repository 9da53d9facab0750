//! Looking at mounts: statmount(2) and listmount(2).

use crate::call::Call;

// The number of each call is the same on both architectures.
const SYS_STATMOUNT: i64 = 457;
const SYS_LISTMOUNT: i64 = 458;

/// What statmount(2) is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// The mount with this unique id.
    Id(u64),
    /// The mount that this descriptor is open on, with STATMOUNT_BY_FD. Linux 7.0.
    Fd(i32),
}

/// `statmount(&request, buffer, length, flags)`: the bytes of a `struct statmount` and of the strings behind the struct, in a
/// buffer of `length` bytes. `namespace` is the id of a mount namespace. Linux 6.8; `namespace` 6.11.
pub fn statmount(mount: Mount, mask: u64, namespace: Option<u64>, length: u32, flags: u32) -> Call<Vec<u8>> {
    let call = Call::new("statmount", SYS_STATMOUNT);
    match mount {
        Mount::Id(id) => call.input(&request(id, mask, namespace)),
        Mount::Fd(fd) => call.input(&request(0, mask, namespace)).holding_fd(4, 4, fd),
    }
    .output(length as usize)
    .number(length)
    .number(flags)
    .value(|answer| answer.out.to_vec())
}

/// `listmount(&request, ids, count, flags)`: up to `count` unique ids of 8 bytes of the mounts below `mount`, after the mount
/// `after`. Linux 6.8; `namespace` 6.11.
pub fn listmount(mount: u64, after: u64, namespace: Option<u64>, count: u32, flags: u32) -> Call<u32> {
    Call::new("listmount", SYS_LISTMOUNT)
        .input(&request(mount, after, namespace))
        .output(count as usize * 8)
        .number(count)
        .number(flags)
        .at_most(count)
        .value(|answer| answer.result as u32)
}

/// Returns a `struct mnt_id_req`, in the first version of the struct if that has all fields that are needed.
fn request(mount: u64, param: u64, namespace: Option<u64>) -> Vec<u8> {
    let length: u64 = if namespace.is_some() { 32 } else { 24 };
    [length, mount, param].into_iter().chain(namespace).flat_map(u64::to_ne_bytes).collect()
}
