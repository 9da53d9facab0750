import type { Process } from "@nearfar/core";
import { array, integer, native, refuseOneThread } from "@nearfar/core/internal";
import { withPid } from "./with-pid.ts";

const CPUS = 65_536; // more than any kernel supports

/**
 * Sets the CPU affinity of a thread: the CPUs that it may run on. Children of the thread inherit the affinity.
 *
 * The kernel leaves out CPUs that the cpuset does not allow or that do not exist. Of a process with several threads
 * only the thread whose id is `pid` is moved: call the function once for each thread.
 *
 * @param cpus - Numbers of CPUs, 0 to 65535.
 * @param pid - A pid or the id of a thread, 0 to 2147483647, or a process. Default, or 0: the current task.
 * @throws `EINVAL` None of the CPUs exists and is allowed.
 * @throws `EPERM` The thread is another user's, and the caller has no CAP_SYS_NICE.
 * @throws `ESRCH` No thread has the id.
 * @throws `ERR_NEARFAR_MULTITHREADED` The thread is one of Node's, and the others would keep their affinity.
 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The process has its pid in another pid namespace than the current task.
 * @throws `ERR_NEARFAR_CHILD_DEAD` The process is a child that has ended.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `cpus` is not an array of numbers, or `pid` is neither a number nor a `Process`.
 * @throws `RangeError` A CPU is not an integer from 0 to 65535, or `pid` not one from 0 to 2147483647.
 * @example Keep a program on one CPU
 * ```ts
 * await using task = await Task.clone();
 * const [first = 0] = schedGetaffinity();
 * task.run(() => schedSetaffinity([first]));
 * ```
 * @see sched_setaffinity(2), Linux 2.5.8; CAP_SYS_NICE for another user's thread
 */
export function schedSetaffinity(cpus: readonly number[], pid: number | Process = 0): void {
	const numbers = array(cpus, "cpus").map((cpu, index) => integer(cpu, `cpus[${index}]`, 0, CPUS - 1));
	const mask = new Uint8Array(numbers.reduce((highest, cpu) => Math.max(highest, cpu), 0) / 8 + 1);
	for (const cpu of numbers) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
	withPid(pid, "pid", "sched_setaffinity", (number) => {
		refuseOneThread("sched_setaffinity", number);
		native().schedSetaffinity(number, mask);
	});
}

/**
 * Returns the CPU affinity of a thread: the CPUs that it may run on.
 *
 * @param pid - A pid or the id of a thread, 0 to 2147483647, or a process. Default, or 0: the current task; near, the
 * calling thread.
 * @returns The numbers of the CPUs in ascending order, up to 65535.
 * @throws `ESRCH` No thread has the id.
 * @throws `ERR_NEARFAR_NAMESPACE_MISMATCH` The process has its pid in another pid namespace than the current task.
 * @throws `ERR_NEARFAR_CHILD_DEAD` The process is a child that has ended.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `pid` is neither a number nor a `Process`.
 * @throws `RangeError` `pid` is not an integer from 0 to 2147483647.
 * @example
 * ```ts
 * console.log(schedGetaffinity()); // [0, 1] on a machine with two
 * ```
 * @see sched_getaffinity(2), Linux 2.5.8; no privilege
 */
export function schedGetaffinity(pid: number | Process = 0): number[] {
	// The kernel refuses a mask that is shorter than its own (EINVAL), so the mask is longer than that of any kernel.
	const mask = withPid(pid, "pid", "sched_getaffinity", (number) => native().schedGetaffinity(number, CPUS / 8));
	const cpus: number[] = [];
	for (const [index, byte] of mask.entries()) {
		for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) cpus.push(8 * index + bit);
	}
	return cpus;
}
