import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, nearfar } from "./command.ts";

test.each([0, 1, 42, 124, 255])("the exit code of the command is that of nearfar: %i", async (code) => {
	const ended = await nearfar(["run", "--", "sh", "-c", `echo out; echo err >&2; exit ${code}`]);
	expect(ended).toEqual({ code, signal: null, stdout: "out\n", stderr: "err\n", report: "" });
});

test.each([
	["TERM", 143],
	["KILL", 137],
	["RTMIN", 162],
] as const)("a command that SIG%s has ended is 128 and the number of the signal", async (signal, code) => {
	expect(await nearfar(["run", "sh", "-c", `kill -${signal} $$`])).toMatchObject({ code, signal: null, stderr: "" });
});

describe("a program that is not executed", () => {
	test("127 where there is none", async () => {
		expect(await nearfar(["run", "no-such-program"])).toMatchObject({ code: 127, stdout: "" });
		expect(await nearfar(["run", "/no/such/program"])).toMatchObject({ code: 127, stdout: "" });
		expect(await nearfar(["run", ""])).toMatchObject({ code: 127, stdout: "" });
	});

	test("126 where it cannot be executed", async () => {
		const cwd = folder();
		const [file, other] = [join(cwd, "file"), join(cwd, "other")]; // the second has no format that the kernel knows
		writeFileSync(file, "no program");
		writeFileSync(other, "neither");
		chmodSync(other, 0o755);
		for (const program of [file, other, "/usr"])
			expect(await nearfar(["run", program], { cwd })).toMatchObject({ code: 126, stdout: "" });
	});
});

describe("125, and nothing has run", () => {
	const ran = join(folderName(), "ran");
	test.each([
		[[], "the commands are run and doctor"],
		[["walk"], "walk is no command of nearfar"],
		[["run"], "no command was given"],
		[["run", "--"], "no command was given"],
		[["run", "--wrte", ".", "touch", ran], "there is no option --wrte"],
		[["run", "-w", "touch", ran], "there is no option -w"],
		[["run", "--write", "--", "touch", ran], '--write takes a path, and "--" was given'],
		[["run", "--write"], "--write takes a path, and nothing was given"],
		[["run", "--dry-run=yes", "touch", ran], '--dry-run takes no value, and "yes" was given'],
		[["run", "--time", "600", "touch", ran], '--time takes a time, such as 500ms, 90s, 10m or 2h, and "600" was given'],
		[["run", "--time", "0s", "touch", ran], '"0s" was given'],
		[["run", "--time", "600h", "touch", ran], '"600h" was given'],
		[["run", "--processes", "many", "touch", ran], '"many" was given'],
		[["run", "--processes", "0", "touch", ran], "options.limits.processes"],
		[["run", "--net", "some", "touch", ran], '--net takes none or host, and "some" was given'],
		[["run", "--net", "host", "--allow", "example.com", "touch", ran], 'the network is "host"'],
		[["run", "--allow", "a b", "touch", ran], "options.network.allow[0]"],
		[["run", "--publish", "70000", "touch", ran], "options.network.publish[0]"],
		[["run", "--preset", "open", "touch", ran], '"open" was given'],
		[["run", "--env", "=x", "touch", ran], '"=x" was given'],
		[["run", "--json", "x", "touch", ran], '"x" was given'],
		[["run", "--json", "77", "touch", ran], "and 77 is not"],
		[["run", "--tty", "--no-tty", "touch", ran], "leave out one"],
		[["run", "--read", "/no/such/folder", "touch", ran], "/no/such/folder"],
		[["run", "--write", "", "touch", ran], "options.write[0]"],
		[["doctor", "--jsn"], '"--jsn" was given'],
		[["doctor", "now"], '"now" was given'],
	])("%j", async (args, message) => {
		const ended = await nearfar(args);
		expect(ended).toMatchObject({ code: 125, stdout: "" });
		expect(ended.stderr).toMatch(/^nearfar: /);
		expect(ended.stderr).toContain(message);
		expect(ended.stderr).not.toContain("    at ");
	});
});

function folderName(): string {
	return `/tmp/nearfar-never-${process.pid}`;
}
