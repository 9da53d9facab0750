import { Task } from "@nearfar/core";
import { native, setpcap } from "@nearfar/core/internal";
import { setsid } from "@nearfar/credentials";
import { cloneFirst, type Init } from "../build/begin.ts";
import { becomeRootInside } from "../build/init.ts";
import { joinSessionKeyring } from "../build/keyring.ts";
import type { CheckedOptions } from "../check.ts";
import { requireLandlock } from "../host/landlock.ts";
import type { Group } from "../limits/group.ts";
import { draw } from "../plan.ts";
import { Confinement } from "./confinement.ts";
import { sweep } from "./tmp.ts";

/**
 * Draws up the plan of a sandbox without namespaces, opens everything that it allows, and clones the task above all commands. The task
 * itself is not restricted: it ends the commands, and no command can signal or trace it.
 */
export async function beginConfined(options: CheckedOptions, group: Group | undefined): Promise<Init> {
	const landlock = await requireLandlock(options);
	const blueprint = { ...draw(options), abi: landlock.landlockAbi() };
	await sweep(blueprint);
	const task = await cloneFirst(group, {
		...(options.signal && { signal: options.signal }),
		begin(task) {
			setsid(); // it leaves the terminal of this process
			if (blueprint.owners === "uid0") becomeRootInside("uid0");
			joinSessionKeyring(task);
		},
	});
	try {
		const [effective = 0n] = task.run(() => native().capabilitySets());
		const confinement = Task.near.run(() => new Confinement(blueprint, landlock, (effective & setpcap) !== 0n));
		return { blueprint, task, uid: undefined, ready: Promise.resolve(), confinement };
	} catch (error) {
		await task[Symbol.asyncDispose]();
		throw error;
	}
}
