import { type FileDescriptor, Task } from "@nearfar/core";

const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;
const SIGINFO = 128; // bytes

/** pidfd_open(2) with whatever flags. */
export function pidfdOpen(pid: number, flags: number): bigint {
	return Task.near.syscall(PIDFD_OPEN, pid, flags);
}

/** pidfd_send_signal(2) with whatever flags, and perhaps a siginfo_t that names a signal. */
export function pidfdSendSignal(fd: FileDescriptor | number, signal: number, flags: number, named?: number): bigint {
	const info = new Uint8Array(SIGINFO);
	if (named !== undefined) new DataView(info.buffer).setInt32(0, named, true);
	return Task.near.syscall(PIDFD_SEND_SIGNAL, fd, signal, named === undefined ? 0 : info, flags);
}

/** pidfd_getfd(2) with whatever flags. */
export function pidfdGetfd(pidfd: FileDescriptor, fd: number, flags: number): bigint {
	return Task.near.syscall(PIDFD_GETFD, pidfd, fd, flags);
}
