// Threads of `Task.thread` beside what else changes all threads of Node, or moves work between them.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { expect } from "vitest";
import { NodeUnderTest } from "./node.ts";
import { needsPrivilege, privileged } from "./privileged.ts";
import { expectEnd, expectEqualThreads } from "./snapshot.ts";

const privilegedTest = needsPrivilege("/proc", "uts namespaces", "net namespaces").test;

/** Returns the names of the threads of a process that are in other namespaces than its first thread. */
function elsewhere(pid: number): string[] {
	const kinds = ["cgroup", "ipc", "mnt", "net", "user", "uts"];
	const folder = `/proc/${pid}/task`;
	const namespaces = (tid: number | string) =>
		kinds.map((kind) => readlinkSync(`${folder}/${tid}/ns/${kind}`)).join(" ");
	const first = namespaces(pid);
	return readdirSync(folder).flatMap((tid) => {
		try {
			return namespaces(tid) === first ? [] : [readFileSync(`${folder}/${tid}/comm`, "utf8").trim()];
		} catch {
			return []; // the thread has ended meanwhile
		}
	});
}

privilegedTest(
	"netns #17: a hundred threads come and go, and no other thread of Node is ever in their namespaces",
	async () => {
		await using node = await NodeUnderTest.start({ wrapper: privileged });
		const work = node.evaluate(async ({ core, fs, sleep, startWorker }) => {
			const folder = process.cwd();
			const workers = await Promise.all([startWorker(), startWorker()]);
			const busy = workers.map((worker) =>
				worker.evaluate(async ({ fs, sleep }) => {
					for (let round = 0; round < 40; round++) {
						await fs.promises.readFile("/proc/self/stat");
						await sleep(1);
					}
				}),
			);
			const tids: number[] = [];
			for (let round = 0; round < 20; round++) {
				const threads = await Promise.all(
					Array.from({ length: 5 }, () => core.Task.thread({ namespaces: ["net", "uts", "mnt"] })),
				);
				process.chdir(round % 2 ? "/" : folder);
				await Promise.all([
					...threads.map((thread) => thread.batch(() => core.chdir("/proc"))),
					...Array.from({ length: 8 }, () => fs.promises.readFile("/proc/self/stat")),
				]);
				tids.push(...threads.map(({ tid }) => tid));
				await Promise.all(threads.map((thread) => thread[Symbol.asyncDispose]()));
			}
			await Promise.all(busy);
			// The kernel takes a thread off the list a moment after its end was told.
			while (fs.readdirSync("/proc/self/task").some((tid) => tids.slice(-5).includes(Number(tid)))) await sleep(1);
			return tids;
		});
		const seen: string[] = [];
		let done = false;
		work.finally(() => {
			done = true;
		});
		while (!done) {
			seen.push(...elsewhere(node.pid));
			await new Promise(setImmediate);
		}
		const tids = await work;
		expect([tids.length, elsewhere(node.pid)]).toEqual([100, []]);
		expect(new Set(seen)).toEqual(new Set(["nearfar-thread"]));
		await expectEnd(node);
	},
);

privilegedTest("process.setuid and { process: true } reach a thread, also one that waits in a call", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	const tids = await node.evaluate(async ({ core, caps }) => {
		const idle = await core.Task.thread({ namespaces: ["uts"] });
		const busy = await core.Task.thread();
		const [reader, writer] = core.pipe({ blocking: true });
		const sysRead = process.arch === "arm64" ? 63 : 0;
		const waiting = busy.batch(() => {
			busy.syscall(sysRead, reader, new Uint8Array(1), 1);
		});
		caps.bounding.drop(["sysBoot"], { process: true });
		process.setegid?.(0);
		writer.write("x");
		await waiting;
		const scope = globalThis as { held?: unknown };
		scope.held = [idle, busy];
		return [core.Task.near.tid, idle.tid, busy.tid];
	});
	expect(readdirSync(`/proc/${node.pid}/task`)).toEqual(expect.arrayContaining(tids.map(String)));
	const bounding = /^CapBnd:\t(.*)$/m.exec(expectEqualThreads(node))?.[1];
	const sysBoot = 22n;
	expect((BigInt(`0x${bounding}`) >> sysBoot) & 1n).toBe(0n);
	await expectEnd(node);
});

privilegedTest("a thread ends with its Worker, with what it has opened there", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	const { inside, more } = await node.evaluate(async ({ startWorker, fs, sleep }) => {
		const count = () => ({
			tasks: fs.readdirSync("/proc/self/task").length,
			files: fs.readdirSync("/proc/self/fd").length,
		});
		const first = await startWorker();
		await first.evaluate(({ core }) => core.Task.thread().then((thread) => thread[Symbol.asyncDispose]()));
		await first.end();
		const before = count();
		const worker = await startWorker();
		const inside = await worker.evaluate(async ({ core }) => {
			const thread = await core.Task.thread({ namespaces: ["uts"] });
			const scope = globalThis as { held?: unknown };
			scope.held = [thread, thread.run(() => core.openat2("/etc")), await thread.batch(() => core.openat2("/etc"))];
			return thread.tid;
		});
		await worker.end();
		let after = count();
		// What ends by itself a moment later may be in `before` too.
		const more = () => [Math.max(after.tasks - before.tasks, 0), Math.max(after.files - before.files, 0)];
		for (let look = 0; look < 500 && more().some(Boolean); look++) {
			await sleep(5);
			after = count();
		}
		return { inside, more: more() };
	});
	expect([inside > 0, more]).toEqual([true, [0, 0]]);
	await expectEnd(node);
});
