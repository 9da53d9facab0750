import { forked } from "./forked.ts";
import type { Question } from "./heap-node.ts";
import type { Row } from "./row.ts";

/** The two operations that a row compares, in a Node of its own. */
interface HeapRow extends Pick<Row, "name" | "peerName" | "bar"> {
	readonly ours: Question["operation"];
	readonly peer: Question["operation"];
	readonly clock: Question["clock"];
	/** How much memory the Node uses. Default: 50. */
	readonly megabytes?: number;
	/** Returns a sentence that says why this host cannot run the operations, if that is so. */
	missing?(): Promise<string | undefined>;
}

/** Returns a row whose sides run in one Node of their own, whose heap no other row changes. */
export function heapRow({ ours, peer, clock, megabytes = 50, missing, ...row }: HeapRow): Row {
	const count = megabytes > 1000 ? 10 : 30;
	return {
		unit: "ms",
		...row,
		async start() {
			const reason = await missing?.();
			if (reason !== undefined) return reason;
			const node = await forked("heap-node", megabytes);
			const ask = (operation: Question["operation"]) => node.ask({ operation, clock, count } satisfies Question);
			return { ours: () => ask(ours), peer: () => ask(peer), end: node.end };
		},
	};
}
