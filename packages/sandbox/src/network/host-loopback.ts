import { connect, type Socket } from "node:net";
import { atLoopback } from "./at-loopback.ts";
import type { Inner } from "./keeper.ts";
import { connected } from "./sockets.ts";

/** The loopback device of a sandbox that is in the network namespace of Node. */
export class HostLoopback implements Inner {
	readonly isHost = true;

	connect(port: number): Promise<Socket> {
		return atLoopback((host) => connected(connect({ port, host })));
	}

	async [Symbol.asyncDispose](): Promise<void> {}
}
