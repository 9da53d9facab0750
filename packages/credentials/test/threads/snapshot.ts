// Looks at the threads of a Node from outside.
import { readdirSync, readlinkSync } from "node:fs";
import { expect } from "vitest";
import { read } from "../../../../test/processes.ts";
import type { NodeUnderTest } from "./node.ts";
import type { Refusal, Scope } from "./scope.ts";

const lines = /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs):.*$/gm;

/** Returns the credentials of each thread of a process, by its id: lines of `/proc/<pid>/task/<tid>/status`. */
export function threadsOf(pid: number): Record<number, string> {
	const threads = readdirSync(`/proc/${pid}/task`).map((tid) => [
		tid,
		credentialsIn(`/proc/${pid}/task/${tid}/status`),
	]);
	return Object.fromEntries(threads.filter(([, text]) => text !== ""));
}

/** Returns the credentials in a status file; `""` if the thread has ended, or is a worker of the kernel. */
function credentialsIn(path: string): string {
	const text = read(path);
	return /^Kthread:\t1$/m.test(text) || /^State:\t[ZX]/m.test(text) ? "" : (text.match(lines)?.join("\n") ?? "");
}

/** Expects all threads of a Node to have the same credentials, and returns these. */
export function expectEqualThreads({ pid }: NodeUnderTest): string {
	const all = Object.entries(threadsOf(pid));
	const [, first = ""] = all[0] ?? [];
	expect(first).not.toBe("");
	expect(all.filter(([, text]) => text !== first)).toEqual([]);
	return first;
}

/** The state that a refused change leaves as it was. */
interface Snapshot {
	threads: Record<number, string>;
	descriptors: string[];
	/** The flag that PR_GET_DUMPABLE(2const) returns. */
	dumpable: number;
}

/** Returns what a refused change has to leave as it is. */
export async function snapshot(node: NodeUnderTest): Promise<Snapshot> {
	const dumpable = await node.evaluate(({ core }) => {
		const [prctl, getDumpable] = [process.arch === "arm64" ? 167 : 157, 3];
		return Number(core.Task.near.syscall(prctl, getDumpable, 0, 0, 0, 0));
	});
	return { threads: threadsOf(node.pid), descriptors: descriptorsOf(node.pid), dumpable };
}

/** Expects a function to be refused, and the Node to be as before and to work. Returns the refusal. */
export async function expectRefused<Argument>(
	node: NodeUnderTest,
	expected: Partial<Refusal>,
	fn: (scope: Scope, argument: Argument) => unknown,
	argument?: Argument,
): Promise<Refusal | undefined> {
	const before = await snapshot(node);
	const refusal = await node.refusal(fn, argument);
	expect(refusal).toMatchObject(expected);
	// The throw-away thread ends a moment later.
	await expect.poll(() => snapshot(node)).toEqual(before);
	await node.evaluate(({ works }) => works());
	return refusal;
}

/** Expects a Node to end by itself, with success and without a word. */
export async function expectEnd(node: NodeUnderTest): Promise<void> {
	expect(await node.end()).toEqual({ code: 0, signal: null, stderr: "" });
}

function descriptorsOf(pid: number): string[] {
	const links = readdirSync(`/proc/${pid}/fd`).map((number) => [number, link(`/proc/${pid}/fd/${number}`)].join(" "));
	return links.sort();
}

function link(path: string): string {
	try {
		return readlinkSync(path);
	} catch {
		return "closed";
	}
}
