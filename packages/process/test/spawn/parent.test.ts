import { spawn as nodeSpawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { fixturePath } from "../../../../test/fixture.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { has, needs } from "../../../../test/needs.ts";
import { isAlive, stat } from "../../../../test/processes.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";

const fixture = fixturePath("process/spawn");

test("without killTree what it has started lives on, and so does the program when Node ends", async () => {
	const env = mark();
	const options = { stdio: "ignore", env: { PATH: "/usr/bin:/bin", ...env } } as const;
	const child = await spawn("sh", ["-c", "sleep 1000 & exit 0"], options);
	await child.check();
	await untilMarked(env, 1);
	const args = [fixture, "exit", "exec sleep 1003", JSON.stringify({ env })];
	const node = nodeSpawn(process.execPath, args, { stdio: "inherit" });
	await once(node, "exit");
	await untilMarked(env, 2);
	for (const pid of marked(env)) process.kill(pid, "SIGKILL");
	await untilMarked(env, 0);
});

needs("/proc").test("deathSignal comes when Node dies, though the ids have changed before", async () => {
	const env = mark();
	const rooted = { namespaces: ["user"], idMap: "root", uid: 0, gid: 0, deathSignal: "SIGUSR2" };
	const script = "trap 'echo got it; exit' USR2; echo ready; while :; do sleep 0.01; done";
	const options = JSON.stringify({ ...rooted, env, stdio: ["ignore", "inherit", "ignore"] });
	const node = nodeSpawn(process.execPath, [fixture, "run", script, options], { stdio: ["ignore", "pipe", "inherit"] });
	const [ready] = await once(node.stdout, "data");
	expect(`${ready}`).toBe("ready\n");
	node.kill("SIGKILL");
	expect(await text(node.stdout)).toBe("got it\n");
	await untilMarked(env, 0);
});

test.each<[string, SpawnOptions]>([
	["", {}],
	["with other ids", has("root") ? { uid: 1000, gid: 1000 } : { namespaces: ["user"], idMap: "root", uid: 0 }],
])("a task that only learns of its program when Node is dead does not execute it %s", async (_, options) => {
	const env = mark();
	const file = fixturePath("process/spawn-orphan");
	for (const deathSignal of [null, "SIGUSR2"]) {
		const given = JSON.stringify({ ...options, deathSignal, env });
		const node = nodeSpawn(process.execPath, [file, given], { stdio: ["ignore", "pipe", "inherit"] });
		const pid = Number(await text(node.stdout));
		expect(stat(pid)?.name).not.toBe("sleep");
		try {
			process.kill(pid, "SIGCONT");
		} catch {
			// The process is gone already.
		}
		await expect.poll(() => isAlive(pid)).toBe(false);
		expect(marked(env)).toEqual([]);
	}
});
