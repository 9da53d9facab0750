import {
	type FileDescriptor,
	Location,
	openat2,
	type Process,
	type ProcessLike,
	readdir,
	SyscallError,
	Task,
} from "@nearfar/core";
import {
	adoptDescriptor,
	changeClass,
	currentBatch,
	currentTask,
	type DescriptorClass,
	explained,
	isTask,
	type NamespaceLink,
	native,
	numberOf,
	openNamespaceOf,
	openOwnProc,
	pidfdFlags,
	taskOf,
	threadId,
	withNearDescriptor,
	withPidfd,
} from "@nearfar/core/internal";

const ESRCH = 3;
const STATUS = 8192; // bytes; no /proc/<pid>/status is longer

/**
 * Opens a namespace of the thread that makes the calls of the current task.
 *
 * @param link - The namespace.
 * @param made - The class of the new object.
 */
export function openCurrent<T extends FileDescriptor>(link: NamespaceLink, made: DescriptorClass<T>): T {
	const task = currentTask();
	// Before a batch, because a batch cannot choose between two ways.
	const folder = task.run(openOwnFolder);
	if (!folder) {
		const { tid, pid } = task.run(() => ({ tid: native().gettid(), pid: native().getpid() }));
		using pidfd = adoptDescriptor(native().pidfdOpen(tid, tid === pid ? 0 : pidfdFlags.thread));
		return openNamespaceOf(numberOf(pidfd), link, made);
	}
	const open = () => changeClass(openat2(new Location(folder, `ns/${link}`)), made);
	const batch = currentBatch();
	if (!batch) {
		using _ = folder;
		return open();
	}
	batch.whenEnded.push(() => folder.close()); // the batch opens the file in the folder
	return open();
}

/**
 * Opens `/proc/thread-self`. `/proc/self` would be about the first thread of Node. `undefined`: `/proc` is missing, is no procfs, or
 * does not show the caller, because it belongs to another pid namespace.
 */
function openOwnFolder(): FileDescriptor | undefined {
	try {
		return openOwnProc("thread-self");
	} catch (error) {
		if (error instanceof SyscallError && ["EMFILE", "ENFILE", "ENOMEM"].includes(error.code)) throw error;
		return undefined;
	}
}

/**
 * Opens a namespace of a process, or of a thread of Node, in the current task.
 *
 * @param process - The process.
 * @param link - The namespace.
 * @param made - The class of the new object.
 */
export function openOf<T extends FileDescriptor>(
	process: ProcessLike,
	link: NamespaceLink,
	made: DescriptorClass<T>,
): T {
	const tid = isTask(process) ? threadId(process) : undefined;
	if (tid === undefined) {
		return explained(
			() => ofProcess(process, link, () => withPidfd(process, (pidfd) => openNamespaceOf(pidfd, link, made))),
			({ code }) => (code === "EACCES" ? hintForOf(process, link) : undefined),
		);
	}
	return openOfThread(process as Task<Process>, tid, link, made);
}

/** Calls `fn`. If the kernel forbids to look into the process, the error names the process and the namespace. */
function ofProcess<T>(process: ProcessLike, link: NamespaceLink, fn: () => T): T {
	try {
		return fn();
	} catch (error) {
		if (!(error instanceof SyscallError) || error.code !== "EACCES") throw error;
		const name = typeof process === "number" ? `process ${process}` : `${process}`;
		const of = `${name}, namespace "${link}"`;
		throw new SyscallError({ code: error.code, errno: -error.errno, syscall: error.syscall, of }, taskOf());
	}
}

/** Returns what the caller needs to open a namespace of a process that the kernel does not let the caller look into. */
function hintForOf(process: ProcessLike, link: NamespaceLink): string {
	return isTask(process)
		? `the task is not dumpable: call setDumpable(true) in it, or task.get(task.run(() => Namespace.current("${link}")))`
		: "the caller may not trace the process (PTRACE_MODE_READ): that needs the same user and group ids and a dumpable process, or CAP_SYS_PTRACE over its user namespace";
}

/** Opens a namespace of a thread of Node. The thread has its id as long as its object is live. */
function openOfThread<T extends FileDescriptor>(
	thread: Task<Process>,
	tid: number,
	link: NamespaceLink,
	made: DescriptorClass<T>,
): T {
	if (thread.state !== "live") throw hasEnded(thread);
	let pidfd: FileDescriptor;
	try {
		pidfd = Task.near.run(() => adoptDescriptor(native().pidfdOpen(tid, pidfdFlags.thread)));
	} catch (error) {
		if (!(error instanceof SyscallError) || error.code !== "EINVAL") throw error;
		return openInTaskFolder(tid, link, made); // before Linux 6.9
	}
	return withNearDescriptor(
		() => pidfd,
		(number) => openNamespaceOf(number, link, made),
	);
}

/** Opens a namespace of a thread in `/proc/self/task`, in Node, and copies the descriptor into the current task. */
function openInTaskFolder<T extends FileDescriptor>(tid: number, link: NamespaceLink, made: DescriptorClass<T>): T {
	const near = Task.near.run(() => {
		using folder = openThreadFolder(tid);
		return changeClass(openat2(new Location(folder, `ns/${link}`)), made);
	});
	const task = currentTask();
	if (task.fdTable === near.table) return near;
	using original = near;
	return task.put(original);
}

/** Opens the folder of a thread of Node in `/proc/self/task`. The `/proc` of an outer pid namespace numbers threads in another way. */
function openThreadFolder(tid: number): FileDescriptor {
	using threads = openOwnProc("self/task", ["directory"]);
	const likely = openIfOfThread(threads, String(tid), tid);
	if (likely) return likely;
	for (const { name } of readdir(threads)) {
		const folder = openIfOfThread(threads, name, tid);
		if (folder) return folder;
	}
	throw hasEnded(`thread ${tid}`);
}

/** Opens a folder of `/proc/self/task`. Returns `undefined` if the folder belongs to another thread, or to none. */
function openIfOfThread(threads: FileDescriptor, name: string, tid: number): FileDescriptor | undefined {
	let folder: FileDescriptor | undefined;
	try {
		folder = openat2(new Location(threads, name), { flags: ["directory"], resolve: ["noXdev"] });
		using status = openat2(new Location(folder, "status"), { resolve: ["noXdev"] });
		if (Number(/^NSpid:.*\t(\d+)$/m.exec(status.read(STATUS).toString())?.[1]) === tid) return folder;
	} catch (error) {
		folder?.close();
		// A thread that has ended meanwhile has no folder, and its open folder has no files.
		if (error instanceof SyscallError && (error.code === "ENOENT" || error.code === "ESRCH")) return undefined;
		throw error;
	}
	folder.close();
	return undefined;
}

function hasEnded(of: unknown): SyscallError {
	return new SyscallError({ code: "ESRCH", errno: ESRCH, syscall: "pidfd_open", of: String(of) }, taskOf());
}
