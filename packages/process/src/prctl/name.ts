import { native, prctlOptions, text, wrongType, wrongValue } from "@nearfar/core/internal";

const ROOM = 16;

/**
 * Sets the name of the task, as ps(1) and `/proc/<pid>/comm` show it. What it executes has another one.
 *
 * @param name - At most 15 bytes: the kernel cuts off what is longer.
 * @throws `MultithreadedError` in this process: one thread would have it; there is `process.title` · `TypeError` a NUL
 * byte, or neither text nor bytes · `TaskGoneError`
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
	const bytes = new Uint8Array(ROOM);
	bytes.set(Buffer.from(typeof name === "string" ? text(name, "name") : name).subarray(0, ROOM - 1));
	native().setPrctl(prctlOptions.setName, [bytes]);
}

/**
 * Returns the name of the task; in this process, of the thread that asks.
 *
 * @returns As text; what is no UTF-8 becomes U+FFFD.
 * @throws `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * await using task = await Task.clone();
 * console.log(task.run(() => (setName("worker"), getName()))); // worker
 * ```
 * @see PR_GET_NAME(2const), Linux 2.6.11; no privilege
 */
export function getName(): string {
	const { out } = native().prctl(prctlOptions.getName, [new Uint8Array(ROOM)]);
	return out.toString("utf8", 0, out.indexOf(0));
}
