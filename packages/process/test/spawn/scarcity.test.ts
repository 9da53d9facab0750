import { fileURLToPath } from "node:url";
import { type FileDescriptor, openat2 } from "@nearfar/core";
import { describe, expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { isRoot, needs, openFilesLimit } from "../../../../test/needs.ts";
import { ownProc } from "../../../../test/own-proc.ts";
import { reason } from "../../../../test/reason.ts";
import { getrlimit, type SpawnOptions, setrlimit, spawn } from "../../src/index.ts";
import { output, shell } from "./output.ts";

test("EMFILE in Node, wherever it strikes: the promise rejects, and nothing is left", async () => {
	await (await spawn("true", [], { stdio: "ignore" })).check();
	const limit = getrlimit("nofile");
	const taken: FileDescriptor[] = [];
	const codes = new Set<string>();
	try {
		setrlimit("nofile", { soft: 200, hard: limit.hard });
		for (let free = 0; free < 24; free++) {
			const last = fill(taken);
			for (let count = 0; count < free; count++) last.pop()?.close();
			for (const options of [{}, { killTree: true }] satisfies SpawnOptions[]) {
				const child = await reason(async () => {
					await using child = await spawn("true", [], options);
					await child.exited;
					codes.add("none");
				});
				if (child !== undefined) codes.add((child as NodeJS.ErrnoException).code ?? `${child}`);
			}
		}
	} finally {
		for (const fd of taken) fd.close();
		setrlimit("nofile", limit);
	}
	expect([...codes].sort()).toEqual(["EMFILE", "none"]);
});

/** Opens files until no descriptor is free. */
function fill(taken: FileDescriptor[]): FileDescriptor[] {
	for (;;) {
		try {
			taken.push(openat2("/dev/null"));
		} catch {
			return taken;
		}
	}
}

test("a limit of descriptors that is too low for the program's own is its, and named", async () => {
	expect(await shell("ulimit -n", { limits: { nofile: 4 } })).toBe("4");
	const stdio = ["ignore", "pipe", "pipe", "ignore", "ignore"] as const;
	const seen = await shell(`ls ${ownProc}/$$/fd`, { limits: { nofile: 6 }, stdio });
	expect(seen.split("\n")).toEqual(expect.arrayContaining(["3", "4"]));
});

describe.each([0, 1, 3])("a limit of %i open files", (nofile) => {
	const program = new URL("../../../core/native/nearfar-stub", import.meta.url); // static, and ends without a channel
	const env = { LONG: "x".repeat(120_000) };
	const setup = () => {
		using _file = openat2("/dev/null"); // `setup` runs before the limit is set
	};
	test.each<[string, SpawnOptions]>([
		["no other options", {}],
		["killTree", { killTree: true }],
		["setup", { setup }],
		["setup and a long environment", { setup, env }],
	])("lets a static program run, with %s", async (_, options) => {
		const child = await spawn(program, [], { ...options, stdio: "ignore", limits: { nofile } });
		expect(await child.exited).toMatchObject({ code: 0 });
	});

	needs("root").test("lets a static program of another user run", async () => {
		const file = openat2(fileURLToPath(program));
		const child = await spawn(file, [], { stdio: "ignore", limits: { nofile }, uid: 54_321, setup: () => {} });
		file.close();
		expect(await child.exited).toMatchObject({ code: 0 });
	});
});

needs("root", "limits that can be raised").test(
	"a limit of open files above Node's is that of another user",
	async () => {
		const limit = getrlimit("nofile");
		setrlimit("nofile", 500);
		try {
			expect(await shell("ulimit -n", { limits: { nofile: 501 }, uid: 54_321 })).toBe("501");
		} finally {
			setrlimit("nofile", limit);
		}
	},
);

needs("the program prlimit").test.each([65_536, 0])(
	"a long program begins though Node may write only %i bytes",
	async (bytes) => {
		const { code, report, stderr } = await runFixture("process/file-limit", {
			wrapper: ["prlimit", `--fsize=${bytes}`],
		});
		expect([code, stderr]).toEqual([0, ""]);
		const limit = expect.stringMatching(new RegExp(`^Max file size +${bytes} +${bytes} `, "m"));
		expect(report).toEqual({
			lengths: [65_000, 360_000],
			limit,
			tooLong: { name: "SyscallError", code: "EFBIG", syscall: "write" },
		});
	},
);

test("a limit of processes: the program's own forks fail", async () => {
	// The kernel does not apply the limit to root, and no other process has this user id.
	const somebody: SpawnOptions = isRoot ? { uid: 54_321, gid: 54_321 } : {};
	const { err, status } = await output("/bin/sh", ["-c", "(exit 3); exit 0"], { ...somebody, limits: { nproc: 1 } });
	expect(err).toMatch(/fork/);
	expect(status.code).not.toBe(0); // 2 of dash, 254 of bash, which tries for some seconds
});

needs("root").test("a limit of processes that setresuid has crossed: execve says EAGAIN", async () => {
	await using _other = await spawn("sleep", ["1000"], { uid: 54_321, stdio: "ignore" });
	const options: SpawnOptions = { uid: 54_321, limits: { nproc: 0 } };
	for (const more of [{}, { killTree: true }]) {
		const error = await reason(() => spawn("true", [], { ...options, ...more }));
		expect(error).toMatchObject({ code: "EAGAIN", syscall: "execve" });
	}
});

needs("an ordinary user").test("a limit of processes of Node: clone says EAGAIN", async () => {
	await (await spawn("true", [], { stdio: "ignore" })).check();
	const { soft, hard } = getrlimit("nproc");
	setrlimit("nproc", { soft: 1, hard });
	try {
		for (const options of [{}, { killTree: true }]) {
			expect(await reason(() => spawn("true", [], options))).toMatchObject({ code: "EAGAIN" });
		}
	} finally {
		setrlimit("nproc", { soft, hard });
	}
	await (await spawn("true", [], { stdio: "ignore" })).check();
});

needs("2500 processes at once").test(
	"as many at once as there are descriptors for all end, and their output is theirs",
	async () => {
		const files = openFilesLimit();
		const piped = Math.min(Math.floor((files - 100) / 8), 250);
		const numbers = Array.from({ length: Math.min(Math.floor(files / 8), 2000) }, (_, index) => index);
		const outputs = await Promise.all(
			numbers.map(async (number) => {
				const stdio = ["ignore", number < piped ? "pipe" : "ignore", "ignore"] as const;
				const child = await spawn("/bin/sh", ["-c", `echo ${number}; exit ${number % 256}`], {
					stdio,
					killTree: number % 4 === 0,
				});
				let text = "";
				for await (const chunk of child.stdout ?? []) text += chunk;
				return [text, (await child.exited).code];
			}),
		);
		expect(outputs).toEqual(numbers.map((number) => [number < piped ? `${number}\n` : "", number % 256]));
	},
	120_000,
);
