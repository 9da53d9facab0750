import { Task } from "@nearfar/core";
import { loopbackUp, Namespace } from "@nearfar/namespaces";
import { connectInside } from "@nearfar/net";
import { type RunResult, run } from "@nearfar/process";
import { Network } from "../../src/network/network.ts";
import { checkNetwork, type NetworkOptions } from "../../src/network/options.ts";
import type { NetworkViolation } from "../../src/network/violation.ts";

/** A network namespace with the network of a sandbox, and programs inside. */
export class Inside implements AsyncDisposable {
	readonly task: Task;
	readonly network: Network;
	readonly violations: NetworkViolation[];

	private constructor(task: Task, network: Network, violations: NetworkViolation[]) {
		this.task = task;
		this.network = network;
		this.violations = violations;
	}

	static async open(options?: NetworkOptions): Promise<Inside> {
		const task = await Task.clone({ namespaces: ["user", "net"], idMap: "root" });
		try {
			task.run(loopbackUp);
			const violations: NetworkViolation[] = [];
			const rules = options && checkNetwork(options);
			return new Inside(task, await Network.open(task, rules, (violation) => violations.push(violation)), violations);
		} catch (error) {
			await task[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** The port of the proxy on 127.0.0.1. */
	get proxyPort(): number {
		return Number(new URL(this.network.environment.HTTP_PROXY ?? "").port);
	}

	/** Connects to the proxy, as a program inside does. */
	connect(port = this.proxyPort) {
		return connectInside(this.task, { address: "127.0.0.1", port });
	}

	/** Runs a program inside, with the variables of the proxy. */
	async run(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<RunResult> {
		using copy = this.task.run(() => Namespace.current("net"));
		using net = this.task.get(copy);
		using user = net.owner();
		const all = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...this.network.environment, ...env };
		return run(file, args, { env: all, join: user ? [user, net] : [net], timeout: 20_000 });
	}

	/** The targets that were refused. */
	get refused(): string[] {
		return this.violations.map(({ what }) => what);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.network[Symbol.asyncDispose]();
		await this.task[Symbol.asyncDispose]();
	}
}
