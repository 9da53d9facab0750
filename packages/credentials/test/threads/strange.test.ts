import { expect } from "vitest";
import { hold } from "../../../../test/held.ts";
import { needs } from "../../../../test/needs.ts";
import { type NodeOptions, NodeUnderTest } from "./node.ts";
import { needsPrivilege, privileged } from "./privileged.ts";
import { expectEnd, expectEqualThreads, expectRefused, threadsOf } from "./snapshot.ts";
import { strangeAddon } from "./strange.ts";

const env = strangeAddon();
const { test } = needs("the program cc");

const setresgid = process.arch === "arm64" ? 149 : 119;

/** Starts a Node that has the addon. */
function start(options: NodeOptions = {}): Promise<NodeUnderTest> {
	return NodeUnderTest.start({ ...options, env: { ...options.env, ...env } });
}

/** Starts a thread of a kind in a Node, and returns its id. */
async function startThread(node: NodeUnderTest, kind: string, number = 0): Promise<number> {
	const start = { kind, number };
	const tid = await node.evaluate(({ strange }, { kind, number }) => strange.thread(kind, number), start);
	expect(tid).toBeGreaterThan(0);
	return tid;
}

/** The kinds of threads that reply to the signal at once or in a later round, with their number. */
const replying: Record<string, [kind: string, number?: number, count?: number]> = {
	"blocks every signal that the C library lets it block (libcap 210533)": ["blocksAll"],
	"waits in read(2)": ["reads"],
	"never enters the kernel": ["spins"],
	"is in vfork(2) for 0.3 s": ["vforksOnce", 300],
	"calls vfork(2) all the time": ["vforks", 0, 4],
	"starts threads all the time": ["bears", 0, 8],
	"allocates all the time (tailhook/unshare 34)": ["allocates", 1, 8],
	"blocks every signal for 0.3 s": ["blocksForAMoment", 300],
	"blocks every signal for 5 ms, again and again": ["blocksOften", 5],
	"has a small alternate stack": ["hasSmallStack", 4096],
};

test.each(Object.entries(replying))("a thread that %s is changed, too", async (_, [kind, number, count = 1]) => {
	await using node = await start();
	const threads: number[] = [];
	for (let i = 0; i < count; i++) threads.push(await startThread(node, kind, number));
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	const all = threadsOf(node.pid);
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	for (const tid of threads) expect(all[tid]).toContain("NoNewPrivs:\t1");
	await node.evaluate(({ works }) => works());
	await expectEnd(node);
});

test("read(2) in another thread is restarted and does not fail with EINTR", async () => {
	await using node = await start();
	await startThread(node, "reads");
	await node.evaluate(async ({ programs, sleep, strange }) => {
		for (let i = 0; i < 20; i++) {
			programs.setNoNewPrivs({ process: true });
			strange.writeByte();
			while (strange.bytesRead() <= i) await sleep(1);
		}
	});
	expect(await node.evaluate(({ strange }) => [strange.bytesRead(), strange.readsFailed()])).toEqual([20, 0]);
});

test("a thread that the C library does not know is changed, too (gosu 1)", async () => {
	await using node = await start();
	const tid = await node.evaluate(({ strange }) => strange.rawThread());
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	expect(threadsOf(node.pid)[tid]).toContain("NoNewPrivs:\t1");
});

const silent = { name: "ThreadsError", code: "ERR_NEARFAR_THREAD_SILENT" };

test.each(["blocks33", "blocksRaw"])("a thread that %s by a raw call is named, and nothing changes", async (kind) => {
	await using node = await start();
	const tid = await startThread(node, kind);
	const expected = { ...silent, tid, threadName: "node", state: "S" };
	const refusal = await expectRefused(node, expected, ({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(refusal?.message).toMatch(/blocks signal (33|34)/);
	await expectEnd(node);
});

test("a thread that stays in vfork(2) is named, and nothing changes", async () => {
	await using node = await start();
	const tid = await startThread(node, "vforksOnce", 60_000);
	const expected = { ...silent, tid, state: "D" };
	const refusal = await expectRefused(node, expected, ({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(refusal?.message).not.toMatch(/blocks signal/);
});

needs("the program cc", "a process that another one may trace").test(
	"a thread that a debugger holds is named, and nothing changes",
	async () => {
		await using node = await start();
		const tid = await startThread(node, "sleeps");
		const held = await hold(tid);
		try {
			const expected = { ...silent, tid, state: "t" };
			await expectRefused(node, expected, ({ programs }) => programs.setNoNewPrivs({ process: true }));
		} finally {
			held[Symbol.dispose]();
		}
		await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
		expectEqualThreads(node);
	},
);

const differing: Record<string, [kind: string, number: number]> = {
	"its own no_new_privs": ["hasNoNewPrivs", 0],
	"its own effective capabilities": ["lacksCapability", 13],
	"its own securebits": ["hasSecurebits", 1],
	"its own filter of system calls": ["isRefused", setresgid],
};

needsPrivilege("the program cc").test.each(Object.entries(differing))(
	"a thread with %s is named, and nothing changes",
	async (_, [kind, number]) => {
		await using node = await start({ wrapper: privileged });
		const tid = await startThread(node, kind, number);
		const expected = { name: "ThreadsError", code: "ERR_NEARFAR_THREADS_DIFFER", tid, threadName: "node" };
		await expectRefused(node, expected, ({ caps }) => caps.bounding.drop(["netRaw"], { process: true }));
		await expectEnd(node);
	},
);

needs("root", "the program cc").test("a thread with its own user id is named, and nothing changes", async () => {
	await using node = await start();
	const tid = await startThread(node, "hasUser", 1000);
	const expected = { code: "ERR_NEARFAR_THREADS_DIFFER", tid };
	await expectRefused(node, expected, ({ credentials }) => credentials.setgroups([5], { process: true }));
});

needsPrivilege("the program cc").test(
	"a call that is refused in the calling thread alone changes nothing",
	async () => {
		await using node = await start({ wrapper: privileged });
		const { pid } = node;
		const made = await node.evaluate(({ strange }, setresgid) => strange.refuseIn(setresgid, process.pid), setresgid);
		expect(made).toBe(0);
		const refused = { name: "SyscallError", code: "EPERM", syscall: "setresgid" };
		await expectRefused(node, refused, ({ credentials }) => credentials.setresgid(0, 0, 0, { process: true }));
		expect(pid).toBeGreaterThan(0);
	},
);

needsPrivilege("the program cc").test("the process aborts where a call is refused in one thread alone", async () => {
	await using node = await start({ wrapper: privileged });
	const tid = await startThread(node, "sleeps");
	const number = { setresgid, tid };
	expect(await node.evaluate(({ strange }, { setresgid, tid }) => strange.refuseIn(setresgid, tid), number)).toBe(0);
	await node.refusal(({ credentials }) => credentials.setresgid(0, 0, 0, { process: true }));
	const { signal, stderr } = await node.ended;
	expect(signal).toBe("SIGABRT");
	expect(stderr).toContain(
		`nearfar: setresgid was refused (EPERM) in thread ${tid} after others had changed: aborting`,
	);
});
