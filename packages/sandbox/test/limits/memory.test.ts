import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, expect } from "vitest";
import { forkBomb } from "../../../../test/fork-bomb.mjs";
import { needs, skipUnless } from "../../../../test/needs.ts";
import { run, Sandbox, start } from "../../src/index.ts";
import { bomb, closed, groups, kinds, limited, MiB } from "./group.ts";

afterEach(() => expect(groups()).toEqual([]));

limited.test(
	"SB-28 CG-17 a command that takes too much memory is killed, the result says so, and Node lives",
	async () => {
		const result = await run("sh", ["-c", `${bomb}; echo after`], { ...closed, limits: { memory: 64 * MiB } });
		expect(result).toMatchObject({ code: null, signal: "SIGKILL", reason: "memory", stdout: "" });
		expect(kinds(result)).toEqual(["limit memory"]);
		expect(result.guarantees.memory).toBe(true);
		expect(() => result.check()).toThrow(/because of limits\.memory/);
		const { memoryPeak } = result.usage;
		if (memoryPeak !== undefined) expect(memoryPeak).toBeGreaterThan(50 * MiB);
		expect(memoryPeak ?? 0).toBeLessThan(66 * MiB); // the kernel counts in batches
	},
);

limited.test("a command within its limits ends as it would without", async () => {
	const limits = { memory: 64 * MiB, swap: MiB, cpus: 1.5, processes: 10 };
	const result = await run("sh", ["-c", "echo within"], { ...closed, limits });
	expect(result).toMatchObject({ code: 0, reason: "exited", stdout: "within\n", violations: [] });
	const without = await run("true", [], closed);
	expect([without.guarantees.memory, without.usage.memoryPeak]).toEqual([undefined, undefined]);
});

limited.test("CG-10 the whole command is killed, with what it has started", async () => {
	const script = `sleep 1000 & (setsid sh -c 'sleep 1000') & ${bomb}; echo after; wait`;
	const result = await run("sh", ["-c", script], { ...closed, limits: { memory: 32 * MiB } });
	expect(result).toMatchObject({ signal: "SIGKILL", reason: "memory", stdout: "" });
});

limited.test("CG-09 the reason is there each time, in a row and at once", async () => {
	const once = () => run("sh", ["-c", bomb], { ...closed, limits: { memory: 16 * MiB } });
	for (let i = 0; i < 4; i++) expect((await once()).reason).toBe("memory");
	const all = await Promise.all(Array.from({ length: 4 }, once));
	expect(all.map(({ reason }) => reason)).toEqual(Array(4).fill("memory"));
});

limited.test("SB-28 a fork bomb and an allocation bomb end with the reason, in ten sandboxes at once", async () => {
	const limits = { memory: 24 * MiB };
	// A shell for whose next process there is no memory would exit before it is killed: this one needs no further process.
	const onlyForks = forkBomb("while :; do :; done");
	const scripts = Array.from({ length: 10 }, (_, i) => (i % 2 ? onlyForks : bomb));
	const results = await Promise.all(scripts.map((script) => run("sh", ["-c", script], { ...closed, limits })));
	for (const { reason, signal, code, stderr } of results) {
		expect({ reason, signal, code, stderr }).toMatchObject({ reason: "memory", signal: "SIGKILL" });
	}
});

limited.test("what a command writes to a folder in memory counts", async () => {
	const script = "head -c 100m /dev/zero > /tmp/x; echo after";
	const result = await run("sh", ["-c", script], { ...closed, limits: { memory: 32 * MiB } });
	expect(result).toMatchObject({ reason: "memory", stdout: "" });
	const small = "head -c 10m /dev/zero > /tmp/x; echo after";
	const kept = await run("sh", ["-c", small], { ...closed, limits: { memory: 32 * MiB } });
	expect(kept).toMatchObject({ code: 0, stdout: "after\n" });
	if (kept.usage.memoryPeak !== undefined) expect(kept.usage.memoryPeak).toBeGreaterThan(10 * MiB);
});

limited.test("what is read of files is given back, and kills nobody", async () => {
	const script = `cat ${process.execPath} | wc -c`;
	const options = { preset: "closed", read: ["/usr", "/bin?", "/lib?", "/lib64?", dirname(process.execPath)] } as const;
	const result = await run("sh", ["-c", script], { ...options, limits: { memory: 16 * MiB } });
	expect(result).toMatchObject({ code: 0, reason: "exited" });
	expect(Number(result.stdout)).toBeGreaterThan(32 * MiB);
});

limited.test("CG-17 a worker of node that dies of memory", async () => {
	const script = "const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));";
	const options = { preset: "closed", read: ["/usr", "/bin?", "/lib?", "/lib64?", dirname(process.execPath)] } as const;
	const result = await run(process.execPath, ["-e", script], { ...options, limits: { memory: 192 * MiB } });
	expect(result).toMatchObject({ code: null, signal: "SIGKILL", reason: "memory" });
});

needs("groups of cgroup v2 with limits", "the program python3").test(
	"a program of python that dies of memory",
	async () => {
		const script = "x = []\nwhile True: x.append(bytearray(1 << 20))";
		const result = await run("python3", ["-c", script], { ...closed, limits: { memory: 64 * MiB } });
		expect(result).toMatchObject({ signal: "SIGKILL", reason: "memory" });
	},
);

limited.test("another SIGKILL is no matter of memory, and a limit of time comes first", async () => {
	const limits = { memory: 32 * MiB };
	const killed = await run("sh", ["-c", "kill -KILL $$"], { ...closed, limits });
	expect(killed).toMatchObject({ signal: "SIGKILL", reason: "killed", violations: [] });
	const late = await run("sleep", ["1000"], { ...closed, limits: { ...limits, time: 300 } });
	expect(late).toMatchObject({ signal: "SIGTERM", reason: "timeout" });
});

limited.test("in an open sandbox one command dies of memory, process 1 and the others stay", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: { memory: 96 * MiB } });
	expect(sandbox.guarantees.memory).toBe(true);
	const other = await sandbox.start("sh", ["-c", "read line; echo $line"]);
	for (let i = 0; i < 3; i++) expect((await sandbox.run("sh", ["-c", bomb])).reason).toBe("memory");
	other.stdin?.end("alive\n");
	let said = "";
	for await (const chunk of other.stdout ?? []) said += chunk;
	expect([(await other.result).code, said]).toEqual([0, "alive\n"]);
	expect((await sandbox.run("echo", ["next"])).stdout).toBe("next\n");
});

limited.test("limits of a single run are those of its group", async () => {
	await using sandbox = await Sandbox.open({ ...closed, limits: { memory: 256 * MiB } });
	const small = await sandbox.run("sh", ["-c", bomb], { limits: { memory: 16 * MiB } });
	expect(small.reason).toBe("memory");
	expect(small.usage.memoryPeak ?? 0).toBeLessThan(18 * MiB);
	const large = await sandbox.run("sh", ["-c", "head -c 64m /dev/zero | tail | wc -c"]);
	expect(large.check().stdout.trim()).toBe(`${64 * MiB}`);
});

limited.test("swap: with it a command lives that would have died", async () => {
	skipUnless(readFileSync("/proc/swaps", "utf8").trim().includes("\n"), "swap space");
	const script = "head -c 24m /dev/zero | tail | wc -c";
	const options = (swap?: number) => ({ ...closed, limits: { memory: 16 * MiB, ...(swap !== undefined && { swap }) } });
	expect((await run("sh", ["-c", script], options())).reason).toBe("memory");
	expect((await run("sh", ["-c", script], options(128 * MiB))).reason).toBe("exited");
});

limited.test("the least memory is an error before anything runs, or is enough", async () => {
	const outcome = await run("echo", ["ran"], { ...closed, limits: { memory: 4 * MiB } }).catch((error) => error);
	if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "ERR_NEARFAR_SANDBOX_LIMIT" });
	else expect(["exited", "memory"]).toContain(outcome.reason);
});

limited.test("streams of a command that dies of memory end", async () => {
	const child = await start("sh", ["-c", `echo first; ${bomb}`], { ...closed, limits: { memory: 32 * MiB } });
	let said = "";
	for await (const chunk of child.stdout ?? []) said += chunk;
	expect([said, (await child.result).reason]).toEqual(["first\n", "memory"]);
});
