import { readlink } from "../files/links.ts";
import { SyscallError } from "../syscall-error.ts";
import { type AnyTask, taskOf } from "../target/target.ts";
import { stateOf } from "./state.ts";

const costs = {
	pid: "the child would be process 1 of that namespace, and with the end of the child no process could be made in it any more",
	time: "with the first child the offsets of that namespace could not be set any more",
} as const;

/**
 * Refuses a task whose next child would be the first one in a pid or time namespace. A child that nearfar itself needs for a
 * moment must not be that child.
 *
 * @param task - The task that is to clone.
 * @param syscall - The system call that the error names.
 * @param path - The file that the error names.
 * @throws `EINVAL` The task has made a pid or time namespace that has no process yet.
 */
export function refuseFirstChild(task: AnyTask, syscall: "clone" | "unshare", path?: string): void {
	const { withoutChild, entering } = stateOf(task);
	const isFirst = (kind: "pid" | "time") =>
		withoutChild.has(kind) || [...entering].some(({ made }) => made.includes(kind));
	const kind = (["pid", "time"] as const).find(isFirst) ?? (hasEnteredFreshPids(task) ? "pid" : undefined);
	if (kind === undefined) return;
	const hint = `${task} has made a ${kind} namespace that has no process yet, and a child is needed to write the id maps: ${costs[kind]}; clone a task of your own into the namespace first, or make the namespace afterwards`;
	const about = { hint, ...(path !== undefined && { path }), ...taskOf(task) };
	throw new SyscallError({ code: "EINVAL", errno: 22, syscall }, about);
}

/** True when a task has entered a pid namespace by setns(2) that has no process yet. `/proc` then has no link for it. */
function hasEnteredFreshPids(task: AnyTask): boolean {
	const { childPids, pids } = stateOf(task);
	if (childPids() === pids()) return false;
	const has = (kind: string) => {
		try {
			return task.run(() => readlink(`/proc/thread-self/ns/${kind}`)).length > 0;
		} catch (error) {
			if (error instanceof SyscallError && error.code === "ENOENT") return false;
			throw error;
		}
	};
	return !has("pid_for_children") && has("pid");
}
