import type { Socket } from "node:net";
import { type Process, Task } from "@nearfar/core";
import { Namespace, setns } from "@nearfar/namespaces";
import { connectInside } from "@nearfar/net";
import { atLoopback } from "./at-loopback.ts";

/** The loopback device that the commands of a sandbox have. */
export interface Inner extends AsyncDisposable {
	/** Whether it is the device of the host. */
	readonly isHost: boolean;
	/**
	 * Connects to a port: at 127.0.0.1, or at ::1 where no program listens at 127.0.0.1.
	 *
	 * @param port - The port, 1 to 65535.
	 */
	connect(port: number): Promise<Socket>;
}

/**
 * Keeps the network namespace of a sandbox, and connects to what listens in there.
 *
 * The first process of a sandbox becomes a supervisor, which makes no more calls. So the first connection clones a task that enters
 * the network namespace. The task is in the pid namespace of Node: no process of the sandbox can see, signal or trace it. It ends
 * with the sandbox, and with Node.
 */
export class Keeper implements Inner {
	readonly isHost = false;
	readonly #net: Namespace;
	#task: Promise<Task> | undefined;

	/** @param net - The network namespace, as a descriptor of this process, which the keeper closes. */
	private constructor(net: Namespace) {
		this.#net = net;
	}

	/**
	 * Opens the network namespace of a task.
	 *
	 * @param task - A task in the namespace, which is needed no longer when the function has returned.
	 */
	static of(task: Task<Process>): Keeper {
		using net = task.run(() => Namespace.current("net"));
		return new Keeper(task.get(net));
	}

	async connect(port: number): Promise<Socket> {
		const task = await this.#enter();
		return atLoopback((address) => connectInside(task, { address, port }));
	}

	/** Returns the task in the namespace. Another one is cloned where somebody outside has killed the last. */
	async #enter(): Promise<Task> {
		const last = this.#task;
		const isLive = (await last?.catch(() => undefined))?.state === "live";
		if (!isLive && this.#task === last) this.#task = enter(this.#net);
		return this.#task as Promise<Task>;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const task = await this.#task?.catch(() => undefined);
		await task?.[Symbol.asyncDispose]();
		this.#net.close();
	}
}

/** Clones a task that enters a network namespace, with the privilege of the user namespace that owns it. */
async function enter(net: Namespace): Promise<Task> {
	using owner = net.owner();
	using own = Namespace.current("user");
	const other = owner && !owner.same(own) ? owner : undefined;
	return Task.clone({
		begin(task) {
			using inside = task.put(net);
			if (other) {
				using user = task.put(other);
				setns(user, ["user"]);
			}
			setns(inside, ["net"]);
		},
	});
}
