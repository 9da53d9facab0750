import type { Socket } from "node:net";
import { NearfarError, type Task } from "@nearfar/core";
import { checkSandbox } from "./check.ts";
import { type Command, type Started, startCommand } from "./command/command.ts";
import { type CheckedCommand, checkRun, checkStart } from "./command/options.ts";
import type { Result } from "./command/result.ts";
import { type Guarantees, guaranteesOf } from "./guarantees.ts";
import { Lodging } from "./lodging.ts";
import type { Network, Published, PublishOptions } from "./network/network.ts";
import type { RunOptions, SandboxOptions, StartOptions } from "./options.ts";
import { toStarted } from "./start.ts";
import type { Violation } from "./violations.ts";

/**
 * A sandbox that stays, for many commands. They share its processes, its `/tmp` and its loopback: a server that one command has
 * started is reachable by the next.
 *
 * Everything in it ends with `await using`, with `dispose`, and with Node.
 *
 * @example
 * ```ts
 * await using sandbox = await Sandbox.open({ preset: "closed" });
 * (await sandbox.run("sh", ["-c", "echo kept > /tmp/note"])).check();
 * const { stdout } = (await sandbox.run("cat", ["/tmp/note"])).check();
 * console.log(stdout); // "kept\n"
 * ```
 */
export class Sandbox implements AsyncDisposable {
	readonly #lodging: Lodging;
	readonly #holder: Task;
	readonly #running = new Set<Promise<unknown>>();
	readonly #abort = () => {
		// The commands get their signals first. A failure to end is told by `dispose`.
		Promise.all(this.#running).then(() => this.#end().catch(() => {}));
	};
	#closing: Promise<void> | undefined;

	private constructor(lodging: Lodging, holder: Task) {
		this.#lodging = lodging;
		this.#holder = holder;
		const { signal } = lodging.blueprint.options;
		signal?.addEventListener("abort", this.#abort, { once: true });
		if (signal?.aborted) this.#abort();
	}

	/**
	 * Opens a sandbox.
	 *
	 * @param options - What it shows and allows. Default: the preset `"project"`.
	 * @returns The sandbox. Declare it with `await using`.
	 * @throws `ERR_NEARFAR_SANDBOX_UNAVAILABLE` The kernel refuses a step; `error.step` names it, and `error.hint` says what is in the way.
	 * @throws `ERR_NEARFAR_SANDBOX_PATH` A path does not exist, or cannot be shown at its place.
	 * @throws `ERR_NEARFAR_SANDBOX_LIMIT` A limit cannot be enforced here, or a pattern exceeds what is looked at.
	 * @throws `ERR_NEARFAR_SANDBOX_NETWORK` The proxy or a port of `network` cannot be had; `error.step` names it.
	 * @throws `ABORT_ERR` `options.signal` was aborted.
	 * @throws `TypeError` An option has the wrong type or value, or a path is in two lists.
	 * @throws `RangeError` A number is out of its range.
	 * @example
	 * ```ts
	 * await using sandbox = await Sandbox.open({ write: ["."], limits: { processes: 100 } });
	 * console.log((await sandbox.run("id", ["-u"])).stdout);
	 * ```
	 * @see user_namespaces(7), pivot_root(2), Linux 5.12; user namespaces, or root
	 */
	static async open(options?: SandboxOptions): Promise<Sandbox> {
		const lodging = await Lodging.begin(checkSandbox(options));
		try {
			return new Sandbox(lodging, await lodging.hold());
		} catch (error) {
			await lodging.end();
			throw error;
		}
	}

	/** What is in force. */
	get guarantees(): Guarantees {
		return guaranteesOf(this.#lodging.blueprint, this.#lodging.group?.guarantee);
	}

	/** What happens in the sandbox, until it is closed. Each loop begins with the first violation. */
	get violations(): AsyncIterable<Violation> {
		return this.#lodging.violations;
	}

	/**
	 * Runs a command to its end, and collects its output. What it leaves behind goes on.
	 *
	 * @param file - A path in the sandbox, or a name to look up in `PATH`.
	 * @param args - The arguments without `argv[0]`. Default: none.
	 * @param options - See {@link RunOptions}. Default: no input, output as strings of at most 64 MiB each.
	 * @returns What the command has come to, whatever its exit code is.
	 * @throws `ENOENT` There is no such program: the error of execve(2).
	 * @throws `ERR_NEARFAR_SANDBOX_PATH` The working directory is not visible.
	 * @throws `ERR_NEARFAR_SANDBOX_CLOSED` The sandbox is closed.
	 * @throws `ABORT_ERR` `options.signal` was aborted before the command ran.
	 * @throws `TypeError` An argument has the wrong type.
	 * @example
	 * ```ts
	 * await using sandbox = await Sandbox.open({ preset: "closed" });
	 * console.log((await sandbox.run("uname", ["-n"])).stdout); // "sandbox\n"
	 * ```
	 */
	run(
		file: string,
		args: readonly string[] | undefined,
		options: RunOptions & { encoding: "buffer" },
	): Promise<Result<Buffer>>;
	run(file: string, args?: readonly string[], options?: RunOptions): Promise<Result<string>>;
	async run(file: string, args: readonly string[] = [], options?: RunOptions): Promise<Result> {
		const command = await this.#start(checkRun(file, args, options));
		return command.result();
	}

	/**
	 * Starts a command whose streams are at hand.
	 *
	 * @param file - A path in the sandbox, or a name to look up in `PATH`.
	 * @param args - The arguments without `argv[0]`. Default: none.
	 * @param options - See {@link StartOptions}. Default: pipes.
	 * @returns The running command. Dispose of it, or wait for its `result`.
	 * @throws Any error of {@link Sandbox.run}.
	 * @example
	 * ```ts
	 * await using sandbox = await Sandbox.open({ preset: "closed" });
	 * const cat = await sandbox.start("cat");
	 * cat.stdin?.end("hello\n");
	 * cat.stdout?.pipe(process.stdout);
	 * console.log((await cat.result).code); // 0
	 * ```
	 */
	async start(file: string, args: readonly string[] = [], options?: StartOptions): Promise<Started> {
		return toStarted(await this.#start(checkStart(file, args, options)));
	}

	/**
	 * Connects to a port of the sandbox's 127.0.0.1, or of its ::1 where no program listens at 127.0.0.1. With `network: "host"` that is the
	 * 127.0.0.1 of the host.
	 *
	 * @param port - The port, 1 to 65535. It need not be published.
	 * @returns The socket, which is connected. The caller ends or destroys it; the end of the sandbox destroys it, too.
	 * @throws `ECONNREFUSED` No program listens at the port.
	 * @throws `EAGAIN` A limit on the number of processes is reached: the first connection needs a task.
	 * @throws `EMFILE` This process has reached its limit of descriptors.
	 * @throws `ERR_NEARFAR_SANDBOX_CLOSED` The sandbox is closed.
	 * @throws `TypeError` The port is no number.
	 * @throws `RangeError` The port is out of its range.
	 * @example
	 * ```ts
	 * await using sandbox = await Sandbox.open({ preset: "closed" });
	 * const error = await sandbox.connect(8000).catch((error) => error);
	 * console.log(error.code); // ECONNREFUSED: no command has started a server there
	 * ```
	 * @see network_namespaces(7), connect(2); no privilege
	 */
	async connect(port: number): Promise<Socket> {
		return (await this.#network("connect to a port")).connect(port);
	}

	/**
	 * Lets a port of the sandbox appear on the host's 127.0.0.1, where every user of the host reaches it. With `network: "host"` each port
	 * is there already, and another number of it is added.
	 *
	 * The port does not keep Node alive.
	 *
	 * @param port - The port of the sandbox, 1 to 65535. A program may listen there later: each connection tries anew, and is reset
	 * where no program listens.
	 * @param options - `hostPort`: the port of the host. Default: the same number.
	 * @returns The port of the host, which is closed with the sandbox.
	 * @throws `EADDRINUSE` Another program has the port of the host.
	 * @throws `EACCES` The port of the host is below 1024, and this process has no CAP_NET_BIND_SERVICE.
	 * @throws `ERR_NEARFAR_SANDBOX_CLOSED` The sandbox is closed.
	 * @throws `TypeError` An argument has the wrong type.
	 * @throws `RangeError` A port is out of its range.
	 * @example
	 * ```ts
	 * await using sandbox = await Sandbox.open({ preset: "closed" });
	 * const { port } = await sandbox.publish(3000, { hostPort: 0 });
	 * console.log(`http://127.0.0.1:${port}`); // leads to port 3000 of the sandbox
	 * ```
	 * @see network_namespaces(7), listen(2); CAP_NET_BIND_SERVICE for ports of the host below 1024
	 */
	async publish(port: number, options?: PublishOptions): Promise<Published> {
		return (await this.#network("publish a port")).publish(port, options);
	}

	/** Kills everything in the sandbox, waits for it, and leaves nothing. */
	async [Symbol.asyncDispose](): Promise<void> {
		await this.#end();
	}

	#end(): Promise<void> {
		this.#lodging.blueprint.options.signal?.removeEventListener("abort", this.#abort);
		this.#closing ??= this.#lodging.end();
		return this.#closing;
	}

	#assertOpen(what: string): void {
		if (!this.#closing && this.#holder.state === "live") return;
		throw new NearfarError(
			"SANDBOX_CLOSED",
			`cannot ${what}: the sandbox is closed, or a command has killed its process 2`,
		);
	}

	async #network(what: string): Promise<Network> {
		this.#assertOpen(what);
		return this.#lodging.network(this.#holder);
	}

	async #start(command: CheckedCommand): Promise<Command> {
		this.#assertOpen("start a command");
		const { blueprint, violations, env, group, ready } = this.#lodging;
		const place = {
			blueprint,
			violations,
			parent: this.#holder,
			more: this.#lodging.more,
			env,
			group,
			limits: {},
			ready,
			began: performance.now(),
			ended: async () => {
				this.#lodging.look();
				await group?.tidy();
			},
		};
		const started = await startCommand(place, command).catch((error) => {
			this.#assertOpen("start a command"); // the end of the sandbox has ended the task of the command
			throw error;
		});
		const { exited } = started.child;
		this.#running.add(exited);
		exited.then(() => this.#running.delete(exited));
		return started;
	}
}
