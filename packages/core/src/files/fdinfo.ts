import { openat2 } from "./files.ts";

const LENGTH = 4096; // bytes; no /proc/pid/fdinfo of a pidfd is longer

/**
 * Returns the pids of the process that a pidfd of the current task refers to.
 *
 * @param pidfd - The number of the descriptor.
 * @returns One pid for each pid namespace, from that of the mounted `/proc` down to the process's own. The list is empty
 * if the process was reaped or is not visible in that namespace. `undefined`: the descriptor is not a pidfd.
 */
export function pidsOfPidfd(pidfd: number): number[] | undefined {
	using file = openat2(`/proc/thread-self/fdinfo/${pidfd}`);
	const info = file.read(LENGTH).toString();
	const pid = /^Pid:\t(-?\d+)$/m.exec(info)?.[1];
	if (pid === undefined) return undefined;
	if (Number(pid) <= 0) return [];
	return (/^NSpid:\t([\d\t]+)$/m.exec(info)?.[1] ?? pid).split("\t").map(Number);
}
