import type { ProcessOption } from "@nearfar/core";
import { options as checkOptions, native, onEveryThread } from "@nearfar/core/internal";
import { compileFilter } from "./compile-filter.ts";
import type { SeccompRules } from "./rules.ts";

/**
 * Installs a filter of system calls in the current task. The filter counts for the task, for the programs that the task executes, and for all
 * that they start. No call takes a filter away; a further filter can only refuse more.
 *
 * The filter counts for the calls that nearfar has the task make, too: the task needs recvmsg(2) and sendmsg(2) to go on, and
 * close_range(2), fcntl(2), prctl(2) and execve(2) to execute a program. A task whose filter kills for one of these is gone with SIGSYS.
 * The option `seccomp` of `spawn` comes after all of these but execve(2).
 *
 * With `process` near, the filter counts for every thread of Node, those of nearfar included, and for tasks that are cloned later. Tasks and
 * programs that run already do not have it. A filter that refuses what Node needs ends Node, sooner or later: mmap(2), futex(2),
 * epoll_wait(2), clone3(2) and others.
 *
 * @param filter - Rules, or a filter that was compiled before: by {@link compileFilter}, or by another program.
 * @param options - `process`: `true` lets the call change every thread of Node, or none, where it is made near. Default: `false`.
 * @throws `EACCES` The task has neither the attribute `no_new_privs` nor CAP_SYS_ADMIN over its user namespace. Call `setNoNewPrivs` of
 * `@nearfar/process` before.
 * @throws `EINVAL` The kernel does not take the bytes for a filter.
 * @throws `ENOMEM` The filters of the task would have more than 32768 instructions in all, each filter counted with 4 more.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near without `process`: the kernel would filter one thread of many.
 * @throws `ERR_NEARFAR_BATCH` The call is in a batch of this process, with `process`.
 * @throws `ERR_NEARFAR_THREADS_DIFFER` With `process`: a thread of Node has a filter that the calling thread does not have. `error.tid` is its id.
 * @throws `ERR_NEARFAR_THREAD_SILENT` With `process`: the process that clones tasks did not end.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` A part of the rules has a wrong type or is unknown, or an option is.
 * @throws `RangeError` A number is out of range, or the filter has more than 4096 instructions.
 * @example A task that cannot make sockets
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * task.run(() => {
 *   installFilter({ default: "allow", rules: [{ calls: ["socket"], action: { errno: "EACCES" } }] });
 * });
 * ```
 * @see seccomp(2), Linux 3.17; no_new_privs or CAP_SYS_ADMIN
 */
export function installFilter(filter: SeccompRules | Uint8Array, options?: ProcessOption): void {
	const program = compileFilter(filter, { name: "filter" });
	onEveryThread(checkOptions(options, ["process"]), "seccomp", () => native().installFilter(program));
}
