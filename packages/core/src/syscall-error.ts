import type { Command } from "./task/exec-options.ts";

// Copied once, because Node builds a new map at every call of getSystemErrorMap(), which costs more than the error itself.
let knownErrors: Map<number, [name: string, words: string]> | undefined;

/**
 * Thrown when the kernel refuses a call. The error has the form of those of `node:fs`.
 *
 * @example
 * ```ts
 * try {
 *   openat2("/nope");
 * } catch (error) {
 *   if (error instanceof SyscallError) console.log(error.code, error.syscall, error.path); // ENOENT openat2 /nope
 * }
 * ```
 */
export class SyscallError extends Error {
	/** Name of the error, `"EPERM"`. A number without a name is `"Unknown system error -N"`. */
	readonly code: string;
	/** Number of the error, negative as in Node. */
	readonly errno: number;
	/** The call, as its man page names it. */
	readonly syscall: string;
	/** The path that the call was about. */
	declare readonly path?: string;
	/** The second path, of a call that takes two. */
	declare readonly dest?: string;
	/** The task that made the call. Absent for this process. */
	declare readonly task?: string;
	/** The number of the call in its batch, from 0. */
	declare readonly step?: number;
	/** The command of the child that the call was about. */
	declare readonly command?: Command;
	/** Messages of the file system about the refusal. */
	declare readonly log?: string[];
	/**
	 * What stands in the way, and what to do about it, in one sentence. Absent if nothing explains the refusal.
	 *
	 * For calls on namespaces, id maps and mounts the sentence is made of what `/proc` says of the task that was refused, at the time of the
	 * error. A task that is busy, stopped or under a filter of its own is not asked, and the hint then says less or is absent. `message`
	 * does not have the hint: print both.
	 *
	 * @example
	 * ```ts
	 * try {
	 *   await using task = await Task.clone({ namespaces: ["net"] });
	 * } catch (error) {
	 *   if (error instanceof SyscallError) console.error(error.message, error.hint ?? "");
	 * }
	 * ```
	 */
	declare readonly hint?: string;

	/**
	 * Called by nearfar.
	 *
	 * @param refusal - The error of the kernel, with a positive number. `message` is the text for a number that Node does
	 * not know; `words` is the reason in place of the text for the number; `call` is what the caller has called, where that
	 * is not `syscall`; `object` says what the call was about, in place of the paths; `of` names the process that the call
	 * was about.
	 * @param about - Further properties of the error.
	 */
	constructor(
		refusal: {
			code: string;
			errno: number;
			syscall: string;
			message?: string;
			words?: string;
			call?: string;
			object?: string;
			of?: string;
		},
		about: {
			path?: string;
			dest?: string;
			task?: string;
			step?: number;
			command?: Command;
			log?: string[];
			hint?: string;
		} = {},
	) {
		const { errno, syscall, call, of } = refusal;
		knownErrors ??= process.getBuiltinModule("node:util").getSystemErrorMap();
		const known = knownErrors.get(-errno);
		const code = /^UnknownErrno/.test(refusal.code) ? `Unknown system error -${errno}` : refusal.code;
		const words = refusal.words ?? known?.[1] ?? refusal.message?.toLowerCase() ?? "unknown error";
		const object = refusal.object ?? pathsText(about);
		// A caller of another function than `syscall` knows nothing of the task that has made the call.
		const where = about.task !== undefined && call === undefined ? ` in ${about.task}` : "";
		super(`${code}: ${words}, ${call ?? syscall}${object && ` ${object}`}${of ? ` of ${of}` : ""}${where}`);
		this.name = "SyscallError";
		this.code = code;
		this.errno = -errno;
		this.syscall = syscall;
		for (const [name, value] of Object.entries(about)) {
			if (value !== undefined) Object.assign(this, { [name]: value });
		}
	}
}

/** Returns the paths of a call as messages have them: `'/a' -> '/b'`. */
export function pathsText({ path, dest }: { path?: string; dest?: string }): string {
	return [path, dest]
		.filter((path) => path !== undefined)
		.map((path) => `'${path}'`)
		.join(" -> ");
}
