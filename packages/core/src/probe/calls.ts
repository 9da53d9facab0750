// The features that are one call of a task without privilege.

import { native } from "../addon/native.ts";
import { openat2 } from "../files/files.ts";
import { nearTask } from "../target/target.ts";
import { Task } from "../task/task.ts";
import type { Answer, Feature } from "./features.ts";
import { refused, type Step, type Tasks, Worker } from "./tasks.ts";

/** The numbers of the calls. The numbers from 424 on are the same for all architectures. */
const x64 = process.arch === "x64";
export const numbers = {
	ioctl: x64 ? 16 : 29,
	socket: x64 ? 41 : 198,
	nameToHandleAt: x64 ? 303 : 264,
	seccomp: x64 ? 317 : 277,
	memfdCreate: x64 ? 319 : 279,
	pidfdSendSignal: 424,
	fsopen: 430,
	pidfdOpen: 434,
	clone3: 435,
	closeRange: 436,
	openat2: 437,
	pidfdGetfd: 438,
	faccessat2: 439,
	mountSetattr: 442,
	landlockCreateRuleset: 444,
	statmount: 457,
	listmount: 458,
	openTreeAttr: 467,
	listns: 470,
} as const;

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const X_OK = 1;
const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;
const PIDFD_THREAD = 0x80; // O_EXCL
const PIDFD_GET_INFO = 0xc040ff0b;
const PIDFD_GET_UTS_NAMESPACE = 0xff0a;
const PIDFD_SELF = -10000;
const NS_GET_ID = 0x8008b70d;
const SECCOMP_GET_ACTION_AVAIL = 2;
const SECCOMP_RET_KILL_PROCESS = 0x80000000;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const INFO = 64; // bytes of the first version of struct pidfd_info
const PID = 1n; // PIDFD_INFO_PID
const HANDLE = 128; // bytes that a handle has at most

/** Calls with arguments that every kernel refuses that knows the call, before it looks at any privilege. */
const invalid: Partial<Record<Feature, readonly [name: string, nr: number, ...args: number[]]>> = {
	clone3: ["clone3", numbers.clone3, 0, 0],
	openat2: ["openat2", numbers.openat2, AT_FDCWD, 0, 0, 0],
	closeRange: ["close_range", numbers.closeRange, 1, 0, 0],
	pidfdOpen: ["pidfd_open", numbers.pidfdOpen, 0, 0],
	pidfdGetFd: ["pidfd_getfd", numbers.pidfdGetfd, -1, -1, 1],
	statmount: ["statmount", numbers.statmount, 0, 0, 0, 0],
	listmount: ["listmount", numbers.listmount, 0, 0, 0, -1],
	listns: ["listns", numbers.listns, 0, 0, 0, -1],
	openTreeAttr: ["open_tree_attr", numbers.openTreeAttr, AT_FDCWD, 0, 0, 0, 1],
	mountSetattr: ["mount_setattr", numbers.mountSetattr, AT_FDCWD, 0, -1, 0, 0],
};

/** The steps of features that are tried by calls which succeed. */
const valid: Partial<Record<Feature, readonly [name: string, step: Step]>> = {
	pidfdThread: [
		"pidfd_open",
		(task) => void task.syscall(numbers.pidfdOpen, task.pid, PIDFD_THREAD, { fd: true }).close(),
	],
	pidfdInfo: [
		"ioctl",
		(task) => {
			using pidfd = task.syscall(numbers.pidfdOpen, task.pid, 0, { fd: true });
			const info = Buffer.alloc(INFO);
			info.writeBigUInt64LE(PID);
			task.syscall(numbers.ioctl, pidfd, PIDFD_GET_INFO, info);
		},
	],
	pidfdNamespaces: [
		"ioctl",
		(task) => {
			using pidfd = task.syscall(numbers.pidfdOpen, task.pid, 0, { fd: true });
			task.syscall(numbers.ioctl, pidfd, PIDFD_GET_UTS_NAMESPACE, 0, { fd: true }).close();
		},
	],
	pidfdSelf: ["pidfd_send_signal", (task) => void task.syscall(numbers.pidfdSendSignal, PIDFD_SELF, 0, 0, 0)],
	seccomp: [
		"seccomp",
		(task) => {
			const action = Buffer.from(Uint32Array.of(SECCOMP_RET_KILL_PROCESS).buffer);
			task.syscall(numbers.seccomp, SECCOMP_GET_ACTION_AVAIL, 0, action);
		},
	],
	landlock: [
		"landlock_create_ruleset",
		(task) => void task.syscall(numbers.landlockCreateRuleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION),
	],
};

/**
 * Tries the features that are single calls.
 *
 * @param worker - Makes the calls.
 * @param filtered - True when a seccomp filter is active. EPERM for an invalid call is then the filter's.
 */
export async function tryCalls(worker: Worker, filtered: boolean): Promise<Partial<Record<Feature, Answer>>> {
	const answers: Partial<Record<Feature, Answer>> = {};
	for (const [feature, [name, nr, ...args]] of Object.entries(invalid)) {
		const answer = await worker.attempt(name, (task) => void task.syscall(nr, ...args));
		const known = answer.code !== "ENOSYS" && !(filtered && answer.code === "EPERM") && !answer.code?.startsWith("SIG");
		answers[feature as Feature] = known && answer.works !== undefined ? { works: true } : answer;
	}
	for (const [feature, [name, step]] of Object.entries(valid)) {
		answers[feature as Feature] = await worker.attempt(name, step);
	}
	const { landlock } = answers;
	// The same filters apply to this process, where the call has just succeeded in a task and changes nothing.
	if (landlock?.works) {
		const { landlockCreateRuleset: nr } = numbers;
		landlock.value = Number(nearTask().run(() => Task.near.syscall(nr, 0, 0, LANDLOCK_CREATE_RULESET_VERSION)));
	}
	answers.memfdExec = await tryMemfd(worker);
	Object.assign(answers, await tryNamespaceFiles(worker));
	return answers;
}

async function tryMemfd(worker: Worker): Promise<Answer> {
	const step =
		(flags: number): Step =>
		(task) => {
			using memfd = task.syscall(numbers.memfdCreate, Buffer.from("nearfar\0"), flags, { fd: true });
			task.syscall(numbers.faccessat2, memfd, Buffer.from("\0"), X_OK, AT_EMPTY_PATH);
		};
	const answer = await worker.attempt("faccessat2", step(MFD_CLOEXEC | MFD_EXEC));
	return answer.code === "EINVAL" ? worker.attempt("faccessat2", step(MFD_CLOEXEC)) : answer;
}

/** Tries the number and the handle of a namespace. Neither can be tried where no namespace can be opened. */
async function tryNamespaceFiles(
	worker: Worker,
): Promise<Pick<Record<Feature, Answer>, "namespaceId" | "namespaceHandle">> {
	const path = "/proc/thread-self/ns/uts";
	const byPath = await worker.attempt("openat2", () => openat2(path, { flags: ["nonblock", "noctty"] }).close());
	const open = (task: Task) => {
		if (byPath.works) return openat2(path, { flags: ["nonblock", "noctty"] });
		using pidfd = task.syscall(numbers.pidfdOpen, task.pid, 0, { fd: true });
		return task.syscall(numbers.ioctl, pidfd, PIDFD_GET_UTS_NAMESPACE, 0, { fd: true });
	};
	if (!(await worker.attempt("ioctl", (task) => open(task).close())).works) {
		return { namespaceId: { works: undefined }, namespaceHandle: { works: undefined } };
	}
	return {
		namespaceId: await worker.attempt("ioctl", (task) => {
			using namespace = open(task);
			task.syscall(numbers.ioctl, namespace, NS_GET_ID, Buffer.alloc(8));
		}),
		namespaceHandle: await worker.attempt("name_to_handle_at", (task) => {
			using namespace = open(task);
			const handle = Buffer.alloc(8 + HANDLE);
			handle.writeUInt32LE(HANDLE);
			task.syscall(numbers.nameToHandleAt, namespace, Buffer.from("\0"), handle, Buffer.alloc(8), AT_EMPTY_PATH);
		}),
	};
}

/** Tries whether the kernel keeps the status of a child that was reaped. `tasks` clones the child. */
export async function tryPidfdExit(tasks: Tasks): Promise<Answer> {
	const child = new Worker(tasks);
	if (!(await child.start()).works || !child.task) return { works: undefined };
	const { process } = child.task;
	try {
		using pidfd = nearTask().run(() => process.fd.dup());
		await child.end();
		const status = nearTask().run(() => native().exitStatus(pidfd.fd));
		return status === null ? { works: false, syscall: "ioctl" } : { works: true };
	} catch (error) {
		return refused(error, "ioctl");
	}
}
