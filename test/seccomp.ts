import type { Process, Task } from "@nearfar/core";

/**
 * From now on the kernel answers system call `nr` with `errno`, to the task and whatever it executes.
 *
 * @param value - The lower half of one argument of the calls that are meant. Default: all calls.
 * @param argument - The index of this argument, from 0. Default: the first one.
 */
export function forbid(task: Task<Process>, nr: number, errno: number, value?: number, argument = 0): void {
	filter(task, nr, 0x0005_0000 | errno, value, argument); // SECCOMP_RET_ERRNO
}

/** From now on system call `nr` ends the task with SIGSYS. `value` and `argument` are those of {@link forbid}. */
export function killAt(task: Task, nr: number, value?: number, argument = 0): void {
	filter(task, nr, 0x8000_0000, value, argument); // SECCOMP_RET_KILL_PROCESS
}

/** From now on system call `nr` ends the thread of Node that `thread` is, and leaves the others alone. */
export function killThreadAt(thread: Task<Process>, nr: number): void {
	filter(thread, nr, 0); // SECCOMP_RET_KILL_THREAD
}

function filter(task: Task<Process>, nr: number, action: number, value?: number, argument = 0): void {
	const compared = [
		instruction(0x20, 0, 0, 16 + 8 * argument), // load the lower half of the argument
		instruction(0x15, 0, 1, value ?? 0),
	];
	const more = value === undefined ? [] : compared;
	const program = [
		instruction(0x20, 0, 0, 0), // load the call's number
		instruction(0x15, 0, more.length + 1, nr), // is it the one?
		...more,
		instruction(0x06, 0, 0, action),
		instruction(0x06, 0, 0, 0x7fff_0000), // SECCOMP_RET_ALLOW
	];
	apply(task, program);
}

/** Adds a filter to a task. */
function apply(task: Task<Process>, program: readonly [number, number][]): void {
	const prctl = process.arch === "x64" ? 157 : 167;
	const [noNewPrivs, setSeccomp, filterMode] = [38, 22, 2];
	task.syscall(prctl, noNewPrivs, 1, 0, 0, 0);
	const bytes = new Uint8Array(16); // struct sock_fprog: the number of instructions, and their address
	bytes[0] = program.length;
	const instructions = new Uint8Array(new Uint32Array(program.flat()).buffer);
	task.syscall(prctl, setSeccomp, filterMode, { bytes, at: [[8, instructions]] }, 0, 0);
}

function instruction(code: number, ifTrue: number, ifFalse: number, value: number): [number, number] {
	return [code | (ifTrue << 16) | (ifFalse << 24), value];
}

/** From now on new namespaces are refused as by the filter of a container: EPERM, and ENOSYS for clone3. */
export function forbidNamespaces(task: Task): void {
	const [clone, unshare, clone3] = process.arch === "x64" ? [56, 272, 435] : [220, 97, 435];
	forbid(task, clone3, 38);
	forbid(task, unshare, 1);
	apply(task, [
		instruction(0x20, 0, 0, 0),
		instruction(0x15, 0, 3, clone),
		instruction(0x20, 0, 0, 16), // the flags
		instruction(0x45, 0, 1, 0x7e02_0000), // has any of CLONE_NEW*
		instruction(0x06, 0, 0, 0x0005_0001), // SECCOMP_RET_ERRNO, EPERM
		instruction(0x06, 0, 0, 0x7fff_0000), // SECCOMP_RET_ALLOW
	]);
}
