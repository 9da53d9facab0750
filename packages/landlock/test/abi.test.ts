// The table of ABIs and the errors of the three calls, held against the running kernel.
import { type Process, Task } from "@nearfar/core";
import { setNoNewPrivs } from "@nearfar/process";
import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { becomeOrdinary } from "../../../test/ordinary.ts";
import { neverOpen, refusal, refused } from "../../../test/refusal.ts";
import { abis } from "../src/abis.generated.ts";
import {
	LandlockRuleset,
	landlockAbi,
	landlockAddRule,
	landlockCreateRuleset,
	landlockErrata,
	landlockRestrictSelf,
} from "../src/index.ts";
import { rightsOf } from "../src/levels.ts";
import { attempt, Folder, inside, make, outcome } from "./domain.ts";

const [create, add, restrict] = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"];

/** The bits of a number, each by itself. */
function bitsOf(mask: number): bigint[] {
	return Array.from({ length: 32 }, (_, bit) => 1n << BigInt(bit)).filter((bit) => BigInt(mask >>> 0) & bit);
}

const abi = landlockAbi();

needs("Landlock").test.each(abis)("LL-04 ABI $abi: the kernel knows its rights and scopes, or none of them", (row) => {
	const makes = (kind: "fs" | "net" | "scoped", bit: bigint) =>
		outcome(() => landlockCreateRuleset({ [kind]: bit }).close());
	const answers = [
		...bitsOf(row.fs).map((bit) => makes("fs", bit)),
		...bitsOf(row.net).map((bit) => makes("net", bit)),
		...bitsOf(row.scope).map((bit) => makes("scoped", bit)),
	];
	const unknown = row.net && abi < 4 ? "E2BIG" : row.scope && abi < 6 ? "E2BIG" : "EINVAL";
	expect(new Set(answers)).toEqual(new Set(answers.length ? [row.abi <= abi ? "ok" : unknown] : []));
});

needs("Landlock").test("LL-04 the next bit of each kind is refused", () => {
	const { fs, net, scope } = rightsOf(abi);
	for (const [kind, mask, first] of [
		["fs", fs, 1],
		["net", net, 4],
		["scoped", scope, 6],
	] as const) {
		const next = 1n << BigInt(bitsOf(mask).length);
		const code = abi < first ? "E2BIG" : "EINVAL";
		// Of a version that the table does not have, nobody knows the next bit.
		if (abi <= abis.length) expect(outcome(() => landlockCreateRuleset({ [kind]: next }).close())).toBe(code);
	}
});

needs("Landlock").test.each(abis.filter((row) => row.flags))(
	"LL-04 ABI $abi: the kernel knows its flags, or none",
	async (row) => {
		for (const bit of bitsOf(row.flags)) {
			await using task = await Task.clone();
			task.run(() => setNoNewPrivs());
			using ruleset = task.run(() => landlockCreateRuleset({ fs: ["makeSym"] }));
			expect(inside(task, () => landlockRestrictSelf(ruleset, { flags: bit, process: true }))).toBe(
				row.abi <= abi ? "ok" : "EINVAL",
			);
		}
	},
);

needs("ABI 7 of Landlock").test("without a ruleset there is one flag alone", async () => {
	await using task = await Task.clone();
	task.run(() => setNoNewPrivs());
	expect(inside(task, () => landlockRestrictSelf(null, { flags: ["logSubdomainsOff"] }))).toBe("ok");
	expect(inside(task, () => landlockRestrictSelf(null))).toBe("EBADF");
	expect(inside(task, () => landlockRestrictSelf(null, { flags: 1n << 20n }))).toBe("EINVAL");
});

needs("ABI 11 of Landlock").test("the flag noNewPrivs sets the attribute, and needs no privilege", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	task.run(() => {
		using ruleset = landlockCreateRuleset({ fs: ["makeSym"] });
		landlockRestrictSelf(ruleset, { flags: ["noNewPrivs"] });
	});
});

test("the version and the errata are those of the kernel, or 0", () => {
	const asked = (flag: number) => {
		try {
			return make(Task.near, "landlock_create_ruleset", 0, 0, flag);
		} catch {
			return 0;
		}
	};
	expect([landlockAbi(), landlockErrata()]).toEqual([asked(1), asked(2)]);
});

needs("Landlock").describe("errors", () => {
	test("create: ENOMSG, EINVAL", () => {
		expect(refusal(() => landlockCreateRuleset({}))).toEqual(refused("ENOMSG", create as string));
		expect(refusal(() => landlockCreateRuleset({ fs: [] }))).toEqual(refused("ENOMSG", create as string));
		expect(refusal(() => landlockCreateRuleset({ fs: 1n << 63n }))).toEqual(refused("EINVAL", create as string));
	});

	test("add: EINVAL for what is not handled, and for a right of directories on a file (LL-07)", () => {
		using folder = new Folder();
		using ruleset = landlockCreateRuleset({ fs: ["readDir", "readFile"] });
		const code = (rule: Parameters<typeof landlockAddRule>[1]) => refusal(() => landlockAddRule(ruleset, rule)).code;
		expect(code({ at: folder.path, allow: ["writeFile"] })).toBe("EINVAL");
		expect(code({ at: "/proc/self/exe", allow: ["readDir"] })).toBe("EINVAL");
		expect(code({ at: folder.path, allow: [] })).toBe("ENOMSG");
		expect(code({ at: folder.path, allow: ["readDir"] })).toBeUndefined();
		expect(code({ at: "/proc/self/exe", allow: ["readFile"] })).toBeUndefined();
		expect(code({ at: folder.at("nope"), allow: ["readFile"] })).toBe("ENOENT");
		expect(refusal(() => landlockAddRule(ruleset, { at: folder.path, allow: [] })).syscall).toBe(add);
	});

	needs("ABI 4 of Landlock").test("add: EINVAL for a port over 65535, and for a ruleset without ports", () => {
		using ruleset = landlockCreateRuleset({ net: ["bindTcp"] });
		const rule = Buffer.alloc(16);
		rule.writeBigUInt64LE(1n, 0);
		rule.writeBigUInt64LE(65_536n, 8);
		expect(attempt(Task.near, "landlock_add_rule", ruleset.fd, 2, rule, 0)).toBe("EINVAL");
		landlockAddRule(ruleset, { port: 65_535, allow: ["bindTcp"] });
		using files = landlockCreateRuleset({ fs: ["readFile"] });
		expect(outcome(() => landlockAddRule(files, { port: 1, allow: ["bindTcp"] }))).toBe("EINVAL");
	});

	test("add: EBADF for a descriptor that is not open, EBADFD for no ruleset", () => {
		using ruleset = landlockCreateRuleset({ fs: ["readFile"] });
		neverOpen((at) => expect(outcome(() => landlockAddRule(ruleset, { at, allow: ["readFile"] }))).toBe("EBADF"));
		using file = LandlockRuleset.from(make(Task.near, "memfd_create", Buffer.from("x\0"), 1));
		expect(outcome(() => landlockAddRule(file, { at: "/", allow: ["readFile"] }))).toBe("EBADFD");
	});

	test("restrict: EPERM without no_new_privs and CAP_SYS_ADMIN, with a hint", async () => {
		await using task = await Task.clone();
		becomeOrdinary(task);
		const error = refusal(() =>
			task.run(() => {
				using ruleset = landlockCreateRuleset({ fs: ["readFile"] });
				landlockRestrictSelf(ruleset);
			}),
		);
		expect(error).toMatchObject({ code: "EPERM", syscall: restrict, hint: expect.stringContaining("setNoNewPrivs()") });
	});

	test("CAP_SYS_ADMIN over the own user namespace is enough", async () => {
		await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
		task.run(() => {
			using ruleset = landlockCreateRuleset({ fs: ["readFile"] });
			landlockRestrictSelf(ruleset);
		});
		expect(inside(task, () => landlockCreateRuleset({ fs: ["readFile"] }).close())).toBe("ok");
	});

	test("restrict: EBADFD for no ruleset, E2BIG for the 17th layer, with a hint", async () => {
		await using task: Task<Process> = await Task.clone();
		task.run(() => setNoNewPrivs());
		using file = task.run(() => LandlockRuleset.from(make(task, "memfd_create", Buffer.from("x\0"), 1)));
		expect(inside(task as Task, () => landlockRestrictSelf(file))).toBe("EBADFD");
		using ruleset = task.run(() => landlockCreateRuleset({ fs: ["makeSym"] }));
		const layers = Array.from({ length: 17 }, () => refusal(() => task.run(() => landlockRestrictSelf(ruleset))));
		expect(layers.slice(0, 16)).toEqual(Array.from({ length: 16 }, () => ({})));
		expect(layers[16]).toMatchObject({ code: "E2BIG", syscall: restrict, hint: expect.stringContaining("16") });
	});
});

test("wrong arguments reach no kernel", async () => {
	await using task = await Task.clone();
	const code = (fn: () => unknown) => refusal(fn).code;
	expect(code(() => landlockCreateRuleset(undefined as never))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(() => landlockCreateRuleset({ fs: 4 } as never))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(() => landlockCreateRuleset({ fs: -1n }))).toBe("ERR_OUT_OF_RANGE");
	expect(code(() => landlockCreateRuleset({ fs: 1n << 64n }))).toBe("ERR_OUT_OF_RANGE");
	expect(code(() => landlockCreateRuleset({ fs: ["read"] } as never))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(() => landlockCreateRuleset({ files: [] } as never))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(() => landlockAddRule(3 as never, { port: 1, allow: ["bindTcp"] }))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(() => landlockRestrictSelf(3 as never))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(() => landlockRestrictSelf(null, { flags: 1n << 32n }))).toBe("ERR_OUT_OF_RANGE");
	expect(code(() => landlockRestrictSelf(null, { flags: ["tsync"] } as never))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(() => landlockRestrictSelf(null, { flags: 8n, thread: true }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(() => task.run(() => landlockRestrictSelf(null, { flags: 8n })))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(() => landlockRestrictSelf(null, { process: true, thread: true }))).toBe("ERR_INVALID_ARG_VALUE");
	if (landlockAbi() === 0) return;
	using ruleset = landlockCreateRuleset({ fs: ["readFile"] });
	expect(code(() => landlockAddRule(ruleset, { at: "/" } as never))).toBe("ERR_INVALID_ARG_TYPE");
	expect(code(() => landlockAddRule(ruleset, { at: "/a\0b", allow: ["readFile"] }))).toBe("ERR_INVALID_ARG_VALUE");
	expect(code(() => landlockAddRule(ruleset, { port: 65_536, allow: ["bindTcp"] }))).toBe("ERR_OUT_OF_RANGE");
	expect(code(() => landlockAddRule(ruleset, { port: 1, at: "/", allow: [] } as never))).toBe("ERR_INVALID_ARG_VALUE");
	ruleset.close();
	expect(code(() => landlockAddRule(ruleset, { at: "/", allow: ["readFile"] }))).toBe("ERR_NEARFAR_CLOSED");
	expect(code(() => task.run(() => landlockRestrictSelf(ruleset)))).toBe("ERR_NEARFAR_CLOSED");
	using near = landlockCreateRuleset({ fs: ["readFile"] });
	expect(code(() => task.run(() => landlockRestrictSelf(near)))).toBe("ERR_NEARFAR_FD_TABLE_MISMATCH");
});
