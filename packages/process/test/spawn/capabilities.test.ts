import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CapabilitySet, dropCapabilities, fileCapabilities } from "@nearfar/caps";
import { openat2, type SyscallError, Task } from "@nearfar/core";
import { setresgid, setresuid } from "@nearfar/credentials";
import { afterAll, describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { forbid } from "../../../../test/seccomp.ts";
import { status } from "../../../../test/status.ts";
import { run, type SpawnOptions, setKeepCaps, spawn } from "../../src/index.ts";
import { allFive, fiveSets, seenFromOutside } from "./five-sets.ts";
import { shell } from "./output.ts";

const BIND = 1n << 10n;
const CHOWN = 1n;
const folder = mkdtempSync(join(tmpdir(), "nearfar-capabilities-"));
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

needs("root").describe("all five sets of the program are exactly the capabilities of the option", () => {
	test.each<[string, SpawnOptions, bigint]>([
		["none, as user 0", { capabilities: [] }, 0n],
		["one, as user 0", { capabilities: ["netBindService"] }, BIND],
		["one, as user 0 by the option uid", { capabilities: ["netBindService"], uid: 0 }, BIND],
		["CAP-09: one, as another user", { capabilities: ["netBindService"], uid: 1000, gid: 1000 }, BIND],
		["none, as another user", { capabilities: [], uid: 1000, gid: 1000 }, 0n],
		["two, by number and by name", { capabilities: [10, "chown"], uid: 1000 }, BIND | CHOWN],
		["as a bigint", { capabilities: BIND | CHOWN, uid: 1000 }, BIND | CHOWN],
		["as a set", { capabilities: CapabilitySet.from(["chown"]), uid: 1000 }, CHOWN],
		["CAP_SETPCAP itself", { capabilities: ["setpcap"], uid: 1000 }, 1n << 8n],
		["all that Node has", { capabilities: fiveSets("self").CapPrm, uid: 1000 }, fiveSets("self").CapPrm],
		["with no_new_privs", { capabilities: ["chown"], uid: 1000, noNewPrivs: true }, CHOWN],
		["with no_new_privs as user 0", { capabilities: ["chown"], noNewPrivs: true }, CHOWN],
		["with killTree", { capabilities: ["chown"], uid: 1000, killTree: true }, CHOWN],
		["with an init", { capabilities: ["chown"], namespaces: ["pid"], init: true }, CHOWN],
		["in a session and in another group", { capabilities: ["chown"], session: true }, CHOWN],
		["in a network namespace", { capabilities: ["netBindService"], namespaces: ["net"], uid: 1000 }, BIND],
		["with a setup", { capabilities: ["chown"], setup: () => {} }, CHOWN],
		["as another user with a setup", { capabilities: ["chown"], uid: 1000, setup: () => {} }, CHOWN],
	])("%s", async (_, options, capabilities) => {
		expect((await seenFromOutside(options)).sets).toEqual(allFive(capabilities));
	});

	test("systemd #16972, #16727: ids, groups and capabilities together, with securebits", async () => {
		const options: SpawnOptions = {
			capabilities: ["netBindService"],
			securebits: ["noRoot", "noCapAmbientRaise"],
			uid: 1000,
			gid: 1001,
			groups: [1002],
		};
		expect(await seenFromOutside(options)).toEqual({
			sets: allFive(BIND),
			uid: "1000 1000 1000 1000",
			gid: "1001 1001 1001 1001",
			groups: "1002",
		});
	});

	test("a program of the group of another child", async () => {
		await using leader = await spawn("sleep", ["1000"], { stdio: "ignore", group: true });
		const options: SpawnOptions = { capabilities: ["chown"], uid: 1000, group: leader };
		expect((await seenFromOutside(options)).sets).toEqual(allFive(CHOWN));
	});

	test("a program in a new user namespace with ranges of ids", async () => {
		const map = [{ inside: 0, outside: 100_000, count: 2000 }];
		const options: SpawnOptions = { namespaces: ["user"], idMap: { uids: map, gids: map } };
		for (const uid of [0, 1000]) {
			const { sets } = await seenFromOutside({ ...options, capabilities: ["chown"], uid, gid: 0, groups: [] });
			expect(sets).toEqual(allFive(CHOWN));
		}
	});
});

needs("root").describe("with capabilities", () => {
	test("the supervisor of a program keeps its own", async () => {
		await using child = await spawn("sleep", ["1000"], { stdio: "ignore", capabilities: [], killTree: true });
		const parent = Number(status(child.pid, "PPid"));
		expect(fiveSets(parent)).toMatchObject({ CapEff: fiveSets("self").CapEff, CapBnd: fiveSets("self").CapBnd });
	});

	test("a program of another user can do what its capability allows, and nothing else", async () => {
		const script = `
			const server = require("node:net").createServer().listen(80, "0.0.0.0", () => {
				try { require("node:fs").chownSync(${JSON.stringify(folder)}, 1000, 1000); } catch (error) { console.log(error.code); }
				server.close();
			});`;
		const options = { namespaces: ["net"], uid: 1000, gid: 1000, env: { HOME: "/" } } satisfies SpawnOptions;
		const bound = await run(process.execPath, ["-e", script], { ...options, capabilities: ["netBindService"] });
		expect([bound.stdout, bound.stderr, bound.code]).toEqual(["EPERM\n", "", 0]);
		const refused = await run(process.execPath, ["-e", script], options);
		expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("EACCES")]);
	});

	test("node #37588: a Node with an ambient capability reads NODE_OPTIONS, as it runs without secure execution", async () => {
		const env = { NODE_OPTIONS: "--title=from-options" };
		const options: SpawnOptions = { capabilities: ["netBindService"], uid: 1000, gid: 1000, env };
		const { stdout } = await run(process.execPath, ["-p", "process.title"], options);
		expect(stdout).toBe("from-options\n");
	});

	test("a set-user-id program of user 0 gets no other capability", async () => {
		const grep = join(folder, "grep");
		copyFileSync(spawnSync("sh", ["-c", "command -v grep"], { encoding: "utf8" }).stdout.trim(), grep);
		chmodSync(grep, 0o4755);
		const args = ["-E", "^(Uid|CapPrm|CapEff|CapBnd)", `${ownProc}/self/status`];
		const { stdout } = await run(grep, args, { capabilities: ["chown"], uid: 1000 });
		expect(stdout.replaceAll(/\s+/g, " ")).toMatch(/Uid: 1000 0 0 0 .*CapPrm: 0{15}1 CapEff: 0{15}1 CapBnd: 0{15}1/);
	});

	test("a file with capabilities gets those of the option among them, and is refused if it needs more", async () => {
		const cat = join(folder, "cat");
		copyFileSync(spawnSync("sh", ["-c", "command -v cat"], { encoding: "utf8" }).stdout.trim(), cat);
		const permitted = async (options: SpawnOptions) => {
			const { stdout } = await run(cat, [`${ownProc}/self/status`], { capabilities: ["kill", "chown"], ...options });
			return BigInt(`0x${/CapPrm:\s+(\w+)/.exec(stdout)?.[1]}`);
		};
		for (const noNewPrivs of [false, true]) {
			fileCapabilities.write(cat, "cap_kill,cap_setuid=p");
			expect(await permitted({ uid: 1000, noNewPrivs })).toBe(1n << 5n);
			expect(await permitted({ noNewPrivs })).toBe((1n << 5n) | CHOWN);
			fileCapabilities.write(cat, "cap_kill,cap_setuid=ep");
			for (const options of [{ uid: 1000 }, {}]) {
				const error = await reason(() => permitted({ ...options, noNewPrivs }));
				expect(error).toMatchObject({ code: "EPERM", syscall: "execve", hint: expect.stringContaining("getcap") });
			}
		}
	});

	test("what needs a privilege is done before the privilege is given up", async () => {
		const hard = Number(spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout);
		const options: SpawnOptions = { capabilities: [], nice: -3, limits: { nofile: { soft: 64, hard } }, root: "/" };
		expect(await shell("nice; ulimit -n; ulimit -Hn; pwd", options)).toBe(`-3\n64\n${hard}\n/`);
	});

	test("the capabilities of Node are what they were", async () => {
		const before = fiveSets("self");
		await shell(":", { capabilities: [], uid: 1000 });
		expect(fiveSets("self")).toEqual(before);
		expect((await seenFromOutside({})).sets).toEqual(before);
	});
});

needs("root").describe("setup", () => {
	test("has the capabilities of Node while the user is 0", async () => {
		const seen: unknown[] = [];
		await shell(":", { capabilities: [], setup: (task) => void seen.push(fiveSets(task.pid)) });
		expect(seen).toEqual([fiveSets("self")]);
	});

	test("has those of the program as another user", async () => {
		const seen: unknown[] = [];
		const options: SpawnOptions = { capabilities: ["chown"], uid: 1000 };
		await shell(":", { ...options, setup: (task) => void seen.push(fiveSets(task.pid)) });
		expect(seen).toEqual([allFive(CHOWN)]);
	});

	test("may give up capabilities itself", async () => {
		const setup = () => dropCapabilities(["chown"]);
		expect((await seenFromOutside({ capabilities: ["chown"], setup })).sets).toEqual(allFive(CHOWN));
		const error = await reason(() => seenFromOutside({ capabilities: ["chown", "kill"], setup }));
		expect(error).toMatchObject({ code: "EPERM", syscall: "capset", hint: expect.stringContaining("CAP_KILL") });
	});

	test("may change the user, and keeps the capabilities until the program runs", async () => {
		const setup = () => {
			setKeepCaps(true);
			setresgid(1000, 1000, 1000);
			setresuid(1000, 1000, 1000);
		};
		expect((await seenFromOutside({ capabilities: ["chown"], setup })).sets).toEqual(allFive(CHOWN));
	});

	test("bubblewrap #149: the bounding set of a user namespace that setup enters is emptied too", async () => {
		for (const uid of [0, 1000]) {
			const setup = (task: Task) => void task.syscall(process.arch === "x64" ? 272 : 97, 0x1000_0000); // unshare
			expect((await seenFromOutside({ capabilities: [], uid, setup })).sets).toEqual(allFive(0n));
		}
	});

	test("may install a filter, and the calls that reduce the capabilities have to pass it", async () => {
		const capset = process.arch === "x64" ? 126 : 91;
		const setup = (task: Task) => forbid(task, capset, 38);
		expect(await reason(() => seenFromOutside({ capabilities: [], setup }))).toMatchObject({
			code: "ENOSYS",
			syscall: "capset",
		});
		const other = (task: Task) => forbid(task, 0xffff, 38);
		expect((await seenFromOutside({ capabilities: [], setup: other })).sets).toEqual(allFive(0n));
	});
});

describe("in a new user namespace an ordinary user gives up all of it", () => {
	const rooted = { namespaces: ["user"], idMap: "root" } satisfies SpawnOptions;
	test.each<[string, SpawnOptions, bigint]>([
		["bubblewrap #149: the full bounding set", { ...rooted, capabilities: [] }, 0n],
		["all but one", { ...rooted, capabilities: ["chown"] }, CHOWN],
		["with an init", { ...rooted, namespaces: ["user", "pid"], init: true, capabilities: ["chown"] }, CHOWN],
		["without a map", { namespaces: ["user"], capabilities: ["chown"] }, CHOWN],
		["with the same id inside", { namespaces: ["user"], idMap: "identity", capabilities: ["chown"] }, CHOWN],
		["with a setup", { ...rooted, capabilities: ["chown"], setup: () => {} }, CHOWN],
	])("%s", async (_, options, capabilities) => {
		expect((await seenFromOutside(options)).sets).toEqual(allFive(capabilities));
	});

	test("also in one that is joined", async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		using namespace = openat2(`${ownProc}/${task.pid}/ns/user`);
		const options: SpawnOptions = { join: [namespace], capabilities: ["chown"] };
		expect((await seenFromOutside(options)).sets).toEqual(allFive(CHOWN));
		expect((await seenFromOutside({ ...options, killTree: true })).sets).toEqual(allFive(CHOWN));
	});
});

needs("an ordinary user").describe("to an ordinary user", () => {
	test("bubblewrap #174: a bounding set with more in it is refused, with what is missing, and nothing runs", async () => {
		for (const options of [{}, { killTree: true }, { setup: () => {} }, { uid: process.getuid?.() ?? 0 }]) {
			for (const capabilities of [[], ["netBindService"]] as const) {
				const error = (await reason(() => spawn("true", [], { capabilities, ...options }))) as SyscallError;
				expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("CAP_SETPCAP") });
			}
		}
	});
});

needs("root", "the program setpriv").test.each([
	["nothing is refused where the bounding set has nothing to lose", "-all", "[]", allFive(0n)],
	["a capability that is in the bounding set alone is named", "-all,+kill", '["kill"]', /CAP_KILL/],
])("an ordinary user: %s", async (_, bounding, capabilities, expected) => {
	const wrapper = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", `--bounding-set=${bounding}`];
	const { report } = await runFixture("process/spawn-capabilities", { wrapper, args: [capabilities] });
	if (expected instanceof RegExp) expect(report.hint).toMatch(expected);
	else expect(report.sets).toEqual(Object.values(expected).map(Number));
});

needs("root", "/proc").test(
	"a program after a capability has left the bounding set of every thread, and after seteuid",
	async () => {
		const { report } = await runFixture("process/spawn-after-drop");
		expect(report).toEqual({
			dropped: expect.stringContaining("no longer in the bounding set of the task: CAP_CHOWN"),
			sets: Object.values(allFive(1n << 5n)).map(Number),
			securebits: expect.stringContaining("CAP_SETPCAP is not effective"),
			lost: expect.stringContaining("a task begins with execve(2)"),
		});
	},
);

test.each<[string, unknown, string]>([
	["a name that is none", ["netBind"], "ERR_INVALID_ARG_VALUE"],
	["a string", "chown", "ERR_INVALID_ARG_TYPE"],
	["a number", 1, "ERR_INVALID_ARG_TYPE"],
	["null", null, "ERR_INVALID_ARG_TYPE"],
	["a number of a capability that is out of range", [64], "ERR_OUT_OF_RANGE"],
	["a capability that the kernel does not have", [63], "ERR_OUT_OF_RANGE"],
	["a negative bigint", -1n, "ERR_OUT_OF_RANGE"],
	["bits that the kernel does not have", 1n << 63n, "ERR_OUT_OF_RANGE"],
	["an object in a list", [{}], "ERR_INVALID_ARG_VALUE"],
	["an object that has only the prototype of a set", Object.create(CapabilitySet.prototype), "ERR_INVALID_ARG_TYPE"],
])("capabilities: %s is refused by the name of the option", async (_, capabilities, code) => {
	const options = { capabilities } as SpawnOptions;
	for (const start of [() => spawn("true", [], options), () => run("true", [], options)]) {
		const error = await reason(start);
		expect(error).toMatchObject({ code, message: expect.stringContaining("options.capabilities") });
	}
});
