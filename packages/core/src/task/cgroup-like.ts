import { wrongType } from "../arguments.ts";
import type { TaskGoneError } from "../errors.ts";
import { FileDescriptor } from "../files/descriptor.ts";
import { isTask } from "../process/process-like.ts";
import type { SyscallError } from "../syscall-error.ts";
import type { Task } from "./task.ts";

/**
 * A cgroup in which a task can begin: a `Cgroup` of `@nearfar/cgroup`, or another object with these members.
 *
 * @example Tell a removed cgroup from other refusals
 * ```ts
 * // as root
 * await using task = await Task.clone();
 * using folder = openat2("/sys/fs/cgroup", { flags: ["path", "directory"] });
 * const cgroup: CgroupLike = {
 * 	fd: folder,
 * 	refused: (error) => (error.code === "ENOENT" ? new Error("the cgroup was removed", { cause: error }) : error),
 * };
 * ```
 * @see cgroups(7)
 */
export interface CgroupLike {
	/** A descriptor of this process for the directory. One that was opened with `"path"` is enough. */
	readonly fd: FileDescriptor;
	/**
	 * The task that clones in the place of Node, which may not put processes there: the kernel wants the nearest directory above both,
	 * the cgroup of the task that clones and this one, to be writable. The new task is a child of the keeper, and begins with its
	 * working directory, umask, ids and limits. A task that clones by its own `clone` needs no keeper.
	 */
	readonly keeper?: Task | undefined;
	/**
	 * Returns the error to throw where the kernel has refused the clone, or the keeper has ended. Default: `error`.
	 *
	 * @param error - The refusal of the clone, or `ERR_NEARFAR_TASK_GONE` of the keeper.
	 * @returns The error that the clone rejects with.
	 */
	refused?(error: SyscallError | TaskGoneError): Error;
}

/** The cgroup in which a task begins, and the task that clones it there. */
export interface CgroupPlace {
	readonly fd: FileDescriptor;
	readonly keeper: Task | undefined;
	readonly refused: (error: SyscallError | TaskGoneError) => Error;
}

/**
 * Reads the option `cgroup`.
 *
 * @throws `TypeError` The value is neither a descriptor nor an object with one.
 */
export function cgroupPlace(cgroup: FileDescriptor | CgroupLike): CgroupPlace {
	if (cgroup instanceof FileDescriptor) return { fd: cgroup, keeper: undefined, refused: (error) => error };
	const { fd, keeper } = (typeof cgroup === "object" && cgroup) || {};
	if (!(fd instanceof FileDescriptor)) throw wrongType("options.cgroup", "a Cgroup or a FileDescriptor", cgroup);
	if (keeper !== undefined && !isTask(keeper)) throw wrongType("options.cgroup.keeper", "a task", keeper);
	return { fd, keeper, refused: (error) => cgroup.refused?.(error) ?? error };
}
