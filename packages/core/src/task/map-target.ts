import { native } from "../addon/native.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import { openProcessFolder } from "../files/pidfd.ts";
import type { ChildProcess } from "../process/child.ts";
import { trackerOf } from "../process/child-tracker.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, nearTask } from "../target/target.ts";
import type { Task } from "./task.ts";

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
	 * @param pidfd - A pidfd of this process, which the target takes over.
	 * @param pid - The pid for the paths in errors.
	 * @param child - The process as a child of nearfar.
	 * @param task - The process as a task that takes calls.
	 */
	constructor(pidfd: FileDescriptor, pid: number, child: ChildProcess | undefined, task: AnyTask | undefined) {
		this.pidfd = pidfd;
		this.child = child;
		this.task = task;
		this.#pid = pid;
		try {
			this.folder = openFolder(pidfd, this.pathOf("uid_map"));
		} catch (error) {
			pidfd.close();
			throw error;
		}
	}

	/** Returns the target for a task that takes calls. */
	static ofTask(task: Task): MapTarget {
		const { process } = task;
		return new MapTarget(pidfdOf(process), process.pid, process, task);
	}

	/** Returns the path of a file of the process, for errors. */
	pathOf(name: string): string {
		return `/proc/${this.#pid}/${name}`;
	}

	/** Closes the descriptors. */
	[Symbol.dispose](): void {
		this.pidfd.close();
		this.folder.close();
	}
}

/** Opens `/proc/<pid>` of a child. */
export function openInProc(child: ChildProcess): FileDescriptor {
	using pidfd = pidfdOf(child);
	return openFolder(pidfd, `/proc/${child.pid}`);
}

/** Returns a pidfd of a child, a descriptor of this process that the caller closes. */
function pidfdOf(child: ChildProcess): FileDescriptor {
	const tracker = trackerOf(child);
	const number = native().childPidfd(tracker.id);
	if (number < 0) tracker.throwGone("map the ids of");
	return nearTask().run(() => FileDescriptor.from(number));
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
		if (hasEnded(pidfd)) throw new SyscallError({ code: "ESRCH", errno: 3, syscall: "openat2" }, { path });
		throw new SyscallError({ code: "ENOENT", errno: 2, syscall: "openat2" }, { path, hint: foreign });
	});
}

const hidden =
	"/proc is mounted with hidepid, which hides the processes of other users and processes that are not dumpable";
const foreign = "/proc belongs to a pid namespace in which the process is not visible";

/** Returns whether the process of a pidfd of this process was reaped. */
function hasEnded(pidfd: FileDescriptor): boolean {
	try {
		native().pidfdSendSignal(pidfd.fd, 0, 0);
		return false;
	} catch (error) {
		return error instanceof SyscallError && error.code === "ESRCH";
	}
}
