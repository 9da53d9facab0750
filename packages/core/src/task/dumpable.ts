import { prctlOptions } from "../addon/flags.generated.ts";
import { native } from "../addon/native.ts";
import type { AnyTask } from "../target/target.ts";

/**
 * Calls `fn` while a task is dumpable. The files in /proc of a task that is not dumpable are root's, and their owner has
 * to open them.
 */
export function whileDumpable<T>(task: AnyTask, fn: () => T): T {
	const set = (value: number) => task.run(() => native().setPrctl(prctlOptions.setDumpable, [value]));
	const before = task.run(() => native().prctl(prctlOptions.getDumpable, []).result);
	set(1);
	try {
		return fn();
	} finally {
		set(before === 1n ? 1 : 0);
	}
}
