import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { cgroupRoot } from "./needs.ts";

/** A frozen cgroup v2. Disposing of it thaws the cgroup, and removes it when no process is left in it. */
export class FrozenGroup implements AsyncDisposable {
	/** A pid would not do as its name: the suite that runs beside may be in another pid namespace. */
	readonly path = mkdtempSync(`${cgroupRoot}/nearfar-frozen-`);

	constructor() {
		writeFileSync(`${this.path}/cgroup.freeze`, "1");
	}

	/** Returns the pids of the processes in the cgroup, which are frozen. */
	pids(): number[] {
		const lines = readFileSync(`${this.path}/cgroup.procs`, "utf8").split("\n");
		return lines.filter(Boolean).map(Number);
	}

	/**
	 * Blocks until a process is in the cgroup, without a turn of the event loop: the clone and the reply that tells the new pid are two
	 * moments of the cloner. Blocks for 20 ms at most, because a busy zygote needs a turn.
	 */
	blockUntilCloned(): void {
		const begin = performance.now();
		while (this.pids().length === 0 && performance.now() - begin < 20);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		writeFileSync(`${this.path}/cgroup.freeze`, "0");
		while (readFileSync(`${this.path}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
		rmdirSync(this.path);
	}
}
