import { ambient, bounding, CapabilitySet, capget, capset } from "@nearfar/caps";
import { SyscallError, Task } from "@nearfar/core";
import { Failure } from "./failure.ts";
import type { Invocation } from "./operations.ts";

const SYS_prctl = process.arch === "arm64" ? 167 : 157;
const [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE] = [47, 2];

/** The capabilities of the command. */
export class Privileges {
	readonly #keep: CapabilitySet;
	/** Whether the sets stay as they are, because user 0 has not asked for a change. */
	readonly #untouched: boolean;

	/** Begins with those of user 0, or with none. */
	constructor({ capabilities }: Invocation, uid: number) {
		const own = Task.near.run(() => capget());
		if (uid !== 0 && own.permitted.bits !== 0n) {
			throw new Failure("Unexpected capabilities but not setuid, old file caps config?");
		}
		let keep = uid === 0 ? own.effective : CapabilitySet.from([]);
		for (const { add, name } of capabilities) keep = add ? keep.union(named(name)) : keep.difference(named(name));
		this.#keep = keep;
		this.#untouched = uid === 0 && capabilities.length === 0;
	}

	/** Reduces the sets of the current task. A new user namespace has given it all capabilities. */
	reduce(inNewUserNamespace: boolean): void {
		const all = CapabilitySet.all();
		if (inNewUserNamespace) bounding.drop(all.difference(this.#keep));
		if (this.#untouched) return;
		const keep = this.#keep.intersection(all);
		capset({ effective: keep, permitted: keep, inheritable: keep });
		if (keep.bits !== 0n) ambient.raise(keep);
	}

	/** Makes those ambient that user 0 may pass on, as bubblewrap does: one by one, and without those that the kernel refuses. */
	raise(task: Task): void {
		if (!this.#untouched) return;
		for (let bit = 0, rest = this.#keep.bits; rest > 0n; bit++, rest >>= 1n) {
			if (!(rest & 1n)) continue;
			try {
				task.syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0);
			} catch (error) {
				if (!(error instanceof SyscallError) || (error.code !== "EPERM" && error.code !== "EINVAL")) throw error;
			}
		}
	}
}

/** Returns the set for a name such as `CAP_SYS_ADMIN`, or for `ALL`. */
function named(name: string): CapabilitySet {
	const lower = name.toLowerCase();
	if (lower === "all") return CapabilitySet.all();
	const words = lower.replace(/^cap_/, "").replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
	try {
		return CapabilitySet.from([words as Parameters<CapabilitySet["has"]>[0]]);
	} catch {
		throw new Failure(`unknown cap: ${name}`);
	}
}
