import { SyscallError } from "@nearfar/core";
import { native } from "@nearfar/core/internal";

const MOST = 65536; // NGROUPS_MAX

/**
 * Returns the supplementary groups: first their number is asked for, then the list.
 *
 * @returns In the kernel's order: ascending, as the first user namespace counts. Whether the effective group is among them is up to who set them.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * console.log(getgroups());
 * ```
 * @see getgroups(2); no privilege
 */
export function getgroups(): number[] {
	try {
		// With room for none the kernel would only count again.
		return native().getgroups(Math.max(1, native().getgroupsCount()));
	} catch (error) {
		// Another thread has added some in between.
		if (error instanceof SyscallError && error.code === "EINVAL") return native().getgroups(MOST);
		throw error;
	}
}
