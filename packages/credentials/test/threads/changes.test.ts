// Looks at each kind of change from outside, makes changes from several threads, and checks that Node works afterwards.
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { NodeUnderTest } from "./node.ts";
import { needsPrivilege, privileged } from "./privileged.ts";
import type { Scope } from "./scope.ts";
import { expectEnd, expectEqualThreads, expectRefused } from "./snapshot.ts";

const none = "0000000000000000";

/** Changes that root can make, with lines that all threads have afterwards. */
const changes: Record<string, [change: (scope: Scope) => void, ...expected: string[]]> = {
	setresuid: [
		({ credentials }) => credentials.setresuid(1001, 1002, 1003, { process: true }),
		"Uid:\t1001\t1002\t1003\t1002",
	],
	setresgid: [
		({ credentials }) => credentials.setresgid(1001, 1002, 1003, { process: true }),
		"Gid:\t1001\t1002\t1003\t1002",
	],
	setgroups: [({ credentials }) => credentials.setgroups([7, 5], { process: true }), "Groups:\t5 7 "],
	"setgroups without groups": [({ credentials }) => credentials.setgroups([], { process: true }), "Groups:\t "],
	capset: [
		({ caps }) => {
			const sets = { effective: ["kill"], permitted: ["kill", "setuid"], inheritable: ["kill"] } as const;
			caps.capset(sets, { process: true });
		},
		"CapInh:\t0000000000000020",
		"CapPrm:\t00000000000000a0",
		"CapEff:\t0000000000000020",
	],
	"ambient.raise": [
		({ caps }) => caps.ambient.raise(["netRaw"], { inheritable: true, process: true }),
		"CapInh:\t0000000000002000",
		"CapAmb:\t0000000000002000",
	],
	"bounding.drop": [({ caps }) => caps.bounding.drop(caps.CapabilitySet.all(), { process: true }), `CapBnd:\t${none}`],
	"securebits.set": [({ caps }) => caps.securebits.set(["noRoot"], { process: true })],
	"securebits.lock": [({ caps }) => caps.securebits.lock(["noRoot"], { process: true })],
	setKeepCaps: [({ programs }) => programs.setKeepCaps(true, { process: true })],
	setNoNewPrivs: [({ programs }) => programs.setNoNewPrivs({ process: true }), "NoNewPrivs:\t1"],
	dropCapabilities: [
		({ caps }) => caps.dropCapabilities([], { noNewPrivs: true, process: true }),
		...["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}:\t${none}`),
		"NoNewPrivs:\t1",
	],
	"dropCapabilities with ambient": [
		({ caps }) => caps.dropCapabilities(["netBindService"], { ambient: true, process: true }),
		...["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}:\t0000000000000400`),
	],
	dropTo: [
		({ credentials }) => credentials.dropTo(12345, { gid: 54321, groups: [7, 5], process: true }),
		...["Uid:\t12345\t12345\t12345\t12345", "Gid:\t54321\t54321\t54321\t54321", "Groups:\t5 7 "],
		...["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => `${name}:\t${none}`),
	],
	"dropTo with keep and ambient": [
		({ credentials }) => {
			const options = { gid: 1000, groups: [], keep: ["netBindService"], ambient: true, process: true } as const;
			credentials.dropTo(12345, options);
		},
		"Uid:\t12345\t12345\t12345\t12345",
		...["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => `${name}:\t0000000000000400`),
	],
};

for (const [name, [change, ...expected]] of Object.entries(changes)) {
	needs("root").test(
		`${name} with { process: true } changes every thread (gosu 1, golang/go 1435, zig 1337)`,
		async () => {
			await using node = await NodeUnderTest.start();
			await node.evaluate(({ startWorker }) => startWorker().then(() => {}));
			await node.evaluate(change);
			const lines = expectEqualThreads(node).split("\n");
			expect(lines).toEqual(expect.arrayContaining(expected));
			// A thread alone can read its securebits and its flag "keep capabilities".
			const [near, ...others] = await node.evaluate(async (scope) => {
				await scope.startWorker();
				const read = ({ caps, programs }: Scope) => [caps.securebits.read(), programs.getKeepCaps()];
				return Promise.all([read(scope), ...scope.workers.map((worker) => worker.evaluate(read))]);
			});
			expect(others).toEqual([near, near]);
			expect(expectEqualThreads(node).split("\n")).toEqual(lines);
			await node.evaluate(({ works }) => works());
			await expectEnd(node);
		},
	);
}

test("near, a change without the option is refused and one thread alone is never offered (rustix 1006, noobaa-core 7287, falcosecurity/libs 165)", async () => {
	await using node = await NodeUnderTest.start();
	const refused = { name: "MultithreadedError", code: "ERR_NEARFAR_MULTITHREADED" };
	const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
	for (const each of [{}, { process: false }, undefined]) {
		const argument = { uid, gid, each };
		await expectRefused(
			node,
			refused,
			({ credentials }, { uid, each }) => credentials.setresuid(uid, uid, uid, each),
			argument,
		);
		await expectRefused(
			node,
			refused,
			({ credentials }, { gid, each }) => credentials.setresgid(gid, gid, gid, each),
			argument,
		);
		await expectRefused(node, refused, ({ credentials }, { each }) => credentials.setgroups([], each), argument);
		await expectRefused(node, refused, ({ caps }, { each }) => caps.capset({ effective: [] }, each), argument);
		await expectRefused(node, refused, ({ caps }, { each }) => caps.dropCapabilities([], each), argument);
		await expectRefused(node, refused, ({ programs }, { each }) => programs.setNoNewPrivs(each), argument);
	}
});

test("an ordinary user sets no_new_privs of every thread", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	await node.evaluate(({ works }) => works());
	await expectEnd(node);
});

needsPrivilege().test("in a user namespace, Node drops its capabilities", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	await node.evaluate(({ caps }) => caps.dropCapabilities(["kill"], { process: true }));
	const lines = expectEqualThreads(node).split("\n");
	for (const set of ["CapPrm", "CapEff", "CapBnd"]) expect(lines).toContain(`${set}:\t0000000000000020`);
	await node.evaluate(({ works }) => works());
	await expectEnd(node);
});

needsPrivilege().test("a Worker changes every thread, and the main thread too", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	const seen = await node.evaluate(({ inWorker }) =>
		inWorker(({ caps }) => {
			caps.dropCapabilities(["kill"], { process: true });
			return `${caps.capget().effective}`;
		}),
	);
	expect(seen).toBe("kill");
	expect(await node.evaluate(({ caps }) => `${caps.capget().effective}`)).toBe("kill");
	expectEqualThreads(node);
	await expectEnd(node);
});

needsPrivilege().test("four Workers that make changes at once wait for each other", async () => {
	await using node = await NodeUnderTest.start({ wrapper: privileged });
	await node.evaluate(async ({ startWorker, workers }) => {
		for (let i = 0; i < 4; i++) await startWorker();
		const changing = workers.map((worker, index) =>
			worker.evaluate(({ caps }, index) => {
				for (let bit = 10 * index; bit < 10 * index + 10; bit++) caps.bounding.drop([bit], { process: true });
			}, index),
		);
		await Promise.all(changing);
	});
	expect(expectEqualThreads(node)).toMatch(/^CapBnd:\t0{5}\w0{10}$/m);
	await expectEnd(node);
});

needs("root").test("the main thread changes every thread while a Worker waits in Atomics.wait", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(async ({ credentials, startWorker }) => {
		const worker = await startWorker();
		const words = new Int32Array(new SharedArrayBuffer(4));
		const woken = worker.evaluate((_, words) => Atomics.wait(words, 0, 0), words);
		while (Atomics.notify(words, 0, 0) > 0);
		credentials.setgroups([5], { process: true });
		Atomics.store(words, 0, 1);
		Atomics.notify(words, 0);
		await woken;
	});
	expect(expectEqualThreads(node)).toContain("Groups:\t5 ");
	await expectEnd(node);
});
