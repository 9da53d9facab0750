import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** How long the bytes that are left may take on their way to a peer that does not read, in milliseconds. */
const LINGER = 30_000;

/** The sockets of a network that are open. */
export class OpenSockets {
	readonly #open = new Set<Duplex>();

	/** Remembers a socket until it is closed. Its user listens to errors. */
	watch<S extends Duplex>(socket: S): S {
		this.#open.add(socket);
		socket.once("close", () => this.#open.delete(socket));
		return socket;
	}

	/** Remembers a socket of a relay, which does not keep Node alive. An error closes it, which is what its other side learns. */
	add<S extends Duplex>(socket: S): S {
		if (socket instanceof Socket) socket.unref();
		socket.on("error", () => socket.destroy());
		return this.watch(socket);
	}

	/** Destroys all sockets. */
	destroy(): void {
		for (const socket of this.#open) socket.destroy();
	}
}

/** Resolves when a socket is connected. */
export function connected(socket: Socket): Promise<Socket> {
	return new Promise((resolve, reject) => {
		socket.once("connect", () => resolve(socket));
		socket.once("error", reject);
		socket.once("close", () => reject(new Error("the socket was closed before it was connected")));
	});
}

/**
 * Joins two connections to one: each end of a side is passed on, and so is a reset. Both need `allowHalfOpen`, and listeners of
 * errors.
 *
 * @param one - A connection. Where one of the two is closed already, so is the other.
 * @param other - Another one, which may still be connecting.
 */
export function join(one: Duplex, other: Duplex): void {
	if (one.destroyed || other.destroyed) {
		reset(one);
		reset(other);
		return;
	}
	one.pipe(other);
	other.pipe(one);
	endAfter(one, other);
	endAfter(other, one);
}

/** Ends a connection after the other one that it is joined with. What that one has sent is still delivered. */
function endAfter(first: Duplex, then: Duplex): void {
	let failed = false;
	first.once("error", () => {
		failed = true;
	});
	first.once("close", () => {
		if (then.destroyed) return;
		if (failed || !first.readableEnded) return reset(then);
		const timer = setTimeout(() => then.destroy(), LINGER);
		then.once("close", () => clearTimeout(timer));
	});
}

/** Closes a connection so that its peer does not take what it has received for complete. */
export function reset(socket: Duplex): void {
	if (socket.destroyed) return;
	// Node resets a connection that is still being made only when it has been made.
	if (socket instanceof Socket && !("encrypted" in socket) && !socket.connecting) socket.resetAndDestroy();
	else socket.destroy();
}
