import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { runFixture } from "../../../test/fixture.ts";
import { cgroupRoot } from "../../../test/needs.ts";

/** What the fixture `look` has found in a step, or why it was refused. */
export interface Answer {
	readonly path?: string;
	readonly origin?: string;
	readonly reason?: string;
	readonly code?: string;
	readonly hint?: string;
	readonly missing?: readonly string[];
	readonly pids?: readonly number[];
	/** The cgroup of the fixture after the step. */
	readonly own: string;
}

/**
 * Runs the steps of the fixture `look` in a mount namespace of its own.
 *
 * @param script - What a shell does before, as root, with `$root` for the root of cgroup v2 and `$user` for what makes a command uid 1000's.
 * @param steps - The steps.
 * @param by - What starts the fixture: `$user`, or `unshare --cgroup`. Default: nothing.
 */
export async function look(script: string, steps: readonly string[], by = ""): Promise<Answer[]> {
	const before = `set -e; root='${cgroupRoot ?? ""}'; user='setpriv --reuid 1000 --regid 1000 --clear-groups'; ${script}`;
	const wrapper = ["unshare", "--mount", "sh", "-c", `${before}\nexec ${by} "$@"`, "sh"];
	const { report, stderr } = await runFixture("cgroup/look", { wrapper, args: steps });
	if (report === undefined) throw new Error(`the fixture has reported nothing: ${stderr}`);
	return report;
}

let count = 0;

/** Directories in the root of cgroup v2, which are removed at the end of the test with those below them. */
export class Made implements AsyncDisposable {
	readonly #names: string[] = [];

	/** Returns a new name for a directory in the root, which a script makes. */
	name(end = ""): string {
		const name = `nearfar-look-${process.pid}-${++count}${end}`;
		this.#names.push(name);
		return name;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const name of this.#names) await removeAll(`${cgroupRoot}/${name}`);
	}
}

/** Removes a directory with those below it, when the last process has left it. */
async function removeAll(folder: string): Promise<void> {
	if (!existsSync(folder)) return;
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		if (entry.isDirectory()) await removeAll(`${folder}/${entry.name}`);
	}
	while (readFileSync(`${folder}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
	rmdirSync(folder);
}
