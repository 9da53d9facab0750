import { Task } from "@nearfar/core";
import { throwIfAborted } from "@nearfar/core/internal";
import type { StdioOption } from "./check-stdio.ts";
import type { Deadline } from "./deadline.ts";
import { FirstBatch } from "./first-batch.ts";
import type { SpawnOptions } from "./options.ts";
import type { SpawnRequest } from "./request.ts";
import { type Started, toSpawned } from "./spawned.ts";
import { type OpenStdio, openStdio, toPipes } from "./stdio.ts";
import { cloneTree, type Tree } from "./tree.ts";

/** Starts the program of a request, which the deadline ends. If the promise rejects, nothing is left of the program. */
export async function start<S extends StdioOption>(request: SpawnRequest, deadline: Deadline): Promise<Started<S>> {
	let stdio: OpenStdio | undefined;
	let batch: FirstBatch | undefined;
	let tree: Tree | undefined;
	try {
		throwIfAborted(deadline.signal);
		// Near, even inside `task.run`: the descriptors belong to this process.
		stdio = Task.near.run(() => openStdio(request.stdio));
		const first = new FirstBatch(request, stdio);
		batch = first;
		const cloning = cloneTree(request, first.collect, deadline);
		first.snapshot();
		tree = await cloning;
		stdio.closeTaskEnds();
		const { task } = tree;
		const { setup } = request;
		if (setup) {
			await deadline.race(() => runSetup(task, setup));
			first.afterSetup(task);
			await deadline.race(() => task.batch(() => first.exec(task)));
		}
		return toSpawned(tree, toPipes(stdio), request, deadline);
	} catch (error) {
		deadline.end();
		stdio?.close();
		await tree?.end();
		batch?.explain(error);
		throw deadline.toThrown(error);
	}
}

/** Calls `setup` with the task current, so that the task makes its calls up to the first `await`. Waits for its promise. */
async function runSetup(task: Task, setup: NonNullable<SpawnOptions["setup"]>): Promise<void> {
	const outcomes: (void | Promise<void>)[] = [];
	task.run(() => {
		outcomes.push(setup(task)); // not returned: `run` refuses a promise
	});
	await outcomes[0];
}
