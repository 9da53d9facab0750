// Workers, the end of the process, `using`, and the runtime's own child processes.
import { spawn as spawnNode } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { Worker } from "node:worker_threads";
import * as core from "@nearfar/core";
import { spawn } from "@nearfar/process";
import { equal, program, Skip, same, startProgram, truthy, untilGone } from "../tools.mjs";

export const lifetime = {
	"a Worker has tasks of its own": async () => {
		const worker = new Worker(program("worker.mjs"), { workerData: "work" });
		const [message] = await once(worker, "message");
		same(message, { code: 3, output: "from the worker\n" });
		await worker.terminate();
	},
	"the end of a Worker ends its tasks": async () => {
		const worker = new Worker(program("worker.mjs"), { workerData: "hold" });
		const [pid] = await once(worker, "message");
		truthy(existsSync(`/proc/${pid}`));
		await worker.terminate();
		await untilGone(pid);
	},
	"the end of a Worker closes the pipes of its programs": async () => {
		if (globalThis.Deno) throw new Skip("Deno leaves the sockets of a Worker open");
		const holdPipes = async () => {
			const worker = new Worker(program("worker.mjs"), { workerData: "pipes" });
			const [pid] = await once(worker, "message");
			await worker.terminate();
			await untilGone(pid);
		};
		await holdPipes();
		const descriptors = () => readdirSync("/proc/self/fd").length;
		const before = descriptors();
		for (let i = 0; i < 3; i++) await holdPipes();
		while (descriptors() > before) await new Promise((resolve) => setTimeout(resolve, 10));
	},
	"four Workers at once": async () => {
		const workers = Array.from({ length: 4 }, () => new Worker(program("worker.mjs"), { workerData: "work" }));
		for (const [message] of await Promise.all(workers.map((worker) => once(worker, "message")))) equal(message.code, 3);
		await Promise.all(workers.map((worker) => worker.terminate()));
	},
	"exit with live tasks and programs": async () => {
		const { line, ended } = startProgram("live.mjs", ["exit"]);
		const pids = JSON.parse(await line);
		equal((await ended).code, 5);
		await Promise.all(pids.map(untilGone));
	},
	"SIGKILL with live tasks and programs": async () => {
		const { child, line, ended } = startProgram("live.mjs", ["wait"]);
		const pids = JSON.parse(await line);
		for (const pid of pids) truthy(existsSync(`/proc/${pid}`));
		child.kill("SIGKILL");
		equal((await ended).signal, "SIGKILL");
		await Promise.all(pids.map(untilGone));
	},
	"an exception ends the process, and its tasks": async () => {
		const { line, ended } = startProgram("live.mjs", ["throw"]);
		const pids = JSON.parse(await line);
		equal((await ended).code, 1);
		await Promise.all(pids.map(untilGone));
	},
	"the process waits for its programs, unless they are unref'd": async () => {
		equal((await startProgram("loop.mjs", ["ref"]).ended).output, "ended\n");
		equal((await startProgram("loop.mjs", ["unref"]).ended).output, "");
	},
	"await using": async () => {
		let use;
		try {
			use = new Function(
				"core",
				"return (async () => { await using task = await core.Task.clone(); using fd = core.openat2('/dev/null'); return { task, fd }; })()",
			);
		} catch {
			throw new Skip("this runtime has no `using`");
		}
		const { task, fd } = await use(core);
		equal(task.state, "exited");
		truthy(fd.closed);
	},
	"node:child_process beside it loses no child": async () => {
		const codes = Array.from({ length: 20 }, (_, i) => i);
		const near = codes.map(async (code) => (await (await spawn("sh", ["-c", `exit ${code}`])).exited).code);
		const nodes = codes.map(async (code) => (await once(spawnNode("sh", ["-c", `exit ${code}`]), "exit"))[0]);
		same(await Promise.all(near), codes);
		same(await Promise.all(nodes), codes);
	},
};
