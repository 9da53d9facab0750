import { type FileDescriptor, Task } from "@nearfar/core";

const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;
const SIGINFO = 128; // bytes

/** Makes the bare call pidfd_open(2) with any flags. */
export function pidfdOpen(pid: number, flags: number): bigint {
	return Task.near.syscall(PIDFD_OPEN, pid, flags) as bigint;
}

/** Makes the bare call pidfd_send_signal(2) with any flags, and optionally with a siginfo_t that names a signal. */
export function pidfdSendSignal(fd: FileDescriptor | number, signal: number, flags: number, named?: number): bigint {
	const info = new Uint8Array(SIGINFO);
	if (named !== undefined) new DataView(info.buffer).setInt32(0, named, true);
	return Task.near.syscall(PIDFD_SEND_SIGNAL, fd, signal, named === undefined ? 0 : info, flags) as bigint;
}

/** Makes the bare call pidfd_getfd(2) with any flags. */
export function pidfdGetfd(pidfd: FileDescriptor, fd: number, flags: number): bigint {
	return Task.near.syscall(PIDFD_GETFD, pidfd, fd, flags) as bigint;
}

/** Makes the bare call ioctl(2) with PIDFD_GET_INFO and any memory. */
export function pidfdGetInfo(pidfd: FileDescriptor, info: Uint8Array | 0, size: number): bigint {
	const request = 0xc000_ff0b + size * 0x1_0000;
	return Task.near.syscall(process.arch === "arm64" ? 29 : 16, pidfd, request, info) as bigint;
}

/** Makes the bare call waitid(2) with any arguments. Returns si_signo, si_errno, si_code, -, si_pid, si_uid, si_status. */
export function waitid(idtype: number, id: number | FileDescriptor, options: number): Int32Array {
	const info = new Uint8Array(SIGINFO).fill(0xff);
	Task.current().syscall(process.arch === "arm64" ? 95 : 247, idtype, id, info, options, 0);
	return new Int32Array(info.buffer, 0, 7);
}
