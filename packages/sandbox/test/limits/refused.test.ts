import { Task } from "@nearfar/core";
import { expect, test } from "vitest";
import { needs } from "../../../../test/needs.ts";
import { refusal } from "../../../../test/refusal.ts";
import { plan, run, Sandbox, type SandboxOptions } from "../../src/index.ts";
import { placeOf } from "../../src/limits/leaf.ts";
import { closed, MiB } from "./group.ts";

type Limits = NonNullable<SandboxOptions["limits"]>;

test.each<[unknown, string]>([
	[{ memory: 4 * MiB - 1 }, "ERR_OUT_OF_RANGE"],
	[{ memory: 2 ** 53 }, "ERR_OUT_OF_RANGE"],
	[{ memory: 4 * MiB + 0.5 }, "ERR_OUT_OF_RANGE"],
	[{ memory: "2g" }, "ERR_INVALID_ARG_TYPE"],
	[{ swap: -1 }, "ERR_OUT_OF_RANGE"],
	[{ swap: "0" }, "ERR_INVALID_ARG_TYPE"],
	[{ cpus: 0 }, "ERR_OUT_OF_RANGE"],
	[{ cpus: 0.009 }, "ERR_OUT_OF_RANGE"],
	[{ cpus: Number.NaN }, "ERR_OUT_OF_RANGE"],
	[{ cpus: 8193 }, "ERR_OUT_OF_RANGE"],
	[{ cpus: "1.5" }, "ERR_INVALID_ARG_TYPE"],
])("limits %j are refused with %s", async (limits, code) => {
	await expect(run("true", [], { ...closed, limits: limits as Limits })).rejects.toMatchObject({ code });
});

test.each<[unknown]>([["/sys/fs/cgroup"], [{}], [null], [{ fd: 3 }]])(
	"options.cgroup %j is no Cgroup",
	async (cgroup) => {
		const options = { ...closed, cgroup } as SandboxOptions;
		await expect(run("true", [], options)).rejects.toMatchObject({ code: "ERR_INVALID_ARG_TYPE" });
	},
);

test("plan() has the limits as they were given", () => {
	const limits = { memory: 2 ** 31, swap: 0, cpus: 1.5, processes: 9 };
	expect(plan({ ...closed, limits }).limits).toEqual(limits);
});

needs("a host without groups with limits").test.each<[Limits]>([[{ memory: 64 * MiB }], [{ swap: 0 }], [{ cpus: 1 }]])(
	"SB-28 CG-04 without a group %j is an error that says why, and nothing runs",
	async (limits) => {
		const error = await run("touch", ["ran"], { ...closed, limits }).catch((error) => error);
		expect(error).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT", step: "cgroup" });
		expect(error.cause).toMatchObject({ code: "ERR_NEARFAR_CGROUP", hint: error.hint });
		expect(error.message).toContain("options.limits.");
		await expect(Sandbox.open({ ...closed, limits })).rejects.toMatchObject({ code: error.code });
	},
);

test("limits of a single run need a sandbox with a group", async () => {
	await using sandbox = await Sandbox.open(closed);
	for (const limits of [{ memory: 64 * MiB }, { swap: 0 }, { cpus: 1 }, { processes: 5 }]) {
		await expect(sandbox.run("true", [], { limits })).rejects.toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT" });
	}
	expect((await sandbox.run("echo", ["lives"])).stdout).toBe("lives\n");
});

test("CG-18 a process that is not in its group has no guarantee", () => {
	expect(refusal(() => placeOf(Task.near.process, "/nearfar-1-2-3-4/1"))).toMatchObject({
		code: "ERR_NEARFAR_SANDBOX_LIMIT",
	});
});

test("rootFallback needs a group for limits.processes", () => {
	expect(() => plan({ ...closed, rootFallback: "uid0", limits: { processes: 5 } })).toThrow(TypeError);
	expect(plan({ ...closed, rootFallback: "uid0", limits: { processes: 5, cpus: 1 } }).limits.processes).toBe(5);
});
