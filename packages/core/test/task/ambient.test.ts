import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { expectNoLeaks } from "../../../../test/leaks.ts";
import { cgroup2, landlock, root } from "../../../../test/needs.ts";

expectNoLeaks();

async function ambient(what: string, ...args: string[]) {
	const { code, report, stderr } = await runFixture("core/ambient", { args: [what, ...args] });
	expect([code, stderr]).toEqual([0, ""]);
	expect(report.warm).toEqual(report.before);
	return report;
}

// A task starts as a child of Node would now, whatever it was when the zygote started.
test("a task has what Node has", async () => {
	const { after, node } = await ambient("nothing");
	expect(after).toEqual(node);
});

const ordinary = [
	"chdir",
	"ownFolder",
	"umask",
	"noNewPrivs",
	"limits",
	"nice",
	"oomScore",
	"ioPriority",
	"timerSlack",
	"hugePages",
	"storeBypass",
	"sessionKeyring",
	"memoryPolicy",
	"coreFilter",
];

test.each(ordinary)("%s after a first task is that of the second", async (what) => {
	const { before, after, node } = await ambient(what);
	expect(after).toEqual(node);
	expect(after).not.toEqual(before);
});

const privileged = [
	"chroot",
	"seteuid",
	"setgid",
	"setgroups",
	"inheritable",
	"bounding",
	"ambient",
	"securebits",
	"realTime",
	"uts",
	"net",
];

test.skipIf(!landlock)(
	"no task escapes the Landlock domain that Node has entered since the first (needs Landlock in the kernel)",
	async () => {
		const { before, after, node } = await ambient("landlock");
		expect([before.folders[0], after.folders[0]]).toEqual([null, "EACCES"]);
		expect(after).toEqual(node);
	},
);

test.skipIf(!root).each(privileged)("%s (as root) after a first task is that of the second", async (what) => {
	const { before, after, node } = await ambient(what);
	expect(after).toEqual(node);
	expect(after).not.toEqual(before);
});

test.skipIf(!root)("setuid (as root): a Node that is no longer root gets no task that is", async () => {
	const { after, node } = await ambient("setuid");
	expect(after).toEqual(node);
	expect(after.status).toContain("Uid:\t1000\t1000\t1000\t1000");
	for (const set of ["CapPrm", "CapEff", "CapAmb"]) expect(after.status).toContain(`${set}:\t0000000000000000`);
});

test.skipIf(!cgroup2)("cgroup (as root, with cgroup2) after a first task is that of the second", async () => {
	const folder = `${cgroup2}/nearfar-ambient-${process.pid}`;
	mkdirSync(folder);
	try {
		const { before, after, node } = await ambient("cgroup", folder);
		expect(after).toEqual(node);
		expect(after.cgroup).not.toEqual(before.cgroup);
	} finally {
		// What the fixture left behind dies with it, but not before it.
		while (readFileSync(`${folder}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
		rmdirSync(folder);
	}
});
