import { expect } from "vitest";
import { runFixture } from "../../../test/fixture.ts";
import { needs } from "../../../test/needs.ts";
import { CapabilitySet } from "../src/index.ts";

const all = CapabilitySet.all().bits;
const [CHOWN, KILL, NET_BIND_SERVICE, NET_ADMIN, SYS_TIME] = [1n, 1n << 5n, 1n << 10n, 1n << 12n, 1n << 25n];

/** Each step with what all threads have afterwards: inheritable, permitted, effective, bounding, ambient, no_new_privs, securebits. */
const expected: [string, bigint, bigint, bigint, bigint, bigint, 0 | 1, number][] = [
	["capset", KILL | NET_ADMIN, all, all, all, 0n, 0, 0],
	["ambient.raise", KILL | NET_ADMIN, all, all, all, KILL, 0, 0],
	["ambient.raise, refused", KILL | NET_ADMIN, all, all, all, KILL, 0, 0],
	["ambient.raise, inheritable", KILL | NET_ADMIN | CHOWN, all, all, all, KILL | CHOWN, 0, 0],
	["ambient.lower", KILL | NET_ADMIN | CHOWN, all, all, all, CHOWN, 0, 0],
	["ambient.clear", KILL | NET_ADMIN | CHOWN, all, all, all, 0n, 0, 0],
	["bounding.drop", KILL | NET_ADMIN | CHOWN, all, all, all & ~(SYS_TIME | KILL), 0n, 0, 0],
	["bounding.drop, again", KILL | NET_ADMIN | CHOWN, all, all, all & ~(SYS_TIME | KILL), 0n, 0, 0],
	["securebits.set, two", KILL | NET_ADMIN | CHOWN, all, all, all & ~(SYS_TIME | KILL), 0n, 0, 0x44],
	["dropCapabilities, refused", KILL | NET_ADMIN | CHOWN, all, all, all & ~(SYS_TIME | KILL), 0n, 0, 0x44],
	["securebits.set", KILL | NET_ADMIN | CHOWN, all, all, all & ~(SYS_TIME | KILL), 0n, 0, 4],
	["securebits.lock", KILL | NET_ADMIN | CHOWN, all, all, all & ~(SYS_TIME | KILL), 0n, 0, 6],
	["capset, without CAP_SETPCAP in effect", KILL | NET_ADMIN | CHOWN, all, CHOWN, all & ~(SYS_TIME | KILL), 0n, 0, 6],
	["bounding.drop, refused", KILL | NET_ADMIN | CHOWN, all, CHOWN, all & ~(SYS_TIME | KILL), 0n, 0, 6],
	["dropCapabilities", ...Array(5).fill(NET_BIND_SERVICE), 1, 6] as never,
];

needs("user namespaces", "the program unshare", "/proc").test(
	"gosu #1 each function with { process: true } leaves all threads of Node equal, or unchanged",
	async () => {
		const end = await runFixture("caps/every-thread", { wrapper: ["unshare", "--user", "--map-root-user"] });
		expect(end).toMatchObject({ code: 0, stderr: "" });
		const { seen, count } = end.report;
		expect(count).toBeGreaterThan(8);
		const refusals: Record<string, string> = {
			"ambient.raise, refused": "sysAdmin is not inheritable",
			"dropCapabilities, refused": "the securebit noCapAmbientRaise is set",
			"bounding.drop, refused": "CAP_SETPCAP is permitted and not effective: capset makes it effective",
		};
		for (const [index, [name, inh, prm, eff, bnd, amb, noNewPrivs, securebits]] of expected.entries()) {
			const hint = refusals[name];
			expect(seen[index]).toEqual({
				name,
				...(hint && { error: expect.objectContaining({ code: "EPERM", hint }) }),
				threads: [textOf([inh, prm, eff, bnd, amb], noNewPrivs)],
				securebits: [securebits],
			});
		}
	},
);

needs("user namespaces", "the program unshare", "/proc").test(
	"what one thread takes away from all stays away, while other threads change another set",
	async () => {
		const end = await runFixture("caps/turns", { wrapper: ["unshare", "--user", "--map-root-user"] });
		expect(end).toMatchObject({ code: 0, stderr: "" });
		expect(end.report).toEqual(Array(20).fill("setpcap"));
	},
);

needs("an ordinary user", "/proc").test(
	"an ordinary user cannot drop the bounding set of Node: EPERM, and no thread has changed",
	async () => {
		const { report } = await runFixture("caps/every-thread");
		const [{ threads: before }] = report.seen;
		const dropped = report.seen.at(-1);
		expect(dropped.error).toMatchObject({ code: "EPERM", hint: expect.stringContaining("CAP_SETPCAP") });
		expect(dropped.threads).toEqual(before);
	},
);

/** Returns the lines of `/proc/<pid>/status`, without tabs. */
function textOf(sets: readonly bigint[], noNewPrivs: number): string {
	const lines = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name, index) => {
		return `${name}:${sets[index]?.toString(16).padStart(16, "0")}`;
	});
	return [...lines, `NoNewPrivs:${noNewPrivs}`].join("\n");
}
