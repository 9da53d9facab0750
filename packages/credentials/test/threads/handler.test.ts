// The handler of the C library's own signal, which a change takes over and passes on to.
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test as anywhere, expect } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { NodeUnderTest } from "./node.ts";
import type { Scope } from "./scope.ts";
import { expectEnd, expectEqualThreads, threadsOf } from "./snapshot.ts";
import { strangeAddon } from "./strange.ts";

const env = strangeAddon();
const { test } = needs("the program cc");

test.each([0, 1])("a native handler from before the change gets other signals (it passes on: %i)", async (passesOn) => {
	await using node = await NodeUnderTest.start({ env });
	const handled = await node.evaluate(({ programs, strange }, passesOn) => {
		strange.handler(passesOn);
		programs.setNoNewPrivs({ process: true });
		for (let i = 0; i < 3; i++) strange.raise33();
		return strange.handled();
	}, passesOn);
	expect(handled).toBe(3);
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	await expectEnd(node);
});

test.each([0, 1])(
	"a native handler from after a change does not stop the next (it passes on: %i)",
	async (passesOn) => {
		await using node = await NodeUnderTest.start({ env });
		const handled = await node.evaluate(async ({ inWorker, programs, strange, works }, passesOn) => {
			for (let round = 0; round < 3; round++) {
				programs.setNoNewPrivs({ process: true });
				strange.handler(passesOn);
				await works();
			}
			programs.setNoNewPrivs({ process: true });
			await inWorker(({ programs }) => programs.setNoNewPrivs({ process: true }));
			strange.raise33();
			return strange.handled();
		}, passesOn);
		expect(handled).toBeGreaterThan(0);
		expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
		await expectEnd(node);
	},
);

needs("root").test("process.seteuid of Node works before and after a change", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(({ credentials }) => {
		process.seteuid?.(1000);
		process.seteuid?.(0);
		credentials.setgroups([], { process: true });
		process.seteuid?.(1000);
	});
	expect(expectEqualThreads(node)).toMatch(/^Uid:\t0\t1000\t0\t1000$/m);
	await node.evaluate(({ credentials }) => {
		process.seteuid?.(0);
		credentials.setresuid(1000, 1000, 1000, { process: true });
	});
	expect(expectEqualThreads(node)).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
	await expectEnd(node);
});

needs("root").test(
	"CRE-04 the raw call changes one thread, and the C library and { process: true } change all (golang/go 1435, zig 1337)",
	async () => {
		await using node = await NodeUnderTest.start();
		await node.evaluate(async ({ startWorker }) => {
			await startWorker();
		});
		const others = () => Object.values(threadsOf(node.pid)).filter((text) => text.includes("Uid:\t0\t1000\t0\t1000"));
		const raw = (user: number) =>
			node.evaluate(({ workers }, user) => {
				const makeCall = ({ core }: Scope, user: number) => {
					core.Task.near.syscall(process.arch === "arm64" ? 147 : 117, 0, user, 0);
				};
				return workers[0]?.evaluate(makeCall, user);
			}, user);
		await raw(1000);
		expect(others()).toHaveLength(1);
		await raw(0);
		expect(others()).toHaveLength(0);
		await node.evaluate(() => process.seteuid?.(1000));
		expect(expectEqualThreads(node)).toMatch(/^Uid:\t0\t1000\t0\t1000$/m);
		await node.evaluate(({ credentials }) => credentials.seteuid(0, { process: true }));
		expect(expectEqualThreads(node)).toMatch(/^Uid:\t0\t0\t0\t0$/m);
		await expectEnd(node);
	},
);

const changes = `
	import { setNoNewPrivs } from "@nearfar/process";
	for (let i = 0; i < 100; i++) setNoNewPrivs({ process: true });
`;

anywhere(
	"two copies of nearfar in one process change all threads at once",
	async () => {
		const folder = mkdtempSync(join(tmpdir(), "nearfar-copy-"));
		try {
			const packages = fileURLToPath(new URL("../../../", import.meta.url));
			for (const name of ["caps", "core", "credentials", "landlock", "pidfd", "process", "seccomp"]) {
				for (const part of ["package.json", "dist", "native"].filter((part) =>
					existsSync(join(packages, name, part)),
				)) {
					const copy = join(folder, "node_modules/@nearfar", name, part);
					cpSync(join(packages, name, part), copy, { recursive: true, dereference: true });
				}
			}
			const program = join(folder, "changes.mjs");
			writeFileSync(program, changes);
			await using node = await NodeUnderTest.start();
			const code = await node.evaluate(async ({ programs, sleep, Worker }, program) => {
				const other = new Worker(program);
				const state: { error?: unknown; code?: number } = {};
				other.once("error", (error) => {
					state.error = error;
				});
				other.once("exit", (code) => {
					state.code = code;
				});
				while (state.code === undefined) {
					programs.setNoNewPrivs({ process: true });
					await sleep(1);
				}
				if (state.error) throw state.error;
				return state.code;
			}, program);
			expect(code).toBe(0);
			expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
			expect(await node.end()).toMatchObject({ code: 0, signal: null });
		} finally {
			rmSync(folder, { recursive: true });
		}
	},
	40_000,
);
