import { native, prctlOptions, text, wrongType, wrongValue } from "@nearfar/core/internal";

const TASK_COMM_LEN = 16; // bytes, with the NUL at the end

/**
 * Sets the name of the current task, which ps(1) and `/proc/<pid>/comm` show. execve(2) replaces it.
 *
 * @param name - Text, or bytes in any encoding, without NUL bytes. Only the first 15 bytes count.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near, where only one thread of Node would have the name. `process.title`
 * is for Node.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `name` has a NUL byte, or is neither text nor bytes.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * task.run(() => setName("worker"));
 * ```
 * @see PR_SET_NAME(2const), Linux 2.6.9; no privilege
 */
export function setName(name: string | Uint8Array): void {
	if (typeof name !== "string" && !((name as unknown) instanceof Uint8Array)) {
		throw wrongType("name", "a string or a Uint8Array", name);
	}
	if (name instanceof Uint8Array && name.includes(0)) throw wrongValue("name", "without NUL bytes", name);
	const bytes = new Uint8Array(TASK_COMM_LEN);
	bytes.set(Buffer.from(typeof name === "string" ? text(name, "name") : name).subarray(0, TASK_COMM_LEN - 1));
	native().setPrctl(prctlOptions.setName, [bytes]);
}

/**
 * Returns the name of the current task, or, near, of the calling thread.
 *
 * @returns Text. Bytes that are not UTF-8 become U+FFFD.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => (setName("worker"), getName()))); // worker
 * ```
 * @see PR_GET_NAME(2const), Linux 2.6.11; no privilege
 */
export function getName(): string {
	const { out } = native().prctl(prctlOptions.getName, [new Uint8Array(TASK_COMM_LEN)]);
	return out.toString("utf8", 0, out.indexOf(0));
}
