import type { Buffer } from "node:buffer";
import { pidfdInfoMask } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import { SyscallError } from "../syscall-error.ts";
import { taskOf } from "../target/target.ts";
import { adoptDescriptor, type FileDescriptor, numberOf } from "./descriptor.ts";
import { openat2 } from "./files.ts";
import { openOwnProc } from "./own-proc.ts";

const LENGTH = 4096; // bytes; no /proc/pid/fdinfo of a pidfd is longer
const SIZE = 64; // bytes of the first version of struct pidfd_info

/** Opens the pidfd of the current task. */
export function openSelf(): FileDescriptor {
	return adoptDescriptor(native().pidfdOpen(native().getpid(), 0));
}

/**
 * Returns the `struct pidfd_info` of a pidfd. Linux 6.13. Throws ENOTTY on an older kernel, and for another descriptor.
 *
 * @param pidfd - The number of the descriptor.
 * @param mask - The fields to fill in.
 * @param size - The size of the struct, in bytes. A kernel with a smaller struct fills in a part.
 */
export function pidfdInfo(pidfd: number, mask: number, size: number): Buffer {
	const info = new Uint8Array(size);
	new DataView(info.buffer).setUint32(0, mask, true);
	try {
		return native().ioctlBytes(pidfd, (0xc000_ff0b | (size << 16)) >>> 0, info, true); // _IOWR(0xff, 11, …)
	} catch (error) {
		// Linux 6.11 and 6.12 know other requests of a pidfd, none of which has an argument.
		if (error instanceof SyscallError && error.code === "EINVAL") throw noPidfd();
		throw error;
	}
}

/**
 * Returns the pid of the process of a pidfd, in the pid namespace of the current task. `undefined`: the process was reaped,
 * or is outside of that namespace. Throws ENOTTY for another descriptor.
 *
 * Before Linux 6.13 the pid is one of those in `/proc`, which may belong to an outer pid namespace: the one with which
 * pidfd_open(2) finds the same process.
 *
 * @param pidfd - The number of the descriptor.
 */
export function pidOfPidfd(pidfd: number): number | undefined {
	try {
		return pidfdInfo(pidfd, pidfdInfoMask.pid, SIZE).readUInt32LE(16);
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		if (error.code === "ESRCH" || error.code === "EREMOTE") return undefined;
		if (error.code !== "ENOTTY") throw error;
	}
	if (reportsPids()) throw noPidfd();
	const [shown = 0, ...inner] = pidsInProc(pidfd);
	return [shown, ...inner].find((pid) => pid > 0 && isShownAs(shown, pid));
}

/** Returns whether the kernel reports the pid of a pidfd to the current task: whether ENOTTY is about the descriptor. */
function reportsPids(): boolean {
	using self = openSelf();
	try {
		pidfdInfo(numberOf(self), pidfdInfoMask.pid, SIZE);
		return true;
	} catch {
		return false;
	}
}

/** Returns whether the current task knows by `pid` the process that `/proc` shows as `shown`. */
function isShownAs(shown: number, pid: number): boolean {
	try {
		using pidfd = adoptDescriptor(native().pidfdOpen(pid, 0));
		return pidsInProc(numberOf(pidfd))[0] === shown;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ESRCH") return false;
		throw error;
	}
}

/**
 * Opens `/proc/<pid>` of the process of a pidfd of the current task. The number is that of the mounted `/proc`, which may
 * belong to an outer pid namespace. The directory stays that of the process, also when another process gets the number.
 * `undefined`: `/proc` does not show the process, or the process was reaped. Throws ENOTTY for another descriptor.
 *
 * @param pidfd - The number of the descriptor.
 */
export function openProcessFolder(pidfd: number): FileDescriptor | undefined {
	const [pid] = pidsInProc(pidfd);
	if (pid === undefined) return undefined;
	let folder: FileDescriptor;
	try {
		folder = openat2(`/proc/${pid}`, { flags: ["path", "directory"] });
	} catch (error) {
		if (pidsInProc(pidfd)[0] !== pid) return undefined;
		throw error;
	}
	let isSame = false;
	try {
		// A process that still has its number after the opening had the number during the opening.
		isSame = pidsInProc(pidfd)[0] === pid;
	} finally {
		if (!isSame) folder.close(); // also where no descriptor is free for the second look
	}
	return isSame ? folder : undefined;
}

/** True when the process of a pidfd of the current task was reaped. A process that has ended and was not reaped takes the signal 0. */
export function isReaped(pidfd: number): boolean {
	try {
		native().pidfdSendSignal(pidfd, 0, 0);
		return false;
	} catch (error) {
		return error instanceof SyscallError && error.code === "ESRCH";
	}
}

/**
 * Returns the pid by which the mounted `/proc` shows the process of a pidfd of the current task. `undefined`: the process was reaped, or
 * is not visible there. Throws ENOTTY for another descriptor.
 *
 * @param pidfd - The number of the descriptor.
 */
export function pidInProc(pidfd: number): number | undefined {
	return pidsInProc(pidfd)[0];
}

/**
 * Returns one pid for each pid namespace, from that of the mounted `/proc` down to the process's own. The list is empty if
 * the process was reaped or is not visible in that namespace.
 */
function pidsInProc(pidfd: number): number[] {
	using file = openOwnProc(`thread-self/fdinfo/${pidfd}`);
	const info = file.read(LENGTH).toString();
	const pid = /^Pid:\t(-?\d+)$/m.exec(info)?.[1];
	if (pid === undefined) throw noPidfd();
	if (Number(pid) <= 0) return [];
	return (/^NSpid:\t([\d\t]+)$/m.exec(info)?.[1] ?? pid).split("\t").map(Number);
}

function noPidfd(): SyscallError {
	return new SyscallError({ code: "ENOTTY", errno: 25, syscall: "ioctl" }, taskOf());
}
