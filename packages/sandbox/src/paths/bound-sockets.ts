import { readFileSync } from "node:fs";

/** Returns the paths of the Unix sockets that are bound, in the network namespace of this process, as their programs have given them. */
export function boundSockets(): string[] {
	const [, ...lines] = readTable().split("\n");
	const paths = lines.map((line) => /^(?:\S+\s+){7}(\/.*)$/.exec(line)?.[1]);
	return [...new Set(paths.filter((path) => path !== undefined))];
}

function readTable(): string {
	try {
		return readFileSync("/proc/net/unix", "utf8");
	} catch {
		return ""; // the kernel has no Unix sockets, or there is no /proc, and then no sandbox either
	}
}
