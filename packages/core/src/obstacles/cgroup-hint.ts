import type { SyscallError } from "../syscall-error.ts";
import { readBounded } from "../target/read-bounded.ts";
import type { AnyTask } from "../target/target.ts";
import { readOfTask } from "./look.ts";

/**
 * Returns what stands in the way of a clone into a cgroup, and what to do about it.
 *
 * @param refusal - The error of the clone.
 * @param number - The descriptor of the directory, in this process.
 * @param cloner - The task that was to clone.
 */
export function hintForCgroup(
	{ code }: Pick<SyscallError, "code">,
	number: number,
	cloner: AnyTask,
): string | undefined {
	const folder = `/proc/self/fd/${number}`;
	const path = pathOf(folder);
	switch (code) {
		case "ENOENT":
			return `${path} was removed: make the cgroup again`;
		case "EBADF":
			return `${path} is no directory of cgroup v2`;
		case "EOPNOTSUPP":
			return `the cgroup.type of ${path} is "${readBounded(`${folder}/cgroup.type`).trim()}", and a process begins in a "domain" alone: a directory above it has processes of its own and controllers enabled for its children, or is threaded; move those processes, and make the cgroup again`;
		case "EBUSY":
			return `${path} has controllers enabled for its children (cgroup.subtree_control: ${readBounded(`${folder}/cgroup.subtree_control`).trim()}), and takes no processes of its own: clone into a child of it`;
		case "EACCES":
			return `the nearest directory above both ${path} and the cgroup of the task that clones (${ownPath(cloner)}) has to be writable: begin below a directory that this user may write, or clone through a keeper that systemd has moved there (Cgroup.viaSystemd of @nearfar/cgroup)`;
		default:
			return undefined;
	}
}

function pathOf(folder: string): string {
	return process.getBuiltinModule("node:fs").readlinkSync(folder);
}

function ownPath(cloner: AnyTask): string {
	return /^0::(.*)$/m.exec(readOfTask(cloner, "cgroup") ?? "")?.[1] ?? "not shown by /proc";
}
