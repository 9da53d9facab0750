import { chdir, chroot, FileDescriptor, Task, umask } from "@nearfar/core";
import { explained, native, numberOf, type Resource } from "@nearfar/core/internal";
import { schedSetaffinity } from "../affinity.ts";
import { getrlimit, type Limit, setrlimit } from "../limits.ts";
import { setNoNewPrivs } from "../prctl/no-new-privs.ts";
import { hintForJoin } from "./joined.ts";
import { moveToNumbers, putStdio } from "./place-stdio.ts";
import type { Privileges } from "./privileges.ts";
import type { SpawnRequest } from "./request.ts";
import type { OpenStdio } from "./stdio.ts";

const SELF = 0;
const PRIO_PROCESS = 0;

/** The descriptors that `prepareTask` has made in a task. */
export interface PlacedFiles {
	/** The open file to execute. `undefined`: the program is given by a path. */
	readonly executable: FileDescriptor | undefined;
	/** The descriptors from 3 up that the program gets. */
	readonly kept: readonly FileDescriptor[];
	/** Every descriptor that was made, referenced until execve(2) so that the garbage collector closes none of them. */
	readonly held: readonly FileDescriptor[];
}

/**
 * Applies the options of a request to a task, as calls of the batch that is being collected.
 *
 * The order is part of the contract of `spawn`. Calls that need a privilege come before the privilege is given up.
 * Paths are looked up after the namespaces have been joined, and inside the new root.
 *
 * @param privileges - Changes the ids.
 * @param group - The id of the process group to enter; 0: a new one. `undefined`: the group stays.
 */
export function prepareTask(
	task: Task,
	request: SpawnRequest,
	stdio: OpenStdio,
	privileges: Privileges,
	group: number | undefined,
): PlacedFiles {
	const held: FileDescriptor[] = [];
	const hold = (fd: FileDescriptor) => {
		held.push(fd);
		return fd;
	};
	const fds = request.fds.map(([number, fd]) => [number, hold(task.put(fd))] as const);
	const namespaces = (request.join ?? []).map((fd) => hold(task.put(fd)));
	const file = request.file instanceof FileDescriptor ? hold(task.put(request.file)) : undefined;
	const toMove = [...putStdio(task, stdio, hold), ...fds];

	for (const [at, namespace] of namespaces.entries()) {
		explained(
			() => native().setns(numberOf(namespace), 0),
			() => hintForJoin(request.join?.[at]),
		);
	}
	const min = Math.max(stdio.entries.length, ...fds.map(([number]) => number)) + 1;
	const executable = file && toMove.length > 0 ? hold(file.dup({ min })) : file; // `moveToNumbers` may overwrite `file`
	const kept = toMove.length > 0 ? moveToNumbers(toMove, hold) : [];

	if (request.session) native().setsid();
	if (group !== undefined) native().setpgid(SELF, group);
	setLimits(request.limits);
	if (request.nice !== undefined) native().setpriority(PRIO_PROCESS, SELF, request.nice);
	if (request.cpus !== undefined) schedSetaffinity(request.cpus);
	if (request.umask !== undefined) umask(request.umask);
	if (request.root !== undefined) {
		chroot(request.root);
		chdir("/");
	}
	if (request.cwd !== undefined) chdir(request.cwd);
	privileges.setIds();
	if (request.noNewPrivs) setNoNewPrivs();
	return { executable, kept, held };
}

function setLimits(limits: SpawnRequest["limits"]): void {
	for (const [resource, limit] of Object.entries(limits ?? {})) {
		if (resource !== "nofile") setrlimit(resource as Resource, limit);
		else raiseFileLimit(typeof limit === "object" ? limit.hard : limit);
	}
}

/** Raises the limit of open files up to `hard`, because the task may give up the privilege for that before it executes. */
function raiseFileLimit(hard: Limit): void {
	const own = Task.near.run(() => getrlimit("nofile").hard);
	if (toNumber(hard) > toNumber(own)) setrlimit("nofile", hard);
}

function toNumber(limit: Limit): number | bigint {
	return limit === "infinity" ? Number.POSITIVE_INFINITY : limit;
}

/**
 * Sets the limit of open files, as a call of the batch that is being collected. The limit may be lower than a task needs,
 * which gets descriptors from this process. So nothing but the execution of the program follows.
 */
export function setFileLimit({ limits }: SpawnRequest): void {
	if (limits?.nofile !== undefined) setrlimit("nofile", limits.nofile);
}
