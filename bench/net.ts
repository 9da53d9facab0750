import { once } from "node:events";
import { Task } from "@nearfar/core";
import { listenInside } from "@nearfar/net";
import { wall } from "./clock.ts";
import { buildRaw } from "./raw.ts";
import type { Row } from "./row.ts";
import { installed, spawned } from "./spawn.ts";

const NAME = `nearfar-bench-${process.pid}`;

/** Measures a server of Node that listens in another network namespace, against a program that makes such a socket there. */
export const net: Row[] = [
	{
		name: "netns-socket",
		unit: "ms",
		peerName: "ip netns exec of a program that listens",
		bar: 0.2,
		async start() {
			if (process.geteuid?.() !== 0) return "needs root";
			if (!(await installed("ip", "-V"))) return "ip is not installed";
			const added = await spawned("ip", ["netns", "add", NAME]).catch((error: Error) => error);
			if (added) return `ip netns add: ${added.message}`;
			const program = buildRaw("listen");
			const task = await Task.clone({ namespaces: ["net"] });
			return {
				ours: () => wall(20, () => listening(task)),
				peer: () => wall(5, () => spawned("ip", ["netns", "exec", NAME, program])),
				async end() {
					await task[Symbol.asyncDispose]();
					await spawned("ip", ["netns", "delete", NAME]);
				},
			};
		},
	},
];

/** Makes a server that listens in the network namespace of a task. Disposing of it closes the server. */
async function listening(task: Task): Promise<AsyncDisposable> {
	const server = await listenInside(task, { address: "127.0.0.1", port: 0 });
	return {
		async [Symbol.asyncDispose]() {
			server.close();
			await once(server, "close");
		},
	};
}
