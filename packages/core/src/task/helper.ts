import { native } from "../addon/native.ts";
import { BatchError, TaskGoneError } from "../errors.ts";
import { currentBatch, nearTask, withTarget } from "../target/target.ts";
import { runBatch } from "./batch.ts";
import { endTask } from "./end.ts";
import { taskId } from "./state.ts";
import type { Task } from "./task.ts";

/** How many helpers there are at most. Only a helper that is in a call which does not return makes another one necessary. */
const MOST = 4;

/** A task that makes calls for this process. */
interface Helper {
	readonly task: Promise<Task>;
	/** The task, when it was cloned. */
	cloned: Task | undefined;
	/** The pid of the zygote that has cloned the task. While the same zygote matches, the task has the privileges of this process. */
	readonly zygote: number;
	/** How many batches the task has still to run. */
	underWay: number;
}

let helpers: readonly Helper[] = [];

/**
 * Makes calls that may take long in a task beside this process, so that they do not block the event loop: a write that limits
 * memory returns only when the memory was reclaimed.
 *
 * The first call clones the task, and later calls use it again. While its calls are under way, another one is cloned for further
 * calls, up to four. The task begins where this process is, in its cgroup and with its privileges, and another one takes its place
 * when these have changed, or when the task was killed. After a change of every thread, or with the next clone of any thread after
 * another change, the task ends when its call has returned. It does not keep the event loop alive, and ends with Node or with the Worker.
 *
 * If the task is killed meanwhile, another one makes the calls again: they have to be calls that may be made twice.
 *
 * @param fn - Collects the calls, as for `Task.batch`. Descriptors of this process that `fn` puts stay open until the promise is
 * decided. `fn` may be called twice.
 * @returns The result of `fn`, when all calls have succeeded.
 * @throws `ERR_NEARFAR_BATCH` A batch is being collected.
 * @throws Any error that `Task.clone` or `Task.batch` throws.
 */
export async function inHelper<T>(fn: (helper: Task) => T): Promise<T> {
	if (currentBatch()) {
		throw new BatchError(
			"a call that a task beside this process makes cannot be collected: make it outside of the batch",
		);
	}
	try {
		return await inOne(fn);
	} catch (error) {
		if (!(error instanceof TaskGoneError)) throw error;
		return inOne(fn);
	}
}

/** Ends every helper: at once if it is idle, else after the calls that are under way. For tests. */
export function endHelpers(): void {
	retire(helpers);
}

async function inOne<T>(fn: (helper: Task) => T): Promise<T> {
	const helper = pick();
	helper.underWay++;
	try {
		const task = await helper.task;
		return await runBatch(task, taskId(task), () => fn(task), undefined, false);
	} catch (error) {
		if (error instanceof TaskGoneError) retire([helper]);
		throw error;
	} finally {
		helper.underWay--;
		const isOutdated = !helpers.includes(helper);
		const idle = helpers.filter(({ underWay }) => underWay === 0);
		if (isOutdated) end(helper);
		else retire(idle.slice(1)); // one is kept
	}
}

/** Returns a helper that is idle, a new one, or the one with the fewest batches under way. */
function pick(): Helper {
	const zygote = withTarget(nearTask(), undefined, () => native().matchingZygote());
	retire(helpers.filter((helper) => helper.zygote !== zygote));
	const [leastBusy] = [...helpers].sort((a, b) => a.underWay - b.underWay);
	if (leastBusy && (leastBusy.underWay === 0 || helpers.length === MOST)) return leastBusy;
	const helper: Helper = { task: nearTask().clone(), cloned: undefined, zygote, underWay: 0 };
	helpers = [...helpers, helper];
	helper.task.then(
		(task) => {
			helper.cloned = task;
			native().endWithCloner(taskId(task));
		},
		() => retire([helper]), // whoever waits for the task gets the error
	);
	return helper;
}

/** Takes helpers out of use. */
function retire(gone: readonly Helper[]): void {
	helpers = helpers.filter((helper) => !gone.includes(helper));
	for (const helper of gone) end(helper);
}

/** Ends the task of a helper, unless calls are under way: the function that has made the calls ends the task after them. */
function end({ cloned, underWay }: Helper): void {
	if (cloned && underWay === 0) void endTask(cloned);
}
