import type { Buffer } from "node:buffer";
import type { Signal } from "@nearfar/core";
import { native, pidfdCoredump, pidfdInfoMask, signalName } from "@nearfar/core/internal";

/** What the kernel knows of a process. What it did not say is `undefined`: after the end that is most. */
export interface PidFdInfo {
	/** Its id, or the thread's, in the current task's pid namespace. */
	readonly pid: number | undefined;
	/** The id of its thread group: the pid of the process that a thread is of. */
	readonly tgid: number | undefined;
	/** Its parent's pid. */
	readonly ppid: number | undefined;
	/** The id of its cgroup, the inode of the cgroup's directory. Also known after the end. */
	readonly cgroupId: bigint | undefined;
	/** Real user id. */
	readonly uid: number | undefined;
	/** Effective user id. */
	readonly euid: number | undefined;
	/** Saved user id. */
	readonly suid: number | undefined;
	/** User id for files. */
	readonly fsuid: number | undefined;
	/** Real group id. */
	readonly gid: number | undefined;
	/** Effective group id. */
	readonly egid: number | undefined;
	/** Saved group id. */
	readonly sgid: number | undefined;
	/** Group id for files. */
	readonly fsgid: number | undefined;
	/** Exit code, 0 to 255, once it was reaped; `null`: a signal killed it (Linux 6.15). */
	readonly exitCode: number | null | undefined;
	/** The signal that killed it, once it was reaped; `null`: it exited (Linux 6.15). */
	readonly exitSignal: Signal | null | undefined;
	/** Core dumps of it (Linux 6.16); `undefined` also where the kernel knows it and says nothing, as of most that have ended. */
	readonly coredump: PidFdCoredump | undefined;
}

/** What the kernel says of a process's core dumps. */
export interface PidFdCoredump {
	/** Whether it has dumped core. */
	readonly dumped: boolean;
	/** As whom it would dump core; `null`: not at all; `undefined`: the kernel does not say. */
	readonly as: "user" | "root" | null | undefined;
	/** The signal for which it dumped core (Linux 6.19). */
	readonly signal: Signal | undefined;
}

const ids = { uid: 28, gid: 32, euid: 36, egid: 40, suid: 44, sgid: 48, fsuid: 52, fsgid: 56 } as const;
const EXIT_CODE = 60;
const COREDUMP_MASK = 64;
const COREDUMP_SIGNAL = 68;
const SIZE = 72; // the first struct pidfd_info with room for core dumps; an older kernel leaves the end alone

/** Asks for everything that the smallest struct for it has room for. */
export function readInfo(pidfd: number): PidFdInfo {
	const { pid, creds, cgroupid, exit, coredump } = pidfdInfoMask;
	return parse(native().pidfdInfo(pidfd, pid | creds | cgroupid | exit | coredump, SIZE));
}

function parse(info: Buffer): PidFdInfo {
	const filled = info.readUInt32LE(0); // the mask, as far as it was asked for
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
	if (mask === 0) return undefined; // of one that has dumped core, too, before that was remembered for all of them
	const as = mask & pidfdCoredump.user ? "user" : mask & pidfdCoredump.root ? "root" : undefined;
	const signal = filled & pidfdInfoMask.coredumpSignal ? signalName(info.readUInt32LE(COREDUMP_SIGNAL)) : undefined;
	return { dumped: (mask & pidfdCoredump.dumped) !== 0, as: mask & pidfdCoredump.skip ? null : as, signal };
}

/** How a process that was reaped has ended, as the status of wait(2); `undefined`: not reaped, or not kept. */
export function exitStatusOf(pidfd: number): number | undefined {
	const info = native().pidfdInfo(pidfd, pidfdInfoMask.exit, EXIT_CODE + 4);
	return info.readUInt32LE(0) & pidfdInfoMask.exit ? info.readInt32LE(EXIT_CODE) : undefined;
}

/** Takes the status of wait(2) apart. */
export function splitStatus(status: number): { code: number | null; signal: Signal | null; dumped: boolean } {
	const signal = status & 0x7f;
	if (signal === 0) return { code: (status >> 8) & 0xff, signal: null, dumped: false };
	return { code: null, signal: signalName(signal), dumped: (status & 0x80) !== 0 };
}
