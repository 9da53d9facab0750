import { type CloneOptions, type NamespaceKind, SyscallError, Task } from "@nearfar/core";
import type { Mount } from "@nearfar/mount";
import { unshare } from "@nearfar/namespaces";
import type { CheckedOptions } from "../check.ts";
import { SandboxError } from "../errors.ts";
import { itemOfStep, missingItems } from "../host/items.ts";
import { orLandlock } from "../host/landlock.ts";
import type { Confinement } from "../landlock/confinement.ts";
import type { Group } from "../limits/group.ts";
import { hasSource, isEmpty, type Node } from "../paths/layout.ts";
import { type Blueprint, draw, isRoot } from "../plan.ts";
import { IdMapError, idMappedTree, knownRootIds, type RootIds, rootIds } from "./ids.ts";
import { RootBuilder } from "./init.ts";
import { Steps } from "./steps.ts";

/** Process 1 of a sandbox. */
export interface Init {
	readonly blueprint: Blueprint;
	readonly task: Task;
	/** The user id with which it makes calls, in this process's user namespace. `undefined`: that of this process. */
	readonly uid: number | undefined;
	/** Resolves when the root of the sandbox is made. Calls of the task that follow are made after that all the same. */
	readonly ready: Promise<unknown>;
	/** What restricts the commands, where they have no namespaces. */
	readonly confinement?: Confinement;
}

/** The copies of trees that one message takes. */
const MOST_MAPPED = 60;

/**
 * Clones process 1 of a sandbox, draws up the plan meanwhile, and has the process make the root.
 *
 * @param group - The group of the sandbox, into which process 1 is cloned.
 */
export async function beginInit(options: CheckedOptions, group: Group | undefined): Promise<Init> {
	if (!isRoot()) return begin(options, "caller", group);
	const ids = knownRootIds() ?? (await idsOrFallback(options));
	try {
		return await begin(options, ids, group);
	} catch (error) {
		if (options.rootFallback === undefined || !(error instanceof IdMapError)) throw error;
		return begin(options, options.rootFallback, group);
	}
}

async function idsOrFallback({ rootFallback }: CheckedOptions): Promise<RootIds | "uid0"> {
	try {
		return await rootIds();
	} catch (error) {
		if (rootFallback !== undefined) return rootFallback;
		throw await explainedError(error, new Steps());
	}
}

/** @param who - As whom the programs run: as the caller, as ids that stand for root, or as user 0. */
async function begin(
	options: CheckedOptions,
	who: "caller" | RootIds | "uid0",
	group: Group | undefined,
): Promise<Init> {
	const steps = new Steps();
	const refuse = async (error: unknown): Promise<never> => {
		throw await explainedError(error, steps);
	};
	const ids = typeof who === "object" ? who : undefined;
	const owners = typeof who === "object" ? "mapped" : who;
	const user: NamespaceKind[] = who === "uid0" ? [] : ["user"];
	const network: NamespaceKind[] = options.network === "host" ? [] : ["net"];
	// The root of a new cgroup namespace is the group of the one that makes it, which is not yet that of a clone.
	const cgroup: NamespaceKind[] = group ? [] : ["cgroup"];
	const control = new AbortController();
	let blueprint: Blueprint | undefined;
	let builder: RootBuilder | undefined;
	const prepare = () => {
		blueprint = draw(options, owners);
		builder = new RootBuilder(blueprint, steps);
		return blueprint;
	};
	// A task in a user namespace begins when its ids are mapped, and the plan is drawn up meanwhile. Any other begins at once.
	if (owners === "uid0") prepare();
	const mapped = new Map<Node, Mount>();
	let announce = (_task: Task) => {};
	const begun = new Promise<Task>((resolve) => {
		announce = resolve;
	});
	const clone = cloneFirst(group, {
		namespaces: [...user, "mnt", "pid", "ipc", "uts", ...cgroup, ...network],
		...(who !== "uid0" && { idMap: ids ? ids.maps : "root" }),
		signal: options.signal ? AbortSignal.any([options.signal, control.signal]) : control.signal,
		begin(task) {
			if (!builder) throw new Error("the task has begun before the plan was drawn up");
			if (group) steps.do("namespaces", () => unshare(["cgroup"]));
			builder.collect(task, mapped);
			announce(task);
		},
	});
	const ready = clone.catch(refuse);
	ready.catch(() => {}); // whoever awaits `ready` gets the rejection
	try {
		const drawn = blueprint ?? prepare();
		if (ids) mapTrees(drawn, ids, mapped);
		return { blueprint: drawn, task: await Promise.race([begun, ready]), uid: ids?.uid, ready };
	} catch (error) {
		control.abort(error);
		await clone.catch(() => {});
		throw error;
	} finally {
		for (const tree of mapped.values()) tree.close();
	}
}

/** Clones process 1 of a sandbox, or the task above its commands, into its group where it has one. */
export function cloneFirst(group: Group | undefined, options: CloneOptions): Promise<Task> {
	return group ? group.clone(options) : Task.clone(options);
}

/** Copies the trees of the host that root's sandbox writes. Called in this process. */
function mapTrees(blueprint: Blueprint, ids: RootIds, mapped: Map<Node, Mount>): void {
	Task.near.run(() => {
		for (const node of mappedNodes(blueprint)) mapped.set(node, idMappedTree(node, ids));
	});
}

/** Returns the places whose files get other owners for a sandbox of root. */
function mappedNodes({ nodes, covers }: Blueprint): Node[] {
	const mapped = nodes.filter((node) => {
		const cover = covers.get(node);
		return (node.kind === "write" || node.kind === "scratch") && cover && hasSource(node, isEmpty(cover));
	});
	if (mapped.length <= MOST_MAPPED) return mapped;
	throw new SandboxError(
		"LIMIT",
		`cannot make ${mapped.length} places of options.write and options.scratch for root, at most ${MOST_MAPPED}: name the folders that they lie in`,
	);
}

/** Returns the error for a sandbox that cannot be had. */
async function explainedError(error: unknown, steps: Steps): Promise<unknown> {
	if (!(error instanceof SyscallError)) return error;
	const step = steps.nameOf(error) ?? "namespaces";
	if (error.code === "ESTALE" && error.syscall === "statx") {
		const message = `cannot show ${error.path}: another file has taken its place meanwhile`;
		return new SandboxError("PATH", message, { cause: error, step });
	}
	const { missing, filter } = await missingItems();
	const own = missing.find(({ name }) => name === itemOfStep(step))?.hint;
	const found = own ?? error.hint ?? missing.find(({ hint }) => hint !== undefined)?.hint ?? filter;
	// Where descriptors are short, the probe is short of them too.
	const hint =
		error.code === "EMFILE"
			? "this process may have no more open descriptors: raise the limit (ulimit -n), or close some. A sandbox takes about 20 for a moment"
			: error.code === "ENODEV" && step.startsWith("scratch ")
				? "the kernel has no overlay, which a scratch is made of, or its module is not loaded. As the administrator: modprobe overlay"
				: found;
	const why = `${hint === undefined ? "" : `. ${hint}`}${step === "namespaces" || step === "proc" ? await orLandlock() : ""}`;
	return new SandboxError("UNAVAILABLE", `cannot make a sandbox, at the step "${step}": ${error.message}${why}`, {
		cause: error,
		step,
		items: missing,
		...(hint !== undefined && { hint }),
	});
}
