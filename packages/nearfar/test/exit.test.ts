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
	test.each([
		[[], "the commands are run and doctor"],
		[["walk"], "walk is no command of nearfar"],
		[["run"], "no command was given"],
		[["run", "--"], "no command was given"],
		[["run", "--wrte", ".", "echo", "ran"], "there is no option --wrte"],
		[["run", "-w", "echo", "ran"], "there is no option -w"],
		[["run", "--write", "--", "echo", "ran"], '--write takes a path, and "--" was given'],
		[["run", "--write"], "--write takes a path, and nothing was given"],
		[["run", "--dry-run=yes", "echo", "ran"], '--dry-run takes no value, and "yes" was given'],
		[
			["run", "--time", "600", "echo", "ran"],
			'--time takes a time, such as 500ms, 90s, 10m or 2h, and "600" was given',
		],
		[["run", "--time", "0s", "echo", "ran"], '"0s" was given'],
		[["run", "--time", "600h", "echo", "ran"], '"600h" was given'],
		[["run", "--processes", "many", "echo", "ran"], '"many" was given'],
		[["run", "--processes", "0", "echo", "ran"], "options.limits.processes"],
		[["run", "--memory", "2G", "echo", "ran"], '"2G" was given'],
		[["run", "--memory", "1m", "echo", "ran"], "options.limits.memory"],
		[["run", "--swap", "many", "echo", "ran"], '"many" was given'],
		[["run", "--cpus", "1/2", "echo", "ran"], '"1/2" was given'],
		[["run", "--cpus", "0", "echo", "ran"], "options.limits.cpus"],
		[["run", "--net", "some", "echo", "ran"], '--net takes none or host, and "some" was given'],
		[["run", "--net", "host", "--allow", "example.com", "echo", "ran"], 'the network is "host"'],
		[["run", "--allow", "a b", "echo", "ran"], "options.network.allow[0]"],
		[["run", "--publish", "70000", "echo", "ran"], "options.network.publish[0]"],
		[["run", "--preset", "open", "echo", "ran"], '"open" was given'],
		[["run", "--env", "=x", "echo", "ran"], '"=x" was given'],
		[["run", "--json", "x", "echo", "ran"], '"x" was given'],
		[["run", "--json", "77", "echo", "ran"], "and 77 is not"],
		[["run", "--tty", "--no-tty", "echo", "ran"], "leave out one"],
		[["run", "--read", "/no/such/folder", "echo", "ran"], "/no/such/folder"],
		[["run", "--write", "", "echo", "ran"], "options.write[0]"],
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
