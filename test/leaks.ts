import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Task } from "@nearfar/core";
import { afterAll, beforeAll, expect } from "vitest";

/** The resources that a test file could leave behind: mounts, processes (also zombies), and descriptors. */
interface Traces {
	mounts: string;
	children: string[];
	descriptors: string[];
	/** Descriptors whose handles were garbage collected before they were closed. */
	warnings: string[];
}

const warnings: string[] = [];

/** Makes the test file fail if the process ends with other resources than it began with. Call this once in each file. */
export function expectNoLeaks(): void {
	let before: Traces;
	process.on("warning", ({ name, message }) => name === "NearfarLeakWarning" && warnings.push(message));
	beforeAll(async () => {
		// The first task starts the zygote and the reactor, which live as long as the process. They count as present before.
		await (await Task.clone()).exit();
		before = traces();
	});
	afterAll(async () => {
		// Processes and descriptors that the tests gave up go away a moment later.
		const deadline = Date.now() + 10_000;
		while (!isDeepStrictEqual(traces(), before) && Date.now() < deadline) await setImmediate();
		expect(traces()).toEqual(before);
	});
}

function traces(): Traces {
	return {
		mounts: readFileSync("/proc/self/mountinfo", "utf8"),
		children: children(process.pid),
		descriptors: descriptors(),
		warnings: [...warnings],
	};
}

/** Returns the children of a process as `"pid (name) state"`. A zygote is `"zygote"`, because a new one may replace it. */
export function children(parent: number): string[] {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	const ours = pids.map(stat).filter((line) => line !== undefined && line.parent === parent);
	return ours.map((line) => (isZygote(line?.pid) ? "zygote" : `${line?.pid} (${line?.name}) ${line?.state}`));
}

/** Returns the fields of `/proc/<pid>/stat` that tests need, or `undefined` if no process has the pid. */
export function stat(pid: string | number): { pid: string; name: string; state: string; parent: number } | undefined {
	const line = stat.line(pid);
	const [, name = "", state = "", parent] = /^\d+ \((.*)\) (\S) (\d+)/s.exec(line) ?? [];
	return line === "" ? undefined : { pid: `${pid}`, name, state, parent: Number(parent) };
}

/** Returns the text of `/proc/<pid>/stat`, or `""` if no process has the pid. */
stat.line = (pid: string | number): string => read(`/proc/${pid}/stat`);

function isZygote(pid: string | undefined): boolean {
	return read(`/proc/${pid}/cmdline`).startsWith("nearfar-zygote");
}

function descriptors(): string[] {
	const links = readdirSync("/proc/self/fd").flatMap((number) => {
		try {
			// A new zygote has other numbers.
			return [readlinkSync(`/proc/self/fd/${number}`).replace(/^(socket|pipe):.*/, "$1")];
		} catch {
			return []; // the descriptor through which the folder was read
		}
	});
	return links.sort();
}

/** Returns the text of a file of `/proc`, or `""` if the process is gone. */
export function read(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return ""; // the process has ended meanwhile
	}
}
