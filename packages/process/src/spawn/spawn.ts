import type { FileDescriptor, PathLike } from "@nearfar/core";
import type { StdioOption } from "./check-stdio.ts";
import { Deadline } from "./deadline.ts";
import type { SpawnOptions } from "./options.ts";
import { checkSpawn } from "./request.ts";
import type { Spawned } from "./spawned.ts";
import { start } from "./start.ts";

export type { Stdio, StdioOption } from "./check-stdio.ts";
export type { OutputChunk } from "./merged-output.ts";
export type { SpawnOptions } from "./options.ts";
export type { Spawned } from "./spawned.ts";

/**
 * Starts a program. The event loop is blocked for a fraction of a millisecond; the program starts, and fails to,
 * asynchronously.
 *
 * Options, environment, descriptors, working directory and umask are those of the moment of the call.
 *
 * The task that becomes the program applies the options in this order: `namespaces`, `cgroup`, `setTid`, `join`,
 * descriptors, `session`, `group`, `limits`, `nice`, `cpus`, `umask`, `root`, `cwd`, `securebits`, `groups`, `gid`, `uid`,
 * `noNewPrivs`, `setup`, `capabilities`, `landlock`, `limits.nofile`, `deathSignal`, `seccomp`. With another `uid` than 0 the capabilities are reduced
 * together with the ids. The program is then looked up, inside `root` and `cwd`, in the
 * `PATH` of `options.env`.
 *
 * A running program keeps the event loop alive, unless it is `unref`'d. When `exited` resolves, output may still be in
 * a pipe: `closed` resolves when the streams have come to their ends too. To collect the output, call {@link run}.
 *
 * @param file - A path, a name to look up, or an open file of this process, which may not be a script.
 * @param args - The arguments without `argv[0]`, none with a NUL byte. Default: none.
 * @param options - See {@link SpawnOptions}. Default: the program starts as a child of Node's own `spawn` would.
 * @returns The running program. Dispose of it, or wait until it has ended. If the promise rejects, nothing is left of
 * the program.
 * @throws `ENOENT` No folder of `PATH` has the program: `error.path` is `file`. A path does not exist: `error.path` is that
 * path, also where it is that of `options.cwd` or `options.root`.
 * @throws `ENOENT` The file exists, and the interpreter that it names does not: the message names the interpreter.
 * @throws `ENOENT` `file` is a descriptor of a script, which the kernel cannot execute.
 * @throws `ENOENT` With `killTree`: there is no `/proc` that shows the supervisor. `error.path` is the file that is missing.
 * @throws `EACCES` The file is no regular file, or the task may not execute it: `error.path` is its path.
 * @throws `EACCES` With `landlock`: the rules do not allow to execute the program, its interpreter or its loader.
 * @throws `ERR_NEARFAR_LANDLOCK_UNAVAILABLE` With `landlock`: the kernel lacks a right, a scope or a flag.
 * @throws `EACCES` With `seccomp`: the task has neither `no_new_privs` nor CAP_SYS_ADMIN. `error.syscall` is `seccomp`.
 * @throws `ENOEXEC` The call execve(2) does not know the format of the file. A script has to begin with `#!`.
 * @throws `E2BIG` The call execve(2) takes no arguments and environment of this length.
 * @throws `EFBIG` The arguments and the environment have more than 400 KiB together, and this process may not write a file
 * of that length (RLIMIT_FSIZE).
 * @throws `EMFILE` This process or the task has no free descriptor.
 * @throws `EPERM` An option needs a privilege; `error.syscall` is the call that needs it, such as `setgroups`. For `user`, the ids,
 * `capabilities` and `securebits`, `error.hint` names the capability that is missing.
 * @throws `EPERM` With `capabilities`: the file has effective capabilities, and one of them is not among these.
 * @throws `EINVAL` An id of `user`, `uid`, `gid` or `groups` is not mapped in the user namespace of the program.
 * @throws `ERR_NEARFAR_UNKNOWN_USER` No user has the name or the id of `options.user`.
 * @throws `ABORT_ERR` `options.signal` was aborted before the program ran. `error.cause` is the reason of the signal.
 * @throws `ERR_NEARFAR_TIMEOUT` The program did not run within `options.timeout`.
 * @throws `TypeError` An argument or an option has a wrong type or value.
 * @throws `RangeError` A number is out of range.
 * @throws Any error of another call that applies an option; `error.syscall` is that call, such as `chdir` or
 * `setrlimit`.
 * @throws Any value that `options.cloned` or `options.setup` throws or rejects with.
 * @example
 * ```ts
 * await using child = await spawn("sh", ["-c", "cat; exit 7"], { killTree: true, timeout: 10_000 });
 * child.stdin.end("hello\n");
 * child.stdout.pipe(process.stdout);
 * console.log(await child.closed); // { code: 7, signal: null, dumped: false }
 * ```
 * @example Without an await using declaration, which plain JavaScript has from Node 24 on
 * ```ts
 * const child = await spawn("sleep", ["1000"], { killTree: true });
 * try {
 *   child.kill("SIGTERM");
 *   console.log((await child.exited).signal); // SIGTERM
 * } finally {
 *   await child[Symbol.asyncDispose]();
 * }
 * ```
 * @see clone(2), execve(2), Linux 5.11; the privileges that the options name
 */
export async function spawn<const S extends StdioOption = "pipe">(
	file: PathLike | FileDescriptor,
	args: readonly string[] = [],
	options?: SpawnOptions<S>,
): Promise<Spawned<S>> {
	const request = checkSpawn(file, args, options);
	const { child } = await start<S>(request, new Deadline(request.signal, request.timeout, request.argv[0] ?? ""));
	return child;
}
