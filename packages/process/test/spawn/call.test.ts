import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { FileDescriptor, openat2 } from "@nearfar/core";
import { afterAll, describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { needs } from "../../../../test/needs.ts";
import { type Spawned, type SpawnOptions, spawn } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "nearfar-call-"));
const [mine, other] = ["mine", "other"].map((name) => join(folder, name)) as [string, string];
for (const file of [mine, other]) writeFileSync(file, file);
afterAll(() => rmSync(folder, { recursive: true }));

const TIMES = 20;
const ways: [string, SpawnOptions][] = [
	["plain", {}],
	["killTree", { killTree: true }],
	["setup", { setup: () => {} }],
	["a user namespace", { namespaces: ["user"] }],
	["init", { namespaces: ["user", "pid"], init: true }],
];

async function output(started: Promise<Spawned>): Promise<string> {
	const child = await started;
	const [out] = await Promise.all([child.stdout ? text(child.stdout) : "", child.check()]);
	return out;
}

// Some programs are sent at once, and others wait in a queue. Later changes by the caller must not affect either.
describe.each(ways)("what counts is what was there at the call: %s", (_, options) => {
	test("the environment", async () => {
		const env: Record<string, string> = { PATH: "/bin:/usr/bin" };
		const outputs = Array.from({ length: TIMES }, (_, turn) => {
			env.TURN = `${turn}`;
			return output(spawn("sh", ["-c", "echo $TURN"], { ...options, env }));
		});
		env.TURN = "late";
		expect(await Promise.all(outputs)).toEqual(Array.from({ length: TIMES }, (_, turn) => `${turn}\n`));
	});

	test("the environment of Node", async () => {
		const outputs = Array.from({ length: TIMES }, (_, turn) => {
			process.env.NEARFAR_TURN = `${turn}`;
			return output(spawn("sh", ["-c", "echo $NEARFAR_TURN"], options));
		});
		delete process.env.NEARFAR_TURN;
		expect(await Promise.all(outputs)).toEqual(Array.from({ length: TIMES }, (_, turn) => `${turn}\n`));
	});

	test("a descriptor, though its number becomes another file's", async () => {
		const strangers: number[] = [];
		const outputs = Array.from({ length: TIMES }, () => {
			const number = openSync(mine, "r");
			const started = output(spawn("cat", [], { ...options, stdio: [number, "pipe", "pipe"] }));
			closeSync(number);
			strangers.push(openSync(other, "r")); // usually gets the same number
			return started;
		});
		expect(await Promise.all(outputs)).toEqual(Array(TIMES).fill(mine));
		for (const stranger of strangers) closeSync(stranger);
	});

	needs("/proc").test("descriptors that it shall have at their numbers, and the file that it is", async () => {
		const given = openat2(mine);
		const program = openat2("/bin/cat", { flags: ["path"] });
		const started = output(spawn(program, [`/dev/fd/${given.fd}`], { ...options, fds: [given], argv0: "cat" }));
		given.close();
		program.close();
		expect(await started).toBe(mine);
	});

	test("lists and limits", async () => {
		const limits = { nofile: { soft: 50, hard: 50 } };
		const cpus = [0];
		const started = output(spawn("sh", ["-c", "ulimit -n"], { ...options, limits, cpus }));
		limits.nofile.soft = 1e9;
		cpus[0] = 60_000;
		expect(await started).toBe("50\n");
	});
});

test("what cannot be kept open is refused, and nothing is left", async () => {
	const gone = FileDescriptor.borrow(openSync(mine, "r"));
	closeSync(gone.fd);
	const started = spawn("true", [], { killTree: true, stdio: [gone, "ignore", "ignore"] });
	await expect(started).rejects.toMatchObject({ code: "EBADF" });
});

test("an environment counts with what it inherits, as in Node", async () => {
	const env = Object.create({ INHERITED: "1", PATH: "/bin:/usr/bin" });
	expect(await output(spawn("sh", ["-c", "echo $INHERITED"], { env }))).toBe("1\n");
	expect(await output(spawn("sh", ["-c", "echo $INHERITED"], { env, killTree: true }))).toBe("1\n");
});

test("holes in stdio are pipes", async () => {
	const child = await spawn("echo", ["hello"], { stdio: Array(3) });
	expect(child.stdio.map((stream) => stream !== null)).toEqual([true, true, true]);
	expect(await text(child.stdout as NonNullable<typeof child.stdout>)).toBe("hello\n");
	await child.check();
});

needs("/proc").test("the working directory and the umask of Node, which change right after", async () => {
	const end = await runFixture("process/spawn-where");
	const none = { plain: 0, "four at once": 0, killTree: 0, "four trees at once": 0 };
	expect(end).toEqual({ code: 0, signal: null, stderr: "", report: none });
});
