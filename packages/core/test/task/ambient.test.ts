import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { cgroupRoot, type Need, needs } from "../../../../test/needs.ts";

async function ambient(what: string, ...args: string[]) {
	// A Node whose memory cannot become executable any more cannot compile.
	const node = what === "denyWriteExecute" ? ["--jitless", "--no-expose-wasm"] : [];
	const { code, report, stderr } = await runFixture("core/ambient", { node, args: [what, ...args] });
	expect([code, stderr]).toEqual([0, ""]);
	expect(report.warm).toEqual(report.before);
	return report;
}

// A task starts as a child of Node would start now, even if Node has changed since the zygote started.
test("a task has what Node has", async () => {
	const { after, node } = await ambient("nothing");
	expect(after).toEqual(node);
});

/** The changes that the fixture can make to itself, with what each needs. */
const changes: Record<string, readonly Need[]> = {
	chdir: [],
	ownFolder: ["kcmp"],
	umask: [],
	noNewPrivs: ["no_new_privs that is not set"],
	limits: [],
	nice: ["a nice value below 15"],
	oomScore: ["an oom_score_adj below 1000", "/proc"],
	ioPriority: ["I/O priorities"],
	timerSlack: [],
	hugePages: ["huge pages"],
	storeBypass: ["a CPU that can switch off speculative store bypass"],
	l1dFlush: ["a CPU that can flush its first cache"],
	memoryMerge: ["merging of equal memory"],
	denyWriteExecute: ["memory that cannot become executable"],
	ioFlusher: ["the privilege to be an I/O flusher"],
	memoryFailure: ["policies for memory failures"],
	coreCookie: ["core scheduling"],
	loginUid: ["a login uid that is not set", "/proc"],
	terminal: ["pseudoterminals", "/proc"],
	requestKeyring: ["key rings"],
	sessionKeyring: ["key rings"],
	memoryPolicy: ["NUMA policies"],
	coreFilter: ["filters of core dumps", "/proc"],
	chroot: ["root"],
	seteuid: ["root"],
	setgid: ["root"],
	setgroups: ["root"],
	inheritable: ["root"],
	bounding: ["root"],
	lastBounding: ["root"],
	ambient: ["root"],
	securebits: ["root"],
	realTime: ["root", "real-time scheduling"],
	uts: ["root", "uts namespaces", "/proc"],
	lastUts: ["root", "uts namespaces", "/proc"],
	net: ["root", "net namespaces", "/proc"],
	mnt: ["root", "mnt namespaces", "/proc"],
	time: ["root", "time namespaces", "/proc"],
};

for (const [what, all] of Object.entries(changes)) {
	needs(...all).test(`a task that is cloned after Node changed its ${what} has the change`, async () => {
		const { before, after, node } = await ambient(what);
		expect(after).toEqual(node);
		expect(after).not.toEqual(before);
	});
}

needs("Landlock").test("no task escapes the Landlock domain that Node has entered since the first", async () => {
	const { before, after, node } = await ambient("landlock");
	expect([before.folders[0], after.folders[0]]).toEqual([null, "EACCES"]);
	expect(after).toEqual(node);
});

needs("root").test("a Node that is no longer root gets no task that is", async () => {
	const { after, node } = await ambient("setuid");
	expect(after).toEqual(node);
	expect(after.status).toContain("Uid:\t1000\t1000\t1000\t1000");
	for (const set of ["CapPrm", "CapEff", "CapAmb"]) expect(after.status).toContain(`${set}:\t0000000000000000`);
});

needs("root", "/proc", "pid namespaces").test(
	"no task starts in the pid namespace that Node has left for its children",
	async () => {
		const { after } = await ambient("pid");
		// The kernel lets no such thread start another one, and so there is no new zygote either.
		expect(after).toBe("EINVAL");
	},
);

needs("root", "/proc", "cgroup v2 in which this user can make groups").test(
	"a task is cloned into the cgroup that Node has moved to",
	async () => {
		const folder = `${cgroupRoot}/nearfar-ambient-${process.pid}`;
		mkdirSync(folder);
		try {
			const { before, after, node } = await ambient("cgroup", folder);
			expect(after).toEqual(node);
			expect(after.cgroup).not.toEqual(before.cgroup);
		} finally {
			// The fixture's zygote ends a little after the fixture, and keeps the group busy until then.
			while (readFileSync(`${folder}/cgroup.events`, "utf8").includes("populated 1")) await setImmediate();
			rmdirSync(folder);
		}
	},
);
