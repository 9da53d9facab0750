import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Task, umask } from "@nearfar/core";
import { expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { type SpawnOptions, spawn } from "../../src/index.ts";

const sleep = (options: SpawnOptions) => spawn("sleep", ["1000"], { stdio: "ignore", ...options });
const _aborted = { name: "AbortError", code: "ABORT_ERR" };

test("a task that setup has killed, or ended, is gone", async () => {
	for (const end of [(task: Task) => task.process.kill("SIGKILL"), (task: Task) => task.exit(3)]) {
		const error = await reason(() => sleep({ setup: async (task) => void (await end(task)) }));
		expect(error).toMatchObject({ code: "ERR_NEARFAR_TASK_GONE" });
	}
});

test("setup comes after all else, and what it changes stays", async () => {
	const seen: unknown[] = [];
	const child = await spawn("sh", ["-c", "pwd; umask"], {
		cwd: "/usr",
		stdio: ["ignore", "pipe", "inherit"],
		setup: async (task) => {
			seen.push(task.state, await import("node:fs").then(({ readlinkSync }) => readlinkSync(`/proc/${task.pid}/cwd`)));
			await task.batch(() => umask(0o11));
		},
	});
	let text = "";
	for await (const chunk of child.stdout ?? []) text += chunk;
	expect([text, seen]).toEqual(["/usr\n0011\n", ["live", "/usr"]]);
	await child.exited;
});

test("what has been put into the task is not collected while setup takes its time", async () => {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	const setup = async () => {
		for (let turn = 0; turn < 20; turn++) {
			collect();
			await setTimeout(1);
		}
	};
	const stdio = ["ignore", "pipe", "inherit", "pipe", "ignore"] as const;
	const child = await spawn("sh", ["-c", `ls ${ownProc}/self/fd | wc -l; echo three >&3`], { stdio, setup });
	const [out, three] = await Promise.all([child.stdout, child.stdio[3]].map((stream) => text(stream as Readable)));
	expect([out, three]).toEqual(["6\n", "three\n"]);
	await child.exited;
});
