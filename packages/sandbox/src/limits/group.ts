import type { Cgroup, CgroupLimits } from "@nearfar/cgroup";
import { type CloneOptions, chown, Location, NearfarError, SyscallError, Task } from "@nearfar/core";
import { wrongType } from "@nearfar/core/internal";
import { allControllers, controllersOf, groupLimits, toCgroupLimits } from "../cgroup-limits.ts";
import type { CheckedOptions } from "../check.ts";
import { SandboxError } from "../errors.ts";
import type { Guarantee } from "../guarantees.ts";
import type { Limits } from "../options.ts";
import { type Account, isRemoved, Leaf, placeOf } from "./leaf.ts";
import { makeGroup, removeLeftovers } from "./names.ts";

/** The processes of a sandbox's own that are in its group: process 1, and the one that clones the commands. */
const OWN_PROCESSES = 2;

/**
 * The group of cgroup v2 that a sandbox has. It holds the limits. Process 1 and the task that clones commands are in `init` below it, and
 * each command has a group of its own, which has a number as its name.
 */
export class Group {
	readonly #cgroup: Cgroup;
	readonly #limits: Limits;
	/** The group above, where this module has opened it. */
	readonly #above: Cgroup | undefined;
	readonly #leaves = new Set<Leaf>();
	#init: Cgroup | undefined;
	#guarantee: Guarantee | undefined;
	/** The user that owns the files by which the tasks of the sandbox clone. `undefined`: the caller. */
	#owner: number | undefined;
	#count = 0;
	/** How often a program was refused another process. */
	#refused = 0;

	private constructor(cgroup: Cgroup, limits: Limits, above: Cgroup | undefined) {
		this.#cgroup = cgroup;
		this.#limits = limits;
		this.#above = above;
	}

	/** Whether process 1 is in the group, and so all that it clones. `undefined`: it has not been moved yet. */
	get guarantee(): Guarantee | undefined {
		return this.#guarantee;
	}

	/** Makes the group, with the limits of a sandbox. Throws a {@link SandboxError} where it cannot be had. */
	static async open({ cgroup, limits, signal }: CheckedOptions): Promise<Group> {
		const { Cgroup } = await import("@nearfar/cgroup"); // a sandbox without a group loads nothing of it
		if (cgroup && !(cgroup instanceof Cgroup)) throw wrongType("options.cgroup", "a Cgroup", cgroup);
		const controllers = controllersOf(limits);
		let above: Cgroup | undefined;
		try {
			const at = cgroup ?? (await Cgroup.obtain({ controllers, ...(signal && { signal }) }));
			above = cgroup ? undefined : at;
			at.enable(controllersIn(at)); // also those that the limits of a single command may need
			removeLeftovers(at);
			return new Group(makeGroup(at, toCgroupLimits(limits, OWN_PROCESSES)), limits, above);
		} catch (error) {
			await above?.[Symbol.asyncDispose]();
			throw refused(error, limits);
		}
	}

	/** Clones process 1 into the group itself, which becomes the root of its cgroup namespace. */
	clone(options: Omit<CloneOptions, "cgroup">): Promise<Task> {
		return this.#cgroup.clone(options);
	}

	/**
	 * Moves process 1 into its own group, so that the others can have limits.
	 *
	 * @param init - Process 1, which is in a cgroup namespace whose root is this group.
	 * @param owner - The user id, of this process's user namespace, with which process 1 clones. `undefined`: that of the caller.
	 */
	async settle(init: Task, owner: number | undefined): Promise<void> {
		this.#owner = owner;
		try {
			this.#give(this.#cgroup);
			this.#init = this.#cgroup.create("init");
			await this.#init.add(init.process);
			this.#guarantee = placeOf(init.process, `/${this.#cgroup.name}/init`);
			this.#cgroup.enable(controllersIn(this.#cgroup));
		} catch (error) {
			throw refused(error, this.#limits);
		}
	}

	/**
	 * Makes the group of a command.
	 *
	 * @param limits - Those of the command alone.
	 */
	leaf(limits: Limits): Leaf {
		try {
			const name = `${++this.#count}`;
			const hasMemory = this.#cgroup.controllers.includes("memory");
			const own = toCgroupLimits(limits, 0);
			const all: CgroupLimits = { ...own, ...(hasMemory && { memory: { ...own.memory, oomGroup: true } }) };
			const cgroup = this.#cgroup.create(name, { limits: all });
			this.#give(cgroup);
			const leaf = new Leaf(cgroup, `/${this.#cgroup.name}/${name}`);
			this.#leaves.add(leaf);
			return leaf;
		} catch (error) {
			throw refused(error, limits);
		}
	}

	/**
	 * Reads what a command has come to, and whether the sandbox was full since the last command has ended.
	 *
	 * @param leaf - The group of the command.
	 */
	read(leaf: Leaf): Account & { readonly full: boolean } {
		const account = leaf.read();
		const before = this.#refused;
		try {
			this.#refused = refusedIn(this.#cgroup);
		} catch (error) {
			if (!isRemoved(error)) throw error;
		}
		// Before Linux 6.11 a refusal counts where the program is, and not where the limit is.
		return { ...account, full: account.refused > 0 || this.#refused > before };
	}

	/** Removes the group of a command that has not begun. */
	async drop(leaf: Leaf): Promise<void> {
		this.#leaves.delete(leaf);
		await leaf.remove();
	}

	/** Removes the groups of commands of which nothing is left. */
	async tidy(): Promise<void> {
		for (const leaf of this.#leaves) {
			if (!leaf.isEmpty) continue;
			this.#leaves.delete(leaf); // first: another command may end meanwhile
			await leaf.remove();
		}
	}

	/**
	 * Says of an error that it is one of the group, or that the sandbox itself has too little memory.
	 *
	 * @param leaf - The group of a command that was not started. Absent: the sandbox itself was not.
	 */
	explained(error: unknown, leaf?: Leaf): unknown {
		const { memory } = this.#limits;
		if (error instanceof NearfarError && error.code === "ERR_NEARFAR_CGROUP") return refused(error, this.#limits);
		if (error instanceof SandboxError && error.code === "ERR_NEARFAR_SANDBOX_LIMIT") return error;
		if (memory === undefined || !this.#hasKilled(leaf)) return error;
		const message = `cannot make a sandbox with the ${memory} bytes of options.limits.memory: the kernel has killed a process of the sandbox itself for want of memory. Allow more`;
		return new SandboxError("LIMIT", message, { cause: error, step: "cgroup" });
	}

	/** Whether the kernel has killed a process of the sandbox's own, and not one of a command that has ended since. */
	#hasKilled(leaf: Leaf | undefined): boolean {
		const killedIn = (cgroup: Cgroup | undefined) => (cgroup?.stat().memory?.events.oomKill ?? 0) > 0;
		try {
			return leaf ? leaf.read().killed || killedIn(this.#init) : killedIn(this.#cgroup);
		} catch (error) {
			if (isRemoved(error)) return false;
			throw error;
		}
	}

	/** Kills everything in the group, also what somebody has frozen: such a task makes no call any more. */
	async kill(): Promise<void> {
		try {
			await this.#cgroup.kill();
		} catch (error) {
			if (!isRemoved(error)) throw error;
		}
	}

	/** Kills what is left, and removes the group with all groups in it. */
	async end(): Promise<void> {
		try {
			await Promise.all([...this.#leaves, this.#init].map((each) => each?.remove()));
			await this.#cgroup.remove();
		} finally {
			await this.#above?.[Symbol.asyncDispose]();
		}
	}

	/** Lets the tasks of the sandbox clone into a group. */
	#give(cgroup: Cgroup): void {
		const { fd } = cgroup;
		if (this.#owner === undefined) return;
		Task.near.run(() => chown(new Location(fd, "cgroup.procs"), this.#owner, undefined));
	}
}

/** Returns those of the controllers of all limits that are available in a group. */
function controllersIn(cgroup: Cgroup): string[] {
	return cgroup.controllers.filter((each) => allControllers.includes(each));
}

/** Returns how often a process was refused because a group was full, or a group below. */
function refusedIn(cgroup: Cgroup): number {
	if (!cgroup.controllers.includes("pids")) return 0;
	return Number(/^max (\d+)$/m.exec(cgroup.read("pids.events"))?.[1] ?? 0);
}

/** Says of a limit that cannot be enforced which one it is, and what helps. */
function refused(error: unknown, limits: Limits): unknown {
	if (!(error instanceof NearfarError || error instanceof SyscallError) || error instanceof SandboxError) return error;
	const names = groupLimits.filter((name) => limits[name] !== undefined);
	const what = names.length > 0 ? names.map((name) => `options.limits.${name}`).join(", ") : "options.cgroup";
	const { hint } = error as { hint?: string };
	const why = hint === undefined ? "" : `. ${hint}`;
	return new SandboxError("LIMIT", `cannot enforce ${what}: ${error.message}${why}`, {
		cause: error,
		step: "cgroup",
		...(hint !== undefined && { hint }),
	});
}
