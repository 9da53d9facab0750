import type { ChildState, ExitStatus } from "./process/child-state.ts";
import type { Command } from "./task/exec-options.ts";

/**
 * The base class of errors that nearfar itself detects. `code` begins with `ERR_NEARFAR_`.
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
	/** The name of the error, which stays the same over versions. */
	readonly code: string;

	constructor(code: string, message: string) {
		super(message);
		this.name = new.target.name;
		this.code = `ERR_NEARFAR_${code}`;
	}
}

/**
 * `ERR_NEARFAR_NAMESPACE_MISMATCH`: an object of one namespace was used in another.
 *
 * The call was not made.
 *
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "pid"] });
 * try {
 *   task.run(() => Task.near.process.kill(0));
 * } catch (error) {
 *   console.log(error instanceof NamespaceMismatchError); // true: in the task that pid is unused, or another process
 * }
 * ```
 */
export class NamespaceMismatchError extends NearfarError {
	constructor(message: string, code = "NAMESPACE_MISMATCH") {
		super(code, message);
	}
}

/**
 * `ERR_NEARFAR_FD_TABLE_MISMATCH`: a descriptor of one table was used in another.
 *
 * The call was not made. `task.put` and `task.get` copy a descriptor into another table.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * using file = openat2("/etc/hostname");
 * try {
 *   task.run(() => file.read(10));
 * } catch (error) {
 *   console.log(error instanceof FDTableMismatchError); // true: task.put(file) copies it into the task
 * }
 * ```
 */
export class FDTableMismatchError extends NamespaceMismatchError {
	constructor(message: string) {
		super(message, "FD_TABLE_MISMATCH");
	}
}

/**
 * `ERR_NEARFAR_ADDRESS_SPACE_MISMATCH`: memory of one address space was used in another.
 *
 * The call was not made.
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
 * `ERR_NEARFAR_CLOSED`: a descriptor was used after `close` or `take`.
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
 * `ERR_NEARFAR_TASK_GONE`: the task has executed a program, exited or died.
 *
 * If the task ended while it made a call, the call may have taken effect.
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
	/** How the task ended, if that is known. */
	declare readonly status?: ExitStatus;
	/** The command, if the task has executed a program. */
	declare readonly command?: Command;

	constructor(message: string, status?: ExitStatus, command?: Command) {
		super("TASK_GONE", message);
		if (status !== undefined) this.status = status;
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_BATCH`: a call does not fit into a batch, or a value was needed that is known only after a batch has run.
 *
 * @example
 * ```ts
 * await using task = await Task.clone();
 * const failed = await task.batch(() => statx("/")).catch((error) => error);
 * console.log(failed instanceof BatchError); // true: statx returns a value
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
 * The call was not made. A task has one thread: make the call in `task.run`.
 *
 * @example
 * ```ts
 * try {
 *   unshare(["uts"]);
 * } catch (error) {
 *   console.log(error instanceof MultithreadedError); // true: call unshare in task.run()
 * }
 * ```
 */
export class MultithreadedError extends NearfarError {
	constructor(message: string) {
		super("MULTITHREADED", message);
	}
}

/**
 * `ERR_NEARFAR_IO_URING`, `ERR_NEARFAR_THREAD_SILENT`, `ERR_NEARFAR_THREADS_DIFFER`: a change of all threads of Node was given up.
 *
 * Every thread is as it was before. The message says which thread or which ring is in the way.
 *
 * @example
 * ```ts
 * const error: NearfarError = new ThreadsError("THREADS_DIFFER", "cannot change this process: …", { tid: 4711 });
 * console.log(error.code, error instanceof ThreadsError && error.tid); // ERR_NEARFAR_THREADS_DIFFER 4711
 * ```
 */
export class ThreadsError extends NearfarError {
	/** The id of the thread that is in the way, if the error is about one thread. */
	declare readonly tid?: number;
	/** The name of that thread. */
	declare readonly threadName?: string;
	/** The state of that thread, a letter of `/proc/<pid>/stat`, such as `S` (sleeps) or `D` (cannot be interrupted). */
	declare readonly state?: string;

	constructor(code: string, message: string, thread: { tid?: number; threadName?: string; state?: string } = {}) {
		super(code, message);
		Object.assign(this, thread);
	}
}

/**
 * `ERR_NEARFAR_CHILD_DEAD`: the child has ended, and can no longer be signalled, changed or waited for.
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
	/** How the child ended. */
	readonly state: ChildState;
	/** The command that the child executed. */
	declare readonly command?: Command;

	constructor(message: string, state: ChildState, command?: Command) {
		super("CHILD_DEAD", message);
		this.state = state;
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_CHILD_BUSY`: another wait will reap the child, of nearfar or of the code that has started the child.
 *
 * `exited`, and waits with `nowait`, work beside a wait that reaps.
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
	/** The command that the child executes. */
	declare readonly command?: Command;

	constructor(message: string, command?: Command) {
		super("CHILD_BUSY", message);
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_EXIT`: the program did not exit with code 0. Thrown by `ChildProcess.check()`.
 *
 * @example
 * ```ts
 * const child = (await Task.clone()).exec("false");
 * await child.check().catch(({ status }) => console.log(status.code)); // 1
 * ```
 */
export class ExitError extends NearfarError {
	/** How the program ended. */
	readonly status: ExitStatus;
	/** The command that the child executed. */
	declare readonly command?: Command;

	constructor(message: string, status: ExitStatus, command?: Command) {
		super("EXIT", message);
		this.status = status;
		if (command !== undefined) this.command = command;
	}
}

/**
 * `ERR_NEARFAR_ID_MAP_HELPER`: newuidmap(1) or newgidmap(1) did not write the map of a user namespace.
 *
 * The message has the last line of what the program has said.
 *
 * @example
 * ```ts
 * const uids = [{ inside: 0, outside: 4_000_000_000, count: 2 }]; // not in /etc/subuid
 * try {
 *   await using task = await Task.clone({ namespaces: ["user"], idMap: { uids, helper: "always" } });
 * } catch (error) {
 *   if (error instanceof IdMapHelperError) console.log(error.status.code, error.stderr);
 * }
 * ```
 */
export class IdMapHelperError extends NearfarError {
	/** How the program ended. */
	readonly status: ExitStatus;
	/** The program with its arguments: the pid, and three numbers for each line of the map. */
	readonly command: Command;
	/** What the program has written to its standard error: the end of the output, at most 16 KiB. */
	readonly stderr: string;
	/** The obstacle, and what to do about it. */
	declare readonly hint?: string;

	constructor(
		message: string,
		{ status, command, stderr, hint }: { status: ExitStatus; command: Command; stderr: string; hint?: string },
	) {
		super("ID_MAP_HELPER", message);
		this.status = status;
		this.command = command;
		this.stderr = stderr;
		if (hint !== undefined) this.hint = hint;
	}
}

/**
 * `ERR_NEARFAR_UNSUPPORTED_PLATFORM`: nearfar does not work on this platform. Thrown on first use, never on import.
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

/**
 * The addon of nearfar cannot be loaded. Thrown at the first call, never on import. `fix` says what to do, and `code` says why:
 *
 * - `ERR_NEARFAR_NOT_INSTALLED`: the package with the addon for this CPU and this C library is not installed. `packageName` is its
 *   name, and `installed` are the packages for others, as after a copy from another machine.
 * - `ERR_NEARFAR_PERMISSION`: this process may not load addons, or may not read the files of nearfar: `--permission` and `--no-addons` of
 *   Node, `--allow-ffi` of Deno, a file system that is mounted with `noexec`.
 * - `ERR_NEARFAR_WRONG_LIBC`: the C library of this process does not fit the addon: a glibc below 2.28, or another library.
 * - `ERR_NEARFAR_DAMAGED`: the package is there, and a file in it is missing, cut off, or for another CPU. `path` is the file.
 * - `ERR_NEARFAR_VERSION_MISMATCH`: the package is of another version than `@nearfar/core`.
 * - `ERR_NEARFAR_NOT_LOADED`: the dynamic loader has another reason, which `cause` has.
 *
 * Two more codes are those of other classes: an {@link UnsupportedPlatformError}, where no such package exists, and a
 * {@link NearfarError} with `ERR_NEARFAR_BUNDLED`, where a bundler has copied the code of `@nearfar/core`.
 *
 * @example
 * ```ts
 * import { LoadError, pipe } from "@nearfar/core";
 *
 * try {
 *   pipe();
 * } catch (error) {
 *   if (error instanceof LoadError) console.error(error.code, error.fix[0]); // npm install --os=linux --cpu=x64 --libc=musl
 * }
 * ```
 */
export class LoadError extends NearfarError {
	/** What to do: a command, or a sentence. The first one fits most cases. */
	readonly fix: readonly string[];
	/** The name of the package that has the addon for this process. */
	declare readonly packageName?: string;
	/** The names of the packages for other CPUs and C libraries that are installed. */
	declare readonly installed?: readonly string[];
	/** The file that is refused or damaged. */
	declare readonly path?: string;

	constructor(
		code: string,
		message: string,
		fix: readonly string[],
		details: { packageName?: string; installed?: readonly string[]; path?: string; cause?: unknown } = {},
	) {
		super(code, `${message}: ${fix.join("; or ")}`);
		this.fix = fix;
		Object.assign(this, details);
	}
}
