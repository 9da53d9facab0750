import { chdir, chroot, FileDescriptor, type Task, umask } from "@nearfar/core";
import { native, type Resource } from "@nearfar/core/internal";
import { schedSetaffinity } from "../affinity.ts";
import { setrlimit } from "../limits.ts";
import { setNoNewPrivs } from "../prctl/no-new-privs.ts";
import type { Plan } from "./options.ts";
import { type OpenStdio, placeStdio, putStdio } from "./stdio.ts";

const SELF = 0;
const PRIO_PROCESS = 0;

/** What of this process's is in the task. */
export interface Put {
	/** What to execute, where that is an open file. */
	readonly file: FileDescriptor | undefined;
	/** What stays open, from 3 up. */
	readonly keep: readonly FileDescriptor[];
	/** All that was made there: closed by exec, and not before. */
	readonly held: readonly FileDescriptor[];
}

/**
 * Makes of a task what the program shall find: to be collected by a batch.
 *
 * The order is part of the contract: whatever needs a privilege comes before that is given up, and paths are those of
 * the namespaces that were joined, inside the root.
 *
 * @param group - Which process group to enter; 0: its own.
 */
export function makeState(task: Task, plan: Plan, stdio: OpenStdio, group: number | undefined): Put {
	const held: FileDescriptor[] = [];
	const hold = (fd: FileDescriptor) => {
		held.push(fd);
		return fd;
	};
	const others = plan.fds.map(([number, fd]) => [number, hold(task.put(fd))] as const);
	const join = (plan.join ?? []).map((fd) => hold(task.put(fd)));
	const file = plan.file instanceof FileDescriptor ? hold(task.put(plan.file)) : undefined;
	const placed = [...putStdio(task, stdio, hold), ...others];

	for (const namespace of join) native().setns(namespace.number(), 0);
	const top = Math.max(stdio.entries.length, ...others.map(([number]) => number)) + 1;
	const executed = file && placed.length > 0 ? hold(file.dup({ min: top })) : file;
	const keep = placed.length > 0 ? placeStdio(placed, hold) : [];

	if (plan.session) native().setsid();
	if (group !== undefined) native().setpgid(SELF, group);
	setLimits(plan.limits);
	if (plan.nice !== undefined) native().setpriority(PRIO_PROCESS, SELF, plan.nice);
	if (plan.cpus !== undefined) schedSetaffinity(plan.cpus);
	if (plan.umask !== undefined) umask(plan.umask);
	if (plan.root !== undefined) {
		chroot(plan.root);
		chdir("/");
	}
	if (plan.cwd !== undefined) chdir(plan.cwd);
	setIds(plan);
	if (plan.noNewPrivs) setNoNewPrivs();
	return { file: executed, keep, held };
}

function setLimits(limits: Plan["limits"]): void {
	for (const [resource, limit] of Object.entries(limits ?? {})) setrlimit(resource as Resource, limit);
}

function setIds({ uid, gid, groups }: Plan): void {
	if (groups !== undefined) native().setgroups([...groups], false);
	// Refused to whoever has no privilege, and can then take no other id either.
	else if (uid !== undefined || gid !== undefined) native().setgroups([], true);
	if (gid !== undefined) native().setresgid(gid, gid, gid);
	if (uid !== undefined) native().setresuid(uid, uid, uid);
}
