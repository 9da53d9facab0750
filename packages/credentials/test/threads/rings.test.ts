import { readdirSync, readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { NodeUnderTest } from "./node.ts";
import { expectEnd, expectEqualThreads, expectRefused } from "./snapshot.ts";
import { strangeAddon } from "./strange.ts";

const env = strangeAddon();
const refused = { name: "ThreadsError", code: "ERR_NEARFAR_IO_URING" };
const SQPOLL = 2;

const rings: Record<string, [flags: number, closes: number]> = {
	"an open ring": [0, 0],
	"a ring with a polling thread": [SQPOLL, 0],
	"a ring of which only the mapping is left": [0, 1],
	"a ring with a polling thread of which only the mapping is left": [SQPOLL, 1],
};

needs("the program cc", "io_uring").test.each(Object.entries(rings))(
	"with %s nothing is changed (libuv 4416)",
	async (_, [flags, closes]) => {
		await using node = await NodeUnderTest.start({ env });
		const ring = { flags, closes };
		const made = await node.evaluate(({ strange }, { flags, closes }) => strange.ring(flags, closes), ring);
		expect(made).toBeGreaterThanOrEqual(0);
		const refusal = await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
		if (closes) return;
		// The message says what to do (Haraka 3510).
		expect(refusal?.message).toContain(`descriptor ${made} `);
		expect(refusal?.message).toContain("UV_USE_IO_URING");
		// After the ring is closed, its thread ends a moment later.
		await node.evaluate(async ({ fs, programs, sleep }, ring) => {
			fs.closeSync(ring);
			const names = () =>
				fs.readdirSync("/proc/self/task").map((tid) => fs.readFileSync(`/proc/self/task/${tid}/comm`));
			while (names().some((name) => `${name}`.startsWith("iou-"))) await sleep(1);
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

test("with UV_USE_IO_URING=1 the change is refused if Node has opened a ring, and works otherwise", async () => {
	await using node = await NodeUnderTest.start({ env: { UV_USE_IO_URING: "1" } });
	await node.evaluate(({ fs }) => fs.promises.readFile("/etc/hostname").catch(() => {}));
	const links = readdirSync(`/proc/${node.pid}/fd`).map((number) => readlinkSync(`/proc/${node.pid}/fd/${number}`));
	if (links.includes("anon_inode:[io_uring]")) {
		await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
	} else {
		await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	}
	await expectEnd(node);
});
