import { type NamespaceKind, SyscallError, Task } from "@nearfar/core";
import type { Mount } from "@nearfar/mount";
import type { CheckedOptions } from "../check.ts";
import { SandboxError } from "../errors.ts";
import { itemOfStep, missingItems } from "../host/items.ts";
import { hasSource, isEmpty, type Node } from "../paths/layout.ts";
import { type Blueprint, draw, isRoot } from "../plan.ts";
import { idMappedTree, knownRootIds, type RootIds, rootIds } from "./ids.ts";
import { RootBuilder } from "./init.ts";
import { Steps } from "./steps.ts";

/** Process 1 of a sandbox. */
export interface Init {
	readonly blueprint: Blueprint;
	readonly task: Task;
	/** Resolves when the root of the sandbox is made. Calls of the task that follow are made after that all the same. */
	readonly ready: Promise<unknown>;
}

/** The copies of trees that one message takes. */
const MOST_MAPPED = 60;

/** Clones process 1 of a sandbox, draws up the plan meanwhile, and has the process make the root. */
export async function beginInit(options: CheckedOptions): Promise<Init> {
	const steps = new Steps();
	const refuse = async (error: unknown): Promise<never> => {
		throw await explainedError(error, steps);
	};
	const ids = isRoot() ? (knownRootIds() ?? (await rootIds().catch(refuse))) : undefined;
	const network: NamespaceKind[] = options.network === "host" ? [] : ["net"];
	const control = new AbortController();
	let builder: RootBuilder | undefined;
	let announce = (_task: Task) => {};
	const begun = new Promise<Task>((resolve) => {
		announce = resolve;
	});
	const clone = Task.clone({
		namespaces: ["user", "mnt", "pid", "ipc", "uts", "cgroup", ...network],
		idMap: ids ? ids.maps : "root",
		signal: options.signal ? AbortSignal.any([options.signal, control.signal]) : control.signal,
		begin(task) {
			builder?.collect(task, mapped);
			announce(task);
		},
	});
	const ready = clone.catch(refuse);
	ready.catch(() => {}); // whoever awaits `ready` gets the rejection
	const mapped = new Map<Node, Mount>();
	try {
		const blueprint = draw(options); // before the task begins, which is told later that it is there
		builder = new RootBuilder(blueprint, steps);
		if (ids) mapTrees(blueprint, ids, mapped);
		return { blueprint, task: await Promise.race([begun, ready]), ready };
	} catch (error) {
		control.abort(error);
		await clone.catch(() => {});
		throw error;
	} finally {
		for (const tree of mapped.values()) tree.close();
	}
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
	const item = missing.find(({ name }) => name === itemOfStep(step)) ?? missing[0];
	const hint = item?.hint ?? error.hint ?? filter;
	const why = hint === undefined ? "" : `. ${hint}`;
	return new SandboxError("UNAVAILABLE", `cannot make a sandbox, at the step "${step}": ${error.message}${why}`, {
		cause: error,
		step,
		items: missing,
		...(hint !== undefined && { hint }),
	});
}
