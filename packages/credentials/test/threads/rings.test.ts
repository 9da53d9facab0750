import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { read } from "../../../../test/processes.ts";
import { NodeUnderTest } from "./node.ts";
import { expectEnd, expectEqualThreads, expectRefused } from "./snapshot.ts";
import { strangeAddon } from "./strange.ts";

const env = strangeAddon();
const refused = { name: "ThreadsError", code: "ERR_NEARFAR_IO_URING" };
const SQPOLL = 2;

/** The number of entries that a ring of libuv has. */
const LIBUV = 256;

const rings: Record<string, [entries: number, flags: number, closes: number]> = {
	"an open ring": [4, 0, 0],
	"a ring with a polling thread": [LIBUV, SQPOLL, 0],
	"a ring of which only the mapping is left": [LIBUV, 0, 1],
	"a ring with a polling thread of which only the mapping is left": [4, SQPOLL, 1],
};

needs("the program cc", "io_uring").test.each(Object.entries(rings))(
	"libuv 4416, Haraka 3510: with %s nothing is changed",
	async (_, ring) => {
		await using node = await NodeUnderTest.start({ env });
		const [, , closes] = ring;
		const made = await node.evaluate(({ strange }, [entries, flags, closes]) => {
			return strange.ring(entries, flags, closes);
		}, ring);
		expect(made).toBeGreaterThanOrEqual(0);
		const refusal = await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
		if (closes) return;
		// The message says what to do.
		expect(refusal?.message).toContain(`descriptor ${made} `);
		expect(refusal?.message).toContain("UV_USE_IO_URING");
		// After the ring is closed, its thread ends a moment later.
		await node.evaluate(async ({ fs, programs, sleep }, ring) => {
			fs.closeSync(ring);
			const polls = (tid: string) => {
				try {
					return `${fs.readFileSync(`/proc/self/task/${tid}/comm`)}`.startsWith("iou-");
				} catch {
					return false; // the thread has ended meanwhile
				}
			};
			while (fs.readdirSync("/proc/self/task").some(polls)) await sleep(1);
			programs.setNoNewPrivs({ process: true });
		}, made);
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
		await expectEnd(node);
	},
);

needs("the program cc").test("a thread with the name of a ring's thread is taken for one", async () => {
	await using node = await NodeUnderTest.start({ env });
	await node.evaluate(({ strange }) => strange.thread("isNamed", 1));
	await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
});

needs("the program cc", "io_uring").test(
	"a ring like those of libuv's event loops stays, and Node changes",
	async () => {
		await using node = await NodeUnderTest.start({ env });
		const made = await node.evaluate(({ strange }, entries) => strange.ring(entries, 0, 0), LIBUV);
		expect(made).toBeGreaterThan(0);
		await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
		await expectEnd(node);
	},
);

test("with UV_USE_IO_URING=1 the change is refused if a thread polls a ring of Node, and works otherwise", async () => {
	await using node = await NodeUnderTest.start({ env: { UV_USE_IO_URING: "1" } });
	await node.evaluate(({ fs }) => fs.promises.readFile("/etc/hostname").catch(() => {}));
	const names = readdirSync(`/proc/${node.pid}/task`).map((tid) => read(`/proc/${node.pid}/task/${tid}/comm`));
	if (names.some((name) => name.startsWith("iou-sqp-"))) {
		await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
	} else {
		await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	}
	await expectEnd(node);
});
