// The setters of ids and groups, and dropTo, with { process: true }: seen from outside.
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { groupsOf } from "../../src/index.ts";
import { NodeUnderTest } from "./node.ts";
import type { Scope } from "./scope.ts";
import { expectEnd, expectEqualThreads, expectRefused, snapshot } from "./snapshot.ts";

const root = needs("root");
const none = "0000000000000000";
const bind = "0000000000000400";
const setNames = ["CapInh", "CapPrm", "CapEff", "CapAmb"];

/** Changes that root can make, with lines that all threads have afterwards. */
const changes: Record<string, [change: (scope: Scope) => unknown, ...expected: string[]]> = {
	setuid: [({ credentials }) => credentials.setuid(1001, { process: true }), "Uid:\t1001\t1001\t1001\t1001"],
	seteuid: [({ credentials }) => credentials.seteuid(1001, { process: true }), "Uid:\t0\t1001\t0\t1001"],
	setreuid: [({ credentials }) => credentials.setreuid(1001, 1002, { process: true }), "Uid:\t1001\t1002\t1002\t1002"],
	setfsuid: [
		({ credentials }) => {
			if (credentials.setfsuid(1001, { process: true }) !== 0) throw new Error("the former id was not 0");
		},
		"Uid:\t0\t0\t0\t1001",
	],
	setgid: [({ credentials }) => credentials.setgid(1001, { process: true }), "Gid:\t1001\t1001\t1001\t1001"],
	setegid: [({ credentials }) => credentials.setegid(1001, { process: true }), "Gid:\t0\t1001\t0\t1001"],
	setregid: [({ credentials }) => credentials.setregid(1001, 1002, { process: true }), "Gid:\t1001\t1002\t1002\t1002"],
	setfsgid: [({ credentials }) => credentials.setfsgid(1001, { process: true }), "Gid:\t0\t0\t0\t1001"],
	initgroups: [
		({ credentials }) => credentials.initgroups("root", 4711, { process: true }),
		`Groups:\t${groupsOf("root", 4711).join(" ")} `,
	],
	dropTo: [
		({ credentials }) => credentials.dropTo(1001, { gid: 1002, groups: [7, 5, 7], process: true }),
		"Uid:\t1001\t1001\t1001\t1001",
		"Gid:\t1002\t1002\t1002\t1002",
		"Groups:\t5 7 ",
		...setNames.map((name) => `${name}:\t${none}`),
	],
	"dropTo with 65536 groups": [
		({ credentials }) => {
			const groups = Array.from({ length: 65_536 }, (_, index) => index);
			credentials.dropTo(1001, { gid: 1002, groups, process: true });
		},
		"Gid:\t1002\t1002\t1002\t1002",
		`Groups:\t${Array.from({ length: 65_536 }, (_, index) => index).join(" ")} `,
	],
	"dropTo with keep": [
		({ credentials }) => credentials.dropTo(1001, { gid: 1002, groups: [], keep: ["netBindService"], process: true }),
		"Uid:\t1001\t1001\t1001\t1001",
		`CapInh:\t${none}`,
		`CapPrm:\t${bind}`,
		`CapEff:\t${bind}`,
		`CapAmb:\t${none}`,
	],
	"dropTo with ambient": [
		({ credentials }) => credentials.dropTo("nobody", { keep: ["netBindService"], ambient: true, process: true }),
		...setNames.map((name) => `${name}:\t${bind}`),
	],
};

for (const [name, [change, ...expected]] of Object.entries(changes)) {
	root.test(`${name} with { process: true } leaves all threads equal`, async () => {
		await using node = await NodeUnderTest.start();
		await node.evaluate(({ startWorker }) => startWorker().then(() => {}));
		await node.evaluate(change);
		expect(expectEqualThreads(node).split("\n")).toEqual(expect.arrayContaining(expected));
		expect(await node.evaluate(({ programs }) => programs.getKeepCaps())).toBe(false);
		await node.evaluate(({ works }) => works());
		await expectEnd(node);
	});
}

root.test("PRC-14 after a change of ids Node is not dumpable, and its files in /proc are root's", async () => {
	await using node = await NodeUnderTest.start();
	expect((await snapshot(node)).dumpable).toBe(1);
	await node.evaluate(({ credentials }) => credentials.dropTo(1001, { gid: 1001, groups: [], process: true }));
	expect((await snapshot(node)).dumpable).toBe(0);
	const owner = () => node.evaluate(({ fs }) => fs.statSync("/proc/self/environ").uid);
	expect(await owner()).toBe(0);
	await node.evaluate(({ programs }) => programs.setDumpable(true));
	expect(await owner()).toBe(1001);
	await expectEnd(node);
});

root.test("CRE-06 after dropTo no thread of Node has a way back", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(({ credentials }) => credentials.dropTo(1001, { gid: 1001, groups: [], process: true }));
	const refused = { name: "SyscallError", code: "EPERM" };
	await expectRefused(node, refused, ({ credentials }) => credentials.seteuid(0, { process: true }));
	await expectRefused(node, refused, ({ credentials }) => credentials.setgroups([0], { process: true }));
	await expectEnd(node);
});

root.test("a dropTo of Node that is refused at its last step has changed nothing", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(({ caps }) => caps.securebits.set(["noCapAmbientRaise"], { process: true }));
	await expectRefused(node, { code: "EPERM", syscall: "prctl" }, ({ credentials }) =>
		credentials.dropTo(1001, { gid: 1002, groups: [], keep: ["kill"], ambient: true, process: true }),
	);
	expect(await node.evaluate(({ programs }) => programs.getKeepCaps())).toBe(false);
	await node.evaluate(({ caps }) => caps.dropCapabilities(["setuid", "setgid"], { process: true }));
	await expectRefused(node, { code: "EPERM", syscall: "capset" }, ({ credentials }) =>
		credentials.dropTo(1001, { gid: 1002, groups: [], keep: ["kill"], process: true }),
	);
	await expectEnd(node);
});

test("CRE-07 an id for file accesses that Node may not have is EPERM, and nothing has changed", async () => {
	await using node = await NodeUnderTest.start();
	const ordinary = process.geteuid?.() !== 0;
	if (!ordinary) {
		await node.evaluate(({ credentials }) => credentials.dropTo(1001, { gid: 1001, groups: [], process: true }));
	}
	await expectRefused(node, { code: "EPERM", syscall: "setfsuid" }, ({ credentials }) =>
		credentials.setfsuid(4711, { process: true }),
	);
	await expectRefused(node, { code: "EPERM", syscall: "setfsgid" }, ({ credentials }) =>
		credentials.setfsgid(4711, { process: true }),
	);
	await expectEnd(node);
});
