import { expect, test } from "vitest";
import { children } from "../../../../test/processes.ts";
import { Task } from "../../src/index.ts";

// Forms of clone3(2) that Task.clone does not offer. The child of the raw call is an unknown copy of the task. The child
// gets a stack that is not mapped, so that it dies of SIGSEGV before it runs any code. The task reaps the child.
const [clone3, wait4, prlimit] = process.arch === "x64" ? [435, 61, 302] : [435, 260, 261];
const [RLIMIT_CORE, WALL] = [4, 0x4000_0000];
const [SIGCHLD, SIGSEGV] = [17, 11];
const [VM, FS, SIGHAND, PARENT, THREAD, NEWNS, NEWUSER] = [
	0x100, 0x200, 0x800, 0x8000, 0x1_0000, 0x2_0000, 0x1000_0000,
];
const [CLEAR_SIGHAND, INTO_CGROUP] = [0x1_0000_0000, 0x2_0000_0000];

/** `struct clone_args`, with names for the fields that matter here. */
interface Args {
	flags?: number;
	exitSignal?: number;
	stack?: number;
	stackSize?: number;
	setTidSize?: number;
	cgroup?: number;
	size?: number;
}

function bytes({ flags = 0, exitSignal = SIGCHLD, stack = 0x1000, stackSize = 0x1000, ...rest }: Args): Buffer {
	const args = Buffer.alloc(Math.max(rest.size ?? 0, 88));
	for (const [index, value] of Object.entries({ 0: flags, 4: exitSignal, 5: stack, 6: stackSize })) {
		args.writeBigUInt64LE(BigInt(value), Number(index) * 8);
	}
	args.writeBigUInt64LE(BigInt(rest.setTidSize ?? 0), 72);
	args.writeBigUInt64LE(BigInt(rest.cgroup ?? 0), 80);
	return args;
}

async function bare(): Promise<Task> {
	const task = await Task.clone();
	task.syscall(prlimit, 0, RLIMIT_CORE, Buffer.alloc(16), 0); // no core dumps
	return task;
}

/** Clones a child, reaps it, and returns how it ended. */
function raw(task: Task, args: Args, parent = task): number {
	const pid = task.syscall(clone3, bytes(args), args.size ?? 88) as bigint;
	const status = Buffer.alloc(8);
	expect(parent.syscall(wait4, pid, status, WALL, 0)).toBe(pid);
	return status.readInt32LE();
}
const refused = (code: string) => expect.objectContaining({ code });

test("CL3-01 a struct that is not there is EFAULT, one that is too short EINVAL", async () => {
	await using task = await bare();
	expect(() => task.syscall(clone3, 1, 88)).toThrow(refused("EFAULT"));
	for (const size of [0, 63]) expect(() => task.syscall(clone3, bytes({}), size)).toThrow(refused("EINVAL"));
	expect(children(task.pid)).toEqual([]);
});

test("CL3-02 sizes: of old kernels, of this one, and of newer ones that ask for nothing new", async () => {
	await using task = await bare();
	for (const size of [64, 80, 88, 96, 4096]) expect(raw(task, { size })).toBe(SIGSEGV);
	const tail = bytes({ size: 96 });
	tail[95] = 1;
	expect(() => task.syscall(clone3, tail, 96)).toThrow(refused("E2BIG"));
	expect(() => task.syscall(clone3, bytes({ size: 4104 }), 4104)).toThrow(refused("E2BIG"));
	expect(children(task.pid)).toEqual([]);
});

test.each([
	["SIGHAND without VM", { flags: SIGHAND }],
	["THREAD without SIGHAND", { flags: THREAD | VM }],
	["FS with NEWNS", { flags: FS + NEWNS }],
	["FS with NEWUSER", { flags: FS + NEWUSER }],
	["the exit signal among the flags", { flags: SIGCHLD }],
	["an exit signal beyond the last", { exitSignal: 0x100 }],
	["CL3-08 SIGHAND with CLEAR_SIGHAND", { flags: SIGHAND + VM + CLEAR_SIGHAND }],
	["CL3-04 a stack without a size", { stackSize: 0 }],
	["CL3-04 a size without a stack", { stack: 0 }],
	["CL3-06 33 pids", { setTidSize: 33 }],
	["CL3-06 a count of pids without pids", { setTidSize: 1 }],
	["a cgroup beyond all descriptors", { flags: INTO_CGROUP, cgroup: 2 ** 31 }],
])("CL3-03 %s is EINVAL, and no child is made", async (_, args) => {
	await using task = await bare();
	expect(() => raw(task, args)).toThrow(refused("EINVAL"));
	expect(children(task.pid)).toEqual([]);
	expect(raw(task, {})).toBe(SIGSEGV); // the task still works
});

test("CL3-07 CLEAR_SIGHAND alone is allowed", async () => {
	await using task = await bare();
	expect(raw(task, { flags: CLEAR_SIGHAND })).toBe(SIGSEGV);
});

test("CL3-10 CLONE_PARENT makes a sibling, but not for the init of a pid namespace", async () => {
	await using parent = await bare();
	await using task = await parent.clone();
	expect(raw(task, { flags: PARENT, exitSignal: 0 }, parent)).toBe(SIGSEGV);
	await using init = await Task.clone({ namespaces: ["user", "pid"] });
	expect(() => raw(init, { flags: PARENT, exitSignal: 0 })).toThrow(refused("EINVAL"));
	expect(children(init.pid)).toEqual([]);
});
