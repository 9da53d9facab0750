import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import type { Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import { describe, expect, test } from "vitest";
import { hold } from "../../../../test/held.ts";
import { mark, marked, untilMarked } from "../../../../test/marked.ts";
import { reason } from "../../../../test/reason.ts";
import { type Spawned, type SpawnOptions, spawn } from "../../src/index.ts";

const sleep = (options: SpawnOptions) => spawn("sleep", ["1000"], { stdio: "ignore", ...options });
const aborted = { name: "AbortError", code: "ABORT_ERR" };

/** Returns the first of ever longer timeouts with which the start succeeds on this host. */
async function startedWithin(timeout: number, options: SpawnOptions): Promise<Spawned> {
	try {
		return await sleep({ ...options, timeout });
	} catch (error) {
		expect(error).toMatchObject({ code: "ERR_NEARFAR_TIMEOUT" });
		return startedWithin(2 * timeout, options);
	}
}

describe.each<[string, SpawnOptions]>([
	["alone", {}],
	["with killTree", { killTree: true }],
	["with init", { namespaces: ["user", "pid"], init: true }],
])("%s", (_, tree) => {
	test("aborted before: nothing is started, and the reason is the cause", async () => {
		const error = await reason(() => sleep({ ...tree, signal: AbortSignal.abort("no more") }));
		expect(error).toMatchObject({ ...aborted, cause: "no more" });
	});

	test("aborted while it starts, whenever that is: nothing is left, or a child that ends", async () => {
		for (let steps = 0; steps < 40; steps++) {
			const control = new AbortController();
			const env = mark();
			const starting = sleep({ ...tree, env, signal: control.signal });
			const ended = starting.then(
				({ exited }) => exited,
				(error) => error,
			);
			for (let step = 0; step < steps; step++) await (step % 4 === 3 ? setTimeout(0) : undefined);
			control.abort();
			const end = await ended;
			if (end instanceof Error) expect(end).toMatchObject(aborted);
			else expect(end).toMatchObject({ signal: "SIGTERM" });
			expect(marked(env)).toEqual([]);
		}
	});

	test("aborted, or timed out, while a debugger holds the zygote: spawn does not wait for the zygote", async () => {
		await (await sleep(tree))[Symbol.asyncDispose]();
		const held = await hold(native().zygotePid());
		try {
			expect(await reason(() => sleep({ ...tree, timeout: 20 }))).toMatchObject({ code: "ERR_NEARFAR_TIMEOUT" });
			const control = new AbortController();
			const starting = sleep({ ...tree, signal: control.signal });
			control.abort();
			expect(await reason(() => starting)).toMatchObject(aborted);
		} finally {
			held[Symbol.dispose]();
		}
		await (await sleep(tree))[Symbol.asyncDispose]();
	});

	test("aborted later: killSignal is sent", async () => {
		const control = new AbortController();
		const child = await sleep({ ...tree, signal: control.signal, killSignal: "SIGUSR2" });
		control.abort();
		expect(await child.exited).toMatchObject({ signal: "SIGUSR2" });
		control.abort();
	});

	test("timeout: killSignal is sent, and 0 is none", async () => {
		const child = await startedWithin(50, tree);
		expect(await child.exited).toMatchObject({ signal: "SIGTERM" });
		const number = await startedWithin(50, { ...tree, killSignal: 9 });
		expect(await number.exited).toMatchObject({ signal: "SIGKILL" });
		await using untimed = await sleep({ ...tree, timeout: 0 });
		expect(untimed.death).toBeUndefined();
	});

	test.each<[string, () => never | Promise<never>]>([
		[
			"throws",
			() => {
				throw new Error("not this one");
			},
		],
		["rejects", () => Promise.reject(new Error("not this one"))],
	])("a setup that %s: so does spawn, and nothing is left", async (_, setup) => {
		let task: Task | undefined;
		const remembered = (made: Task) => {
			task = made;
			return setup();
		};
		expect(await reason(() => sleep({ ...tree, setup: remembered }))).toMatchObject({ message: "not this one" });
		expect(task?.state).toBe("exited");
	});

	test("a setup that never settles: timeout and signal end it", async () => {
		const setup = () => new Promise<void>(() => {});
		expect(await reason(() => sleep({ ...tree, setup, timeout: 100 }))).toMatchObject({ code: "ERR_NEARFAR_TIMEOUT" });
		const control = new AbortController();
		let reached = () => {};
		const inside = new Promise<void>((resolve) => {
			reached = resolve;
		});
		const slow = () => {
			reached();
			return setup();
		};
		const failed = reason(() => sleep({ ...tree, signal: control.signal, setup: slow }));
		await inside;
		control.abort();
		expect(await failed).toMatchObject(aborted);
	});

	test("disposed: it is killed, and its streams are destroyed", async () => {
		const env = mark();
		const child = await spawn("sh", ["-c", "sleep 1000 & exec sleep 1000"], {
			...tree,
			env: { ...env, PATH: "/usr/bin:/bin" },
		});
		await untilMarked(env, 2);
		const closed = Promise.all(child.stdio.map((stream) => stream && once(stream, "close")));
		await child[Symbol.asyncDispose]();
		await closed;
		expect(child.death).toMatchObject({ signal: "SIGKILL" });
		if (Object.keys(tree).length > 0) expect(marked(env)).toEqual([]);
		for (const pid of marked(env)) process.kill(pid, "SIGKILL");
		await child[Symbol.asyncDispose]();
	});
});
