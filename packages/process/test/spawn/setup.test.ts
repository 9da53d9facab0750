import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type FileDescriptor, openat2, Task, umask } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { getNoNewPrivs, getrlimit, run, type SpawnOptions, setNoNewPrivs, setrlimit, spawn } from "../../src/index.ts";

const sleep = (options: SpawnOptions) => spawn("sleep", ["1000"], { stdio: "ignore", ...options });
const aborted = { name: "AbortError", code: "ABORT_ERR" };

describe("the task makes the calls of setup before its first await", () => {
	test("one by one, and their values are known", async () => {
		const before = process.umask();
		const seen: unknown[] = [];
		const { stdout } = await run("sh", ["-c", "umask; ulimit -Sc"], {
			setup(task) {
				umask(0o77); // in Node, this would change the umask of Node
				const { hard } = getrlimit("core");
				setrlimit("core", { soft: 0, hard });
				setNoNewPrivs(); // in Node, this would throw
				seen.push(getNoNewPrivs(), Task.current() === task);
			},
		});
		expect([stdout, seen, process.umask()]).toEqual(["0077\n0\n", [true, true], before]);
	});

	test("also in a function that is async, and this process makes the calls after the await", async () => {
		const seen: boolean[] = [];
		const { stdout } = await run("sh", ["-c", "umask"], {
			async setup(task) {
				seen.push(Task.current() === task);
				await setTimeout(1);
				seen.push(Task.current().isNear);
				task.run(() => umask(0o77));
			},
		});
		expect([stdout, seen]).toEqual(["0077\n", [true, true]]);
	});

	test("with descriptors of the task, and Task.near.run opens one in this process", async () => {
		const owners: FileDescriptor["table"][] = [];
		await run("true", [], {
			setup(task) {
				using far = openat2("/dev/null");
				using near = Task.near.run(() => openat2("/dev/null"));
				owners.push(far.table, near.table, task.fdTable);
			},
		});
		expect(owners[0]).toBe(owners[2]);
		expect(owners[1]).toBe(Task.near.fdTable);
	});

	test("and no later call, even if setup throws", async () => {
		const setup = () => {
			umask(0o77);
			throw new Error("not this one");
		};
		expect(await reason(() => sleep({ setup }))).toMatchObject({ message: "not this one" });
		expect(Task.current().isNear).toBe(true);
	});

	test("and an error of such a call is that of spawn", async () => {
		expect(await reason(() => sleep({ setup: () => void openat2("/no/such/file") }))).toMatchObject({
			code: "ENOENT",
			path: "/no/such/file",
		});
	});
});

test("a setup that aborts the signal and never settles ends spawn", async () => {
	const control = new AbortController();
	const setup = () => {
		control.abort();
		return new Promise<void>(() => {});
	};
	expect(await reason(() => sleep({ setup, signal: control.signal }))).toMatchObject(aborted);
});

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
