import { release } from "node:os";
import { dropCapabilities, securebits } from "@nearfar/caps";
import type { CloneOptions, Task } from "@nearfar/core";
import { throwIfAborted } from "@nearfar/core/internal";
import type { SpawnOptions } from "@nearfar/process";
import { beginInit, type Init } from "./build/begin.ts";
import { type CheckedOptions, needsGroup } from "./check.ts";
import { withNetwork } from "./environment.ts";
import { SandboxError } from "./errors.ts";
import { beginConfined } from "./landlock/begin.ts";
import { Group } from "./limits/group.ts";
import { Network } from "./network/network.ts";
import type { Report } from "./network/violation.ts";
import type { Blueprint } from "./plan.ts";
import { LOCKED_BITS } from "./securebits.ts";
import { Violations } from "./violations.ts";
import { Watch } from "./watch.ts";

/** Process 1 of a sandbox, which has made its root, and what belongs to it. */
export class Lodging {
	readonly blueprint: Blueprint;
	readonly violations = new Violations();
	readonly #init: Init;
	readonly #group: Group | undefined;
	readonly #ready: Promise<unknown>;
	readonly #watch: Watch;
	readonly #report: Report = ({ kind, what }) => this.violations.add(kind, what);
	#network: Promise<Network> | undefined;
	#env: Readonly<Record<string, string>>;

	private constructor(init: Init, group: Group | undefined) {
		this.blueprint = init.blueprint;
		this.#init = init;
		this.#group = group;
		this.#ready = group ? settled(init, group) : init.ready;
		this.#ready.catch(() => {}); // whoever awaits `ready` gets the rejection
		this.#env = init.blueprint.env;
		this.#watch = new Watch(init.blueprint, this.violations);
	}

	/** Draws up the plan, and begins to carry it out. */
	static async begin(options: CheckedOptions): Promise<Lodging> {
		refuseLimits(options);
		throwIfAborted(options.signal);
		const group = needsGroup(options) ? await Group.open(options) : undefined;
		let init: Init | undefined;
		try {
			init = await (options.isolation === "landlock" ? beginConfined(options, group) : beginInit(options, group));
			return new Lodging(init, group);
		} catch (error) {
			await init?.ready.catch(() => {});
			await init?.task[Symbol.asyncDispose]();
			await init?.confinement?.end();
			const explained = group ? group.explained(error) : error;
			await group?.end();
			throw explained;
		}
	}

	get init(): Task {
		return this.#init.task;
	}

	/** Resolves when the root is made, and process 1 is in its group. */
	get ready(): Promise<unknown> {
		return this.#ready;
	}

	/** The group of the sandbox. `undefined`: it has none. */
	get group(): Group | undefined {
		return this.#group;
	}

	/** The environment of the commands. */
	get env(): Readonly<Record<string, string>> {
		return this.#env;
	}

	/** Opens the proxy and the ports of the options. Process 1 makes the sockets, and supervises nobody yet. */
	async openNetwork(): Promise<void> {
		const { network, env } = this.blueprint.options;
		if (typeof network === "string") return;
		await this.ready;
		const { confinement } = this.#init;
		const opening = confinement
			? Network.atHost(network, this.#report).then(({ network, port }) => {
					confinement.allowPort(port);
					return network;
				})
			: Network.open(this.init, network, this.#report);
		const { environment } = await this.#keep(opening);
		this.#env = withNetwork(this.#env, environment, env);
	}

	/**
	 * Returns the network, which is made now where the options need none.
	 *
	 * @param task - A task in the network namespace.
	 */
	network(task: Task): Promise<Network> {
		if (this.#network) return this.#network;
		const isHost = this.blueprint.options.network === "host" || this.#init.confinement !== undefined;
		return this.#keep(isHost ? Promise.resolve(Network.ofHost()) : Network.open(task, undefined, this.#report));
	}

	/** Keeps a network until the end of process 1, which comes before that of the sandbox where a command kills process 2. */
	async #keep(opening: Promise<Network>): Promise<Network> {
		this.#network = opening;
		try {
			const network = await opening;
			// A sandbox that nobody closes does not keep Node alive.
			void this.init.process.unref().exited.then(() => network[Symbol.asyncDispose]());
			return network;
		} catch (error) {
			this.#network = undefined;
			throwIfAborted(this.blueprint.options.signal);
			throw error;
		}
	}

	/** Returns more options for the commands of a sandbox that stays. */
	get more(): SpawnOptions {
		return this.#init.confinement?.command ?? {};
	}

	/** Returns how the task is cloned that is in the user namespace of the commands. */
	get nested(): Pick<CloneOptions, "namespaces" | "idMap"> {
		if (this.blueprint.owners === "uid0" || this.#init.confinement) return {};
		const { uid, gid } = this.blueprint.plan.user;
		const one = (inside: number) => [{ inside, outside: 0, count: 1 }];
		return { namespaces: ["user"], idMap: { uids: one(uid), gids: one(gid), helper: "never", setgroups: "deny" } };
	}

	/** Returns the options of a task that becomes the only command. Process 1 supervises it before it executes anything. */
	once(): SpawnOptions {
		const { confinement } = this.#init;
		const privileges = confinement
			? { ...confinement.command, setup: (task: Task) => task.batch(() => confinement.enter(task)) }
			: { capabilities: [], securebits: LOCKED_BITS };
		return {
			...this.nested,
			...privileges,
			cloned: async (task) => {
				await this.ready;
				this.init.supervise(task.process);
			},
		};
	}

	/** Clones a task that stays, and clones the commands. Process 1 supervises it, and ends everything when it ends. */
	async hold(): Promise<Task> {
		if (this.#group) await this.ready; // the task begins where process 1 is
		const { confinement } = this.#init;
		if (confinement) await this.openNetwork(); // the port of the proxy is one of the rules
		const holder = this.init.clone({
			...this.nested,
			begin(task) {
				if (confinement) return confinement.enter(task);
				securebits.set(LOCKED_BITS);
				dropCapabilities();
			},
		});
		holder.catch(() => {}); // without a root there is no task either, and the first error counts
		await this.ready;
		if (!confinement) await this.openNetwork();
		const task = await holder;
		this.init.supervise(task.process, { endStopped: true }); // a command could have Node wait for ever otherwise
		return task;
	}

	/** Looks for protected files that have appeared. */
	look(): void {
		this.#watch.look();
	}

	/** Kills what is left, waits for it, and looks for what has appeared. */
	async end(): Promise<void> {
		await this.ready.catch(() => {});
		try {
			this.init.process.ref();
			await this.#group?.kill();
			await this.init[Symbol.asyncDispose]();
			await this.#group?.end();
			this.#watch.look();
			this.#watch.lookForMatches();
		} finally {
			this.#watch[Symbol.dispose]();
			await (await this.#network?.catch(() => undefined))?.[Symbol.asyncDispose]();
			await this.#init.confinement?.end();
			this.violations.close();
		}
	}
}

/** Has process 1 make the root, and moves it into its group. */
async function settled({ ready, task, uid }: Init, group: Group): Promise<void> {
	try {
		await ready;
		await group.settle(task, uid);
	} catch (error) {
		throw group.explained(error);
	}
}

/** Throws for a limit that cannot be enforced on this host. */
function refuseLimits(options: CheckedOptions): void {
	const { processes } = options.limits;
	if (needsGroup(options)) return;
	const [major = 0, minor = 0] = release().split(".").map(Number);
	if (processes === undefined || major > 5 || (major === 5 && minor >= 14)) return;
	throw new SandboxError(
		"LIMIT",
		`cannot enforce options.limits.processes on Linux ${release()}: before Linux 5.14 the kernel counts all processes of the user. Leave it out`,
	);
}
