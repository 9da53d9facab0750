import { native } from "../addon/native.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import { isReaped, openProcessFolder, pidInProc, pidOfPidfd } from "../files/pidfd.ts";
import { ChildProcess } from "../process/child.ts";
import { livingChild, trackerOf } from "../process/child-tracker.ts";
import { isTask, openChild, type ProcessLike, withPidfd } from "../process/process-like.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, currentTask, isInNode, nearTask } from "../target/target.ts";
import { taskId } from "./state.ts";

/** A process whose user namespace gets maps, held by its pidfd and its directory in `/proc`: another process with its pid is never meant. */
export class MapTarget implements Disposable {
	/** The pidfd, a descriptor of this process. */
	readonly pidfd: FileDescriptor;
	/** The directory in `/proc`, a descriptor of this process. */
	readonly folder: FileDescriptor;
	/** The process as a child of nearfar, if it is one. */
	readonly child: ChildProcess | undefined;
	/** The process as a task that takes calls, if it is one. */
	readonly task: AnyTask | undefined;
	readonly #pid: number;

	/**
	 * @param pidfd - A pidfd of this process. The target takes the pidfd over, unless the constructor throws.
	 * @param pid - The pid for the paths in errors.
	 * @param child - The process as a child of nearfar.
	 * @param task - The process as a task that takes calls.
	 */
	private constructor(pidfd: FileDescriptor, pid: number, child: ChildProcess | undefined, task: AnyTask | undefined) {
		this.pidfd = pidfd;
		this.child = child;
		this.task = task;
		this.#pid = pid;
		this.folder = openFolder(pidfd, this.pathOf("uid_map"));
	}

	/** Returns the target for a process. A number, and a descriptor, is one of the current task. */
	static of(process: ProcessLike): MapTarget {
		const known = childOf(process);
		const pidfd = known ? pidfdOf(known) : nearPidfd(process);
		try {
			const child = known ?? nearTask().run(() => livingChild(pidOfPidfd(pidfd.fd) ?? 0));
			const task = child && trackerOf(child).task?.deref();
			const pid = child?.pid || nearTask().run(() => pidInProc(pidfd.fd));
			return new MapTarget(pidfd, pid ?? 0, child, task?.state === "live" ? task : undefined);
		} catch (error) {
			pidfd.close();
			throw error;
		}
	}

	/** Returns the path of a file of the process, for errors. */
	pathOf(name: string): string {
		return this.#pid > 0 ? `/proc/${this.#pid}/${name}` : "/proc";
	}

	/** Closes the descriptors. */
	[Symbol.dispose](): void {
		this.pidfd.close();
		this.folder.close();
	}
}

/** Returns the child that a process is by its object. */
function childOf(process: ProcessLike): ChildProcess | undefined {
	const own = isTask(process) ? process.process : process;
	return own instanceof ChildProcess ? own : undefined;
}

/** Returns a new pidfd for a process, a descriptor of this process that the caller closes. */
function nearPidfd(process: ProcessLike): FileDescriptor {
	const task = currentTask();
	const copy = (number: number) => {
		if (isInNode(task)) return native().dup(number, 3, true);
		return native().get(taskId(task), number);
	};
	const number = withPidfd(process, copy, "target");
	return nearTask().run(() => FileDescriptor.from(number));
}

/** Opens `/proc/<pid>` of a child. */
export function openInProc(child: ChildProcess): FileDescriptor {
	using pidfd = pidfdOf(child);
	return openFolder(pidfd, `/proc/${child.pid}`);
}

/** Returns a pidfd of a child, a descriptor of this process that the caller closes. */
function pidfdOf(child: ChildProcess): FileDescriptor {
	return nearTask().run(() => openChild(child, `/proc/${child.pid}/uid_map`));
}

/**
 * Opens the directory of a process in Node's `/proc`.
 *
 * @param pidfd - A pidfd of this process.
 * @param path - The path that an error names.
 */
function openFolder(pidfd: FileDescriptor, path: string): FileDescriptor {
	return nearTask().run(() => {
		try {
			const folder = openProcessFolder(pidfd.fd);
			if (folder) return folder;
		} catch (error) {
			if (!(error instanceof SyscallError) || !["ENOENT", "EACCES", "EPERM"].includes(error.code)) throw error;
			const { code, errno, syscall, hint = hidden } = error;
			throw new SyscallError({ code, errno: -errno, syscall }, { path, hint });
		}
		if (isReaped(pidfd.fd)) throw new SyscallError({ code: "ESRCH", errno: 3, syscall: "openat2" }, { path });
		throw new SyscallError({ code: "ENOENT", errno: 2, syscall: "openat2" }, { path, hint: foreign });
	});
}

const hidden =
	"/proc is mounted with hidepid, which hides the processes of other users and processes that are not dumpable";
const foreign = "/proc belongs to a pid namespace in which the process is not visible";
