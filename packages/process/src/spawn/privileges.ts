import { CapabilitySet } from "@nearfar/caps";
import type { Task } from "@nearfar/core";
import { applySecureBits, native, prctlOptions, securebits as secureBits, setpcap } from "@nearfar/core/internal";
import { type Held, hasExactly, heldAtFirst, presentBounding, readHeld } from "./held.ts";
import { PrivilegeHints } from "./privilege-hints.ts";
import type { SpawnRequest } from "./request.ts";

/**
 * Gives a program its user, its capabilities and its securebits, by calls of the batches that are being collected.
 *
 * A batch reads nothing. So what the calls depend on is read before: near for the first batch, and in the task after a `setup`.
 */
export class Privileges {
	readonly #request: SpawnRequest;
	readonly #hints = new PrivilegeHints();
	/** What the task has before the calls of the next batch. `undefined`: no call depends on it. */
	#held: Held | undefined;
	/** True when the capabilities of the task are those of the program already. */
	#reduced = false;

	constructor(request: SpawnRequest) {
		this.#request = request;
		const { capabilities, securebits } = request;
		if (capabilities !== undefined || securebits !== undefined) this.#held = heldAtFirst(request);
	}

	/**
	 * Changes the ids. If the new user is not 0, the capabilities are reduced here: the task would lose them otherwise, and
	 * gives up what it needs for that.
	 */
	setIds(): void {
		const { uid, capabilities } = this.#request;
		const held = this.#held;
		if (held && capabilities === undefined) this.#setSecurebits(held, held.effective);
		if (!held || capabilities === undefined || uid === undefined || uid === 0) {
			this.#changeIds();
			return;
		}
		const keepCaps = (held.securebits & secureBits.keepCapsLocked) === 0;
		this.#dropBounding(held, capabilities);
		if (keepCaps) native().setPrctl(prctlOptions.setKeepcaps, [1]);
		this.#changeIds();
		if (keepCaps) native().setPrctl(prctlOptions.setKeepcaps, [0]); // before the securebits, which may lock this one
		this.#setSets(held, capabilities);
		this.#reduced = true;
	}

	/** Reads what a `setup` has left to the task. */
	afterSetup(task: Task): void {
		this.#hints.clear();
		const { capabilities } = this.#request;
		if (capabilities === undefined) return;
		task.run(() => {
			const held = readHeld();
			this.#held = held;
			this.#reduced = this.#wanted(held) === held.securebits && hasExactly(held, capabilities);
		});
	}

	/** Reduces the capabilities to those of the program, if that has not been done with the ids. */
	reduce(): void {
		const { capabilities } = this.#request;
		if (this.#reduced || !this.#held || capabilities === undefined) return;
		this.#dropBounding(this.#held, capabilities);
		this.#setSets(this.#held, capabilities);
	}

	/** Calls `collect`, which collects the execution of the program. */
	execute(collect: () => void): void {
		if (this.#request.capabilities === undefined) collect();
		else this.#hints.mark(forFile, collect);
	}

	/** Adds to the error of one of these calls which capability is missing. */
	explain(error: unknown): void {
		this.#hints.addTo(error);
	}

	#changeIds(): void {
		const { uid, gid, groups } = this.#request;
		if (groups !== undefined) this.#hints.mark(forGroups, () => native().setgroups([...groups], false));
		// An error of this call is ignored: without CAP_SETGID the task keeps its groups, as the README says.
		else if (uid !== undefined || gid !== undefined) native().setgroups([], true);
		if (gid !== undefined) this.#hints.mark(forGid, () => native().setresgid(gid, gid, gid));
		if (uid !== undefined) this.#hints.mark(forUid, () => native().setresuid(uid, uid, uid));
	}

	/** Takes out of the bounding set what is there and the program does not get. */
	#dropBounding({ effective, permitted, inheritable, bounding, near }: Held, capabilities: bigint): void {
		const drop = bounding & ~capabilities;
		if (drop === 0n) return;
		// A change of the user id that keeps the permitted capabilities makes none of them effective.
		if (permitted & ~effective & setpcap) {
			// As user 0 the task has lost at execve(2) what this process still has outside of its bounding set.
			const raised = permitted & bounding;
			native().capset(0, [raised, raised, inheritable]);
		}
		this.#hints.mark({ EPERM: hintForBounding(permitted, near) }, () => native().dropBounding(drop));
	}

	/** Sets the other four sets, and the securebits before the last privilege for that is given up. */
	#setSets(held: Held, capabilities: bigint): void {
		const changes = this.#wanted(held) !== held.securebits;
		const first = changes ? capabilities | setpcap : capabilities;
		this.#hints.mark({ EPERM: () => hintForSets(first, capabilities, held) }, () =>
			native().capset(0, [first, first, capabilities]),
		);
		// The ambient set has lost what is not inheritable any more.
		const hint = "the securebit noCapAmbientRaise is set: no capability can become ambient";
		this.#hints.mark({ EPERM: hint }, () => native().raiseAmbient(capabilities));
		if (!changes) return;
		this.#setSecurebits(held, held.permitted);
		native().capset(0, [capabilities, capabilities, capabilities]);
	}

	/** Sets the securebits. `effective`: the capabilities that the task has for this call. */
	#setSecurebits(held: Held, effective: bigint): void {
		const wanted = this.#wanted(held);
		if (wanted === held.securebits) return;
		const missing =
			effective & setpcap ? "" : "CAP_SETPCAP is not effective, without which securebits do not change; or ";
		const hint = `${missing}a securebit is locked, or unknown to the kernel`;
		this.#hints.mark({ EPERM: hint }, () => native().setPrctl(prctlOptions.setSecurebits, [wanted]));
	}

	/** Returns the securebits that the program gets. */
	#wanted(held: Held): number {
		const { securebits } = this.#request;
		return securebits === undefined ? held.securebits : applySecureBits(securebits, held.securebits);
	}
}

const unmapped = "the user namespace of the task has no such id";

const forGroups = {
	EPERM: 'CAP_SETGID is missing; or the user namespace of the task denies setgroups(2), as with idMap: "root"',
	EINVAL: unmapped,
};
const forGid = { EPERM: "CAP_SETGID is missing, and the task does not have this group id", EINVAL: unmapped };
const forUid = { EPERM: "CAP_SETUID is missing, and the task does not have this user id", EINVAL: unmapped };

const forFile = {
	EPERM: "the file may have capabilities, which getcap(8) shows, and one of them is not among options.capabilities",
};

/** What stands in the way where the thread that calls `spawn` has what a call needs, and the task has not. */
const lost =
	"a task begins with execve(2), and has of the capabilities of Node the ambient ones, or as user 0 those of the bounding set";

function hintForBounding(permitted: bigint, near: true | undefined): string {
	if (near && permitted & setpcap) return `CAP_SETPCAP is missing in the task: ${lost}`;
	return "CAP_SETPCAP is missing, without which no capability leaves the bounding set; a task in a user namespace of its own has it";
}

/** Returns the hint for a refused capset(2). `undefined`: what this process can see does not explain the refusal. */
function hintForSets(wanted: bigint, inheritable: bigint, held: Held): string | undefined {
	const missing = wanted & ~held.permitted;
	if (missing !== 0n) return `not permitted to the task: ${namesOf(missing)}`;
	const outside = inheritable & ~(presentBounding(held) | held.inheritable);
	if (outside !== 0n) return `no longer in the bounding set of the task: ${namesOf(outside)}`;
	if ((held.securebits & secureBits.keepCapsLocked) === 0) return held.near && lost;
	return "the securebit keepCaps is locked: the change of the user id has taken the permitted capabilities";
}

/** Returns the kernel's names of capabilities. */
function namesOf(capabilities: bigint): string {
	return CapabilitySet.from(capabilities).toText().toUpperCase();
}
