import { ChildProcess, type CloneOptions, FileDescriptor, Task } from "@nearfar/core";
import { endTask, namespaceFlags, native, wrongValue } from "@nearfar/core/internal";
import type { Deadline } from "./deadline.ts";
import type { Plan } from "./options.ts";

const SYS_ioctl = process.arch === "arm64" ? 29 : 16;
const NS_GET_NSTYPE = 0xb703; // since Linux 4.11

/** The task that becomes the program, and the one that watches over what it starts. */
export interface Tree {
	readonly task: Task;
	/** With `killTree` or `init`. */
	readonly supervisor: Task | undefined;
	/** Kills and reaps all of it, whatever it is by now. */
	end(): Promise<void>;
}

/**
 * Clones what a program needs, in the process group that it shall join where it cannot do that itself.
 *
 * @param begin - What the task does first that becomes the program.
 */
export async function cloneTree(plan: Plan, begin: (task: Task) => void, deadline: Deadline): Promise<Tree> {
	const { init = false, killTree = false, setTid, join = [] } = plan;
	const supervised = init || killTree;
	if (supervised && Task.near.run(() => join.some(isPidNamespace))) {
		const why =
			"without a pid namespace where options.killTree or options.init is true: its orphans are another init's";
		throw wrongValue("options.join", why, join);
	}
	const given = deadline.signal && { signal: deadline.signal };
	const cgroup = supervised ? ownCgroup(plan) : undefined;
	let program: Promise<Task> | undefined;
	const cloneProgram = (supervisor: Task) => {
		program = supervisor.clone({ ...given, ...(setTid && { setTid }), ...(cgroup && { cgroup }) });
		program.catch(() => {}); // heard where it is awaited
	};
	// Seen from a pid namespace of its own, no other group has a number.
	const group = plan.group instanceof ChildProcess && ownPids(plan) ? plan.group : undefined;
	const options = { ...cloneOptions(plan, supervised, cgroup), ...given };
	let first: Task | undefined;
	const end = async () => {
		await program?.then(endTask, () => {});
		if (first) await endTask(first);
	};
	try {
		first = await Task.clone(group ? options : { ...options, begin: supervised ? cloneProgram : begin });
		if (group) first.process.setpgid(group);
		if (group && supervised) cloneProgram(first);
		const task = (await program) ?? first;
		if (supervised) first.supervise(task.process, { forward: init });
		if (group || supervised) await deadline.race(() => task.batch(() => begin(task)));
		return { task, supervisor: supervised ? first : undefined, end };
	} catch (error) {
		await end();
		throw error;
	} finally {
		cgroup?.close();
	}
}

/**
 * The cgroup of a program that is supervised, open for as long as it takes to clone that: its supervisor must go on where
 * all that is in there is frozen. Inside a new user or cgroup namespace it might not be allowed to clone into it.
 */
function ownCgroup({ cgroup, namespaces = [] }: Plan): FileDescriptor | undefined {
	if (!cgroup || namespaces.includes("user") || namespaces.includes("cgroup")) return undefined;
	return Task.near.run(() => FileDescriptor.check(cgroup, "options.cgroup").dup());
}

/** The process group to enter from inside; `undefined`: it stays in the one it is in. */
export function groupNumber(plan: Plan): number | undefined {
	if (plan.group === true) return 0;
	return plan.group && !ownPids(plan) ? plan.group.getpgid() : undefined;
}

function ownPids({ namespaces = [] }: Plan): boolean {
	return namespaces.includes("pid");
}

/** What the first task is cloned with. `own`: what of that is kept for the program, where the first one supervises. */
function cloneOptions(
	{ namespaces, idMap, cgroup, setTid }: Plan,
	supervised: boolean,
	own?: FileDescriptor,
): CloneOptions {
	return {
		...(namespaces && { namespaces }),
		...(idMap && { idMap }),
		...(cgroup && !own && { cgroup }),
		...(setTid && !supervised && { setTid }),
	};
}

function isPidNamespace(fd: FileDescriptor): boolean {
	try {
		return native().syscall(SYS_ioctl, [fd.number(), NS_GET_NSTYPE]).result === BigInt(namespaceFlags.pid);
	} catch {
		return false; // setns(2) will say what it is
	}
}
