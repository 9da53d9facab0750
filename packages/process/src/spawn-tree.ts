import { ChildProcess, type CloneOptions, type FileDescriptor, Task } from "@nearfar/core";
import { namespaceFlags, native, wrongValue } from "@nearfar/core/internal";
import type { Plan } from "./spawn-options.ts";

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

/** Clones what a program needs, in the process group that it shall join where it cannot do that itself. */
export async function cloneTree(plan: Plan): Promise<Tree> {
	const { init = false, killTree = false, setTid, join = [] } = plan;
	const supervised = init || killTree;
	if (supervised && Task.near.run(() => join.some(isPidNamespace))) {
		const why =
			"without a pid namespace where options.killTree or options.init is true: its orphans are another init's";
		throw wrongValue("options.join", why, join);
	}
	const first = await Task.clone(cloneOptions(plan, supervised));
	let task: Task | undefined;
	const end = async () => {
		if (task) await endTask(task);
		await endTask(first);
	};
	try {
		// Seen from a pid namespace of its own, no other group has a number.
		if (plan.group instanceof ChildProcess && ownPids(plan)) first.process.setpgid(plan.group);
		if (!supervised) return { task: first, supervisor: undefined, end: () => endTask(first) };
		task = await first.clone(setTid && { setTid });
		first.supervise(task.process, { forward: init });
		return { task, supervisor: first, end };
	} catch (error) {
		await end();
		throw error;
	}
}

/** The process group to enter from inside; `undefined`: it stays in the one it is in. */
export function groupNumber(plan: Plan): number | undefined {
	if (plan.group === true) return 0;
	return plan.group && !ownPids(plan) ? plan.group.getpgid() : undefined;
}

function ownPids({ namespaces = [] }: Plan): boolean {
	return namespaces.includes("pid");
}

function cloneOptions({ namespaces, idMap, cgroup, setTid }: Plan, supervised: boolean): CloneOptions {
	return {
		...(namespaces && { namespaces }),
		...(idMap && { idMap }),
		...(cgroup && { cgroup }),
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

async function endTask(task: Task): Promise<void> {
	if (task.state === "exec") await task.process[Symbol.asyncDispose]();
	else await task[Symbol.asyncDispose]();
}
