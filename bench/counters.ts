import { readdirSync, readFileSync } from "node:fs";

/** What this process holds now. */
export interface Counters {
	readonly descriptors: number;
	readonly threads: number;
	/** Living or not; the zygote is one. */
	readonly children: number;
	readonly mappings: number;
	readonly rssMegabytes: number;
}

/**
 * By how much each may be more afterwards. Memory and mappings are V8's and the allocator's too, which give back what
 * they no longer need when they see fit: allowed is what a longer run does not make more of.
 */
const tolerance: Counters = { descriptors: 0, threads: 0, children: 0, mappings: 64, rssMegabytes: 32 };

/** Counts. */
export function count(): Counters {
	const threads = readdirSync("/proc/self/task");
	const children = threads.flatMap((thread) =>
		readFileSync(`/proc/self/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
	);
	return {
		descriptors: readdirSync("/proc/self/fd").length,
		threads: threads.length,
		children: children.length,
		mappings: readFileSync("/proc/self/maps", "utf8").split("\n").length,
		rssMegabytes: Math.round(process.memoryUsage.rss() / 1024 / 1024),
	};
}

/** Collects garbage until nothing more goes away that was not there `before`, or ten seconds long. */
export async function settle(before?: Counters): Promise<Counters> {
	const deadline = Date.now() + 10_000;
	let now = count();
	for (let quiet = 0; quiet < 10 && Date.now() < deadline; ) {
		globalThis.gc?.();
		await new Promise((resolve) => setTimeout(resolve, 50));
		const next = count();
		const stable = next.descriptors === now.descriptors && next.children === now.children;
		quiet = stable && !(before && grown(before, next).length > 0) ? quiet + 1 : 0;
		now = next;
	}
	return now;
}

/** What is more than before, and more than allowed. */
export function grown(before: Counters, after: Counters): string[] {
	const names = Object.keys(before) as (keyof Counters)[];
	return names.filter((name) => after[name] > before[name] + tolerance[name]);
}
