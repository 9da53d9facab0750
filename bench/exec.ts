import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Question } from "./exec-heap.ts";
import type { Row } from "./row.ts";

/** Measures the start of a program from a Node with a given heap. */
export const exec: Row[] = [
	row("exec-50", 0.5, 50, "wall"),
	row("exec-50-blocked", 0.25, 50, "blocked"),
	row("exec-2000", 0.03, 2000, "wall"),
];

function row(name: string, bar: number, megabytes: number, clock: Question["clock"]): Row {
	return {
		name,
		unit: "ms",
		peerName: "child_process.spawn of /bin/true",
		bar,
		async start() {
			// The measurement needs a separate Node, whose heap no other row changes.
			const node = fork(fileURLToPath(new URL("exec-heap.js", import.meta.url)), [String(megabytes)]);
			await answer(node);
			const ask = (side: Question["side"]) => {
				node.send({ side, clock, count: megabytes > 1000 ? 10 : 30 } satisfies Question);
				return answer(node);
			};
			const end = async () => {
				node.disconnect();
				await once(node, "exit");
			};
			return { ours: () => ask("ours"), peer: () => ask("peer"), end };
		},
	};
}

/** Resolves with the next message of a forked program. */
export async function answer(node: ChildProcess): Promise<number> {
	const ended = new AbortController();
	const [value] = await Promise.race([
		once(node, "message", { signal: ended.signal }),
		once(node, "exit", { signal: ended.signal }).then(([code]) => {
			throw new Error(`${node.spawnfile} ${node.spawnargs.at(1)} exited with ${code}`);
		}),
	]);
	ended.abort();
	return value;
}
