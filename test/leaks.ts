import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Task } from "@nearfar/core";
import { afterAll, beforeAll, expect } from "vitest";

/** What a test file could leave behind: mounts, processes, zombies among them, and descriptors. */
interface Traces {
	mounts: string;
	children: string[];
	descriptors: string[];
	/** Descriptors that were collected before they were closed. */
	warnings: string[];
}

const warnings: string[] = [];

/** Call it once in each test file: the file fails when the process is not as it was. */
export function expectNoLeaks(): void {
	let before: Traces;
	process.on("warning", ({ name, message }) => name === "NearfarLeakWarning" && warnings.push(message));
	beforeAll(async () => {
		// What lives as long as the process is there from the first task on: zygote, reactor, and their descriptors.
		await (await Task.clone()).exit();
		before = traces();
	});
	afterAll(async () => {
		// What was killed, or let go of, is gone a moment later.
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

/** The children of a process as `"pid (name) state"`, the zygote as `"zygote"`: another may have taken its place. */
export function children(parent: number): string[] {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	const ours = pids.map(stat).filter((line) => line !== undefined && line.parent === parent);
	return ours.map((line) => (isZygote(line?.pid) ? "zygote" : `${line?.pid} (${line?.name}) ${line?.state}`));
}

/** The fields of `/proc/<pid>/stat` that tests ask for; `undefined`: nobody has the pid. */
export function stat(pid: string | number): { pid: string; name: string; state: string; parent: number } | undefined {
	const line = stat.line(pid);
	const [, name = "", state = "", parent] = /^\d+ \((.*)\) (\S) (\d+)/s.exec(line) ?? [];
	return line === "" ? undefined : { pid: `${pid}`, name, state, parent: Number(parent) };
}

/** `/proc/<pid>/stat` as it is; `""`: nobody has the pid. */
stat.line = (pid: string | number): string => read(`/proc/${pid}/stat`);

function isZygote(pid: string | undefined): boolean {
	return read(`/proc/${pid}/cmdline`).startsWith("nearfar-zygote");
}

function descriptors(): string[] {
	const links = readdirSync("/proc/self/fd").flatMap((number) => {
		try {
			// Another zygote has other numbers.
			return [readlinkSync(`/proc/self/fd/${number}`).replace(/^(socket|pipe):.*/, "$1")];
		} catch {
			return []; // the one that the folder was read through
		}
	});
	return links.sort();
}

/** A file of `/proc`; `""`: it is gone. */
export function read(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return ""; // ended meanwhile
	}
}
