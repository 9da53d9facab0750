import { randomBytes } from "node:crypto";
import type { AddressInfo, Server, Socket } from "node:net";
import { NearfarError, type Process, type Task } from "@nearfar/core";
import { options as checkOptions, integer } from "@nearfar/core/internal";
import { listenInside } from "@nearfar/net";
import { SandboxError } from "../errors.ts";
import { proxyEnvironment } from "./environment.ts";
import { Gate } from "./gate.ts";
import { HostLoopback } from "./host-loopback.ts";
import { type Inner, Keeper } from "./keeper.ts";
import type { NetworkRules } from "./options.ts";
import { createProxy } from "./proxy.ts";
import { codeOf } from "./refusal.ts";
import { listenAtHost, towardsHost, towardsSandbox } from "./relay.ts";
import { OpenSockets } from "./sockets.ts";
import type { Report } from "./violation.ts";

/** What helps against the errors of a port of the host. */
const hints: Readonly<Record<string, string>> = {
	EADDRINUSE:
		"Another program has the port: end it, or use publish of a Sandbox, whose option hostPort is another number",
	EACCES: "A port of the host below 1024 needs CAP_NET_BIND_SERVICE",
};

/** How a port of the sandbox is published. */
export interface PublishOptions {
	/** The port of the host's 127.0.0.1, 0 to 65535. Default: the number of the port inside. 0: the kernel chooses one. */
	hostPort?: number;
}

/** A port of the sandbox that appears on the host's 127.0.0.1. */
export interface Published {
	/** The port of the host's 127.0.0.1. */
	readonly port: number;
	/** Closes the port. Connections that are open stay. */
	close(): Promise<void>;
}

/** The network of a sandbox, as long as the sandbox is open. */
export class Network implements AsyncDisposable {
	/** The variables of the environment that commands need to find the proxy. Empty without a proxy. */
	readonly environment: Readonly<Record<string, string>>;
	readonly #inner: Inner;
	readonly #servers: Set<Server>;
	readonly #sockets: OpenSockets;
	#closing: Promise<unknown> | undefined;

	private constructor(inner: Inner, environment: Record<string, string>, servers: Server[], sockets: OpenSockets) {
		this.#inner = inner;
		this.environment = environment;
		this.#servers = new Set(servers);
		this.#sockets = sockets;
	}

	/**
	 * Makes what the network of a sandbox consists of.
	 *
	 * @param task - A task in the network namespace of the sandbox, whose loopback device is up. The task is needed no longer when
	 * the promise resolves.
	 * @param rules - What the sandbox reaches. `undefined`: no host, and no proxy is made.
	 * @param report - Learns of what the rules refuse.
	 * @throws `ERR_NEARFAR_SANDBOX_NETWORK` The proxy or a port cannot be had.
	 */
	static async open(task: Task<Process>, rules: NetworkRules | undefined, report: Report): Promise<Network> {
		const sockets = new OpenSockets();
		const servers: Server[] = [];
		const keeper = Keeper.of(task);
		try {
			if (!rules) return new Network(keeper, {}, servers, sockets);
			const add = async (step: string, opening: Promise<Server>) => servers.push(await named(step, opening));
			const listen = (server: Server, port: number) => listenInside(task, { address: "127.0.0.1", port }, server);
			for (const port of rules.localhost) await add(`localhost ${port}`, listen(towardsHost(port, sockets), port));
			for (const port of rules.publish) await add(`publish ${port}`, towardsSandbox(keeper, port, port, sockets));
			const proxy = createProxy({ gate: new Gate(rules), upstream: rules.upstream, sockets }, report);
			await add("proxy", listen(proxy, 0)); // after the others, so that the kernel chooses none of their ports
			for (const server of servers) server.unref(); // the commands keep Node alive, and nothing else
			return new Network(keeper, proxyEnvironment(portOf(proxy)), servers, sockets);
		} catch (error) {
			const closed = servers.map(close);
			sockets.destroy(); // otherwise a client that has connected meanwhile is waited for
			await Promise.all([...closed, keeper[Symbol.asyncDispose]()]);
			throw error;
		}
	}

	/**
	 * Makes the proxy of a sandbox that is in the network namespace of Node. The proxy wants a password, which the environment has: every
	 * user of the host reaches its port.
	 *
	 * @param rules - What the sandbox reaches.
	 * @param report - Learns of what the rules refuse.
	 * @returns The network, and the port of the proxy on 127.0.0.1.
	 * @throws `ERR_NEARFAR_SANDBOX_NETWORK` The proxy cannot be had.
	 */
	static async atHost(rules: NetworkRules, report: Report): Promise<{ network: Network; port: number }> {
		const sockets = new OpenSockets();
		const user = `nearfar:${randomBytes(16).toString("hex")}`;
		const authorization = `Basic ${Buffer.from(user).toString("base64")}`;
		const proxy = createProxy({ gate: new Gate(rules), upstream: rules.upstream, sockets, authorization }, report);
		await named("proxy", listenAtHost(proxy, 0));
		proxy.unref(); // the commands keep Node alive, and nothing else
		const port = portOf(proxy);
		return { network: new Network(new HostLoopback(), proxyEnvironment(port, user), [proxy], sockets), port };
	}

	/** Returns the network of a sandbox that is in the network namespace of Node. */
	static ofHost(): Network {
		return new Network(new HostLoopback(), {}, [], new OpenSockets());
	}

	/**
	 * Connects to a port of the sandbox's 127.0.0.1, or of its ::1 where no program listens at 127.0.0.1.
	 *
	 * @param port - The port, 1 to 65535. It need not be published.
	 * @returns The socket, which is connected. The caller ends or destroys it; the end of the sandbox destroys it, too.
	 * @throws `ECONNREFUSED` No program inside listens at the port.
	 * @throws `EAGAIN` A limit on the number of processes is reached: the first connection needs a task.
	 * @throws `EMFILE` This process has reached its limit of descriptors.
	 * @throws `ERR_NEARFAR_SANDBOX_CLOSED` The sandbox is closed.
	 * @throws `TypeError` The port is no number.
	 * @throws `RangeError` The port is out of its range.
	 */
	async connect(port: number): Promise<Socket> {
		integer(port, "port", 1, 65_535);
		this.#assertOpen();
		const connecting = this.#inner.connect(port).catch((error) => {
			this.#assertOpen(); // the end of the sandbox has ended the task that connects
			throw error;
		});
		const socket = this.#sockets.watch(await connecting);
		if (this.#closing) socket.destroy();
		this.#assertOpen();
		return socket;
	}

	/**
	 * Lets a port of the sandbox appear on the host's 127.0.0.1, where every user of the host reaches it.
	 *
	 * @param port - The port of the sandbox, 1 to 65535. A program may listen there later: each connection tries anew, and is reset
	 * where no program listens.
	 * @param options - `hostPort`: the port of the host.
	 * @returns The port of the host, which is closed with the sandbox.
	 * @throws `EADDRINUSE` Another program has the port of the host.
	 * @throws `EACCES` The port of the host is below 1024, and this process has no CAP_NET_BIND_SERVICE.
	 * @throws `ERR_NEARFAR_SANDBOX_CLOSED` The sandbox is closed.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` A port is out of its range.
	 */
	async publish(port: number, options?: PublishOptions): Promise<Published> {
		integer(port, "port", 1, 65_535);
		const { hostPort = port } = checkOptions(options, ["hostPort"]);
		integer(hostPort, "options.hostPort", 0, 65_535);
		this.#assertOpen();
		if (this.#inner.isHost && hostPort === port) return { port, close: async () => {} };
		const server = await towardsSandbox(this.#inner, port, hostPort, this.#sockets);
		if (this.#closing) await close(server);
		this.#assertOpen();
		server.unref();
		this.#servers.add(server);
		return {
			port: portOf(server),
			close: async () => {
				this.#servers.delete(server);
				server.close(); // gives the port up at once, and waits for no connection
			},
		};
	}

	#assertOpen(): void {
		if (!this.#closing) return;
		throw new NearfarError("SANDBOX_CLOSED", "cannot connect to a port or publish one: the sandbox is closed");
	}

	/** Closes all ports and connections, and waits for their ends. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#closing ??= this.#close();
		await this.#closing;
	}

	#close(): Promise<unknown> {
		const closed = [...this.#servers].map(close);
		this.#sockets.destroy();
		return Promise.all([...closed, this.#inner[Symbol.asyncDispose]()]);
	}
}

/** Resolves as a promise does that opens a port, and says of an error for which port it is. */
async function named(step: string, opening: Promise<Server>): Promise<Server> {
	try {
		return await opening;
	} catch (cause) {
		const hint = hints[codeOf(cause)];
		const message = `cannot open the network of a sandbox, at the step "${step}": ${cause instanceof Error ? cause.message : cause}`;
		throw new SandboxError("NETWORK", hint ? `${message}. ${hint}` : message, { cause, step, ...(hint && { hint }) });
	}
}

/** Closes a server, and resolves when its last connection has ended. */
function close(server: Server): Promise<void> {
	return new Promise((resolve) => server.close(() => resolve()));
}

function portOf(server: Server): number {
	return (server.address() as AddressInfo).port;
}
