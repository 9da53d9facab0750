// Refusals: each leaves all threads, the descriptors and the dumpable flag as they were.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { isRoot, needs } from "../../../../test/needs.ts";
import { NodeUnderTest } from "./node.ts";
import type { Scope } from "./scope.ts";
import { expectEnd, expectEqualThreads, expectRefused, snapshot } from "./snapshot.ts";
import { strangeAddon } from "./strange.ts";

const env = strangeAddon();
const [ENOMEM, EACCES] = [12, 13];
const numbers =
	process.arch === "arm64"
		? { capset: 91, setresuid: 147, setresgid: 149, setgroups: 159, rt_tgsigqueueinfo: 240, prctl: 167 }
		: { capset: 126, setresuid: 117, setresgid: 119, setgroups: 116, rt_tgsigqueueinfo: 297, prctl: 157 };

/** Changes that the kernel refuses to a process without capabilities. */
const unprivileged: Record<string, [change: (scope: Scope) => void, syscall: string]> = {
	setresuid: [({ credentials }) => credentials.setresuid(7, 7, 7, { process: true }), "setresuid"],
	setresgid: [({ credentials }) => credentials.setresgid(7, 7, 7, { process: true }), "setresgid"],
	setgroups: [({ credentials }) => credentials.setgroups([], { process: true }), "setgroups"],
	dropTo: [({ credentials }) => credentials.dropTo(7, { gid: 7, groups: [], process: true }), "setgroups"],
	capset: [({ caps }) => caps.capset({ permitted: ["kill"], effective: [] }, { process: true }), "capset"],
	"ambient.raise": [({ caps }) => caps.ambient.raise(["kill"], { process: true }), "prctl"],
	"bounding.drop": [({ caps }) => caps.bounding.drop(["kill"], { process: true }), "prctl"],
	"securebits.set": [({ caps }) => caps.securebits.set(["noRoot"], { process: true }), "prctl"],
	dropCapabilities: [({ caps }) => caps.dropCapabilities([], { process: true }), "prctl"],
};

needs("an ordinary user").test.each(Object.entries(unprivileged))(
	"%s by an ordinary user is EPERM, and nothing changes",
	async (_, [change, syscall]) => {
		await using node = await NodeUnderTest.start();
		await expectRefused(node, { name: "SyscallError", code: "EPERM", syscall }, change);
		await expectEnd(node);
	},
);

needs("root", "the program setpriv").test.each(Object.entries(unprivileged))(
	"%s by user 0 without capabilities is EPERM, and nothing changes",
	async (_, [change, syscall]) => {
		// With the securebit noroot, execve(2) gives user 0 no capabilities.
		const wrapper = ["setpriv", "--securebits=+noroot,+no_setuid_fixup", "--inh-caps=-all"];
		await using node = await NodeUnderTest.start({ wrapper });
		await expectRefused(node, { name: "SyscallError", code: "EPERM", syscall }, change);
		await expectEnd(node);
	},
);

/** Calls that a filter refuses, and changes in whose middle they lie. */
const filtered: Record<string, [number: number, syscall: string, change: (scope: Scope) => void]> = {
	"rt_tgsigqueueinfo before the first thread is parked": [
		numbers.rt_tgsigqueueinfo,
		"rt_tgsigqueueinfo",
		({ credentials }) => credentials.setresuid(7, 7, 7, { process: true }),
	],
	"setresuid after groups and group ids": [
		numbers.setresuid,
		"setresuid",
		({ credentials }) => credentials.dropTo(7, { gid: 7, groups: [5], process: true }),
	],
	"setresgid after groups": [
		numbers.setresgid,
		"setresgid",
		({ credentials }) => credentials.dropTo(7, { gid: 7, groups: [5], process: true }),
	],
	"capset after the ids": [
		numbers.capset,
		"capset",
		({ credentials }) => credentials.dropTo(7, { gid: 7, groups: [5], keep: ["kill"], process: true }),
	],
	"capset after the bounding set": [
		numbers.capset,
		"capset",
		({ caps }) => caps.dropCapabilities(["kill"], { process: true }),
	],
};

needs("root", "the program cc").test.each(Object.entries(filtered))(
	"a filter that refuses %s: nothing changes",
	async (_, [number, syscall, change]) => {
		for (const errno of [ENOMEM, EACCES]) {
			await using node = await NodeUnderTest.start({ env });
			const made = await node.evaluate(({ strange }, { number, errno }) => strange.refuseCall(number, errno, 0), {
				number,
				errno,
			});
			expect(made).toBe(0);
			const code = errno === ENOMEM ? "ENOMEM" : "EACCES";
			await expectRefused(node, { name: "SyscallError", code, syscall }, change);
			await expectEnd(node);
		}
	},
);

needs("root", "the program cc").test.each(["setgroups", "setresgid", "setresuid", "capset"] as const)(
	"a filter that answers %s without the call: dropTo says what would be left, and nothing changes",
	async (syscall) => {
		await using node = await NodeUnderTest.start({ env });
		expect(await node.evaluate(({ strange }, number) => strange.refuseCall(number, 0, 0), numbers[syscall])).toBe(0);
		const left = { name: "NearfarError", code: "ERR_NEARFAR_CREDENTIALS_LEFT" };
		await expectRefused(node, left, ({ credentials }) => {
			credentials.dropTo(7, { gid: 7, groups: [5, 4], keep: ["kill"], process: true });
		});
		await expectEnd(node);
	},
);

needs("root", "the program cc").test("a filter that kills a thread for one of the calls: nothing changes", async () => {
	await using node = await NodeUnderTest.start({ env });
	expect(await node.evaluate(({ strange }, number) => strange.refuseCall(number, -1, 0), numbers.setresgid)).toBe(0);
	for (let i = 0; i < 3; i++) {
		const refused = { name: "ThreadsError", code: "ERR_NEARFAR_THREAD_SILENT" };
		await expectRefused(node, refused, ({ credentials }) => credentials.setresgid(7, 7, 7, { process: true }));
	}
	await node.evaluate(({ credentials }) => credentials.setgroups([7], { process: true }));
	expect(expectEqualThreads(node)).toContain("Groups:\t7 ");
	await expectEnd(node);
});

needs("root", "the program cc").test(
	"after changes that were refused in their middle, all threads are equal at once",
	async () => {
		await using node = await NodeUnderTest.start({ env });
		const argument = { number: numbers.capset, errno: EACCES };
		await node.evaluate(({ strange }, { number, errno }) => strange.refuseCall(number, errno, 0), argument);
		const codes = await node.evaluate(async ({ credentials, refusal }) => {
			const codes: unknown[] = [];
			for (let i = 0; i < 100; i++) {
				// The groups and the ids come before the capabilities.
				const keep = { gid: 7, groups: [7], keep: ["kill"], process: true } as const;
				codes.push((await refusal(() => credentials.dropTo(7, keep)))?.code);
				process.seteuid?.(0);
			}
			return codes;
		});
		expect(new Set(codes)).toEqual(new Set(["EACCES"]));
		await expectEnd(node);
	},
);

needs("the program cc").test(
	"a filter that refuses to send the signal to an ordinary user: nothing changes",
	async () => {
		await using node = await NodeUnderTest.start({ env });
		const { rt_tgsigqueueinfo: number } = numbers;
		expect(await node.evaluate(({ strange }, number) => strange.refuseCall(number, 1, 1), number)).toBe(0);
		const refused = { name: "SyscallError", code: "EPERM", syscall: "rt_tgsigqueueinfo" };
		await expectRefused(node, refused, ({ programs }) => programs.setNoNewPrivs({ process: true }));
		await expectEnd(node);
	},
);

test("without a free descriptor nothing changes", async () => {
	await using node = await NodeUnderTest.start();
	await node.evaluate(({ core, fs }) => {
		Number(core.Task.near.syscall(process.arch === "arm64" ? 172 : 39, 0)); // loads the addon
		const held: number[] = [];
		Object.assign(globalThis, { held });
		for (;;) {
			try {
				held.push(fs.openSync("/dev/null", "r"));
			} catch {
				return;
			}
		}
	});
	const before = await snapshot(node);
	const error = await node.refusal(({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(error).toMatchObject({ name: "SyscallError", code: "EMFILE" });
	await expect.poll(() => snapshot(node)).toEqual(before);
	await node.evaluate(({ fs }) => {
		const { held } = globalThis as never as { held: number[] };
		for (const fd of held) fs.closeSync(fd);
	});
	await node.evaluate(({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(expectEqualThreads(node)).toContain("NoNewPrivs:\t1");
	await node.evaluate(({ works }) => works());
	await expectEnd(node);
});

needs("the program prlimit").test("where the user may start no more threads, nothing changes", async () => {
	await using node = await NodeUnderTest.start();
	expect(spawnSync("prlimit", ["--pid", `${node.pid}`, "--nproc=1:"]).status).toBe(0);
	// The limit does not count for user 0.
	if (isRoot) await node.evaluate(({ credentials }) => credentials.setresuid(12345, 12345, 12345, { process: true }));
	const before = await snapshot(node);
	const error = await node.refusal(({ programs }) => programs.setNoNewPrivs({ process: true }));
	expect(error).toMatchObject({ code: "EAGAIN" });
	await expect.poll(() => snapshot(node)).toEqual(before);
	await expectEnd(node);
});

test("in a batch near, the change is refused", async () => {
	await using node = await NodeUnderTest.start();
	const refused = { name: "BatchError", code: "ERR_NEARFAR_BATCH" };
	await expectRefused(node, refused, ({ core, programs }) =>
		core.Task.near.batch(() => programs.setNoNewPrivs({ process: true })),
	);
	await expectEnd(node);
});
