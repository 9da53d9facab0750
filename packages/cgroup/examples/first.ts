import assert from "node:assert/strict";
import { Cgroup, CgroupError } from "@nearfar/cgroup";
import { spawn } from "@nearfar/process";

try {
	// A directory in which this program may make groups, or a scope of systemd.
	await using parent = await Cgroup.obtain();
	const limits = { memory: { max: 256 << 20, oomGroup: true }, pids: 100 };
	await using group = parent.create(`worker-${process.pid}`, { limits });

	// The worker wants more memory than it may have. The kernel kills the worker with all that it has started, and this program lives.
	const script = "const held = []; for (;;) held.push(Buffer.alloc(16 << 20, 1));";
	await using worker = await spawn(process.execPath, ["-e", script], { cgroup: group, stdio: "ignore" });
	const { signal } = await worker.exited;
	const { memory } = group.stat();
	console.log(`the worker was killed by ${signal}: ${memory?.events.oomKill} killed for more than 256 MiB`);
	assert.equal(signal, "SIGKILL");
	assert.ok(memory && memory.events.oomKill > 0);
} catch (error) {
	// On a host that gives this program no groups nothing has run, and the error says what to do.
	if (!(error instanceof CgroupError)) throw error;
	console.log(`${error.message}\n${error.hint}`);
}
