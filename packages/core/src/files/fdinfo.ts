import { openat2 } from "./files.ts";

const LENGTH = 4096; // bytes that hold every /proc/pid/fdinfo of a pidfd

/**
 * The pids of the process that a pidfd of the current task stands for, beginning in the pid namespace of `/proc` and ending
 * in its own: none where it was reaped, or cannot be seen from there; `undefined` for what is no pidfd.
 */
export function pidsOfPidfd(pidfd: number): number[] | undefined {
	using file = openat2(`/proc/thread-self/fdinfo/${pidfd}`);
	const info = file.read(LENGTH).toString();
	const pid = /^Pid:\t(-?\d+)$/m.exec(info)?.[1];
	if (pid === undefined) return undefined;
	if (Number(pid) <= 0) return [];
	return (/^NSpid:\t([\d\t]+)$/m.exec(info)?.[1] ?? pid).split("\t").map(Number);
}
