import { type NamespaceKind, probe, SyscallError, Task } from "@nearfar/core";
import type { Mount } from "@nearfar/mount";
import { SandboxError } from "../errors.ts";
import { hasSource, isEmpty, type Node } from "../paths/layout.ts";
import type { Blueprint } from "../plan.ts";
import { idMappedTree, rootIds } from "./ids.ts";
import { RootBuilder } from "./init.ts";
import { Steps } from "./steps.ts";

/** Process 1 of a sandbox. */
export interface Init {
	readonly task: Task;
	/** Resolves when the root of the sandbox is made. Calls of the task that follow are made after that all the same. */
	readonly ready: Promise<unknown>;
}

/** The copies of trees that one message takes. */
const MOST_MAPPED = 60;

/** Clones process 1 of a sandbox, and has it make the root. */
export async function beginInit(blueprint: Blueprint, signal: AbortSignal | undefined): Promise<Init> {
	const steps = new Steps();
	const refuse = async (error: unknown): Promise<never> => {
		throw await explainedError(error, steps);
	};
	const { options, asRoot } = blueprint;
	const network: NamespaceKind[] = options.network === "none" ? ["net"] : [];
	const ids = asRoot ? await rootIds().catch(refuse) : undefined;
	const mapped = new Map<Node, Mount>();
	try {
		if (ids)
			for (const node of mappedNodes(blueprint))
				mapped.set(
					node,
					Task.near.run(() => idMappedTree(node, ids)),
				);
		let announce = (_task: Task) => {};
		const begun = new Promise<Task>((resolve) => {
			announce = resolve;
		});
		const clone = Task.clone({
			namespaces: ["user", "mnt", "pid", "ipc", "uts", "cgroup", ...network],
			idMap: ids ? ids.maps : "root",
			...(signal && { signal }),
			begin(task) {
				new RootBuilder(blueprint, steps).collect(task, mapped);
				announce(task);
			},
		});
		const ready = clone.catch(refuse);
		ready.catch(() => {}); // whoever awaits `ready` gets the rejection
		return { task: await Promise.race([begun, ready]), ready };
	} finally {
		for (const tree of mapped.values()) tree.close();
	}
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
	const hint = error.hint ?? (await obstacles());
	const why = hint === undefined ? "" : `. ${hint}`;
	return new SandboxError("UNAVAILABLE", `cannot make a sandbox, at the step "${step}": ${error.message}${why}`, {
		cause: error,
		step,
		...(hint !== undefined && { hint }),
	});
}

/** Returns what stands in the way of sandboxes on this host. */
async function obstacles(): Promise<string | undefined> {
	const { obstacles } = await probe();
	if (obstacles.length === 0) return undefined;
	return obstacles
		.map(({ sentence, fix: [fix] }) => (fix === undefined ? sentence : `${sentence} To change that: ${fix}`))
		.join("\n");
}
