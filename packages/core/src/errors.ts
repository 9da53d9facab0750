import type { ChildState, ExitStatus } from "./process/child-state.ts";
import type { Command } from "./task/exec-options.ts";

// Node makes a new one for everybody who asks: that would be most of what an error costs.
let knownErrors: Map<number, [name: string, words: string]> | undefined;

/**
 * A refusal by the kernel, in the form that Node's own `fs` throws.
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
	/** Name of the error, `"EPERM"`; `"Unknown system error -N"` for a number without one. */
	readonly code: string;
	/** Its number, negative as in Node. */
	readonly errno: number;
	/** The call, as its man page names it. */
	readonly syscall: string;
	/** The path it was about. */
	declare readonly path?: string;
	/** The second path, where there are two. */
	declare readonly dest?: string;
	/** Which task made the call, when it was not this process. */
	declare readonly task?: string;
	/** Which call of a batch, from 0. */
	declare readonly step?: number;
	/** What the child executes whom it was about. */
	declare readonly command?: Command;
	/** What the file system said about it. */
	declare readonly log?: string[];
	/** What stands in the way. */
	declare readonly hint?: string;

	constructor(
		refusal: { code: string; errno: number; syscall: string; message?: string; of?: string },
		about: { path?: string; dest?: string; task?: string; step?: number; command?: Command; hint?: string } = {},
	) {
		const { errno, syscall, of } = refusal;
		knownErrors ??= process.getBuiltinModule("node:util").getSystemErrorMap();
		const known = knownErrors.get(-errno);
		const code = /^UnknownErrno/.test(refusal.code) ? `Unknown system error -${errno}` : refusal.code;
		const words = known?.[1] ?? refusal.message?.toLowerCase() ?? "unknown error";
		const paths = [about.path, about.dest].filter((path) => path !== undefined).map((path) => `'${path}'`);
		super(`${code}: ${words}, ${syscall}${paths.length > 0 ? ` ${paths.join(" -> ")}` : ""}${of ? ` of ${of}` : ""}`);
		this.name = "SyscallError";
		this.code = code;
		this.errno = -errno;
		this.syscall = syscall;
		for (const [name, value] of Object.entries(about)) {
			if (value !== undefined) Object.assign(this, { [name]: value });
		}
	}
}

/**
 * Base of what goes wrong before the kernel is asked; `code` begins with `ERR_NEARFAR_`.
 *
 * @example
 * ```ts
 * try {
 *   await Task.near.exit();
 * } catch (error) {
 *   if (error instanceof NearfarError) console.log(error.code); // ERR_NEARFAR_NEAR
 * }
 * ```
 */
export class NearfarError extends Error {
	/** Which error it is, stable over versions. */
	readonly code: string;

	constructor(code: string, message: string) {
		super(message);
		this.name = new.target.name;
		this.code = `ERR_NEARFAR_${code}`;
	}
}

/**
 * `ERR_NEARFAR_NAMESPACE_MISMATCH`: a handle of one namespace was used in another; nothing was done.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "pid"] });
 * try {
 *   task.run(() => Task.near.process.kill(0));
 * } catch (error) {
 *   console.log(error instanceof NamespaceMismatchError); // true: its pid means nobody, or somebody else, in there
 * }
 * ```
 */
export class NamespaceMismatchError extends NearfarError {
	constructor(message: string, code = "NAMESPACE_MISMATCH") {
		super(code, message);
	}
}

/**
 * `ERR_NEARFAR_FD_TABLE_MISMATCH`: a descriptor of one table was used in another; nothing was done.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * using file = openat2("/etc/hostname");
 * try {
 *   task.run(() => file.read(10));
 * } catch (error) {
 *   console.log(error instanceof FDTableMismatchError); // true: it is Node's; task.put(file) copies it
 * }
 * ```
 */
export class FDTableMismatchError extends NamespaceMismatchError {
	constructor(message: string) {
		super(message, "FD_TABLE_MISMATCH");
	}
}

/**
 * `ERR_NEARFAR_ADDRESS_SPACE_MISMATCH`: memory of one address space was used in another; nothing was done.
 *
 * @example
 * ```ts
 * const error: NamespaceMismatchError = new AddressSpaceMismatchError("this address is another task's");
 * console.log(error.code); // ERR_NEARFAR_ADDRESS_SPACE_MISMATCH
 * ```
 */
export class AddressSpaceMismatchError extends NamespaceMismatchError {
	constructor(message: string) {
		super(message, "ADDRESS_SPACE_MISMATCH");
	}
}

/**
 * `ERR_NEARFAR_CLOSED`: a handle was used after `close` or `take`.
 *
 * @example
 * ```ts
 * const file = openat2("/etc/hostname");
 * file.close();
 * try {
 *   file.read(10);
 * } catch (error) {
 *   console.log(error instanceof ClosedError); // true
 * }
 * ```
 */
export class ClosedError extends NearfarError {
	constructor(message: string) {
		super("CLOSED", message);
	}
}

/**
 * `ERR_NEARFAR_TASK_GONE`: the task exec'd, exited or died, perhaps while a call was under way.
 *
 * @example
 * ```ts
 * const task = await Task.clone();
 * await task.exit(7);
 * try {
 *   task.run(() => openat2("/"));
 * } catch (error) {
 *   if (error instanceof TaskGoneError) console.log(error.status); // { code: 7, signal: null, dumped: false }
 * }
 * ```
 */
export class TaskGoneError extends NearfarError {
	/** How it ended, where that is known. */
	declare readonly status?: ExitStatus;
	/** What it exec'd, if that is why. */
	declare readonly command?: Command;

	constructor(message: string, status?: ExitStatus, command?: Command) {
		super("TASK_GONE", message);
		if (status !== undefined) this.status = status;
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_BATCH`: a value was needed that is not there until the batch has run.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * const failed = await task.batch(() => statx("/")).catch((error) => error);
 * console.log(failed instanceof BatchError); // true: nothing is known before it runs
 * ```
 */
export class BatchError extends NearfarError {
	constructor(message: string) {
		super("BATCH", message);
	}
}

/**
 * `ERR_NEARFAR_MULTITHREADED`: the call would change one thread of Node and leave the others as they are.
 *
 * @example
 * ```ts
 * try {
 *   unshare(["uts"]);
 * } catch (error) {
 *   console.log(error instanceof MultithreadedError); // true: in a task it would do what it says
 * }
 * ```
 */
export class MultithreadedError extends NearfarError {
	constructor(message: string) {
		super("MULTITHREADED", message);
	}
}

/**
 * `ERR_NEARFAR_CHILD_DEAD`: the child has ended; there is nothing to signal, change or wait for.
 *
 * @example
 * ```ts
 * const task = await Task.clone();
 * const child = task.exec("true");
 * await child.exited;
 * try {
 *   child.kill();
 * } catch (error) {
 *   if (error instanceof ChildDeadError) console.log(error.state.state); // exited
 * }
 * ```
 */
export class ChildDeadError extends NearfarError {
	/** How it ended. */
	readonly state: ChildState;
	/** What it was. */
	declare readonly command?: Command;

	constructor(message: string, state: ChildState, command?: Command) {
		super("CHILD_DEAD", message);
		this.state = state;
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_CHILD_BUSY`: another wait of this child will reap it.
 *
 * @example
 * ```ts
 * const child = (await Task.clone()).exec("true");
 * const first = child.wait();
 * await child.wait().catch(({ code }) => console.log(code)); // ERR_NEARFAR_CHILD_BUSY
 * await first;
 * ```
 */
export class ChildBusyError extends NearfarError {
	/** What it executes. */
	declare readonly command?: Command;

	constructor(message: string, command?: Command) {
		super("CHILD_BUSY", message);
		if (command !== undefined) this.command = command;
	}
}

/**
 * Thrown by `ChildProcess.check()`: the program ended, and not with code 0.
 *
 * @example
 * ```ts
 * const child = (await Task.clone()).exec("false");
 * await child.check().catch(({ status }) => console.log(status.code)); // 1
 * ```
 */
export class ExitError extends NearfarError {
	/** How it ended. */
	readonly status: ExitStatus;
	/** What it was. */
	declare readonly command?: Command;

	constructor(message: string, status: ExitStatus, command?: Command) {
		super("EXIT", message);
		this.status = status;
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_UNSUPPORTED_PLATFORM`: nearfar cannot work here. Thrown on first use, never on import.
 *
 * @example
 * ```ts
 * import { pipe, UnsupportedPlatformError } from "@nearfar/core"; // works everywhere
 *
 * try {
 *   pipe();
 * } catch (error) {
 *   if (!(error instanceof UnsupportedPlatformError)) throw error;
 * }
 * ```
 */
export class UnsupportedPlatformError extends NearfarError {
	constructor(message: string) {
		super("UNSUPPORTED_PLATFORM", message);
	}
}
