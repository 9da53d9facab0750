import { connect, type Socket } from "node:net";
import type { Inner } from "./keeper.ts";
import { connected } from "./sockets.ts";

/** The loopback device of a sandbox that is in the network namespace of Node. */
export class HostLoopback implements Inner {
	readonly isHost = true;

	async connect(port: number): Promise<Socket> {
		try {
			return await connected(connect({ port, host: "127.0.0.1" }));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
			return connected(connect({ port, host: "::1" })).catch(() => {
				throw error;
			});
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {}
}
