// Without a /proc a task writes no id maps, and a supervisor finds no children. A test that asks for one of them is skipped
// then, and its line in the report says why.
import { type CloneOptions, Task } from "@nearfar/core";
import { TestRunner } from "vitest";
import { has, skipUnless } from "./needs.ts";

let endedEarly = false;

/** True when a test of this file was ended in its middle, and so may have left tasks behind. */
export function wasEndedEarly(): boolean {
	return endedEarly;
}

const { clone } = Task;
const { clone: cloneFrom, supervise } = Task.prototype;

/** Skips the tests that ask for what needs a /proc, if there is none. */
export function skipWhatNeedsProc(): void {
	if (has("/proc")) return;
	Task.clone = async (options) => {
		skipMaps(options);
		return clone.call(Task, options);
	};
	Task.prototype.clone = async function (options) {
		skipMaps(options);
		return cloneFrom.call(this, options);
	};
	Task.prototype.supervise = function (program, options) {
		try {
			supervise.call(this, program, options);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).path === "/proc") skip();
			throw error;
		}
	};
}

/** Ends the current test if there is no /proc, and a task with these options needs one. */
export function skipMaps(options: CloneOptions | undefined): void {
	if (has("/proc") || !Array.isArray(options?.namespaces)) return;
	if (options.namespaces.includes("user") && options.idMap !== "none") skip();
}

/** Ends the current test. */
function skip(): void {
	if (!TestRunner.getCurrentTest()) return;
	endedEarly = true;
	skipUnless(false, "/proc");
}
