import { NearfarError } from "@nearfar/core";

/**
 * Why a cgroup cannot be had or used:
 *
 * - `"v1"`: this host has cgroup v1 alone.
 * - `"not-mounted"`: no cgroup2 file system that shows the cgroup is mounted in this mount namespace.
 * - `"not-cgroup2"`: the directory lies on another file system.
 * - `"readonly"`: the cgroup2 file system is mounted read-only, as in most containers.
 * - `"not-delegated"`: the directory belongs to another user, or another program manages it.
 * - `"outside-namespace"`: the cgroup lies outside the cgroup namespace of this process.
 * - `"controller"`: a controller is not available here. `missing` has the names.
 * - `"occupied"`: the directory has processes of its own. `pids` has them.
 * - `"systemd"`: systemd did not make a scope.
 * - `"removed"`: the directory was removed.
 * - `"busy"`: processes could not be moved or ended. `pids` has them.
 */
export type CgroupReason =
	| "v1"
	| "not-mounted"
	| "not-cgroup2"
	| "readonly"
	| "not-delegated"
	| "outside-namespace"
	| "controller"
	| "occupied"
	| "systemd"
	| "removed"
	| "busy";

/**
 * `ERR_NEARFAR_CGROUP`: a cgroup cannot be had or used. `reason` says why, and `hint` says what to do.
 *
 * @example
 * ```ts
 * try {
 *   await using group = Cgroup.find({ controllers: ["memory", "cpu"] });
 *   console.log(group.path);
 * } catch (error) {
 *   if (!(error instanceof CgroupError)) throw error;
 *   console.log(error.reason, error.missing, error.hint);
 * }
 * ```
 */
export class CgroupError extends NearfarError {
	/** Why: see {@link CgroupReason}. */
	readonly reason: CgroupReason;
	/** What to do, in one sentence. */
	readonly hint: string;
	/** With `"controller"`: the controllers that are not available. */
	declare readonly missing?: readonly string[];
	/** With `"occupied"` and `"busy"`: the processes in the way. 0 stands for a process of another pid namespace. */
	declare readonly pids?: readonly number[];

	constructor(
		reason: CgroupReason,
		message: string,
		hint: string,
		more: { missing?: readonly string[]; pids?: readonly number[]; cause?: unknown } = {},
	) {
		super("CGROUP", message);
		this.reason = reason;
		this.hint = hint;
		const { missing, pids, cause } = more;
		if (missing !== undefined) this.missing = missing;
		if (pids !== undefined) this.pids = pids;
		if (cause !== undefined) Object.defineProperty(this, "cause", { value: cause, configurable: true, writable: true });
	}
}

/** True for the error of a cgroup that was removed. */
export function isRemovedError(error: unknown): boolean {
	return error instanceof CgroupError && error.reason === "removed";
}
