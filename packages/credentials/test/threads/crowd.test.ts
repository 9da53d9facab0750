// Many threads, many changes, many groups; and other changes beside them.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { needs, skipUnless } from "../../../../test/needs.ts";
import { NodeUnderTest } from "./node.ts";
import { needsPrivilege, privileged } from "./privileged.ts";
import { expectEnd, expectEqualThreads, expectRefused, snapshot, threadsOf } from "./snapshot.ts";
import { strangeAddon } from "./strange.ts";

const env = strangeAddon();
const MOST_THREADS = 4096;

test("10 000 changes leave no descriptor and no thread behind", async () => {
	await using node = await NodeUnderTest.start({ limit: 150_000 });
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	const before = await snapshot(node);
	await node.evaluate(async ({ fs, programs }) => {
		for (let i = 0; i < 10_000; i++) {
			programs.setNoNewPrivs({ process: true });
			if (i % 100 === 0) await fs.promises.stat("/");
		}
	});
	await expect.poll(() => snapshot(node)).toEqual(before);
	await expectEnd(node);
}, 160_000);

test("changes under load leave no descriptor and no thread behind", async () => {
	await using node = await NodeUnderTest.start({ limit: 100_000 });
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	const before = await snapshot(node);
	await node.evaluate(async ({ fs, programs, startWorker, workers }) => {
		for (let i = 0; i < 3; i++) await startWorker();
		const stop = new Int32Array(new SharedArrayBuffer(4));
		const busy = workers.map((worker) =>
			worker.evaluate((_, stop) => {
				let objects: unknown[] = [];
				while (Atomics.load(stop, 0) === 0) objects = [objects.length > 1000 ? [] : objects, {}];
				return objects.length;
			}, stop),
		);
		for (let i = 0; i < 150; i++) {
			programs.setNoNewPrivs({ process: true });
			if (i % 10 === 0) await fs.promises.stat("/");
		}
		Atomics.store(stop, 0, 1);
		await Promise.all(busy);
		for (const worker of [...workers]) await worker.end();
	});
	await expect.poll(() => snapshot(node)).toEqual(before);
	await expectEnd(node);
}, 110_000);

needsPrivilege().test(
	"50 Workers that come and go have what the others have",
	async () => {
		await using node = await NodeUnderTest.start({ wrapper: privileged, limit: 110_000 });
		const outcome = await node.evaluate(async ({ caps, childProcess, fs, refusal, sleep, Worker }) => {
			const state = { stopped: false, started: 0, faults: [] as string[] };
			const code =
				'require("node:fs").readFileSync("/etc/passwd"); require("node:worker_threads").parentPort.postMessage(1)';
			const comeAndGo = async () => {
				while (!state.stopped) {
					const worker = new Worker(code, { eval: true });
					worker.on("error", (error) => state.faults.push(`${error}`));
					await new Promise((resolve) => worker.once("exit", resolve));
					state.started++;
				}
			};
			const all = Array.from({ length: 50 }, comeAndGo);
			const refusals: unknown[] = [];
			for (let bit = 0; bit < 8; bit++) {
				await Promise.all([sleep(20), fs.promises.readFile("/etc/passwd")]);
				await new Promise((resolve) => childProcess.execFile("/bin/true", resolve));
				refusals.push(await refusal(() => caps.bounding.drop([bit], { process: true })));
			}
			refusals.push(await refusal(() => caps.dropCapabilities([], { process: true })));
			// Workers that start now have what the others have.
			const already = state.started;
			while (state.started < already + 50 && state.faults.length === 0) await sleep(10);
			state.stopped = true;
			await Promise.all(all);
			return { faults: state.faults, refusals: refusals.filter(Boolean) };
		});
		expect(outcome).toEqual({ faults: [], refusals: [] });
		const lines = expectEqualThreads(node).split("\n");
		for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(lines).toContain(`${set}:\t0000000000000000`);
		await node.evaluate(({ works }) => works());
		await expectEnd(node);
	},
	120_000,
);

test("programs that Workers spawn all the time begin and end as without changes", async () => {
	await using node = await NodeUnderTest.start({ limit: 80_000 });
	const statuses = await node.evaluate(async ({ programs, sleep, startWorker, workers }) => {
		for (let i = 0; i < 3; i++) await startWorker();
		const spawning = workers.map((worker) =>
			worker.evaluate(({ childProcess }) => {
				const statuses: unknown[] = [];
				for (let i = 0; i < 30; i++) {
					const { status, signal, error } = childProcess.spawnSync("/bin/true");
					statuses.push(status ?? signal ?? error?.message);
				}
				return statuses;
			}),
		);
		const state = { ended: false };
		const all = Promise.all(spawning);
		all.finally(() => {
			state.ended = true;
		});
		while (!state.ended) {
			programs.setNoNewPrivs({ process: true });
			await sleep(1);
		}
		return (await all).flat();
	});
	expect(statuses).toEqual(new Array(90).fill(0));
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	await expectEnd(node);
}, 90_000);

/** Changes in a Worker, while the main thread calls process.seteuid in a loop: libc's change of all threads, by the same signal. */
async function besideSeteuid(ids: number[]) {
	await using node = await NodeUnderTest.start({ limit: 60_000 });
	const codes = await node.evaluate(async ({ sleep, startWorker }, ids) => {
		const worker = await startWorker();
		const changing = worker.evaluate(async ({ credentials, refusal, sleep }) => {
			const codes: Record<string, number> = {};
			for (let i = 0; i < 200; i++) {
				const error = await refusal(() => credentials.setgroups([i], { process: true }));
				const code = error?.code ?? "none";
				codes[code] = (codes[code] ?? 0) + 1;
				if (i % 10 === 0) await sleep(1);
			}
			return codes;
		});
		const state = { ended: false, calls: 0 };
		changing.finally(() => {
			state.ended = true;
		});
		while (!state.ended) {
			for (const id of ids) process.seteuid?.(id);
			if (++state.calls % 10 === 0) await sleep(0);
		}
		process.seteuid?.(0);
		return changing;
	}, ids);
	expectEqualThreads(node);
	await node.evaluate(({ works }) => works());
	await expectEnd(node);
	return codes;
}

needs("root").test(
	"beside process.seteuid of the same id, every change succeeds",
	async () => {
		expect(await besideSeteuid([0])).toEqual({ none: 200 });
	},
	90_000,
);

needs("root").test(
	"beside process.seteuid of other ids, no change is half made",
	async () => {
		const { none = 0, ERR_NEARFAR_THREADS_DIFFER = 0, EPERM = 0, ...others } = await besideSeteuid([1000, 0]);
		expect(others).toEqual({});
		expect(none + ERR_NEARFAR_THREADS_DIFFER + EPERM).toBe(200);
	},
	90_000,
);

test("a Node that is stopped and continued all the time makes its changes", async () => {
	await using node = await NodeUnderTest.start({ limit: 60_000 });
	const state = { ended: false };
	const changing = node.evaluate(async ({ programs, sleep }) => {
		for (let i = 0; i < 300; i++) {
			programs.setNoNewPrivs({ process: true });
			await sleep(0);
		}
	});
	changing.finally(() => {
		state.ended = true;
	});
	while (!state.ended) {
		process.kill(node.pid, "SIGSTOP");
		await new Promise(setImmediate);
		process.kill(node.pid, "SIGCONT");
		await new Promise(setImmediate);
	}
	await changing;
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	await expectEnd(node);
}, 90_000);

needsPrivilege().test(
	"a Worker that is terminated in the middle of its changes stops no other",
	async () => {
		await using node = await NodeUnderTest.start({ wrapper: privileged, limit: 60_000 });
		await node.evaluate(async ({ programs, sleep, startWorker }) => {
			for (let i = 0; i < 30; i++) {
				const worker = await startWorker();
				worker.evaluate(({ programs }) => {
					for (;;) programs.setNoNewPrivs({ process: true });
				});
				await sleep(i);
				programs.setNoNewPrivs({ process: true });
				await worker.end();
				programs.setNoNewPrivs({ process: true });
			}
		});
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
		await expectEnd(node);
	},
	90_000,
);

test("process.exit ends a Node whose Workers are making changes", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(async ({ startWorker, workers }) => {
		await Promise.all([startWorker(), startWorker()]);
		for (const worker of workers)
			worker.evaluate(({ programs }) => {
				for (;;) programs.setNoNewPrivs({ process: true });
			});
	});
	node.refusal(() => process.exit(7));
	expect(await node.ended).toEqual({ code: 7, signal: null, stderr: "" });
});

/** Starts threads that sleep, until a Node has as many. Returns the number that it has then. */
async function startThreads(node: NodeUnderTest, count: number): Promise<number> {
	const missing = count - readdirSync(`/proc/${node.pid}/task`).length;
	await node.evaluate(({ strange }, missing) => {
		for (let i = 0; i < missing; i++) if (strange.thread("sleeps") < 0) return;
	}, missing);
	return readdirSync(`/proc/${node.pid}/task`).length;
}

needs("the program cc").test(
	"4000 threads are changed, and more than 4096 are a RangeError",
	async () => {
		await using node = await NodeUnderTest.start({ env, limit: 100_000 });
		const count = await startThreads(node, 4000);
		skipUnless(count >= 4000, `4000 threads, and this host allows ${count}`);
		await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
		expect(Object.keys(threadsOf(node.pid))).toHaveLength(count);
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
		const most = MOST_THREADS + 10;
		skipUnless((await startThreads(node, most)) >= most, `${most} threads`);
		const refused = { name: "RangeError", code: "ERR_OUT_OF_RANGE" };
		await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
	},
	110_000,
);

needs("root").test(
	"65 536 groups are those of every thread, and a later change compares them",
	async () => {
		await using node = await NodeUnderTest.start();
		await node.evaluate(({ credentials }) => {
			const groups = Array.from({ length: 65_536 }, (_, index) => 4_000_000_000 + index);
			credentials.setgroups(groups, { process: true });
		});
		const groups = /^Groups:\t(.*)$/m.exec(expectEqualThreads(node))?.[1]?.trim().split(" ");
		expect([groups?.length, groups?.[0], groups?.at(-1)]).toEqual([65_536, "4000000000", "4000065535"]);
		await node.evaluate(({ credentials }) => credentials.setresgid(5, 5, 5, { process: true }));
		expect(expectEqualThreads(node)).toMatch(/^Gid:\t5\t5\t5\t5$/m);
		await node.evaluate(({ works }) => works());
		await expectEnd(node);
	},
	40_000,
);
