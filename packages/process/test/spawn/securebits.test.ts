import { type SecureBit, securebits } from "@nearfar/caps";
import { describe, expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { reason } from "../../../../test/reason.ts";
import { run, type SpawnOptions, spawn } from "../../src/index.ts";
import { allFive, fiveSets, seenFromOutside } from "./five-sets.ts";
import { shell } from "./output.ts";

const [NO_ROOT, NO_SETUID_FIXUP, AMBIENT, LOCKS] = [0x1, 0x4, 0x40, 0xaa];
const rooted = { namespaces: ["user"], idMap: "root" } satisfies SpawnOptions;

/** Returns the securebits of a program, as the program itself reads them. */
async function seenInside(options: SpawnOptions): Promise<number> {
	const script = `
		import { securebits } from "@nearfar/caps";
		console.log(securebits.read().bits);
	`;
	const args = ["--input-type=module", "-e", script];
	const { stdout } = (await run(process.execPath, args, { cwd: import.meta.dirname, ...options })).check();
	return Number(stdout);
}

describe("a program has the securebits of the option", () => {
	test.each<[string, SpawnOptions, number]>([
		["none", { securebits: [] }, 0],
		["by name", { securebits: ["noRoot", "noSetuidFixup"] }, NO_ROOT | NO_SETUID_FIXUP],
		["with locks, as a number", { securebits: NO_ROOT | LOCKS }, NO_ROOT | LOCKS],
		["keepCaps is cleared by execve(2)", { securebits: ["keepCaps", "noRoot"] }, NO_ROOT],
		["with capabilities", { securebits: ["noRoot"], capabilities: ["sysPtrace"] }, NO_ROOT],
		["after the ambient set", { securebits: ["noCapAmbientRaise"], capabilities: ["chown"] }, AMBIENT],
		["with a setup", { securebits: ["noRoot"], capabilities: ["chown"], setup: () => {} }, NO_ROOT],
		["with killTree", { securebits: ["noRoot"], killTree: true }, NO_ROOT],
	])("%s", async (_, options, bits) => {
		expect(await seenInside({ ...rooted, ...options })).toBe(bits);
	});

	test("and names leave the locks as they are that setup has set", async () => {
		const setup = () => securebits.set(NO_ROOT | 0x2);
		const options: SpawnOptions = {
			...rooted,
			setup,
			capabilities: ["chown"],
			securebits: ["noRoot", "noSetuidFixup"],
		};
		expect(await seenInside(options)).toBe(NO_ROOT | 0x2 | NO_SETUID_FIXUP);
	});
});

needs("root").test("locks do not hinder the change of the user that keeps capabilities", async () => {
	for (const securebits of [0x20, NO_ROOT | LOCKS, 0xef]) {
		const sets = await seenFromOutside({ securebits, capabilities: ["chown"], uid: 1000 });
		expect(sets).toMatchObject({ sets: allFive(1n), uid: "1000 1000 1000 1000" });
	}
	const map = [{ inside: 0, outside: 100_000, count: 2000 }];
	const options: SpawnOptions = { namespaces: ["user"], idMap: { uids: map, gids: map }, uid: 1000, gid: 0 };
	expect(await seenInside({ ...options, securebits: NO_ROOT | LOCKS, capabilities: ["dacReadSearch"] })).toBe(
		NO_ROOT | LOCKS,
	);
});

needs("root").test(
	"CAP-14: noSetuidFixup counts when the ids change, and noRoot when the program is executed",
	async () => {
		const { CapPrm } = fiveSets("self");
		const seen: unknown[] = [];
		const setup = (task: { pid: number }) => void seen.push(fiveSets(task.pid).CapEff);
		await shell(":", { securebits: ["noSetuidFixup"], uid: 1000, setup });
		expect(seen).toEqual([CapPrm]);
		expect((await seenFromOutside({ securebits: ["noRoot"] })).sets).toMatchObject({ CapPrm: 0n, CapEff: 0n });
		expect((await seenFromOutside({ securebits: ["noRoot"], capabilities: ["chown"] })).sets).toEqual(allFive(1n));
	},
);

test("CAP-13: a locked bit and an unknown one are refused, with a hint", async () => {
	const setup = () => securebits.set(NO_ROOT | 0x2);
	for (const options of [{ setup, securebits: 0x2, capabilities: [] }, { securebits: 2 ** 31 }]) {
		const error = await reason(() => spawn("true", [], { ...rooted, ...options }));
		expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("locked") });
	}
});

needs("an ordinary user").test("an ordinary user cannot change them, and the error says what is missing", async () => {
	for (const options of [{}, { killTree: true }]) {
		const error = await reason(() => spawn("true", [], { securebits: ["noRoot"], ...options }));
		expect(error).toMatchObject({ code: "EPERM", syscall: "prctl", hint: expect.stringContaining("CAP_SETPCAP") });
	}
	(await run("true", [], { securebits: securebits.read().bits })).check();
});

test.each<[string, unknown, string]>([
	["a name that is none", ["noroot"], "ERR_INVALID_ARG_VALUE"],
	["a string", "noRoot", "ERR_INVALID_ARG_TYPE"],
	["a set", new Set<SecureBit>(["noRoot"]), "ERR_INVALID_ARG_TYPE"],
	["a hole", Array(1), "ERR_INVALID_ARG_VALUE"],
	["a negative number", -1, "ERR_OUT_OF_RANGE"],
	["a number of 33 bits", 2 ** 32, "ERR_OUT_OF_RANGE"],
	["null", null, "ERR_INVALID_ARG_TYPE"],
])("securebits: %s is refused by the name of the option", async (_, securebits, code) => {
	const error = await reason(() => spawn("true", [], { securebits } as SpawnOptions));
	expect(error).toMatchObject({ code, message: expect.stringContaining("options.securebits") });
});
