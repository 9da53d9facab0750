// Cgroups of version 2.
import { Cgroup, CgroupError } from "@nearfar/cgroup";
import { run } from "@nearfar/process";
import { equal, Skip, truthy } from "../tools.mjs";

export const cgroup = {
	"a group with limits, its events and its end": () =>
		inGroup(async (group) => {
			const events = group.events()[Symbol.asyncIterator]();
			equal((await events.next()).value.populated, false);
			const change = events.next();
			const task = await group.clone();
			equal((await change).value.populated, true);
			equal(group.pids.join(), `${task.pid}`);
			const limits = group.controllers.includes("pids") ? { pids: 1 } : {};
			await group.set(limits);
			equal(group.limits().pids, limits.pids);
			await group.freeze();
			await group.kill();
			await task.exited;
			equal(group.populated, false);
			await group.thaw();
			await group.set(limits.pids ? { pids: "max" } : {});
			truthy((await run("cat", ["/proc/self/cgroup"], { cgroup: group })).stdout.includes(group.path));
			await events.return();
		}),
};

/** Makes a group for a function, and removes it afterwards. Skips the case where this program may make none. */
async function inGroup(use) {
	const parent = findParent();
	const limits = parent.controllers.includes("pids") ? { pids: "max" } : {};
	const group = parent.create(`nearfar-smoke-${process.pid}`, { limits });
	try {
		await use(group);
	} finally {
		await group.remove();
		await parent[Symbol.asyncDispose]();
	}
	truthy(group.removed);
}

function findParent() {
	try {
		return Cgroup.find({ controllers: [] });
	} catch (error) {
		if (!(error instanceof CgroupError)) throw error;
		throw new Skip(`no group: ${error.message}`);
	}
}
