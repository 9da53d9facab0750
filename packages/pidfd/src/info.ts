import type { Buffer } from "node:buffer";
import type { ExitStatus, Signal } from "@nearfar/core";
import { pidfdCoredump, pidfdInfo, pidfdInfoMask, signalName } from "@nearfar/core/internal";

/**
 * The properties of a process that the kernel reports. A property that the kernel does not report is `undefined`, as
 * are most of them after the process was reaped.
 *
 * @example
 * ```ts
 * using self = PidFd.self();
 * const { pid, uid, exitCode }: PidFdInfo = self.info();
 * console.log(pid === process.pid, uid === process.getuid?.(), exitCode); // true true undefined
 * ```
 */
export interface PidFdInfo {
	/** The pid of the process, or the id of the thread, in the pid namespace of the current task. */
	readonly pid: number | undefined;
	/** The id of the thread group: for a thread, the pid of its process. */
	readonly tgid: number | undefined;
	/** The pid of the parent. */
	readonly ppid: number | undefined;
	/** The id of the cgroup: the inode of its directory. Known after the end too. */
	readonly cgroupId: bigint | undefined;
	/** The real user id. */
	readonly uid: number | undefined;
	/** The effective user id. */
	readonly euid: number | undefined;
	/** The saved user id. */
	readonly suid: number | undefined;
	/** The file system user id. */
	readonly fsuid: number | undefined;
	/** The real group id. */
	readonly gid: number | undefined;
	/** The effective group id. */
	readonly egid: number | undefined;
	/** The saved group id. */
	readonly sgid: number | undefined;
	/** The file system group id. */
	readonly fsgid: number | undefined;
	/** The exit code, 0 to 255, once the process was reaped (Linux 6.15). `null`: a signal killed the process. */
	readonly exitCode: number | null | undefined;
	/** The signal that killed the process, once it was reaped (Linux 6.15). `null`: the process exited. */
	readonly exitSignal: Signal | null | undefined;
	/** The core dumps of the process (Linux 6.16). After the end the kernel mostly does not report them. */
	readonly coredump: PidFdCoredump | undefined;
}

/** The core dumps of a process. */
export interface PidFdCoredump {
	/** `true` if the process has dumped core. */
	readonly dumped: boolean;
	/**
	 * The owner that a core dump would have. `null`: the process would dump no core. `undefined`: the kernel does not
	 * report it.
	 */
	readonly as: "user" | "root" | null | undefined;
	/** The signal that made the process dump core (Linux 6.19). */
	readonly signal: Signal | undefined;
}

const ids = { uid: 28, gid: 32, euid: 36, egid: 40, suid: 44, sgid: 48, fsuid: 52, fsgid: 56 } as const;
const EXIT_CODE = 60;
const COREDUMP_MASK = 64;
const COREDUMP_SIGNAL = 68;
const SIZE = 72; // bytes of struct pidfd_info with core dumps; an older kernel fills in the part that it knows

/** Returns all properties of the process of a pidfd. */
export function readInfo(pidfd: number): PidFdInfo {
	const { pid, creds, cgroupid, exit, coredump } = pidfdInfoMask;
	return parse(pidfdInfo(pidfd, pid | creds | cgroupid | exit | coredump, SIZE));
}

function parse(info: Buffer): PidFdInfo {
	const filled = info.readUInt32LE(0); // the mask of what the kernel has filled in
	const when = <T>(bit: number, read: () => T): T | undefined => ((filled & bit) === 0 ? undefined : read());
	const { pid, creds, cgroupid, exit, coredump } = pidfdInfoMask;
	const one = (bit: number, at: number) => when(bit, () => info.readUInt32LE(at));
	const end = when(exit, () => splitStatus(info.readInt32LE(EXIT_CODE)));
	const named = Object.fromEntries(Object.entries(ids).map(([name, at]) => [name, one(creds, at)]));
	return {
		pid: one(pid, 16),
		tgid: one(pid, 20),
		ppid: one(pid, 24),
		cgroupId: when(cgroupid, () => info.readBigUInt64LE(8)),
		...(named as Record<keyof typeof ids, number | undefined>),
		exitCode: end?.code,
		exitSignal: end?.signal,
		coredump: when(coredump, () => parseCoredump(info, filled)),
	};
}

function parseCoredump(info: Buffer, filled: number): PidFdCoredump | undefined {
	const mask = info.readUInt32LE(COREDUMP_MASK);
	if (mask === 0) return undefined; // some kernels report nothing, even of a process that has dumped core
	const as = mask & pidfdCoredump.user ? "user" : mask & pidfdCoredump.root ? "root" : undefined;
	const signal = filled & pidfdInfoMask.coredumpSignal ? signalName(info.readUInt32LE(COREDUMP_SIGNAL)) : undefined;
	return { dumped: (mask & pidfdCoredump.dumped) !== 0, as: mask & pidfdCoredump.skip ? null : as, signal };
}

/** Returns the parts of a wait status, as the macros of wait(2) do. */
export function splitStatus(status: number): ExitStatus {
	const signal = status & 0x7f;
	if (signal === 0) return { code: (status >> 8) & 0xff, signal: null, dumped: false };
	return { code: null, signal: signalName(signal), dumped: (status & 0x80) !== 0 };
}
