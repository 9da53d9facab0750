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

	async [Symbol.asyncDispose](): Promise<void> {
		writeFileSync(`${this.path}/cgroup.freeze`, "0");
		while (readFileSync(`${this.path}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
		rmdirSync(this.path);
	}
}
