import { SyscallError } from "@nearfar/core";
import { MOST_GROUPS, native } from "@nearfar/core/internal";

/**
 * Returns the supplementary groups.
 *
 * The function asks for the number of groups first, and for the list then.
 *
 * @returns The ids in the kernel's order: ascending by their values in the initial user namespace. The effective
 * group id is among them only if the process that set the list put it there.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getgroups());
 * ```
 * @see getgroups(2); no privilege
 */
export function getgroups(): number[] {
	try {
		// With room for no id at all, getgroups(2) would count again instead of filling the list.
		return native().getgroups(Math.max(1, native().getgroupsCount()));
	} catch (error) {
		// Another thread may have added groups after they were counted: the list did not fit.
		if (error instanceof SyscallError && error.code === "EINVAL") return native().getgroups(MOST_GROUPS);
		throw error;
	}
}
