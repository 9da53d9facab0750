import { readdirSync, readFileSync } from "node:fs";

/** The resources that this process holds. */
export interface Counters {
	readonly descriptors: number;
	readonly threads: number;
	/** Child processes, living or zombies. The zygote is one of them. */
	readonly children: number;
	readonly mappings: number;
	readonly rssMegabytes: number;
}

/**
 * How much each counter may grow. Memory and mappings also belong to V8 and the allocator, which return free memory at a
 * time of their own choice. The allowed growth is one that a longer run does not exceed.
 */
const tolerance: Counters = { descriptors: 0, threads: 0, children: 0, mappings: 64, rssMegabytes: 32 };

/** Counts the resources of this process. */
export function count(): Counters {
	const threads = readdirSync("/proc/self/task");
	const children = threads.flatMap(childrenOf);
	return {
		descriptors: readdirSync("/proc/self/fd").length,
		threads: threads.length,
		children: children.length,
		mappings: readFileSync("/proc/self/maps", "utf8").split("\n").length,
		rssMegabytes: Math.round(process.memoryUsage.rss() / 1024 / 1024),
	};
}

/** Returns the children of a thread of this process. A thread that has ended meanwhile has none. */
function childrenOf(thread: string): string[] {
	try {
		return readFileSync(`/proc/self/task/${thread}/children`, "utf8").split(" ").filter(Boolean);
	} catch (error) {
		if (["ENOENT", "ESRCH"].includes(`${(error as NodeJS.ErrnoException).code}`)) return [];
		throw error;
	}
}

/** Collects garbage until the counters are back to `before` or stop falling, for ten seconds at most. */
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

/** Returns the counters that have grown by more than allowed. */
export function grown(before: Counters, after: Counters): string[] {
	const names = Object.keys(before) as (keyof Counters)[];
	return names.filter((name) => after[name] > before[name] + tolerance[name]);
}
