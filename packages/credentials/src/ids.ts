import { native } from "@nearfar/core/internal";

/** The real, effective and saved id of a process, all user ids or all group ids. */
export interface Ids {
	/** The id of the user or group that owns the process: it decides which processes may signal this one. */
	real: number;
	/** The id that the kernel checks permissions with. */
	effective: number;
	/** The id that the effective id may change back to without a privilege. */
	saved: number;
}

/**
 * Returns the real user id.
 *
 * @returns 0 to 4294967294; 65534 for an id that the user namespace does not map.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getuid() === process.getuid?.()); // true
 * ```
 * @see getuid(2); no privilege
 */
export function getuid(): number {
	return native().getuid();
}

/**
 * Returns the effective user id.
 *
 * @returns 0 to 4294967294; 65534 for an id that the user namespace does not map.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * console.log(task.run(geteuid)); // 0
 * ```
 * @see geteuid(2); no privilege
 */
export function geteuid(): number {
	return native().geteuid();
}

/**
 * Returns the real group id.
 *
 * @returns 0 to 4294967294; 65534 for an id that the user namespace does not map.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getgid() === process.getgid?.()); // true
 * ```
 * @see getgid(2); no privilege
 */
export function getgid(): number {
	return native().getgid();
}

/**
 * Returns the effective group id.
 *
 * @returns 0 to 4294967294; 65534 for an id that the user namespace does not map.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * console.log(getegid() === process.getegid?.()); // true
 * ```
 * @see getegid(2); no privilege
 */
export function getegid(): number {
	return native().getegid();
}

/**
 * Returns the real, effective and saved user id.
 *
 * @returns Each id 0 to 4294967294; 65534 for an id that the user namespace does not map.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * const { real, effective, saved } = getresuid();
 * console.log(real === effective && effective === saved); // true, unless Node is set-user-id
 * ```
 * @see getresuid(2), Linux 2.1.44; no privilege
 */
export function getresuid(): Ids {
	const [real = 0, effective = 0, saved = 0] = native().getresuid();
	return { real, effective, saved };
}

/**
 * Returns the real, effective and saved group id.
 *
 * @returns Each id 0 to 4294967294; 65534 for an id that the user namespace does not map.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * const { real, effective, saved } = getresgid();
 * console.log(real === effective && effective === saved); // true, unless Node is set-group-id
 * ```
 * @see getresgid(2), Linux 2.1.44; no privilege
 */
export function getresgid(): Ids {
	const [real = 0, effective = 0, saved = 0] = native().getresgid();
	return { real, effective, saved };
}
