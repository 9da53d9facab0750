// Only root may look into `/proc/<pid>` of a task, because a task is not dumpable. The tests look there to see what a task
// is, also as an ordinary user. For that user each task of a test becomes dumpable after its clone, as the documents say.
import { type CloneOptions, Task } from "@nearfar/core";
import { native, prctlOptions } from "@nearfar/core/internal";
import { isRoot } from "./needs.ts";
import { skipMaps } from "./without-proc.ts";

const { clone } = Task;
const { clone: cloneFrom } = Task.prototype;

/** Makes every task that is cloned from now on dumpable, if the tests run as an ordinary user. */
export function makeTasksInspectable(): void {
	if (isRoot) return;
	Task.clone = async (options) => inspectable(await clone.call(Task, options));
	Task.prototype.clone = async function (options) {
		return inspectable(await cloneFrom.call(this, options));
	};
}

/** Clones a task and leaves it as it is, from the zygote or from `parent`. */
export async function cloneUninspected(options: CloneOptions, parent?: Task): Promise<Task> {
	skipMaps(options);
	return parent ? cloneFrom.call(parent, options) : clone.call(Task, options);
}

/** Calls `fn`, whose own `Task.clone` leaves tasks as they are. */
export async function whileUninspected<T>(fn: () => Promise<T>): Promise<T> {
	const { clone: changed } = Task;
	Task.clone = clone;
	try {
		return await fn();
	} finally {
		Task.clone = changed;
	}
}

/** Makes a task dumpable, if it still makes calls. The task may be in a frozen cgroup: the event loop goes on until it replies. */
async function inspectable(task: Task): Promise<Task> {
	if (task.state !== "live") return task;
	try {
		await task.batch(() => native().setPrctl(prctlOptions.setDumpable, [1]));
	} catch {
		// The task has died since: the test wants that, or notices it.
	}
	return task;
}
