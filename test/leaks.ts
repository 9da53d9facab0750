import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Task } from "@nearfar/core";
import { endHelpers } from "@nearfar/core/internal";
import { afterAll, beforeAll, expect } from "vitest";
import { childPids, children, describeThreads } from "./processes.ts";
import { wasEndedEarly } from "./without-proc.ts";

/** What a test file could change of this process, or leave behind. */
interface Traces {
	mounts: string;
	namespaces: string[];
	/** Also zombies. */
	children: string[];
	descriptors: string[];
	limits: string;
	/** The working directory, the umask and the host name. */
	place: string[];
	/** Descriptors whose handles were garbage collected before they were closed. */
	warnings: string[];
}

const warnings: string[] = [];

/** Fails the present test file if this process is not as it was before the first test. */
export function expectNoLeaks(): void {
	let before: Traces | undefined;
	process.on("warning", ({ name, message }) => name === "NearfarLeakWarning" && warnings.push(message));
	beforeAll(async () => {
		// The first task starts the zygote and the reactor, which live as long as the process. They count as present before. The
		// reactor closes the socket of a task a moment after the task's exit was told, so two looks have to agree.
		let last: Traces | undefined;
		const isAlone = ({ children }: Traces) => children.every((child) => child === "zygote");
		const deadline = Date.now() + 10_000;
		endHelpers(); // one may have tried what the file needs
		do {
			last = before;
			await (await Task.clone()).exit();
			before = traces();
		} while (!isDeepStrictEqual(before, last) || (!isAlone(before) && Date.now() < deadline));
	});
	afterAll(async () => {
		if (wasEndedEarly()) return;
		endHelpers(); // one is kept for the next call
		// Processes and descriptors that the tests gave up go away a moment later. The first look that finds nothing counts: a second
		// zygote may begin to end right after it.
		const deadline = Date.now() + 10_000;
		let left = traces();
		while (!isDeepStrictEqual(left, before) && Date.now() < deadline) {
			await setImmediate();
			left = traces();
		}
		const waiting = isDeepStrictEqual(left, before) ? [] : childPids(process.pid).map(describeThreads);
		expect(left, waiting.join("\n")).toEqual(before);
	});
}

function traces(): Traces {
	return withOneZygote({
		mounts: readFileSync("/proc/self/mountinfo", "utf8"),
		namespaces: readdirSync("/proc/self/ns").map((name) => readlinkSync(`/proc/self/ns/${name}`)),
		children: children(process.pid),
		descriptors: descriptors(),
		limits: readFileSync("/proc/self/limits", "utf8"),
		place: [process.cwd(), `${process.umask()}`, readFileSync("/proc/sys/kernel/hostname", "utf8")],
		warnings: [...warnings],
	});
}

/**
 * Counts all zygotes as one. The kernel can hold a zygote in a clone(2) for so long that the next task gets another one, as where many
 * network namespaces are taken down. Each has a pidfd and a socket.
 */
function withOneZygote(found: Traces): Traces {
	const more = found.children.filter((name) => name === "zygote").length - 1;
	for (let each = 0; each < more; each++) {
		remove(found.children, "zygote");
		remove(found.descriptors, "anon_inode:[pidfd]");
		remove(found.descriptors, "socket");
	}
	return found;
}

function remove(list: string[], item: string): void {
	const index = list.indexOf(item);
	if (index >= 0) list.splice(index, 1);
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
