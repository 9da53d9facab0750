import { expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { nearfar, startNearfar } from "./command.ts";

test("--json writes one line with the result, and the command does not get the descriptor", async () => {
	const ended = await nearfar(["run", "--json", "3", "sh", "-c", "ls /proc/self/fd; exit 3"]);
	expect(ended).toMatchObject({ code: 3, stdout: "0\n1\n2\n3\n", stderr: "" }); // 3 is what ls has opened
	expect(ended.report.match(/\n/g)).toHaveLength(1);
	const { result } = JSON.parse(ended.report);
	expect(Object.keys(result).sort()).toEqual(["code", "guarantees", "reason", "signal", "usage", "violations"]);
	expect(result).toMatchObject({ code: 3, signal: null, reason: "exited", violations: [] });
	expect(result.guarantees).toMatchObject({ files: true, network: true });
});

test("--json tells whose exit code it is", async () => {
	const own = JSON.parse((await nearfar(["run", "--json", "3", "sh", "-c", "exit 125"])).report);
	expect(own).toMatchObject({ result: { code: 125, reason: "exited" } });
	const ours = JSON.parse((await nearfar(["run", "--json", "3", "--read", "/no/such", "true"])).report);
	expect(ours).toMatchObject({ error: { code: "ERR_NEARFAR_SANDBOX_PATH" } });
	expect(ours.error.message).toContain("/no/such");
});

test.each([
	[["no-such-program"], { code: "ENOENT", step: "execve" }],
	[["/usr"], { code: "EACCES", step: "execve" }],
	[[], { code: "ERR_NEARFAR_USAGE" }],
	[["--time", "x", "true"], { code: "ERR_NEARFAR_USAGE" }],
	[["--config", "/no/such/file", "true"], { code: "ERR_NEARFAR_USAGE" }],
	[["--processes", "0", "true"], { code: "ERR_OUT_OF_RANGE" }],
	[["--write", ".", "--protect", ".", "true"], { code: "ERR_INVALID_ARG_VALUE" }],
])("--json with the error of %j", async (args, error) => {
	const ended = await nearfar(["run", "--json", "3", ...args]);
	expect(JSON.parse(ended.report)).toMatchObject({ error });
	expect(ended.report.match(/\n/g)).toHaveLength(1);
	expect(ended.stderr).not.toBe("");
});

test("--json with what a time limit has ended", async () => {
	const ended = await nearfar(["run", "--json", "3", "--time", "50ms", "sleep", "1000"]);
	expect(ended.code).toBe(143);
	expect(ended.stderr).toBe("nearfar: the command took longer than 50 ms, and was ended\n");
	expect(JSON.parse(ended.report)).toMatchObject({
		result: { code: null, signal: "SIGTERM", reason: "timeout", violations: [{ kind: "limit", what: "time" }] },
	});
});

needs("/proc").test("--json takes no descriptor of Node, and writes to none", async () => {
	for (let fd = 4; fd < 40; fd++) {
		const ended = await nearfar(["run", "--json", `${fd}`, "echo", "ran"]);
		expect([fd, ended.code, ended.stdout]).toEqual([fd, 125, ""]);
		expect(ended.stderr).toContain(`and ${fd} is not`);
	}
});

test("--json to a reader that has gone changes nothing but a message", async () => {
	const { child, ended, shows } = startNearfar(["run", "--json", "3", "sh", "-c", "echo up; read line; exit 7"], {
		input: undefined,
	});
	await shows("up");
	child.stdio[3]?.destroy();
	child.stdin?.end("go\n");
	expect(await ended).toMatchObject({ code: 7, stderr: "nearfar: nobody reads descriptor 3 of --json\n" });
});
