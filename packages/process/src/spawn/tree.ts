import { type CgroupLike, ChildProcess, type CloneOptions, Task, TaskGoneError } from "@nearfar/core";
import { cgroupPlace, endTask, wrongValue } from "@nearfar/core/internal";
import type { Deadline } from "./deadline.ts";
import { joinsNamespace } from "./joined.ts";
import type { SpawnRequest } from "./request.ts";

/** The task that becomes the program, and with `killTree` or `init` its parent, the supervisor. */
export interface Tree {
	readonly task: Task;
	readonly supervisor: Task | undefined;
	/** Kills and reaps both, whether the task has executed the program or not. */
	end(): Promise<void>;
}

/**
 * Clones the task that becomes the program, and its supervisor.
 *
 * @param begin - Collects the first calls of the task that becomes the program.
 */
export async function cloneTree(request: SpawnRequest, begin: (task: Task) => void, deadline: Deadline): Promise<Tree> {
	const { init = false, killTree = false, setTid, join = [] } = request;
	const supervised = init || killTree;
	if (supervised && joinsNamespace(join, "pid")) {
		const allowed =
			"without a pid namespace while options.killTree or options.init is true: its init would get the orphans";
		throw wrongValue("options.join", allowed, join);
	}
	const abort = deadline.signal && { signal: deadline.signal };
	const programCgroup = supervised ? copyCgroup(request) : undefined;
	const { keeper } = programCgroup ?? {};
	let program: Promise<Task> | undefined;
	const cloneProgram = (supervisor: Task) => {
		program = supervisor.clone({
			...abort,
			...(setTid && { setTid }),
			...(programCgroup && { cgroup: programCgroup }),
		});
		program.catch(() => {}); // the rejection is handled where `program` is awaited
	};
	// A task in a new pid namespace has no number for a group outside, so this process moves the first task into the
	// group, before the task clones or executes anything.
	const group = request.group instanceof ChildProcess && hasNewPidNamespace(request) ? request.group : undefined;
	const options = { ...cloneOptions(request, supervised, programCgroup), ...abort };
	let first: Task | undefined;
	// The keeper ends with its cgroup, which says so in its own words, as it does of a clone into the cgroup.
	const throwOfKeeper = (error: unknown): never => {
		throw error instanceof TaskGoneError && keeper?.state !== "live"
			? (programCgroup?.refused?.(error) ?? error)
			: error;
	};
	const end = async () => {
		await program?.then(endTask, () => {});
		if (first) await endTask(first);
	};
	try {
		const cloner = request.parent ?? keeper;
		const clone = cloner ? cloner.clone.bind(cloner) : Task.clone;
		const later = group || request.cloned;
		const cloning = clone(later ? options : { ...options, begin: supervised ? cloneProgram : begin });
		first = await (keeper && cloner === keeper ? cloning.catch(throwOfKeeper) : cloning);
		if (group) first.process.setpgid(group);
		if (later && supervised) cloneProgram(first);
		const task = (await program) ?? first;
		if (supervised) first.supervise(task.process, { forward: init });
		const { cloned } = request;
		if (cloned) await deadline.race(async () => cloned(task));
		if (later || supervised) await deadline.race(() => task.batch(() => begin(task)));
		return { task, supervisor: supervised ? first : undefined, end };
	} catch (error) {
		await end();
		throw error;
	} finally {
		programCgroup?.fd.close();
	}
}

/**
 * Returns the cgroup with a copy of its descriptor when the program alone begins in that cgroup, without its supervisor.
 *
 * The supervisor stays outside, so that it goes on when the cgroup is frozen. The keeper of the cgroup clones the supervisor, which
 * may then clone into the cgroup. With a new user or cgroup namespace both
 * begin in the cgroup: from inside such a namespace the supervisor might not be allowed to clone into it.
 */
function copyCgroup({ cgroup, namespaces = [] }: SpawnRequest): CgroupLike | undefined {
	if (!cgroup || namespaces.includes("user") || namespaces.includes("cgroup")) return undefined;
	const place = cgroupPlace(cgroup);
	return { ...place, fd: Task.near.run(() => place.fd.dup({ min: 3 })) };
}

/**
 * Returns the id of the process group that the task enters by itself; 0: a new one. `undefined`: the group stays, or
 * {@link cloneTree} moves the task.
 */
export function groupNumber(request: SpawnRequest): number | undefined {
	const { group } = request;
	if (group === true) return 0;
	// The number is that of this process's pid namespace, where the program begins. A current task may have another one.
	return group && !hasNewPidNamespace(request) ? Task.near.run(() => group.getpgid()) : undefined;
}

function hasNewPidNamespace({ namespaces = [] }: SpawnRequest): boolean {
	return namespaces.includes("pid");
}

/** Returns the options for cloning the first task, without those that are for the program alone. */
function cloneOptions(
	{ namespaces, idMap, cgroup, setTid }: SpawnRequest,
	supervised: boolean,
	programCgroup?: CgroupLike,
): CloneOptions {
	return {
		...(namespaces && { namespaces }),
		...(idMap && { idMap }),
		...(cgroup && !programCgroup && { cgroup }),
		...(setTid && !supervised && { setTid }),
	};
}
