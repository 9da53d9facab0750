import type { Process } from "@nearfar/core";
import { array, integer, native, refuseOneThread } from "@nearfar/core/internal";
import { withPid } from "./with-pid.ts";

const CPUS = 65_536;

/**
 * Chooses on which CPUs a thread may run, and the threads and processes that it starts from then on.
 *
 * What a cpuset does not allow is left out, and so is a CPU that does not exist. Another process of several threads is
 * moved thread by thread: give the id of each. Node's threads are refused.
 *
 * @param cpus - Numbers of CPUs, 0 to 65535.
 * @param pid - A pid, the id of a thread, or a process; 0 (default): the current task.
 * @throws `EINVAL` none of the CPUs is there and allowed · `EPERM` another user's · `ESRCH` nobody has the pid ·
 * `MultithreadedError` a thread of Node · `NamespaceMismatchError` a process of another pid namespace · `TaskGoneError`
 * @example Keep a program on one CPU
 * ```ts
 * await using task = await Task.clone();
 * const [first = 0] = schedGetaffinity();
 * task.run(() => schedSetaffinity([first]));
 * ```
 * @see sched_setaffinity(2), Linux 2.5.8; for another user's CAP_SYS_NICE
 */
export function schedSetaffinity(cpus: readonly number[], pid: number | Process = 0): void {
	const numbers = array(cpus, "cpus").map((cpu, index) => integer(cpu, `cpus[${index}]`, 0, CPUS - 1));
	const mask = new Uint8Array(numbers.reduce((most, cpu) => Math.max(most, cpu), 0) / 8 + 1);
	for (const cpu of numbers) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
	withPid(pid, "pid", "sched_setaffinity", (number) => {
		refuseOneThread("sched_setaffinity", number);
		native().schedSetaffinity(number, mask);
	});
}

/**
 * Returns on which CPUs a thread may run.
 *
 * @param pid - A pid, the id of a thread, or a process; 0 (default): the current task, in this process the thread that
 * asks.
 * @returns Their numbers, in order: all of them, however many the machine has.
 * @throws `ESRCH` nobody has the pid · `NamespaceMismatchError` a process of another pid namespace · `BatchError` in a
 * batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(schedGetaffinity()); // [0, 1] on a machine with two
 * ```
 * @see sched_getaffinity(2), Linux 2.5.8; no privilege
 */
export function schedGetaffinity(pid: number | Process = 0): number[] {
	// Room for more than any kernel has: it refuses a mask that is shorter than its own.
	const mask = withPid(pid, "pid", "sched_getaffinity", (number) => native().schedGetaffinity(number, CPUS / 8));
	const cpus: number[] = [];
	for (const [index, byte] of mask.entries()) {
		for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) cpus.push(8 * index + bit);
	}
	return cpus;
}
